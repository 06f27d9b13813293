package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"postern/db"
)

type dbCmds struct {
	Copy dbCopy `cmd:"" help:"Move everything to another database, of either engine; nobody is logged out."`
}

type dbCopy struct {
	From       string `arg:"" help:"The database that is in use: a path, or postgres://user@host/database."`
	To         string `arg:"" help:"Where everything goes: a new or empty database, or one that has moved away."`
	KeepSource bool   `help:"Do not mark FROM as moved: for trying TO out. From then on both live apart."`
}

// Help is shown by 'postern db copy --help'.
func (*dbCopy) Help() string {
	return `The server may run meanwhile. While the copy is made, the server's writes wait, or it answers 503 and
the clients try again. When the copy is compared and committed, FROM is marked as moved: every server
and command on it answers 503 from the next request on, and never 401, so no client loses its session.
Then start the server on TO, with the same master key. FROM keeps everything it had, for the way back:
it may be the TO of another copy, and is used again after it.

A copy that was interrupted may be run again. With --keep-source nothing waits and nothing is marked:
from then on logins and logouts on one of the two are unknown to the other.

A password for PostgreSQL belongs in ~/.pgpass or PGPASSWORD, not in the URL.

Examples:
  postern db copy postern.db postgres://postern@db.example.org/postern
  postern db copy postgres://postern@db.example.org/postern postern.db
  postern db copy postern.db trial.db --keep-source`
}

// Run copies, and says how to go on.
func (cmd *dbCopy) Run(ctx context.Context, w world, c *common) error {
	source, target := *c, *c
	source.DB, target.DB = cmd.From, cmd.To
	if err := source.mustExist(); err != nil {
		return err
	}
	key, err := source.checkMasterKey(ctx, w, target.masterKeyFile())
	if err != nil {
		return err
	}
	progress := &copyProgress{to: w.stderr}
	copied, err := db.Copy(ctx, db.CopyConfig{From: cmd.From, To: cmd.To, KeepSource: cmd.KeepSource,
		Progress: progress.step})
	if err != nil {
		return err
	}
	if err := reportCopied(w.stdout, copied); err != nil {
		return err
	}
	if cmd.KeepSource {
		_, err = fmt.Fprintf(w.stdout,
			"\n%s holds all that %s held a moment ago, and both live on, apart: logins and logouts on one are unknown "+
				"to the other.\n", target.path(), source.path())
	} else {
		_, err = fmt.Fprintf(w.stdout,
			"\n%s has moved to %s and answers nothing any more. Start the server there, with the same master key, "+
				"which was not copied:\n"+
				"  postern serve --db %s --master-key-file %s\n", source.path(), target.path(),
			shellWord(target.path()), shellWord(key))
	}
	return err
}

// mustExist is an error if there is no database.
func (c *common) mustExist() error {
	if c.missing() {
		return fmt.Errorf("there is no database at %s; name the one that is in use", c.path())
	}
	return nil
}

// checkMasterKey makes sure that the master key, if it is here, opens the root keys: with another one the copy would be
// worth nothing. It returns the key's file.
func (c *common) checkMasterKey(ctx context.Context, w world, other string) (file string, err error) {
	absent := func() bool {
		_, err := os.Stat(c.masterKeyFile())
		return errors.Is(err, os.ErrNotExist)
	}
	if c.MasterKeyFile == "" && absent() {
		c.MasterKeyFile = other // it may lie where the database comes from, or where it goes
	}
	file = c.masterKeyFile()
	q, err := c.openQueue(ctx, db.Config{})
	if err != nil {
		return file, err
	}
	keys, err := q.DB.RootKeys(ctx)
	if err := errors.Join(err, q.DB.Close()); err != nil {
		return file, err
	}
	if w.getenv("POSTERN_MASTER_KEY") == "" && absent() {
		fmt.Fprintf(w.stderr, "warning: there is no master key at %s, so whether it fits was not looked at; "+
			"--master-key-file names another one\n", file)
		return file, nil
	}
	master, err := c.masterKey(w, false)
	if err != nil {
		return file, err
	}
	return file, c.checkOpens(master, keys)
}
