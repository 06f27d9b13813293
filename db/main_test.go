package db

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/test/rig/postgres"
)

// The test binary is also the other process in the tests that need one.
func TestMain(m *testing.M) {
	switch os.Getenv("DB_TEST_CHILD") {
	case "crash":
		crashChild(os.Getenv("DB_TEST_PATH"))
	case "full":
		fullChild(os.Getenv("DB_TEST_PATH"))
	default:
		goleak.VerifyTestMain(m)
	}
}

var (
	bg = context.Background()
	t0 = time.UnixMilli(1_800_000_000_000).UTC()
)

// dsn names a database of the test's own on the engine that is tested. A file is migrated already.
func dsn(tb testing.TB) string {
	tb.Helper()
	if postgres.Chosen() {
		return postgres.Schema(tb, postgres.URL(tb))
	}
	path := file(tb)
	empty, err := migrated()
	if err == nil {
		err = os.WriteFile(path, empty, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// migrated is the content of an empty database file, made by Open. Running all migrations for each test took half of
// the tests' time.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "postern-db-test")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "postern.db")
	d, err := Open(bg, Config{DSN: path})
	if err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil { // which writes the log back
		return nil, err
	}
	return os.ReadFile(path)
})

// repeat says how often a test tries to find an order of events that is wrong: less often with -short.
func repeat(often, short int) int {
	if testing.Short() {
		return short
	}
	return often
}

// file names a database file in a test about files.
func file(tb testing.TB) string { return filepath.Join(tb.TempDir(), "postern.db") }

// onSQLite skips a test of what only SQLite has: its file, its log, its cache, its pragmas.
func onSQLite(tb testing.TB) {
	tb.Helper()
	if postgres.Chosen() {
		tb.Skip("only SQLite has this")
	}
}

// fresh opens an empty database with one account, alice.
func fresh(tb testing.TB) *DB {
	tb.Helper()
	return freshAt(tb, Config{DSN: dsn(tb)})
}

func freshAt(tb testing.TB, c Config) *DB {
	tb.Helper()
	d := open(tb, c)
	if err := d.CreateUser(bg, User{Localpart: "alice", PasswordHash: "hash", Created: t0}); err != nil {
		tb.Fatal(err)
	}
	return d
}

// login starts a session of alice's on a device.
func login(tb testing.TB, d *DB, id, device string) Session {
	tb.Helper()
	s, err := d.StartSession(bg, Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: device,
		DisplayName: "name of " + id,
		At:          t0, KeyID: 1, AccessTTL: 5 * time.Minute, Refreshable: true,
		Seen: Seen{At: t0, Addr: "192.0.2.1", Agent: "test"}})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// refresh is what a client does at today's door, a minute after logging in.
func refresh(id string, k int64) Refresh {
	return Refresh{Session: id, Generation: k, At: t0.Add(time.Minute), KeyID: 1, AccessTTL: 5 * time.Minute,
		Leeway: 30 * time.Second,
		Seen:   Seen{At: t0.Add(time.Minute), Addr: "192.0.2.1", Agent: "test"}}
}

// session is Session where it must succeed.
func (d *DB) session(tb testing.TB, id string) Session {
	tb.Helper()
	s, _, err := d.Session(bg, id)
	if err != nil {
		tb.Fatalf("%s: %v", id, err)
	}
	return s
}

// advance refreshes a session as many times.
func (d *DB) advance(tb testing.TB, id string, times int64) {
	tb.Helper()
	for k := range times {
		if _, err := d.AdvanceGeneration(bg, refresh(id, k+1)); err != nil {
			tb.Fatal(err)
		}
	}
}

// hasten is for tests that write much and are not about power cuts.
func (d *DB) hasten(tb testing.TB) {
	tb.Helper()
	if !postgres.Chosen() {
		d.pragma(tb, "synchronous = OFF")
	}
}

// pragma runs a statement on the write connection.
func (d *DB) pragma(tb testing.TB, format string, args ...any) {
	tb.Helper()
	d.writeLock <- struct{}{}
	defer func() { <-d.writeLock }()
	if _, err := d.writer.tx.conn.ExecContext(bg, "PRAGMA "+fmt.Sprintf(format, args...)); err != nil {
		tb.Fatal(err)
	}
}
