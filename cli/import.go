package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/importer"
)

type userImport struct {
	From      string `arg:"" help:"A SQLite file, a URL like postgres://user@host/synapse, or a CSV file."`
	Format    string `enum:"auto,synapse,dendrite,csv" default:"auto" help:"synapse, dendrite or csv; auto: seen from the tables, and from a name that ends in .csv."`
	Sessions  bool   `help:"From Synapse: take the devices, and the access and refresh tokens in use, so that nobody has to log in."`
	SinceLast bool   `help:"With --sessions: also bring what has changed there since the last import, and end what has ended there."`
	DryRun    bool   `help:"Only show what would happen."`
}

// Help is shown by `postern user import --help`.
func (*userImport) Help() string {
	return `Accounts of --server-name move with their passwords, which keep working and are hashed with argon2id at the next login. The source is only read,
and both servers may run meanwhile. Guests, application services' users, bots and support users stay behind, and so does whoever is here already:
running it twice changes nothing.

With --sessions the devices come too, and the tokens in use, as SHA-256 only: they stay good until the client refreshes or logs in again, when the
session becomes one of Postern's own. Without, people log in once more. Synapse may go on during the first run; stop it, and --since-last brings what
has happened meanwhile: accounts, logins, logouts, refreshed tokens, passwords, locks. What was done here since is left alone.

Examples:
  postern user import /var/lib/matrix-synapse/homeserver.db --server-name example.org --sessions --dry-run
  postern user import /var/lib/matrix-synapse/homeserver.db --server-name example.org --sessions --since-last
  postern user import postgres://synapse_user@localhost/synapse --server-name example.org
  postern user import dendrite.db --format dendrite --server-name example.org
  postern user import people.csv

A password for PostgreSQL belongs in ~/.pgpass or PGPASSWORD, not in the URL. If Synapse's configuration has password_config.pepper, put it into a
file and start the server with --synapse-pepper-file FILE: without it no imported password is right.

The first line of a CSV file names its columns: user,password_hash, and if known created,deactivated. A hash is argon2id, bcrypt, or bcrypt by
Synapse with "synapse" before it; empty: none. Times are like 2026-11-24T12:00:00Z or in Unix seconds.`
}

// here is said of an account whose name is taken, whoever took it.
const here = "is here already"

// Run reads the accounts, adds those that can move, and shows tables of all that happened.
func (cmd *userImport) Run(ctx context.Context, w world, c *common) error {
	if err := errors.Join(c.problems()...); err != nil {
		return err
	}
	if cmd.SinceLast && !cmd.Sessions {
		return errors.New("--since-last belongs to --sessions; add it")
	}
	arriving := &arriving{again: cmd.SinceLast, sessions: cmd.Sessions, dry: cmd.DryRun, now: time.Now()}
	if err := cmd.read(ctx, c, &arriving.contents); err != nil {
		return err
	}
	open := c.open
	if cmd.DryRun && c.missing() {
		open = func(_ context.Context, do func(*db.DB) error) error { return do(nil) } // a dry run makes no database
	}
	if err := open(ctx, func(d *db.DB) error {
		if err := c.movedOut(ctx, d); err != nil && cmd.Sessions {
			return err
		}
		return arriving.run(ctx, w, d)
	}); err != nil {
		return err
	}
	return cmd.report(w, arriving)
}

// read reads the source.
func (cmd *userImport) read(ctx context.Context, c *common, contents *importer.Contents) (err error) {
	config := importer.Config{
		From: cmd.From, Format: importer.Kind(cmd.Format), ServerName: c.ServerName}
	if cmd.Format == "auto" {
		config.Format = ""
	}
	if cmd.Sessions {
		*contents, err = importer.ReadSessions(ctx, config)
	} else {
		contents.Kind, contents.Accounts, err = importer.Read(ctx, config)
	}
	return err
}

// user is the account as it is stored. When it was deactivated or locked nobody wrote down, so it is now.
func user(a importer.Account, now time.Time) db.User {
	u := db.User{Localpart: a.Localpart, PasswordHash: a.Hash, Created: a.Created, Admin: a.Admin}
	if u.PasswordHash == "" {
		u.PasswordHash = handlers.NoPassword
	}
	if a.Deactivated {
		u.Deactivated = now
	}
	if a.Locked {
		u.Locked = now
	}
	return u
}

// outcome tells what happened to an account, and whether a person should look at it.
func outcome(a importer.Account, did db.Arrived) (what, why string, notable bool) {
	switch {
	case a.Skip != "":
		return "skipped", a.Skip, true
	case len(did.Changed) > 0:
		return "changed", strings.Join(did.Changed, ", "), true
	case !did.Added:
		return "unchanged", "", false
	case a.Deactivated:
		return "added", "deactivated", false
	case a.Locked:
		return "added", "locked", true
	case a.Hash == "":
		return "added", "no password", true
	default:
		return "added", "", false
	}
}

// tally counts what happened, by what and why.
type tally map[[2]string]int

// show writes a table of it.
func (n tally) show(w world, heading string) error {
	var rows [][]string
	for l, count := range n {
		if count > 0 {
			rows = append(rows, []string{l[0], strconv.Itoa(count), l[1]})
		}
	}
	slices.SortFunc(rows, func(a, b []string) int { return slices.Compare([]string{a[0], a[2]}, []string{b[0], b[2]}) })
	return table(w.stdout, heading, rows)
}

// report shows each account that somebody may miss, and then how many there are of each kind.
func (cmd *userImport) report(w world, arriving *arriving) error {
	var notables [][]string
	count := make(tally)
	for i, a := range arriving.contents.Accounts {
		what, why, notable := outcome(a, arriving.did[i])
		count[[2]string{what, why}]++
		if notable {
			notables = append(notables, []string{printable(a.Name), what, why})
		}
	}
	if len(notables) > 0 {
		if err := table(w.stdout, "ACCOUNT OUTCOME WHY", notables); err != nil {
			return err
		}
		fmt.Fprintln(w.stdout)
	}
	if err := count.show(w, "OUTCOME ACCOUNTS WHY"); err != nil {
		return err
	}
	if cmd.Sessions {
		fmt.Fprintln(w.stdout)
		if err := arriving.sessionTally().show(w, "OUTCOME SESSIONS WHY"); err != nil {
			return err
		}
	}
	cmd.advise(w, arriving.contents.Kind, count[[2]string{"added", "no password"}])
	return nil
}

// advise says what is left to do.
func (cmd *userImport) advise(w world, kind importer.Kind, passwordless int) {
	if passwordless > 0 {
		fmt.Fprintln(w.stdout, "\nAn account without a password gets one with `postern user passwd NAME`.")
	}
	if kind == importer.Synapse {
		fmt.Fprintln(w.stdout, "\nIf Synapse's configuration has password_config.pepper, start the server with "+
			"--synapse-pepper-file FILE.")
	}
	if kind == importer.Synapse && !cmd.Sessions {
		fmt.Fprintln(w.stdout, "\nSessions stay behind, so people log in once more; --sessions brings them.")
	}
	if cmd.DryRun {
		fmt.Fprintln(w.stdout, "\nNothing was written; without --dry-run it will be.")
	}
}

// progress tells that long work goes on: every second on a terminal, else every thousand accounts.
type progress struct {
	to          io.Writer
	total, done int
	told        time.Time
	shown       bool
}

func (p *progress) step(n int) {
	before := p.done / 1000
	p.done += n
	if !p.terminal() {
		if p.done/1000 > before {
			fmt.Fprintf(p.to, "%d of %d accounts\n", p.done, p.total)
		}
		return
	}
	if p.told.IsZero() {
		p.told = time.Now() // work of less than a second is not worth a word
	}
	if time.Since(p.told) >= time.Second {
		p.told, p.shown = time.Now(), true
		fmt.Fprintf(p.to, "\r%d of %d accounts", p.done, p.total)
	}
}

func (p *progress) end() {
	if p.shown {
		fmt.Fprintf(p.to, "\r%d of %d accounts\n", p.done, p.total)
	}
}

func (p *progress) terminal() bool {
	file, ok := p.to.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
