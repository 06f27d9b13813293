package db

import (
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

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
	row := tx.QueryRowContext(bg, advanceReturning, id, k, Millis(r.At), r.KeyID, r.accessEnd(), 0, false,
		Millis(r.Seen.At), r.Seen.Addr, r.Seen.Agent)
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
	b.ResetTimer()
	crowd(b, n, func(i int, k int64) error { return refresh(fmt.Sprint("s", i), k) })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
}

// BenchmarkLogins lets 64 clients log in again and again, each to an account of its own, at one replica or at three.
// No password is hashed: it is the database that is measured.
func BenchmarkLogins(b *testing.B) {
	if !postgres.Chosen() {
		b.Skip("TEST_DB=postgres")
	}
	for _, count := range []int{1, 3} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			at := dsn(b)
			var replicas []*DB
			for range count {
				replicas = append(replicas, open(b, Config{DSN: at}))
			}
			for i := range 64 {
				u := User{Localpart: fmt.Sprint("user", i), PasswordHash: "hash", Created: t0}
				if err := replicas[0].CreateUser(bg, u); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			crowd(b, 64, func(i int, k int64) error {
				user := fmt.Sprint("user", i)
				_, err := replicas[i%count].StartSession(bg, Login{ID: fmt.Sprint(user, "-", k), Localpart: user,
					PasswordHash: "hash", DeviceID: "D", At: t0.Add(time.Duration(k) * time.Second), KeyID: 1})
				return err
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
		})
	}
}

// crowd lets n clients do something b.N times in all; k counts what each has done.
func crowd(b *testing.B, n int, do func(i int, k int64) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, n)
	for i := range n {
		go func() {
			var err error
			for k := int64(1); err == nil && left.Add(-1) >= 0; k++ {
				err = do(i, k)
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}
