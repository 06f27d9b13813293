package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/outbox"
	"postern/mail"
)

// existing opens a database that must be there: a mistyped path must not make an empty one and call it a list.
func (c *common) existing(ctx context.Context, do func(*db.DB) error) error {
	return c.existingQueue(ctx, func(q *outbox.Queue) error { return do(q.DB) })
}

// existingQueue is existing for a command about the outbox.
func (c *common) existingQueue(ctx context.Context, do func(*outbox.Queue) error) error {
	if c.missing() {
		return fmt.Errorf("there is no database at %s; name it with --db, or make it with `postern serve` or "+
			"`postern user add`", c.path())
	}
	return c.withQueue(ctx, do)
}

// missing says that the database is a file that does not exist.
func (c *common) missing() bool {
	if c.onServer() {
		return false
	}
	_, err := os.Stat(c.path())
	return errors.Is(err, os.ErrNotExist)
}

// servedAs is the setting that keeps the server name a database was first served as. Every token says it, so another
// one would log everybody out.
const servedAs = "server_name"

// resolveName finds the server name when none was given, and refuses another one than the database's.
func (c *common) resolveName(ctx context.Context) error {
	if !c.missing() {
		q, err := c.openQueue(ctx, db.Config{})
		if err != nil {
			return err
		}
		c.recordedName, err = q.DB.Setting(ctx, servedAs)
		if errors.Is(err, db.ErrNotFound) {
			err = nil
		}
		if err := errors.Join(err, q.DB.Close()); err != nil {
			return err
		}
	}
	switch {
	case c.ServerName == "":
		c.ServerName = cmp.Or(c.recordedName, "localhost")
	case c.recordedName != "" && c.ServerName != c.recordedName:
		return fmt.Errorf("the database %s was made for the server name %s, and under another one every token in use "+
			"would be refused; "+
			"leave --server-name out, or give --db for another database", c.path(), c.recordedName)
	}
	return nil
}

// chosenName is the server name that a command was given, or the one that the database was first served as; empty if
// neither says one.
func (c *common) chosenName() string {
	if c.ServerName != "localhost" { // which stands for a database without a name, too
		return c.ServerName
	}
	return c.recordedName
}

// open opens the database, makes it when it is not there, and closes it when the work is done.
func (c *common) open(ctx context.Context, do func(*db.DB) error) error {
	return c.withQueue(ctx, func(q *outbox.Queue) error { return do(q.DB) })
}

func (c *common) withQueue(ctx context.Context, do func(*outbox.Queue) error) error {
	if err := errors.Join(c.problems()...); err != nil {
		return err
	}
	q, err := c.openQueue(ctx, db.Config{})
	if err != nil {
		return err
	}
	return errors.Join(do(q), q.DB.Close())
}

// openQueue is how every command opens the database: what it changes is queued for the homeserver, if there is one, and
// for the mail of those who must know of it.
func (c *common) openQueue(ctx context.Context, config db.Config) (*outbox.Queue, error) {
	config.DSN = c.DB
	if config.OnEvent == nil {
		config.OnEvent = onEvent(mail.NewNotices())
	}
	return outbox.Open(ctx, config)
}

// localpart resolves what an operator typed to the account that a login would find; else db.ErrNotFound.
func (c *common) localpart(ctx context.Context, d *db.DB, name string) (string, error) {
	account, err := handlers.Find(ctx, d, name, c.ServerName)
	if errors.Is(err, db.ErrNotFound) {
		if u, waiting := c.waiting(ctx, d, name); waiting == nil {
			return "", waits(u.Localpart)
		}
		several, taken := d.Taken(ctx, handlers.Spelled(name, c.ServerName))
		if taken != nil || several {
			err = cmp.Or(taken, fmt.Errorf("%q is the name of several accounts, in other letters; write the one that "+
				"is meant as `postern user list` shows it", name))
		}
	}
	return account.Localpart, err
}
