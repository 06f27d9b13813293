// Package dbtest gives tests a real, migrated, empty database: a SQLite file, or with TEST_DB=postgres a schema of its
// own in the PostgreSQL at TEST_POSTGRES_URL, so that one suite proves both engines.
package dbtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"postern/db"
	"postern/test/rig/postgres"
)

// New opens a fresh database and closes it when the test ends.
func New(tb testing.TB) *db.DB {
	tb.Helper()
	return Open(tb, DSN(tb))
}

// DSN names a database of the test's own, which is empty. A file is migrated already.
func DSN(tb testing.TB) string {
	tb.Helper()
	if postgres.Chosen() {
		return postgres.Schema(tb, postgres.URL(tb))
	}
	path := File(tb)
	empty, err := migrated()
	if err == nil {
		err = os.WriteFile(path, empty, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// migrated is the content of an empty database file, made once in a process: running all migrations takes longer than
// most tests.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "postern-dbtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "postern.db")
	d, err := db.Open(context.Background(), db.Config{DSN: path})
	if err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil { // which writes the log back
		return nil, err
	}
	return os.ReadFile(path)
})

// File names a database file, not made yet, in the test's own directory.
func File(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "postern.db")
}

// Open opens a database, as another process would while it is open elsewhere, or as a restart does, and closes it when
// the test ends.
func Open(tb testing.TB, dsn string) *db.DB {
	tb.Helper()
	d, err := db.Open(context.Background(), db.Config{DSN: dsn})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}
