package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/term"

	"postern/db"
	"postern/handlers"
	"postern/moving"
)

type userImport struct {
	From   string `arg:"" help:"A SQLite file, a URL like postgres://user@host/synapse, or a CSV file."`
	Format string `enum:"auto,synapse,dendrite,csv" default:"auto" help:"synapse, dendrite or csv; auto: seen from the tables, and from a name that ends in .csv."`
	DryRun bool   `help:"Only show what would happen."`
}

// Help is shown by `postern user import --help`.
func (*userImport) Help() string {
	return `Accounts of --server-name move with their passwords, which keep working and are hashed with argon2id at the next login. The source is only read,
and both servers may run meanwhile. Guests, app services' users, bots and support users stay behind, and so does whoever is here already:
running it twice changes nothing. Sessions do not move: people log in once more.

Examples:
  postern user import /var/lib/matrix-synapse/homeserver.db --server-name example.org --dry-run
  postern user import postgres://synapse_user@localhost/synapse --server-name example.org
  postern user import dendrite.db --format dendrite --server-name example.org
  postern user import people.csv

A password for PostgreSQL belongs in ~/.pgpass or PGPASSWORD, not in the URL. If Synapse's configuration has password_config.pepper, put it into a
file and start the server with --synapse-pepper-file FILE: without it no imported password is right.

The first line of a CSV file names its columns: user,password_hash, and if known created,deactivated. A hash is argon2id, bcrypt, or bcrypt by
Synapse with "synapse" before it; empty: none. Times are like 2026-11-24T12:00:00Z or in Unix seconds.`
}

// importBatch is how many accounts are added in one transaction: few enough for logins to come in between.
const importBatch = 500

// here is said of an account whose name is taken, whoever took it.
const here = "is here already"

// Run reads the accounts, adds those that can move, and shows a table of all that happened.
func (cmd *userImport) Run(ctx context.Context, w world, c *common) error {
	if err := errors.Join(c.problems()...); err != nil {
		return err
	}
	format := moving.Kind(cmd.Format)
	if cmd.Format == "auto" {
		format = ""
	}
	kind, accounts, err := moving.Read(ctx, moving.Config{
		From: cmd.From, Format: format, ServerName: c.ServerName,
		CheckHash: handlers.CheckHash, SynapsePrefix: handlers.SynapseHash,
	})
	if err != nil {
		return err
	}
	if cmd.DryRun {
		err = foresee(ctx, c, accounts)
	} else {
		err = c.open(ctx, func(d *db.DB) error { return add(ctx, w, d, accounts) })
	}
	if err != nil {
		return err
	}
	return cmd.report(w, kind, accounts)
}

// foresee marks who is here already, and makes no database for that.
func foresee(ctx context.Context, c *common, accounts []moving.Account) error {
	if c.missing() {
		return nil
	}
	return c.existing(ctx, func(d *db.DB) error {
		users, err := d.Users(ctx)
		if err != nil {
			return err
		}
		known := make(map[string]bool, len(users))
		for _, u := range users {
			known[u.Localpart] = true
		}
		for i := range accounts {
			if a := &accounts[i]; a.Skip == "" && known[a.Localpart] {
				a.Skip = here
			}
		}
		return nil
	})
}

// add adds the accounts that move, in batches, and marks who was here already.
func add(ctx context.Context, w world, d *db.DB, accounts []moving.Account) error {
	now, progress, added := time.Now(), progress{to: w.stderr, total: len(accounts)}, 0
	for batch := range slices.Chunk(accounts, importBatch) {
		var users []db.User
		for _, a := range batch {
			if a.Skip == "" {
				users = append(users, user(a, now))
			}
		}
		if len(users) == 0 {
			progress.step(len(batch))
			continue
		}
		n, skipped, err := d.ImportUser(ctx, users)
		if err != nil {
			return fmt.Errorf("%s added, then: %w; run it again to go on", plural(added, "account"), err)
		}
		added += n
		for i := range batch {
			if a := &batch[i]; a.Skip == "" && slices.Contains(skipped, a.Localpart) {
				a.Skip = here
			}
		}
		progress.step(len(batch))
	}
	progress.end()
	return nil
}

// user is the account as it is stored. When it was deactivated or locked nobody wrote down, so it is now.
func user(a moving.Account, now time.Time) db.User {
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
func outcome(a moving.Account) (what, why string, notable bool) {
	switch {
	case a.Skip != "":
		return "skipped", a.Skip, true
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

// report shows each account that somebody may miss, and then how many there are of each kind.
func (cmd *userImport) report(w world, kind moving.Kind, accounts []moving.Account) error {
	type line struct{ what, why string }
	var notables [][]string
	count := make(map[line]int)
	for _, a := range accounts {
		what, why, notable := outcome(a)
		count[line{what, why}]++
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
	var sums [][]string
	for l, n := range count {
		sums = append(sums, []string{l.what, strconv.Itoa(n), l.why})
	}
	slices.SortFunc(sums, func(a, b []string) int { return slices.Compare([]string{a[0], a[2]}, []string{b[0], b[2]}) })
	if err := table(w.stdout, "OUTCOME ACCOUNTS WHY", sums); err != nil {
		return err
	}
	cmd.advise(w, kind, count[line{"added", "no password"}])
	return nil
}

// advise says what is left to do.
func (cmd *userImport) advise(w world, kind moving.Kind, passwordless int) {
	if passwordless > 0 {
		fmt.Fprintln(w.stdout, "\nAn account without a password gets one with `postern user passwd NAME`.")
	}
	if kind == moving.Synapse {
		fmt.Fprintln(w.stdout, "\nIf Synapse's configuration has password_config.pepper, start the server with --synapse-pepper-file FILE.")
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
