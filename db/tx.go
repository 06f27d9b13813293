package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"
)

// tx is the write transaction under way: the write connection, its prepared statements, and what the cache must learn
// if it commits. Its statements run without the caller's context: a shared transaction outlives any one caller.
type tx struct {
	engine engine
	pool   *sql.DB
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	own    map[string]driver.Stmt // the driver's; see affect
	ctx    context.Context        // bounds what runs now, where a statement does not end by itself
	done   context.CancelFunc     // gives it up; nil if there is none
	// the engine's first failure; nothing runs after it, as the engine may have rolled back already
	err     error
	sent    *answer // of the first statement of the op that runs now, if that was sent ahead
	changes []change
	rekeyed bool             // root keys changed
	tells   int              // whether there is a homeserver to tell; see telling
	told    bool             // something is to be told to it
	now     func() time.Time // for people who ask since when it waits
	brought bool             // imported tokens came
}

// reset makes it ready for the next transaction.
func (t *tx) reset() {
	t.err, t.rekeyed, t.brought, t.tells, t.told = nil, false, false, unasked, false
	clear(t.changes)
	t.changes = t.changes[:0]
	if t.done != nil {
		t.done()
	}
	t.ctx, t.done = context.Background(), nil
	if p := t.engine.patience(); p > 0 {
		t.ctx, t.done = context.WithTimeout(t.ctx, p)
	}
}

// connect makes the write connection, or makes it anew.
func (t *tx) connect(ctx context.Context) (err error) {
	t.conn, err = t.engine.connect(ctx, t.pool)
	t.stmts, t.own = make(map[string]*sql.Stmt), make(map[string]driver.Stmt)
	return unavailable(err)
}

// revive makes the write connection anew if it broke.
func (t *tx) revive() error {
	if t.conn != nil && t.engine.alive(t.conn) {
		return nil
	}
	t.abandon()
	return t.connect(t.ctx)
}

// abandon gives up a connection that is of no use, even if it lives: its server may be a standby now.
func (t *tx) abandon() {
	if t.conn != nil {
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn }) // or the pool would hand it out again
		_ = t.disconnect()
	}
}

// put and drop tell the cache about a session.
func (t *tx) put(s Session)  { t.changes = append(t.changes, change{s.ID, &s}) }
func (t *tx) drop(id string) { t.changes = append(t.changes, change{id, nil}) }

// known is the session as this transaction sees it, if memory has it. Nobody else can write now, and what others wrote
// before has emptied the cache (see freshness.arrive), so it holds the rows of the last commit; what this transaction
// did to them since stands in changes.
func (t *tx) known(c *cache, id string) (Session, bool) {
	for _, ch := range slices.Backward(t.changes) {
		if ch.id == id && ch.session != nil {
			return *ch.session, true
		}
		if ch.id == id {
			return Session{}, false
		}
	}
	return c.get(id)
}

func (t *tx) prepare(query string) (*sql.Stmt, error) {
	if s := t.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, t.failed(err)
	}
	t.stmts[query] = s
	return s, nil
}

// control runs a statement about transactions, which does not count as one of them.
func (t *tx) control(query string) error {
	if t.conn == nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, driver.ErrBadConn)
	}
	_, err := t.conn.ExecContext(t.ctx, query)
	return t.failed(err)
}

// failed is unavailable for a statement of ours: when the time is over, it is the engine that took too long.
func (t *tx) failed(err error) error {
	if err != nil && t.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return unavailable(err)
}

func (t *tx) close() error {
	if t.done != nil {
		t.done()
	}
	if t.conn == nil {
		return nil
	}
	return t.disconnect()
}

func (t *tx) disconnect() error {
	var errs []error
	for _, s := range t.own {
		errs = append(errs, s.Close())
	}
	for _, s := range t.stmts {
		errs = append(errs, s.Close())
	}
	err := errors.Join(append(errs, t.conn.Close())...)
	t.conn = nil
	return err
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.get(query, nil, args...)
	return err
}

// affect runs a statement that gives no rows, and tells how many it changed. It uses the driver's own statement,
// because every refresh passes here, in turn.
func (t *tx) affect(query string, args ...any) (int64, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.affected(query, args)
	t.err = t.failed(err)
	return n, t.err
}

func (t *tx) affected(query string, args []any) (int64, error) {
	stmt, err := t.prepareOwn(query)
	if err != nil {
		return 0, err
	}
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	result, err := stmt.(driver.StmtExecContext).ExecContext(t.ctx, named)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t *tx) prepareOwn(query string) (stmt driver.Stmt, err error) {
	if s := t.own[query]; s != nil {
		return s, nil
	}
	err = t.conn.Raw(func(raw any) error {
		stmt, err = raw.(driver.ConnPrepareContext).PrepareContext(t.ctx, query)
		return err
	})
	if err == nil {
		t.own[query] = stmt
	}
	return stmt, err
}

// get runs a statement that gives at most one row, and scans it if there is one.
func (t *tx) get(query string, dest []any, args ...any) (found bool, err error) {
	err = t.each(query, args, func(rows *sql.Rows) error {
		found = true
		if dest == nil {
			return nil
		}
		return rows.Scan(dest...)
	})
	return found, err
}

// each runs a statement and calls scan for every row of its result.
func (t *tx) each(query string, args []any, scan func(*sql.Rows) error) error {
	if t.err != nil {
		return t.err
	}
	s, err := t.prepare(query)
	if err == nil {
		var rows *sql.Rows
		if rows, err = s.QueryContext(t.ctx, args...); err == nil {
			err = each(rows, scan)
		}
	}
	t.err = t.failed(err)
	return t.err
}

func each(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// list reads rows outside the writer. Reading many may take long, so it ends with the caller's patience.
func list[T any](ctx context.Context, d *DB, query string, scan func(func(...any) error) (T, error), args ...any) ([]T,
	error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	all, err := twice(func() (all []T, err error) {
		rows, err := d.reads.QueryContext(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		err = each(rows, func(r *sql.Rows) error {
			v, err := scan(r.Scan)
			all = append(all, v)
			return err
		})
		return all, err
	})
	switch {
	case err == nil:
		return all, nil
	case ctx.Err() != nil:
		return nil, ctx.Err() // and not the interruption it came as
	}
	return nil, unavailable(err)
}

// one reads at most one row outside the writer. It does not watch the context: that would cost more than the read.
func one[T any](ctx context.Context, d *DB, query string, scan func(func(...any) error) (T, error), args ...any) (T,
	error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if err := d.ready(ctx); err != nil {
		return none, err
	}
	ctx, done := d.bounded(ctx)
	defer done()
	return found(twice(func() (T, error) { return scan(d.reads.QueryRowContext(ctx, query, args...).Scan) }))
}

// bounded is a context that the caller's end does not end; where a statement does not end by itself, the engine's
// patience does.
func (d *DB) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if p := d.engine.patience(); p > 0 {
		return context.WithTimeout(ctx, p)
	}
	return ctx, func() {}
}

// twice reads again if the connection turned out to be lost: the pool had kept it since before the server was
// restarted.
func twice[T any](read func() (T, error)) (T, error) {
	v, err := read()
	if err != nil && lost(err) {
		v, err = read()
	}
	return v, err
}

// scanText scans a row of one text.
func scanText(scan func(...any) error) (s string, err error) {
	err = scan(&s)
	return s, err
}

func found[T any](v T, err error) (T, error) {
	var none T
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return none, ErrNotFound
	case errors.Is(err, context.DeadlineExceeded): // the engine's, since the caller's was left out
		return none, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return none, unavailable(err)
	}
	return v, nil
}
