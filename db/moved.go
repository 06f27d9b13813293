package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A database that Copy has moved to another place keeps everything, and a mark. From the moment when the mark is committed every
// read and every write fails, of whichever process: an answer from here would be an older truth, and a client that is told so would
// lose its session. On SQLite the mark is a foreign commit like any other (see freshness); on PostgreSQL each read asks.

const (
	movedTo  = "moved_to" // the setting that is the mark, and says where to
	findMark = `SELECT value FROM settings WHERE name = '` + movedTo + `'`
)

// movedError is an ErrUnavailable.
type movedError struct{ place string }

func (e movedError) Error() string {
	return fmt.Sprintf("the database has moved to %s; start with --db %s", e.place, e.place)
}

func (e movedError) Unwrap() error { return ErrUnavailable }

// A mark is what was read at an epoch, or later; nil: the database has not moved.
type mark struct {
	epoch uint64
	moved *movedError
}

// here says that the database has moved. The mark is a commit of somebody else, so it need not be read again while the epoch, which
// rises with such commits, stays. It is read outside of the writer, whom nobody may keep waiting for the lock.
func (d *DB) here() error {
	epoch := d.epoch.Load()
	m := d.mark.Load()
	if m == nil || m.epoch < epoch {
		moved, err := readMark(d.reads.QueryRow(findMark))
		if err != nil {
			return err
		}
		m = &mark{epoch, moved}
		d.mark.Store(m)
	}
	return m.err()
}

func (m *mark) err() error {
	if m.moved == nil {
		return nil
	}
	return *m.moved
}

// here is the same inside a write transaction, on its own connection.
func (w *writer) here() error {
	if w.cache == nil {
		return nil // the transaction did not begin if it has moved; see begin
	}
	epoch := w.epoch.Load()
	m := w.mark.Load()
	if m == nil || m.epoch < epoch {
		var moved movedError
		found, err := w.tx.get(findMark, []any{&moved.place})
		if err != nil {
			return err
		}
		m = &mark{epoch: epoch}
		if found {
			m.moved = &moved
		}
		w.mark.Store(m)
	}
	return m.err()
}

// ready makes sure that what is read next is the newest there is: that nobody has written, or moved the database away, unnoticed.
func (d *DB) ready(ctx context.Context) error {
	if d.cache != nil {
		if err := d.fresh.check(ctx); err != nil {
			return err
		}
		return d.here()
	}
	ctx, done := d.bounded(ctx)
	defer done()
	m, err := twice(func() (*movedError, error) { return readMark(d.reads.QueryRowContext(ctx, findMark)) })
	if err != nil {
		_, err = found(m, err)
		return err
	}
	if m != nil {
		return *m
	}
	return nil
}

// readMark gives nil if there is no mark.
func readMark(row *sql.Row) (*movedError, error) {
	var m movedError
	switch err := row.Scan(&m.place); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, unavailable(err)
	}
	return &m, nil
}

// movedBy is why a transaction could not begin, if that was the mark.
func (t *tx) movedBy(err error) error {
	if !marked(err) {
		return err
	}
	var m movedError
	if found, failed := t.get(findMark, []any{&m.place}); failed != nil || !found {
		return err
	}
	return m
}
