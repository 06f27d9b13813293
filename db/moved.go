package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A database that Copy has moved to another place keeps everything, and a setting that says where to. From the moment
// when that is committed every read and every write fails, of whichever process: an answer from here would be out of
// date, and a client that gets it would lose its session. On SQLite the setting is a foreign commit like any other: it
// is read when freshness finds one. On PostgreSQL each read asks.

const (
	movedTo  = "moved_to"
	findMove = `SELECT value FROM settings WHERE name = '` + movedTo + `'`
)

// movedError is an ErrUnavailable.
type movedError struct{ place string }

func (e movedError) Error() string {
	return fmt.Sprintf("the database has moved to %s; start with --db %s", e.place, e.place)
}

func (e movedError) Unwrap() error { return ErrUnavailable }

// ready makes sure that what is read next is the newest there is: that nobody has written, or moved the database away,
// unnoticed.
func (d *DB) ready(ctx context.Context) error {
	if d.reader == nil {
		return d.fresh.check(ctx)
	}
	return d.reader.ask(ctx, &question{})
}

// moved is a movedError if the row says so.
func moved(row *sql.Row) error {
	var e movedError
	switch err := row.Scan(&e.place); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case errors.Is(err, context.DeadlineExceeded): // the engine's, since the caller's was left out
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return unavailable(err)
	}
	return e
}

// foreignCommit forgets what another process may have changed, and looks whether that has moved the database. It is
// called by the holder of the write lock.
func (d *DB) foreignCommit() error {
	err := moved(d.writer.tx.conn.QueryRowContext(context.Background(), findMove))
	var e movedError
	switch {
	case errors.As(err, &e):
		d.fresh.moved.Store(&e)
	case err != nil:
		return err
	default:
		d.fresh.moved.Store(nil)
	}
	d.cache.flush()
	d.epoch.Add(1)
	return nil
}

// movedBy is why a transaction could not begin, if that was the move.
func (t *Tx) movedBy(err error) error {
	if !refusedAsMoved(err) {
		return err
	}
	if e := moved(t.conn.QueryRowContext(t.ctx, findMove)); errors.As(e, new(movedError)) {
		return e
	}
	return err
}
