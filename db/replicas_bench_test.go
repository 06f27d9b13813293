package db

import (
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"

	"postern/test/rig/postgres"
)

// BenchmarkPostgres64 compares, for 64 clients that refresh: a transaction for whoever waits together (what Postern
// does), one after the other, and each client with a transaction on a connection of its own (what servers usually do).
// It needs a server with fsync on at TEST_POSTGRES_URL, and TEST_DB=postgres.
func BenchmarkPostgres64(b *testing.B) {
	if !postgres.Chosen() {
		b.Skip("TEST_DB=postgres")
	}
	for name, batch := range map[string]int{"together": batchSize, "apiece": 1} {
		b.Run(name, func(b *testing.B) {
			d := freshAt(b, Config{DSN: dsn(b), MaxBatch: batch})
			clients(b, 64, func(id string, k int64) error {
				_, err := d.AdvanceGeneration(bg, refresh(id, k))
				return err
			}, d)
		})
	}
	b.Run("connections", func(b *testing.B) {
		at := dsn(b)
		d := freshAt(b, Config{DSN: at})
		raw, err := sql.Open("pgx", at)
		if err != nil {
			b.Fatal(err)
		}
		defer raw.Close()
		raw.SetMaxOpenConns(64)
		raw.SetMaxIdleConns(64)
		clients(b, 64, func(id string, k int64) error { return inTransaction(raw, id, k) }, d)
	})
}

func inTransaction(raw *sql.DB, id string, k int64) error {
	tx, err := raw.BeginTx(bg, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	r := refresh(id, k)
	row := tx.QueryRowContext(bg, advanceReturning, id, k, ms(r.At), r.KeyID, r.accessEnd(), 0, false, ms(r.Seen.At),
		r.Seen.Addr, r.Seen.Agent)
	if _, err := scanSession(row.Scan); err != nil {
		return err
	}
	return tx.Commit()
}

func clients(b *testing.B, n int, refresh func(string, int64) error, d *DB) {
	b.Helper()
	for i := range n {
		login(b, d, fmt.Sprint("s", i), fmt.Sprint("D", i))
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, n)
	b.ResetTimer()
	for i := range n {
		go func() {
			var err error
			for k := int64(1); err == nil && left.Add(-1) >= 0; k++ {
				err = refresh(fmt.Sprint("s", i), k)
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
}
