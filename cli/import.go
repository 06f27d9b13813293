package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"

	"postern/db"
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
	return `Accounts of --server-name come with their passwords, which keep working and are hashed with argon2id
at the next login. The source is only read, and both servers may run meanwhile. Guests, application
services' users, bots and support users are skipped, and so are accounts that are here already: a
second run changes nothing about them, and counts what has changed there and is not brought.

With --sessions the devices come too, and the tokens in use, as SHA-256 only: they stay good until
the client refreshes or logs in again, when the session becomes one of Postern's own. Without it,
people log in once more. Synapse may go on during the first run; stop it, and --since-last brings
what has happened meanwhile: accounts, logins, logouts, refreshed tokens, passwords, locks. What was
done here since is left alone.

Examples:
  postern user import /var/lib/matrix-synapse/homeserver.db --server-name example.org --sessions --dry-run
  postern user import /var/lib/matrix-synapse/homeserver.db --server-name example.org --sessions --since-last
  postern user import postgres://synapse_user@localhost/synapse --server-name example.org
  postern user import dendrite.db --format dendrite --server-name example.org
  postern user import people.csv

A password for PostgreSQL belongs in ~/.pgpass or PGPASSWORD, not in the URL. If Synapse's
configuration has password_config.pepper, put it into a file and start the server with
--synapse-pepper-file FILE: without it no imported password is right.

The first line of a CSV file names its columns: user,password_hash, and if known created,deactivated,email.
A hash is argon2id, bcrypt, or "synapse" followed by a bcrypt hash that Synapse made; an account
without a password has an empty one. Times are like 2026-11-24T12:00:00Z or in Unix seconds. Mail
addresses have spaces between them, and count as confirmed.`
}

// Run reads the accounts, adds those that come, and prints tables of what happened.
func (cmd *userImport) Run(ctx context.Context, w world, c *common) error {
	if err := errors.Join(c.problems()...); err != nil {
		return err
	}
	if cmd.SinceLast && !cmd.Sessions {
		return errors.New("--since-last belongs to --sessions; add it")
	}
	config := importer.Config{From: cmd.From, Format: importer.Kind(cmd.Format), ServerName: c.ServerName,
		Sessions: cmd.Sessions}
	if cmd.Format == "auto" {
		config.Format = ""
	}
	contents, err := importer.Read(ctx, config)
	if err != nil {
		return err
	}
	var result importer.Result
	work := func(d *db.DB) error {
		if err := c.movedOut(ctx, d); err != nil && cmd.Sessions {
			return err
		}
		progress := progress{to: w.stderr}
		result, err = importer.Import(ctx, d, contents, importer.Options{SinceLast: cmd.SinceLast, DryRun: cmd.DryRun,
			Now: time.Now(), Progress: progress.step})
		return err
	}
	if cmd.DryRun && c.missing() {
		err = work(nil) // a dry run makes no database
	} else {
		err = c.open(ctx, work)
	}
	if err != nil {
		return err
	}
	return cmd.report(w, contents.Kind, result)
}

// report prints each account that somebody may miss, how many there are of each kind, and what is left to do.
func (cmd *userImport) report(w world, kind importer.Kind, result importer.Result) error {
	if len(result.Notable) > 0 {
		var rows [][]string
		for _, o := range result.Notable {
			rows = append(rows, []string{o.Name, o.What, o.Why})
		}
		if err := table(w.stdout, "ACCOUNT OUTCOME WHY", rows); err != nil {
			return err
		}
		fmt.Fprintln(w.stdout)
	}
	if err := countTable(w, "OUTCOME ACCOUNTS WHY", result.Accounts); err != nil {
		return err
	}
	if cmd.Sessions {
		fmt.Fprintln(w.stdout)
		if err := countTable(w, "OUTCOME SESSIONS WHY", result.Sessions); err != nil {
			return err
		}
	}
	if result.Left > 0 && kind == importer.Synapse {
		flags := "--since-last"
		if !cmd.Sessions {
			flags = "--sessions --since-last"
		}
		fmt.Fprintf(w.stdout, "\nNot brought: %s at Synapse since the last import. Without them people lose their "+
			"sessions,\nor a lock or a new password does not count.\nRun the same with %s to bring them.\n",
			plural(result.Left, "change"), flags)
	}
	if result.Passwordless > 0 {
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
	return nil
}

func countTable(w world, heading string, counts []importer.Row) error {
	var rows [][]string
	for _, c := range counts {
		rows = append(rows, []string{c.What, strconv.Itoa(c.Number), c.Why})
	}
	return table(w.stdout, heading, rows)
}

// progress shows that long work goes on: every second on a terminal, else every thousand accounts.
type progress struct {
	to    io.Writer
	done  int
	last  time.Time // a line was written
	shown bool
}

func (p *progress) step(done, of int) {
	before := p.done
	p.done = done
	if file, ok := p.to.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		if done/1000 > before/1000 {
			fmt.Fprintf(p.to, "%d of %d accounts\n", done, of)
		}
		return
	}
	if p.last.IsZero() {
		p.last = time.Now() // work of less than a second is not worth a word
	}
	if time.Since(p.last) >= time.Second {
		p.last, p.shown = time.Now(), true
		fmt.Fprintf(p.to, "\r%d of %d accounts", done, of)
	}
	if done == of && p.shown {
		fmt.Fprintf(p.to, "\r%d of %d accounts\n", done, of)
	}
}
