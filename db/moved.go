package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
)

// A database that Copy has moved to another place keeps everything, and a mark. From the moment when the mark is
// committed every read and every write fails, of whichever process: an answer from here would be an older truth, and a
// client that is told so would lose its session. On SQLite the mark is a foreign commit like any other (see freshness);
// on PostgreSQL each read asks.

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

// lastMark is the mark as it was last read. It is a commit of somebody else, so it need not be read again while the
// epoch, which rises with such commits, stays.
type lastMark struct {
	epoch *atomic.Uint64
	mark  atomic.Pointer[mark]
}

// check says that the database has moved, and reads the mark if it may be another one than it was.
func (l *lastMark) check(read func() (*movedError, error)) error {
	epoch := l.epoch.Load()
	m := l.mark.Load()
	if m == nil || m.epoch < epoch {
		moved, err := read()
		if err != nil {
			return err
		}
		m = &mark{epoch, moved}
		l.mark.Store(m)
	}
	return m.moved.orNil()
}

// orNil is an error only if there is one.
func (e *movedError) orNil() error {
	if e == nil {
		return nil
	}
	return *e
}

// here is the check inside a write transaction, on its own connection. Where nothing is remembered the transaction did
// not begin if the database has moved; see begin.
func (w *writer) here() error {
	if w.cache == nil {
		return nil
	}
	return w.mark.check(w.tx.readMark)
}

// ready makes sure that what is read next is the newest there is: that nobody has written, or moved the database away,
// unnoticed. It reads the mark outside of the writer, whom nobody may keep waiting for the lock.
func (d *DB) ready(ctx context.Context) error {
	if d.cache != nil {
		if err := d.fresh.check(ctx); err != nil {
			return err
		}
		return d.mark.check(func() (*movedError, error) { return readMark(d.reads.QueryRow(findMark)) })
	}
	ctx, done := d.bounded(ctx)
	defer done()
	m, err := found(twice(func() (*movedError, error) { return readMark(d.reads.QueryRowContext(ctx, findMark)) }))
	if err != nil {
		return err
	}
	return m.orNil()
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

// readMark is the same in a transaction.
func (t *tx) readMark() (*movedError, error) {
	var m movedError
	if found, err := t.get(findMark, []any{&m.place}); err != nil || !found {
		return nil, err
	}
	return &m, nil
}

// movedBy is why a transaction could not begin, if that was the mark.
func (t *tx) movedBy(err error) error {
	if !marked(err) {
		return err
	}
	if m, failed := t.readMark(); failed == nil && m != nil {
		return *m
	}
	return err
}
