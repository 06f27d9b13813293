package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

const (
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

// sqliteRoles are the settings of connections: few of them, with small page caches, since the rows that matter are in
// our own.
//
// For the writer, auto-checkpoint is off because it would run inside COMMIT, after the commit is visible and before we
// can publish it; the writer does it between two batches instead. secure_delete is on because a retired root key shall
// be gone. The short busy_timeout is the writer's patience while it holds its connection; see writer.begin.
var sqliteRoles = map[role][]string{
	roleWriter: {"busy_timeout(10)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)",
		"wal_autocheckpoint(0)", "cache_size(-2048)"},
	roleReader: {"busy_timeout(5000)", "query_only(1)", "cache_size(-4096)"},
	roleAsker:  {"busy_timeout(5000)", "query_only(1)", "cache_size(-64)"},
	roleGuest:  {"busy_timeout(5000)", "query_only(1)"},
}

// sqliteFile is a file on this machine.
type sqliteFile struct {
	path string
	file os.FileInfo // what path was when it was opened
}

func (e *sqliteFile) String() string            { return e.path }
func (e *sqliteFile) migrations() goose.Dialect { return goose.DialectSQLite3 }
func (e *sqliteFile) flushEvery() time.Duration { return time.Second }
func (e *sqliteFile) patience() time.Duration   { return 0 }
func (e *sqliteFile) readers(int) int           { return 2 }
func (e *sqliteFile) alive(*sql.Conn) bool      { return true }

// A write transaction takes its lock at once: upgrading a read lock later can fail, and no waiting cures that (SQLite,
// "Transactions", section 2.2). With it every one of them is alone.
func (e *sqliteFile) begin([]*op) string { return "BEGIN IMMEDIATE" }

func (e *sqliteFile) copies(lock bool) string {
	if lock {
		return e.begin(nil)
	}
	return "BEGIN"
}

// sound looks whether a file that was just written is whole, and makes it one that needs no other beside it.
func (s *side) sound(ctx context.Context) error {
	var verdict string
	if err := s.conn.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("the backup is not sound (%s): check the disk: %w", verdict, cmp.Or(err, ErrUnavailable))
	}
	var mode string
	return s.failed(s.conn.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode))
}

// Litestream's tables are nobody's: it makes them in whatever file it copies.
func (e *sqliteFile) tables() string {
	return `SELECT COUNT(*), COUNT(CASE WHEN name = '` + versionTable + `' THEN 1 END) FROM sqlite_master
		WHERE name NOT LIKE '\_litestream\_%' ESCAPE '\'`
}

func (e *sqliteFile) prepare() (err error) {
	if err := touch(e.path); err != nil {
		return err
	}
	// SQLite follows links before it names its other files, and so must we.
	if e.path, err = filepath.EvalSymlinks(e.path); err != nil {
		return unavailable(err)
	}
	e.file, err = os.Stat(e.path)
	return unavailable(err)
}

func (e *sqliteFile) pool(r role, n int) (*sql.DB, error) {
	params := url.Values{"_pragma": append([]string{"trusted_schema(0)"}, sqliteRoles[r]...), "_txlock": {"immediate"},
		"_dqs":       {"0"},
		"_defensive": {"1"}, "_error_rc": {"1"}}
	u := url.URL{Scheme: "file", Path: e.path, RawQuery: params.Encode()}
	d, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	d.SetMaxOpenConns(n)
	d.SetMaxIdleConns(n)
	return d, nil
}

func (e *sqliteFile) connect(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	return pool.Conn(ctx)
}

// watch puts freshness between the cache and the other processes that may write.
func (e *sqliteFile) watch(ctx context.Context, d *DB) error {
	asks, err := d.pool(roleAsker, 1)
	if err != nil {
		return err
	}
	a, err := asks.Conn(ctx)
	if err != nil {
		return unavailable(err)
	}
	d.closers = append(d.closers, a.Close)
	d.fresh = &freshness{lock: d.writeLock, flush: d.foreignCommit, asking: make(chan struct{}, 1)}
	if d.fresh.asker, err = newVersion(ctx, a); err != nil {
		return err
	}
	d.closers = append(d.closers, d.fresh.asker.close)
	if d.fresh.writer, err = newVersion(ctx, d.writer.tx.conn); err != nil {
		return err
	}
	d.closers = append(d.closers, d.fresh.writer.close)
	d.fresh.header = newHeader(e.path) // the connections have made the index by now
	d.cache = newCache(d.config.cacheSize)
	return d.fresh.confirm()
}

func (e *sqliteFile) present() error {
	if there, err := os.Stat(e.path); err != nil || !os.SameFile(there, e.file) {
		return fmt.Errorf("%w: the file %s is gone or is another one now: stop, put it back, and start again",
			ErrUnavailable, e.path)
	}
	return nil
}

// maintain writes the log back. After a failure it does so however short it is: a log that is written back is used
// anew, and on a full disk that may be all the room there is. If it fails it is tried after the next batch.
func (e *sqliteFile) maintain(t *Tx, m maintenance) error {
	t.reset()
	switch m {
	case atClose:
		return t.control(emptyLog)
	case afterBatch:
		if t.logLength() < logPages {
			return nil
		}
	case afterFailure:
		if t.logLength() < 1 {
			return nil
		}
	}
	return t.control(shortenLog)
}

// logLength is the number of pages in the log that are not in the database file yet.
func (t *Tx) logLength() int64 {
	var blocked, log, written int64
	if found, err := t.Get(askLog, []any{&blocked, &log, &written}); err != nil || !found {
		return 0
	}
	return log - written
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

// sqliteAdvice goes by primary result code (SQLite, "Result and Error Codes").
var sqliteAdvice = map[int]string{
	5:  "another process keeps it locked: look for one that has it open (a backup, a shell), and try again",
	6:  "another process keeps it locked: look for one that has it open (a backup, a shell), and try again",
	8:  "it is read-only: check the permissions of the file and its directory, and how the disk is mounted",
	10: "the disk fails to read or write: check the disk, then the file with PRAGMA integrity_check",
	11: "the file is corrupt: stop, keep a copy, and restore a backup",
	13: "the disk is full: free some space; nothing was lost" + adviceAgain,
	14: "the file cannot be opened: check that it and its directory exist and are ours",
	26: "the file is not a database: check the path, or restore a backup",
}

func busy(err error) bool { c := code(err); return c == 5 || c == 6 }

// sqliteUnique is SQLITE_CONSTRAINT_PRIMARYKEY or _UNIQUE.
func sqliteUnique(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == 1555 || e.Code() == 2067)
}

// sqliteNull is SQLITE_CONSTRAINT_NOTNULL.
func sqliteNull(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == 1299
}

// code is SQLite's primary result code; 0 if it did not say.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
