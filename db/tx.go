package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
)

// tx is the write transaction under way: the write connection, its prepared statements, and what the cache must learn if
// it commits. Its statements run without the caller's context: a shared transaction outlives any one caller.
type tx struct {
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	own     map[string]driver.Stmt // the driver's; see affect
	err     error                  // the engine's first failure; nothing runs after it, as the engine may have rolled back already
	changes []change
	rekeyed bool // root keys changed
}

func (t *tx) reset() {
	t.err, t.rekeyed = nil, false
	clear(t.changes)
	t.changes = t.changes[:0]
}

// put and drop tell the cache about a session.
func (t *tx) put(s Session)  { t.changes = append(t.changes, change{s.ID, &s}) }
func (t *tx) drop(id string) { t.changes = append(t.changes, change{id, nil}) }

// known is the session as this transaction sees it, if memory has it. Nobody else can write now, and what others wrote
// before has emptied the cache (see freshness.arrive), so it holds the rows of the last commit; what this transaction did
// to them since stands in changes.
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
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, unavailable(err)
	}
	t.stmts[query] = s
	return s, nil
}

// control runs a statement about transactions, which does not count as one of them.
func (t *tx) control(query string) error {
	s, err := t.prepare(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background())
	return unavailable(err)
}

func (t *tx) close() error {
	var errs []error
	for _, s := range t.own {
		errs = append(errs, s.Close())
	}
	for _, s := range t.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.get(query, nil, args...)
	return err
}

// affect runs a statement that gives no rows, and tells how many it changed. It uses the driver's own statement, because
// every refresh passes here, in turn.
func (t *tx) affect(query string, args ...any) (int64, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.affected(query, args)
	t.err = unavailable(err)
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
	result, err := stmt.(driver.StmtExecContext).ExecContext(context.Background(), named)
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
		stmt, err = raw.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
		return err
	})
	if err == nil {
		if t.own == nil {
			t.own = make(map[string]driver.Stmt)
		}
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
		if rows, err = s.QueryContext(context.Background(), args...); err == nil {
			err = each(rows, scan)
		}
	}
	t.err = unavailable(err)
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
func list[T any](ctx context.Context, d *DB, query string, scan func(func(...any) error) (T, error), args ...any) ([]T, error) {
	var all []T
	rows, err := d.reads.QueryContext(ctx, query, args...)
	if err == nil {
		err = each(rows, func(r *sql.Rows) error {
			v, err := scan(r.Scan)
			all = append(all, v)
			return err
		})
	}
	switch {
	case err == nil:
		return all, nil
	case ctx.Err() != nil:
		return nil, ctx.Err() // and not the interruption it came as
	}
	return nil, unavailable(err)
}

// one reads at most one row outside the writer. It does not watch the context: that would cost more than the read.
func one[T any](ctx context.Context, d *DB, query string, scan func(func(...any) error) (T, error), args ...any) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	v, err := scan(d.reads.QueryRowContext(context.WithoutCancel(ctx), query, args...).Scan)
	return found(v, err)
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
	case err != nil:
		return none, unavailable(err)
	}
	return v, nil
}
