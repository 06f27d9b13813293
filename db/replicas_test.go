package db

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/test/rig/postgres"
)

// onPostgres gives two replicas on one database with the account alice, and a shell beside them.
func onPostgres(t *testing.T) (one, two *DB, shell *sql.DB) {
	t.Helper()
	if !postgres.Chosen() {
		t.Skip("only PostgreSQL has replicas: go test ./test/server/postgres runs this")
	}
	at := dsn(t)
	one = freshAt(t, Config{DSN: at})
	two = open(t, Config{DSN: at})
	shell, err := sql.Open("pgx", postgres.Direct(t, at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shell.Close() })
	return one, two, shell
}

// Of what one replica was told the other one knows at its next request.
func TestReplicasSeeEachOther(t *testing.T) {
	t.Parallel()
	one, two, _ := onPostgres(t)
	login(t, one, "a", "A")
	two.session(t, "a")
	if err := one.LockUser(bg, "alice", t0); err != nil {
		t.Fatal(err)
	}
	if err := two.session(t, "a").Accepts(1, t0); !errors.Is(err, ErrLocked) {
		t.Errorf("locked: %v", err)
	}
	if err := two.UnlockUser(bg, "alice"); err != nil {
		t.Fatal(err)
	}
	for k := range int64(3) { // each at the other one than the last
		by := []*DB{one, two}[k%2]
		if _, err := by.AdvanceGeneration(bg, refresh("a", k+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := one.AdvanceGeneration(bg, refresh("a", 1)); !errors.Is(err, ErrReplay) {
		t.Errorf("a replay: %v", err)
	}
	if err := two.session(t, "a").Accepts(4, t0); !errors.Is(err, ErrSoft) {
		t.Errorf("after a replay: %v", err)
	}
	if err := two.EndSession(bg, "a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := one.Session(bg, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after a logout: %v", err)
	}
}

// A key that is made or retired anywhere is known with the next session that is read.
func TestReplicasSeeKeys(t *testing.T) {
	t.Parallel()
	one, two, _ := onPostgres(t)
	login(t, one, "a", "A")
	_, before, err := two.Session(bg, "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func() error{
		func() error { return one.AddRootKey(bg, RootKey{ID: 7, Wrapped: []byte("k"), Created: t0}) },
		func() error { return one.RetireRootKey(bg, 7, t0, true) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		_, now, err := two.Session(bg, "a")
		if err != nil || now == before || now != two.Epoch() {
			t.Errorf("epoch %d after %d, and %d: %v", now, before, two.Epoch(), err)
		}
		before = now
	}
}

// A login looks at the account and writes a session; a lock writes the account and looks for sessions. Side by side
// each could miss the other.
func TestLoginMeetsLock(t *testing.T) {
	t.Parallel()
	one, two, _ := onPostgres(t)
	for round := range 60 {
		var wg sync.WaitGroup
		var loginErr, lockErr error
		id := fmt.Sprint("s", round)
		wg.Go(func() {
			_, loginErr = one.StartSession(bg,
				Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: id, At: t0, KeyID: 1})
		})
		wg.Go(func() { lockErr = two.LockUser(bg, "alice", t0) })
		wg.Wait()
		if lockErr != nil || loginErr != nil && !errors.Is(loginErr, ErrLocked) {
			t.Fatalf("login: %v, lock: %v", loginErr, lockErr)
		}
		if loginErr == nil && !one.session(t, id).Locked {
			t.Fatal("a locked account has a session that is not")
		}
		if err := one.UnlockUser(bg, "alice"); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever refreshes while the key that it mints with is retired elsewhere either is seen, or is told that the key is
// gone.
func TestRefreshMeetsRetirement(t *testing.T) {
	t.Parallel()
	one, two, _ := onPostgres(t)
	login(t, one, "a", "A")
	for k := range int64(60) {
		if err := one.AddRootKey(bg, RootKey{ID: k + 10, Wrapped: []byte("k"), Created: t0}); err != nil {
			t.Fatal(err)
		}
		r := refresh("a", k+1)
		r.KeyID = k + 10
		var wg sync.WaitGroup
		var refreshErr, retireErr error
		wg.Go(func() { _, refreshErr = one.AdvanceGeneration(bg, r) })
		wg.Go(func() {
			retireErr = two.AddRootKey(bg, RootKey{ID: 10_000 + k, Wrapped: []byte("k"), Created: t0})
			if retireErr == nil {
				retireErr = two.RetireRootKey(bg, k+10, t0, false)
			}
		})
		wg.Wait()
		if s := one.session(t, "a"); refreshErr == nil && retireErr == nil && s.KeyID == k+10 {
			t.Fatal("a session depends on a key that was retired as unused")
		}
		if refreshErr != nil {
			if !errors.Is(refreshErr, ErrKeyGone) {
				t.Fatal(refreshErr)
			}
			r.KeyID = 10_000 + k
			if _, err := one.AdvanceGeneration(bg, r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A server that ends every connection, as when it is restarted, costs nobody an error: what was not committed is run
// again.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	first, _, shell := onPostgres(t)
	login(t, first, "a", "A")
	const mine = "postern-lost" // other tests have the same server
	one := open(t, Config{DSN: first.dsn(mine)})
	const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = '` + mine + `' AND usename = current_user`
	for k := int64(1); k < 20; k++ {
		one.session(t, "a")
		if _, err := shell.ExecContext(bg, kill); err != nil {
			t.Fatal(err)
		}
		one.session(t, "a")
		if s, err := one.AdvanceGeneration(bg, refresh("a", k)); err != nil || s.Generation != k+1 {
			t.Fatalf("%d: %+v, %v", k, s, err)
		}
	}
	if err := one.Ping(bg); err != nil {
		t.Error(err)
	}
}

// dsn is the database's address, for connections of another name.
func (d *DB) dsn(name string) string { return d.address() + "&application_name=" + name }

func (d *DB) address() string { return d.engine.(*postgresServer).config.ConnString() }

// Who names several servers wants the one that writes.
func TestReadWriteServersOnly(t *testing.T) {
	t.Parallel()
	one, _, _ := onPostgres(t)
	login(t, one, "a", "A")
	two := open(t, Config{DSN: one.address() + "&target_session_attrs=read-write"})
	two.session(t, "a")
	if s, err := two.AdvanceGeneration(bg, refresh("a", 1)); err != nil || s.Generation != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A deadlock with somebody who takes rows in another order is somebody's failure, and then ours to run again.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	one, _, shell := onPostgres(t)
	login(t, one, "a", "A")
	login(t, one, "b", "B")
	other := keeping(t, shell, `SET LOCAL deadlock_timeout = '60s'`) // so that the engine finds us guilty
	if _, err := other.ExecContext(bg, `UPDATE sessions SET display_name = 'x' WHERE id = 'b'`); err != nil {
		t.Fatal(err)
	}
	one.writeLock <- struct{}{} // so that both share the transaction after the next one
	var wg sync.WaitGroup
	errs := make([]error, 3)
	wg.Go(func() { errs[2] = one.SetSetting(bg, "any", "value") })
	time.Sleep(50 * time.Millisecond)
	for i, id := range []string{"a", "b"} {
		wg.Go(func() { _, errs[i] = one.AdvanceGeneration(bg, refresh(id, 1)) })
	}
	for deadline := time.Now().Add(time.Minute); len(one.writer.ops) < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	<-one.writeLock
	time.Sleep(200 * time.Millisecond) // it holds a and waits for b
	if _, err := other.ExecContext(bg, `UPDATE sessions SET display_name = 'x' WHERE id = 'a'`); err != nil {
		t.Fatal(err)
	}
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"a", "b"} {
		if s := one.session(t, id); s.Generation != 2 || s.DisplayName != "x" {
			t.Errorf("%+v", s)
		}
	}
}

// Where transactions are serializable and the gate does nothing, as on CockroachDB, those that fail for it are run
// again.
func TestSerializationFailures(t *testing.T) {
	t.Parallel()
	one, two, _ := onPostgres(t)
	for _, d := range []*DB{one, two} {
		d.writeLock <- struct{}{}
		d.engine.(*postgresServer).level = "SERIALIZABLE"
		<-d.writeLock
	}
	login(t, one, "a", "A")
	for k := range int64(40) {
		var wg sync.WaitGroup
		got, errs := make([]Session, 8), make([]error, 8)
		for i := range got {
			d := []*DB{one, two}[i%2]
			wg.Go(func() { got[i], errs[i] = d.AdvanceGeneration(bg, refresh("a", k+1)) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for _, s := range got {
			if s != got[0] || s.Generation != k+2 {
				t.Fatalf("round %d: %+v and %+v", k, s, got[0])
			}
		}
	}
}

// A process that is frozen in the midst of a transaction does not keep the gate shut for good, and who waits is told
// why.
func TestGateHeld(t *testing.T) {
	t.Parallel()
	one, _, shell := onPostgres(t)
	login(t, one, "a", "A")
	other := keeping(t, shell, `SELECT pg_advisory_xact_lock(`+one.engine.(*postgresServer).gate+`)`)
	_, err := one.AdvanceGeneration(bg, refresh("a", 1))
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "pg_stat_activity") {
		t.Errorf("while it is held: %v", err)
	}
	one.session(t, "a") // checks go on
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err = one.AdvanceGeneration(bg, refresh("a", 1)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
