package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// This file, sqlite.go, postgres.go and pooler.go are the only ones that know which engine runs: the DSN, the
// connections, how a write transaction begins, how a commit of somebody else is noticed, and what the error codes mean.
// The SQL is one text.

// engine is what a database has of its own.
type engine interface {
	// String says where it is, to people; never a password.
	String() string
	// prepare makes what has to be there before the first connection.
	prepare() error
	// pool opens at most n connections in a role. They stay open until Close.
	pool(r role, n int) (*sql.DB, error)
	// readers is how many connections read, of so many in all; of 0 the engine decides.
	readers(all int) int
	// migrations is goose's name for it.
	migrations() goose.Dialect
	// tables counts all tables, and those that are ours.
	tables() string
	// connect makes the write connection, or makes it anew, ready.
	connect(ctx context.Context, pool *sql.DB) (*sql.Conn, error)
	// alive says whether the write connection can still be used.
	alive(c *sql.Conn) bool
	// begin opens a write transaction that has for itself what the scopes of a batch name. Without a batch that is
	// everything: it runs beside no other one, of any process.
	begin(batch []*op) string
	// copies opens a transaction that reads everything as it is at one moment or, with the lock, keeps everybody else
	// from writing.
	copies(lock bool) string
	// watch sets up the cache, if the engine can say when that is out of date.
	watch(ctx context.Context, d *DB) error
	// present says whether what was opened is still there.
	present() error
	// maintain is called between two transactions, tidy after the last one and when one has failed.
	maintain(t *Tx, m maintenance) error
	// flushEvery is how late notes may be written unless the caller says otherwise.
	flushEvery() time.Duration
	// patience bounds how long a statement may take; 0: it ends by itself.
	patience() time.Duration
}

// A role is what a connection is for.
type role int

const (
	roleWriter role = iota
	roleReader
	roleAsker // does nothing but ask whether somebody has committed
	roleGuest // changes nothing in a database that may not be ours
)

// A maintenance is an occasion for an engine's own housekeeping.
type maintenance int

const (
	afterBatch maintenance = iota
	afterFailure
	atClose
)

// dsnHelp says what a DSN may be.
const dsnHelp = "give the path of a file, or postgres://user@host/database"

// parseDSN finds the engine.
func parseDSN(dsn string) (engine, error) {
	scheme, rest, isURL := strings.Cut(dsn, ":")
	switch {
	case dsn == "":
		return nil, errors.New("database: no DSN: " + dsnHelp)
	case isURL && (scheme == "postgres" || scheme == "postgresql"):
		return newPostgres(dsn)
	case isURL && (scheme == "file" || scheme == "sqlite"):
		rest = strings.TrimPrefix(rest, "//")
		if strings.ContainsAny(rest, "?#") {
			return nil, errors.New("database: the DSN of a file takes no parameters: give its path")
		}
		p, err := url.PathUnescape(rest)
		if err != nil {
			return nil, fmt.Errorf("database: DSN: %w", err)
		}
		dsn = p
	case isURL && strings.HasPrefix(rest, "//"):
		return nil, fmt.Errorf("database: unknown kind %q: %s", scheme, dsnHelp)
	}
	if dsn == "" || dsn == ":memory:" {
		return nil, errors.New("database: several connections share it, so it must be a file")
	}
	path, err := filepath.Abs(dsn)
	return &sqliteFile{path: path}, err
}

// reach finds the database, and makes its file if need be.
func reach(ctx context.Context, dsn string) (engine, error) {
	e, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	if err := e.prepare(); err != nil {
		return nil, err
	}
	if alien, err := stranger(ctx, e); err != nil {
		return nil, err
	} else if alien {
		return nil, fmt.Errorf("database: %s belongs to another program: give Postern one of its own", e)
	}
	return e, nil
}

// stranger says whether the database has tables and none of them is ours: another program's must not be touched.
func stranger(ctx context.Context, e engine) (bool, error) {
	p, err := e.pool(roleGuest, 1)
	if err != nil {
		return false, err
	}
	defer p.Close()
	var all, ours int
	if err := p.QueryRowContext(ctx, e.tables()).Scan(&all, &ours); err != nil {
		return false, unavailable(err)
	}
	return all > 0 && ours == 0, nil
}

// Place says where a DSN leads, without the passwords that it may hold.
func Place(dsn string) string {
	e, err := parseDSN(dsn)
	if err != nil {
		return "the database that --db names"
	}
	return e.String()
}

// unavailable wraps a failure of the engine, saying what it means and what to do next. The end of the caller's own
// patience is not the engine's failure and passes as it is, and so does what a write found out for itself. With the
// engine in good health a statement may fail for a key that is taken, or for a text that is not stored, see storable.
func unavailable(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrUnavailable), errors.Is(err, ErrConflict), errors.Is(err, ErrEmailTaken),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	if unique(err) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	if null(err) {
		return fmt.Errorf("%w: %w", ErrText, err)
	}
	if a := advise(err); a != "" {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, a, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// advise is what a failure means and what to do next; empty if nothing more is known than what the engine says.
func advise(err error) string {
	if state, ok := sqlState(err); ok {
		return or(poolerAdvice(err), postgresAdvice(state))
	}
	if lost(err) {
		return adviceGone
	}
	return sqliteAdvice[code(err)]
}

// unique says that a key was taken.
func unique(err error) bool {
	state, _ := sqlState(err)
	return state == "23505" || sqliteUnique(err)
}

// null says that a column was given no value, which it must have.
func null(err error) bool {
	state, _ := sqlState(err)
	return state == "23502" || sqliteNull(err)
}

// noTable says that a statement named a table that is not there.
func noTable(err error) bool {
	state, ok := sqlState(err)
	return state == "42P01" || !ok && code(err) == 1
}

// again says that the same transaction may well succeed when it is run once more: it met another one.
func again(err error) bool {
	state, _ := sqlState(err)
	return state == "40001" || state == "40P01" // serialization_failure, deadlock_detected
}

// held says that another transaction has kept for too long what this one waited for, a row or an advisory lock.
func held(err error) bool {
	state, _ := sqlState(err)
	return state == "55P03" // lock_not_available
}

// timedOut says that the server has ended a transaction, since it did not hear of us for too long, or the whole took
// too long.
func timedOut(err error) bool {
	state, _ := sqlState(err)
	return state == "25P03" || state == "25P04" // idle_in_transaction_session_timeout, transaction_timeout
}

// contended says that somebody else holds the lock.
func contended(err error) bool { return busy(err) || held(err) }

// passing says that waiting may help: another process holds the lock, or the server is just being started again.
func passing(err error) bool { return contended(err) || lost(err) }

// Millis is a time as it is stored: Unix milliseconds, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the time that Millis made ms of.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
