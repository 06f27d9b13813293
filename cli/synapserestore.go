package cli

import (
	"context"
	"fmt"
	"time"

	"postern/db"
	"postern/homeserver/delegation"
	"postern/homeserver/importer"
)

type synapseRestore struct {
	synapseFiles
	Write bool `help:"Make the change. Without it, it is only shown."`
}

// Help is shown by `postern synapse restore --help`.
func (*synapseRestore) Help() string {
	return `Takes back what ` + "`postern synapse setup`" + ` did, and nothing else: if nobody changed the file
since, it is byte by byte what it was. Nothing was ever changed in Synapse's database, so the tokens
that it gave before are good again. The secret and the copies stay.

What was made only here is lost to Synapse: it is counted. Postern's database ends with that: to move
in again some day, begin with a new one.

Examples:
  postern synapse restore /etc/matrix-synapse/homeserver.yaml
  postern synapse restore /etc/matrix-synapse/homeserver.yaml --write`
}

// Run shows what is lost and what changes, or changes it.
func (cmd *synapseRestore) Run(ctx context.Context, w world, c *common) error {
	config, err := delegation.Read(cmd.Files)
	if err != nil {
		return err
	}
	changes, err := config.Restore()
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		fmt.Fprintln(w.stdout, "There is nothing to take back: setup has not changed these files.")
		return nil
	}
	if err := reportLost(ctx, w, c, config); err != nil {
		return err
	}
	for _, change := range changes {
		fmt.Fprint(w.stdout, change.Diff()+"\n")
		if change.AsCopied() {
			fmt.Fprintf(w.stdout, "So %s is byte by byte what it was before setup.\n", change.Path)
		} else {
			fmt.Fprintf(w.stdout, "%s was changed by hand since setup; those changes stay.\n", change.Path)
		}
	}
	if !cmd.Write {
		fmt.Fprintln(w.stdout, "Nothing was changed. The same command with --write makes this change.")
		return nil
	}
	return cmd.write(ctx, w, c, changes)
}

// write marks the database as moved out of, and writes the files.
func (cmd *synapseRestore) write(ctx context.Context, w world, c *common, changes []delegation.Change) error {
	if !c.missing() {
		if err := c.open(ctx, func(d *db.DB) error { return importer.MarkMovedOut(ctx, d, time.Now()) }); err != nil {
			return fmt.Errorf("nothing was changed: %w", err)
		}
	}
	for _, change := range changes {
		if err := change.Write(); err != nil {
			return err
		}
		fmt.Fprintln(w.stdout, "wrote  "+change.Path)
	}
	fmt.Fprintln(w.stdout, "Stop Postern now and restart Synapse: it has its accounts and its port back. The secret "+
		"and the copies stay; remove them when you like.")
	if !c.missing() {
		fmt.Fprintf(w.stdout, "To move in again some day, begin with a new database: %s knows nothing of what "+
			"happens from now on.\n", c.path())
	}
	return nil
}

// movedOut is an error that says what to do if Synapse has had its accounts again since the database was used.
func (c *common) movedOut(ctx context.Context, d *db.DB) error {
	if d == nil { // there is no database
		return nil
	}
	since, err := importer.MovedOut(ctx, d)
	if since == "" || err != nil {
		return err
	}
	fix := "name a new one with --db"
	if !c.onServer() {
		fix = "stop Postern, then mv " + shellWord(c.path()) + " " + shellWord(c.path()+".old")
	}
	return fmt.Errorf("%s was moved out of at %s and knows nothing of what happened at Synapse since: to move in "+
		"again, begin with a new database: %s", c.path(), since, fix)
}

// reportLost counts what Synapse will not know.
func reportLost(ctx context.Context, w world, c *common, config *delegation.Config) error {
	if c.missing() {
		fmt.Fprintf(w.stdout, "There is no database at %s, so what is lost was not counted; name it with --db.\n\n",
			c.path())
		return nil
	}
	return c.open(ctx, func(d *db.DB) error {
		made, err := d.MadeSince(ctx)
		if err != nil {
			return err
		}
		since := ""
		if t := config.Since(); !t.IsZero() {
			since = ", since " + when(t) + " UTC"
		}
		fmt.Fprintf(w.stdout, "Lost by moving out%s:\n  %s: whoever has one logs in again\n  %s: the old ones of "+
			"Synapse count again\n  %s: Synapse has no password for them\n\n",
			since, plural(made.Sessions, "session")+" begun or renewed here",
			plural(made.Passwords, "password")+" set here", plural(made.Users, "account")+" made here")
		return nil
	})
}
