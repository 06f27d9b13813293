// Package dbtest gives tests a real, migrated, empty database.
package dbtest

import (
	"context"
	"path/filepath"
	"testing"

	"postern/db"
)

// New opens a fresh database in the test's own directory and closes it when the test ends.
func New(tb testing.TB) *db.DB {
	tb.Helper()
	return Open(tb, File(tb))
}

// File names a database file, not made yet, in the test's own directory.
func File(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "postern.db")
}

// Open opens the database at path, as another process would while it is open elsewhere, or as a restart does, and closes it when the test ends.
func Open(tb testing.TB, path string) *db.DB {
	tb.Helper()
	d, err := db.Open(context.Background(), db.Config{DSN: path})
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
