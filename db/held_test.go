package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
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

// A transaction of which a part arrives, and then nothing, ends all the same where the server can see to it.
func TestArrivesInPart(t *testing.T) {
	t.Parallel()
	one, two, shell := onPostgres(t)
	var version int
	const asks = `SELECT current_setting('server_version_num')::int`
	if err := shell.QueryRowContext(bg, asks).Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version < 170000 {
		t.Skip("only PostgreSQL 17 and newer end such a transaction: make postgres-versions")
	}
	login(t, one, "a", "A")
	frozen, err := shell.Conn(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Close()
	var p *pgconn.Pipeline
	err = frozen.Raw(func(raw any) error {
		p = raw.(*stdlib.Conn).Conn().PgConn().StartPipeline(bg)
		for _, s := range one.engine.(pipeliner).together() {
			p.SendQueryParams(s.query, nil, nil, nil, nil)
		}
		p.SendQueryParams(`UPDATE sessions SET used = used WHERE id = 'a'`, nil, nil, nil, nil)
		return p.Flush()
	})
	if err != nil {
		t.Fatal(err)
	}
	waited := false
	for deadline := time.Now().Add(40 * time.Second); ; waited = true {
		if _, err = two.AdvanceGeneration(bg, refresh("a", 1)); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil || !waited {
		t.Errorf("its row was kept: %v; for good: %v", waited, err)
	}
	_ = frozen.Raw(func(any) error { return errors.Join(p.Close(), driver.ErrBadConn) })
}

// So many refreshes at once are several journeys, each of which a socket takes in whole.
func TestJourneysAreShort(t *testing.T) {
	t.Parallel()
	one, _, shell := onPostgres(t)
	const all = 2*journeySize + 1
	for i := range all {
		login(t, one, fmt.Sprint("s", i), fmt.Sprint("D", i))
	}
	one.writeLock <- struct{}{}
	var wg sync.WaitGroup
	wg.Go(func() { _ = one.SetSetting(bg, "any", "value") })
	time.Sleep(50 * time.Millisecond) // the writer has it, and waits for its turn
	for i := range all {
		wg.Go(func() {
			if _, err := one.AdvanceGeneration(bg, refresh(fmt.Sprint("s", i), 1)); err != nil {
				t.Error(err)
			}
		})
	}
	for len(one.writer.ops) < all {
		time.Sleep(time.Millisecond)
	}
	<-one.writeLock
	wg.Wait()
	const q = `SELECT MAX(n), COUNT(*) FROM (SELECT COUNT(*) AS n FROM sessions GROUP BY xmin::text) AS journeys`
	var longest, journeys int
	if err := shell.QueryRowContext(bg, q).Scan(&longest, &journeys); err != nil || longest != journeySize ||
		journeys != 3 {
		t.Errorf("%d journeys, the longest of %d: %v", journeys, longest, err)
	}
}

// What ends while a journey is on its way may have done it, unless the server says that it has not.
func TestJourneyInDoubt(t *testing.T) {
	t.Parallel()
	first, _, shell := onPostgres(t)
	login(t, first, "a", "A")
	const mine = "postern-doubt"
	one := open(t, Config{DSN: first.dsn(mine)})
	other := keeping(t, shell, `SELECT id FROM sessions WHERE id = 'a' FOR UPDATE`)
	kill := func() {
		const waits = `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = '` + mine + `' AND wait_event_type = 'Lock'`
		for n := 0; n == 0; {
			if err := shell.QueryRowContext(bg, waits).Scan(&n); err != nil {
				t.Error(err)
				return
			}
		}
	}
	one.writeLock <- struct{}{}
	defer func() { <-one.writeLock }()
	journey := func() (stage, error) {
		r := refresh("a", 1)
		o := &op{ctx: bg, scope: onRow("a"), taken: func(Session) {},
			first: func() statement { return statement{advanceReturning, r.arguments()} }}
		return one.writer.journey(one.engine.(pipeliner), []*op{o})
	}
	if got, err := journey(); got != running || !held(err) || errors.Is(err, errDoubt) {
		t.Errorf("while its row is held: %d, %v", got, err)
	}
	go kill()
	if got, err := journey(); got != running || !lost(err) || !errors.Is(err, errDoubt) {
		t.Errorf("when it is ended: %d, %v", got, err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := first.SetSetting(bg, movedTo, "elsewhere"); err != nil {
		t.Fatal(err)
	}
	if got, err := journey(); got != beginning || !errors.As(err, new(movedError)) {
		t.Errorf("when the database has moved: %d, %v", got, err)
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

// Whoever freezes in the midst of a write about many sessions has left the server no long answer, which it would wait
// for him to take: what he has changed is free a second later.
func TestFrozenBeforeAnAnswer(t *testing.T) {
	t.Parallel()
	one, two, shell := onPostgres(t)
	one.bulk(t, "s", 2000, time.Time{})
	if _, err := shell.ExecContext(bg, `UPDATE sessions SET display_name = repeat('x', 8000)`); err != nil {
		t.Fatal(err)
	}
	frozen, err := shell.Conn(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Close()
	if _, err := frozen.ExecContext(bg, one.engine.begin([]*op{{scope: account("alice")}})); err != nil {
		t.Fatal(err)
	}
	err = frozen.Raw(func(raw any) error {
		p := raw.(*stdlib.Conn).Conn().PgConn().StartPipeline(bg)
		p.SendQueryParams(lockSessions, [][]byte{[]byte("alice"), []byte("true")}, nil, nil, nil)
		return p.Sync() // and nothing is read
	})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // until it has the rows
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err = two.AdvanceGeneration(bg, refresh("s7", 1)); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Errorf("a row that it has changed: %v", err)
	}
	_ = frozen.Raw(func(any) error { return driver.ErrBadConn })
}
