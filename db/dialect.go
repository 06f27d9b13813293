package db

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

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// This is the only file that knows which engine runs. For a second one it needs the DSN, the connection settings, how a
// write transaction begins, how a commit of somebody else is noticed, and what the error codes mean.

const (
	migrationDialect = goose.DialectSQLite3

	// A write transaction takes its lock at once: upgrading a read lock later can fail, and no waiting cures that
	// (SQLite, "Transactions", section 2.2).
	beginWrite = "BEGIN IMMEDIATE"

	// The answer changes, on the connection that is asked, when any other connection has committed, in this process or
	// not, and never by the connection's own commits (SQLite, "PRAGMA data_version").
	askVersion = "PRAGMA data_version"

	// How long the write-ahead log is and how much of it is in the database file, without doing anything about it.
	askLog = "PRAGMA wal_checkpoint(NOOP)"
	// Moves what can be moved without waiting for a reader.
	shortenLog = "PRAGMA wal_checkpoint(PASSIVE)"
	// Moves everything and empties the log.
	emptyLog = "PRAGMA wal_checkpoint(TRUNCATE)"

	// Pages (4 KiB) in the log before it is written back: SQLite's own default for wal_autocheckpoint.
	logPages = 1000
)

// A role is what a connection is for. Few connections with small page caches: the rows that matter are in our own cache.
type role []string

var (
	// auto-checkpoint is off because it would run inside COMMIT, after the commit is visible and before we can
	// publish it; the writer does it between two batches instead. secure_delete is on because a retired root key
	// shall be gone. The short busy_timeout is the writer's patience while it holds its connection; see begin.
	roleWriter = role{"busy_timeout(10)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)",
		"wal_autocheckpoint(0)", "cache_size(-2048)"}
	roleReader = role{"busy_timeout(5000)", "query_only(1)", "cache_size(-1024)"}
	roleAsker  = role{"busy_timeout(5000)", "query_only(1)", "cache_size(-64)"}
	// roleGuest changes nothing in a file that may not be ours.
	roleGuest = role{"busy_timeout(5000)", "query_only(1)"}
)

// pool opens at most n connections in a role. They stay open until Close: a connection is also a prepared statement, and
// a position in the sequence of commits.
func pool(path string, r role, n int) (*sql.DB, error) {
	params := url.Values{"_pragma": append([]string{"trusted_schema(0)"}, r...), "_txlock": {"immediate"}, "_dqs": {"0"},
		"_defensive": {"1"}, "_error_rc": {"1"}}
	u := url.URL{Scheme: "file", Path: path, RawQuery: params.Encode()}
	d, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	d.SetMaxOpenConns(n)
	d.SetMaxIdleConns(n)
	return d, nil
}

// parseDSN gives the absolute path of the database file.
func parseDSN(dsn string) (string, error) {
	scheme, rest, isURL := strings.Cut(dsn, ":")
	switch {
	case dsn == "":
		return "", errors.New("database: no DSN: give the path of a file")
	case isURL && (scheme == "postgres" || scheme == "postgresql"):
		return "", errors.New("database: PostgreSQL is not in this release: give the path of a file")
	case isURL && (scheme == "file" || scheme == "sqlite"):
		rest = strings.TrimPrefix(rest, "//")
		if strings.ContainsAny(rest, "?#") {
			return "", errors.New("database: a DSN takes no parameters: give the path of a file")
		}
		p, err := url.PathUnescape(rest)
		if err != nil {
			return "", fmt.Errorf("database: DSN: %w", err)
		}
		dsn = p
	case isURL && strings.HasPrefix(rest, "//"):
		return "", fmt.Errorf("database: unknown kind %q: give the path of a file", scheme)
	}
	if dsn == "" || dsn == ":memory:" {
		return "", errors.New("database: several connections share it, so it must be a file")
	}
	return filepath.Abs(dsn)
}

// touch makes the file for its owner alone, and finds out what the engine would only hint at. The -wal and -shm files
// take over its permissions.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		return f.Close()
	}
	advice := "check the path"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		advice = "make the directory " + filepath.Dir(path)
	case errors.Is(err, fs.ErrPermission):
		advice = "give this user permission to write it and its directory"
	}
	return fmt.Errorf("%w: %w: %s", ErrUnavailable, err, advice)
}

// stranger says whether the file has tables that are not ours: another program's database must not be touched.
func stranger(ctx context.Context, path string) (bool, error) {
	d, err := pool(path, roleGuest, 1)
	if err != nil {
		return false, err
	}
	defer d.Close()
	var all, ours int
	const q = `SELECT COUNT(*), COUNT(CASE WHEN name = '` + versionTable + `' THEN 1 END) FROM sqlite_master`
	if err := d.QueryRowContext(ctx, q).Scan(&all, &ours); err != nil {
		return false, unavailable(err)
	}
	return all > 0 && ours == 0, nil
}

// advice by primary result code (SQLite, "Result and Error Codes").
var advice = map[int]string{
	5:  "another process keeps it locked: look for one that has it open (a backup, a shell), and try again",
	6:  "another process keeps it locked: look for one that has it open (a backup, a shell), and try again",
	8:  "it is read-only: check the permissions of the file and its directory, and how the disk is mounted",
	10: "the disk fails to read or write: check the disk, then the file with PRAGMA integrity_check",
	11: "the file is corrupt: stop, keep a copy, and restore a backup",
	13: "the disk is full: free some space; nothing was lost, and it goes on by itself",
	14: "the file cannot be opened: check that it and its directory exist and are ours",
	26: "the file is not a database: check the path, or restore a backup",
}

// unavailable wraps a failure of the engine, saying what it means and what to do next. The end of the caller's own
// patience is not the engine's failure and passes as it is. A key that is taken is the one thing that a statement may fail for
// with the engine in good health.
func unavailable(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	if unique(err) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	if a, ok := advice[code(err)]; ok {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, a, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func busy(err error) bool { c := code(err); return c == 5 || c == 6 }

// unique says that a key was taken: SQLITE_CONSTRAINT_PRIMARYKEY or _UNIQUE.
func unique(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == 1555 || e.Code() == 2067)
}

// code is the primary result code; 0 if the engine did not say.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// logLength is the number of pages in the log that are not in the database file yet.
func (t *tx) logLength() int64 {
	var blocked, log, moved int64
	if found, err := t.get(askLog, []any{&blocked, &log, &moved}); err != nil || !found {
		return 0
	}
	return log - moved
}

// ms and at translate between the program's times and the database's.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
