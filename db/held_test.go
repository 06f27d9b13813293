package db

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"
)

// A row that somebody else keeps delays those who want other rows by a moment, however many wait for it.
func TestRowHeldAndOthers(t *testing.T) {
	t.Parallel()
	one, _, shell := onPostgres(t)
	login(t, one, "a", "A")
	login(t, one, "b", "B")
	held := keeping(t, shell, `SELECT id FROM sessions WHERE id = 'a' FOR UPDATE`)
	one.writeLock <- struct{}{}
	var wg sync.WaitGroup
	wg.Go(func() { _ = one.SetSetting(bg, "any", "value") })
	time.Sleep(50 * time.Millisecond) // the writer has it, and waits for its turn
	for range 6 {
		wg.Go(func() {
			if _, err := one.AdvanceGeneration(bg, refresh("a", 1)); !errors.Is(err, ErrUnavailable) {
				t.Errorf("while its row is held: %v", err)
			}
		})
	}
	wg.Go(func() {
		if err := one.EndSession(bg, "a"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a logout while its row is held: %v", err)
		}
	})
	for len(one.writer.ops) < 7 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	<-one.writeLock
	if _, err := one.AdvanceGeneration(bg, refresh("b", 1)); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("another session waited %v", took)
	}
	wg.Wait()
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if s, err := one.AdvanceGeneration(bg, refresh("a", 1)); err != nil || s.Generation != 2 {
		t.Errorf("later: %+v, %v", s, err)
	}
}

// Somebody who must be alone, and waits for a transaction that does not end, does not have the others wait for it.
func TestWaitsForTheGate(t *testing.T) {
	t.Parallel()
	one, two, shell := onPostgres(t)
	login(t, one, "a", "A")
	held := keeping(t, shell, `SELECT `+shared+`(`+one.engine.(*postgresServer).gate+`)`)
	done := make(chan error, 1)
	go func() { done <- two.SetSetting(bg, "any", "value") }()
	const waits = `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	for n := 0; n == 0; {
		if err := shell.QueryRowContext(bg, waits).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if _, err := one.AdvanceGeneration(bg, refresh("a", 1)); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a refresh waited %v", took)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the one who waited: %v", err)
	}
}

// The health check of a replica that could not write waits for no other replica.
func TestPingBesideOthers(t *testing.T) {
	t.Parallel()
	one, _, shell := onPostgres(t)
	login(t, one, "a", "A")
	keeping(t, shell, `SELECT `+shared+`(`+one.engine.(*postgresServer).gate+`) FROM sessions FOR UPDATE`)
	if _, err := one.AdvanceGeneration(bg, refresh("a", 1)); err == nil || *one.writer.outcome.Load() == nil {
		t.Fatalf("while its row is held: %v", err)
	}
	ctx, cancel := context.WithTimeout(bg, 2*time.Second)
	defer cancel()
	if err := one.Ping(ctx); err != nil {
		t.Error(err)
	}
	if *one.writer.outcome.Load() != nil {
		t.Error("it has tried no write")
	}
}

// keeping is a transaction that has run a statement.
func keeping(t *testing.T, shell *sql.DB, query string) *sql.Tx {
	t.Helper()
	tx, err := shell.BeginTx(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	if _, err := tx.ExecContext(bg, query); err != nil {
		t.Fatal(err)
	}
	return tx
}
