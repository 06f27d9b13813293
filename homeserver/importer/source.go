package importer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
)

// source is a database that somebody else may be using.
type source struct {
	name  string // for errors; without a password
	db    *sql.DB
	tx    *sql.Tx
	names string          // asks for a table's columns
	has   map[string]bool // the columns of the table that is read

	isolation sql.IsolationLevel // such that all statements see one instant
}

func (c Config) open(ctx context.Context) (*source, error) {
	if c.timeout == 0 {
		c.timeout = 10 * time.Second
	}
	if strings.HasPrefix(c.From, "postgres://") || strings.HasPrefix(c.From, "postgresql://") {
		return openPostgres(ctx, c.From, c.timeout)
	}
	return openFile(ctx, c.From, c.timeout)
}

func openPostgres(ctx context.Context, from string, timeout time.Duration) (*source, error) {
	s := &source{name: "the PostgreSQL database", isolation: sql.LevelRepeatableRead,
		names: `SELECT attname::text FROM pg_catalog.pg_attribute
			WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`}
	config, err := pgx.ParseConfig(from)
	if err != nil { // its text leaves the password out
		return nil, fmt.Errorf("the PostgreSQL URL cannot be read: %w; write it like postgres://user@host/synapse", err)
	}
	if config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec // a prepared statement would stay in a pooler's session
	}
	s.db = stdlib.OpenDB(*config)
	connecting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := s.db.PingContext(connecting); err != nil {
		return nil, errors.Join(s.explain(err), s.db.Close())
	}
	return s, s.begin(ctx)
}

// openFile opens a SQLite file without the right to write. A file in WAL mode needs its -shm file even to be read;
// where that cannot be made, and there is no -wal file with something in it, nobody is writing and the file is complete
// by itself.
func openFile(ctx context.Context, path string, timeout time.Duration) (*source, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && secretive(path):
		return nil, errors.New("this kind of database is not known; name a SQLite file, a CSV file, or a URL like " +
			"postgres://user@host/synapse")
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s; name a SQLite file, a CSV file, or a URL like "+
			"postgres://user@host/synapse", path)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file; name Synapse's homeserver.db or the like", path)
	}
	s, err := openSQLite(ctx, path, url.Values{"mode": {"ro"}}, timeout)
	if code(err)&0xff == sqliteCantOpen {
		if log, missing := os.Stat(path + "-wal"); missing != nil || log.Size() == 0 {
			return openSQLite(ctx, path, url.Values{"immutable": {"1"}}, timeout)
		}
	}
	return s, err
}

// secretive reports whether what should be a path looks like the address of a server, which may hold a password.
func secretive(path string) bool {
	return strings.Contains(path, "://") || strings.Contains(path, "password=") ||
		strings.HasPrefix(path, "postgres:") || strings.HasPrefix(path, "postgresql:")
}

func openSQLite(ctx context.Context, path string, options url.Values, timeout time.Duration) (*source, error) {
	s := &source{name: path, names: `SELECT name FROM pragma_table_info($1)`}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	options["_pragma"] = []string{fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()), "query_only(1)",
		"trusted_schema(0)"}
	u := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	if s.db, err = sql.Open("sqlite", u.String()); err != nil {
		return nil, s.explain(err)
	}
	var tables int
	if err := s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master`).Scan(&tables); err != nil {
		return nil, errors.Join(s.explain(err), s.db.Close())
	}
	return s, s.begin(ctx)
}

// begin starts the one transaction that all reading happens in.
func (s *source) begin(ctx context.Context) (err error) {
	if s.tx, err = s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.isolation}); err != nil {
		return errors.Join(s.explain(err), s.db.Close())
	}
	return nil
}

// close ends the reading; there is nothing to lose.
func (s *source) close() {
	_ = s.tx.Rollback()
	_ = s.db.Close()
}

// recognise says which program's database this is, by its tables.
func (c Config) recognise(ctx context.Context, s *source) (Kind, func(context.Context) ([]record, error), error) {
	var found []string
	for _, is := range []struct {
		kind   Kind
		table  string
		column string
	}{
		{Synapse, "users", "name"},
		{Dendrite, "userapi_accounts", "localpart"},
		{Dendrite, "account_accounts", "localpart"},
	} {
		if c.Format != "" && c.Format != is.kind {
			continue
		}
		if err := s.columns(ctx, is.table); err != nil {
			return "", nil, s.explain(err)
		}
		if s.has[is.column] && s.has["password_hash"] {
			if is.kind == Synapse {
				return Synapse, func(ctx context.Context) ([]record, error) { return c.readSynapse(ctx, s) }, nil
			}
			return Dendrite, func(ctx context.Context) ([]record, error) { return c.readDendrite(ctx, s, is.table) },
				nil
		}
		found = append(found, fmt.Sprintf("%s's table %s", is.kind, is.table))
	}
	return "", nil, fmt.Errorf("%s has no accounts that can be read: it has not got %s; check that it is the right "+
		"database, "+
		"or write the accounts into a CSV file", s.name, strings.Join(found, ", nor "))
}

// columns looks up which columns a table has; none if there is no such table.
func (s *source) columns(ctx context.Context, table string) error {
	rows, err := s.tx.QueryContext(ctx, s.names, table)
	if err != nil {
		return err
	}
	defer rows.Close()
	s.has = make(map[string]bool)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		s.has[name] = true
	}
	return rows.Err()
}

// text, number and flag name a column in a query. One that this release has not got was never set.
func (s *source) text(column string) string   { return s.or(column, column, "''") }
func (s *source) number(column string) string { return s.or(column, column, "0") }
func (s *source) flag(column string) string   { return s.flagOr(column, "0") }

// flagOr reads booleans and small numbers alike: which of them a column is, differs from engine to engine.
func (s *source) flagOr(column, otherwise string) string {
	return s.or(column, "CAST("+column+" AS INTEGER)", otherwise)
}

func (s *source) or(column, expression, otherwise string) string {
	if !s.has[column] {
		return otherwise
	}
	return "COALESCE(" + expression + ", " + otherwise + ")"
}

func (s *source) read(ctx context.Context, query string,
	scan func(func(...any) error) (record, error)) (records []record, err error) {
	err = s.each(ctx, query, func(row func(...any) error) error {
		r, err := scan(row)
		records = append(records, r)
		return err
	})
	return records, err
}

// each reads row by row.
func (s *source) each(ctx context.Context, query string, row func(scan func(...any) error) error) error {
	rows, err := s.tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

const sqliteCantOpen = 14

// advice by SQLite's result code, the extended one first.
var advice = map[int]string{
	776: "its last write was cut off; start the homeserver that it belongs to once, so that it is mended",
	5:   "another program keeps it locked; try again, or stop the homeserver for a moment",
	6:   "another program keeps it locked; try again, or stop the homeserver for a moment",
	8:   "it cannot be read without writing beside it; run this as the homeserver's own user",
	11:  "the file is corrupt; look at it with PRAGMA integrity_check, or use a backup",
	14:  "it cannot be opened; run this as the homeserver's own user",
	26:  "it is not a SQLite database; for a CSV file add --format csv",
}

// explain adds what to do about an error of the engine.
func (s *source) explain(err error) error {
	var refused *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &refused) && refused.Code == "42501":
		return fmt.Errorf("%s: %w; GRANT SELECT on the table to this user", s.name, err)
	case errors.As(err, new(*pgconn.ConnectError)):
		return fmt.Errorf("%s: %w; check the URL, and put the password into PGPASSWORD or ~/.pgpass", s.name, err)
	}
	for _, c := range []int{code(err), code(err) & 0xff} {
		if text, ok := advice[c]; ok {
			return fmt.Errorf("%s: %s: %w", s.name, text, err)
		}
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

// code is SQLite's extended result code; 0 if it was not SQLite.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code()
}
