package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// side is one of the two databases of a copy: a connection in one transaction.
type side struct {
	engine engine
	pool   *sql.DB
	conn   *sql.Conn
	tables []Table
}

// openSide opens a database whether it has moved or not, and brings its schema up to date.
func openSide(ctx context.Context, dsn string, extensions ...Extension) (*side, error) {
	e, err := reach(ctx, dsn)
	if err != nil {
		return nil, err
	}
	s := &side{engine: e, tables: slices.Clone(tables)}
	for _, x := range extensions {
		s.tables = append(s.tables, x.Tables...)
	}
	if s.pool, err = e.pool(roleWriter, 1); err != nil {
		return nil, err
	}
	if err := migrateAll(ctx, s.pool, e, extensions, lockPatience); err != nil {
		return nil, errors.Join(err, s.pool.Close())
	}
	if s.conn, err = e.connect(ctx, s.pool); err != nil {
		return nil, errors.Join(unavailable(err), s.pool.Close())
	}
	return s, nil
}

// close gives up what was not committed.
func (s *side) close() error {
	ctx, done := context.WithTimeout(context.Background(), lockPatience)
	defer done()
	_, _ = s.conn.ExecContext(ctx, "ROLLBACK") // after a commit there is nothing to give up, which is an error
	return errors.Join(s.conn.Close(), s.pool.Close())
}

// lockPatience is how long a copy waits for other writers.
const lockPatience = 30 * time.Second

// begin opens the transaction; with the write lock, once everybody who writes has let it go.
func (s *side) begin(ctx context.Context, lock bool) error {
	for deadline := time.Now().Add(lockPatience); ; {
		_, err := s.conn.ExecContext(ctx, s.engine.copies(lock))
		if err == nil || !contended(err) || time.Now().After(deadline) {
			return s.failed(err)
		}
		_, _ = s.conn.ExecContext(ctx, "ROLLBACK")
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// commit is not given up half way when the caller does not want it any more.
func (s *side) commit(ctx context.Context) error {
	_, err := s.conn.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	return s.failed(err)
}

// failed says on which side something failed.
func (s *side) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", s.engine, unavailable(err))
}

func (s *side) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.conn.ExecContext(ctx, query, args...)
	return s.failed(err)
}

// setting is empty if there is none.
func (s *side) setting(ctx context.Context, name string) (value string, err error) {
	err = s.conn.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, s.failed(err)
}

func (s *side) set(ctx context.Context, name, value string) error {
	return s.exec(ctx, setSetting, name, value)
}

// count counts the rows of a table.
func (s *side) count(ctx context.Context, t Table) (n int, err error) {
	err = s.conn.QueryRowContext(ctx, t.selects("COUNT(*)")).Scan(&n)
	return n, s.failed(err)
}

// each reads a table in the order of its key, which is the order in which it is quickest to write. The row is only good
// during the call.
func (s *side) each(ctx context.Context, t Table, do func(row []any) error) error {
	order := " ORDER BY 1, 2"
	if t.width() == 1 {
		order = " ORDER BY 1"
	}
	rows, err := s.conn.QueryContext(ctx, t.selects(t.Columns)+order)
	if err != nil {
		return s.failed(err)
	}
	plain := t.plain()
	row, into := make([]any, t.width()), make([]any, t.width())
	for i := range row {
		into[i] = &row[i]
	}
	return s.failed(each(rows, func(scan func(...any) error) error {
		if err := scan(into...); err != nil {
			return err
		}
		plain(row)
		return do(row)
	}))
}

// digest reads a whole table.
func (s *side) digest(ctx context.Context, t Table) (d digest, err error) {
	err = s.each(ctx, t, func(row []any) error {
		d.add(t, row)
		return nil
	})
	return d, err
}
