package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// A replica that only refreshes never has a transaction open while it does something else: frozen at any moment, it
// holds nothing.
func TestRefreshLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	first, _, shell := onPostgres(t)
	const mine = "postern-open"
	one := open(t, Config{DSN: first.dsn(mine)})
	for i := range 8 {
		login(t, first, fmt.Sprint("s", i), fmt.Sprint("D", i))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := int64(1); ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				s, err := one.AdvanceGeneration(bg, refresh(fmt.Sprint("s", i), k))
				if err != nil {
					t.Error(err)
					return
				}
				one.NoteUse(s, k+1, Seen{At: t0.Add(time.Duration(k) * time.Hour), Addr: "192.0.2.7"})
			}
		})
	}
	const q = `SELECT COUNT(CASE WHEN state LIKE 'idle in transaction%' THEN 1 END), COUNT(*) FROM pg_stat_activity
		WHERE application_name = '` + mine + `'`
	for range 500 {
		var idle, all int
		if err := shell.QueryRowContext(bg, q).Scan(&idle, &all); err != nil || all == 0 {
			t.Fatalf("%d connections: %v", all, err)
		}
		if idle > 0 {
			t.Error("it waits for itself in the midst of a transaction")
			break
		}
	}
	close(stop)
	wg.Wait()
}

// What a replica that is frozen in the midst of an account's login holds is the account, and that for a second: the
// rest goes on as if nothing was.
func TestFrozenWithAnAccount(t *testing.T) {
	t.Parallel()
	one, two, shell := onPostgres(t)
	login(t, one, "a", "A")
	if err := one.CreateUser(bg, User{Localpart: "bob", PasswordHash: "hash", Created: t0}); err != nil {
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
	bob := Login{ID: "b", Localpart: "bob", PasswordHash: "hash", DeviceID: "B", At: t0, KeyID: 1}
	if _, err := two.StartSession(bg, bob); err != nil {
		t.Error(err)
	}
	if _, err := two.AdvanceGeneration(bg, refresh("a", 1)); err != nil {
		t.Error(err)
	}
	began := time.Now()
	login(t, two, "a2", "A")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("another replica waited %v", took)
	}
	if _, err := frozen.ExecContext(bg, "COMMIT"); err == nil {
		t.Error("it may go on")
	}
}

// A process that was frozen between the statements of a transaction, or in front of its end, runs it again: its caller
// learns nothing of it.
func TestFrozenGoesOn(t *testing.T) {
	t.Parallel()
	one, _, _ := onPostgres(t)
	for _, name := range []string{"within", "in front of the end"} {
		ran := 0
		err := one.WriteFor(bg, "alice", func(tx *Tx) error {
			ran++
			err := tx.Exec(setSetting, name, fmt.Sprint(ran))
			if ran == 1 {
				time.Sleep(1500 * time.Millisecond)
				if name == "within" {
					err = tx.Exec(setSetting, name, "")
				}
			}
			return err
		})
		if v, got := one.Setting(bg, name); err != nil || got != nil || v != "2" || ran != 2 {
			t.Errorf("%s: ran %d times, %q: %v, %v", name, ran, v, err, got)
		}
	}
}

// When the connection breaks after a refresh was sent it is sent again, whether or not the server has done it: the
// answer is the same.
func TestJourneyLost(t *testing.T) {
	t.Parallel()
	first, _, shell := onPostgres(t)
	login(t, first, "a", "A")
	const mine = "postern-journey"
	one := open(t, Config{DSN: first.dsn(mine)})
	// It is held on its way, and then its server process ends without a word.
	held := keeping(t, shell, `SELECT id FROM sessions WHERE id = 'a' FOR UPDATE`)
	done := make(chan error, 1)
	go func() {
		s, err := one.AdvanceGeneration(context.Background(), refresh("a", 1))
		if err == nil && s.Generation != 2 {
			err = fmt.Errorf("%+v", s)
		}
		done <- err
	}()
	const waits = `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = '` + mine + `' AND wait_event_type = 'Lock'`
	for n := 0; n == 0; {
		if err := shell.QueryRowContext(bg, waits).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Two replicas refresh the same sessions in batches while a third ends all of an account, again and again: whoever
// waits for the other in a circle gives way and goes on.
func TestCircle(t *testing.T) {
	t.Parallel()
	one, two, _ := onPostgres(t)
	for round := range repeat(20, 5) {
		for i := range 8 {
			login(t, one, fmt.Sprint("r", round, "s", i), fmt.Sprint("D", 8-i))
		}
		var wg sync.WaitGroup
		for i := range 8 {
			for _, d := range []*DB{one, two} {
				wg.Go(func() {
					s, err := d.AdvanceGeneration(bg, refresh(fmt.Sprint("r", round, "s", i), 1))
					if err != nil && !errors.Is(err, ErrNotFound) || err == nil && s.Generation != 2 {
						t.Errorf("%+v, %v", s, err)
					}
				})
			}
		}
		wg.Go(func() {
			if _, err := two.EndSessions(bg, "alice"); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if left, err := one.Sessions(bg, "alice"); err != nil || len(left) > 0 {
			t.Fatalf("%d are left: %v", len(left), err)
		}
	}
}

// Who is refused by a lock that somebody else keeps is told so.
func TestRowHeld(t *testing.T) {
	t.Parallel()
	one, _, shell := onPostgres(t)
	login(t, one, "a", "A")
	login(t, one, "b", "B")
	keeping(t, shell, `SELECT id FROM sessions WHERE id = 'a' FOR UPDATE`)
	if _, err := one.AdvanceGeneration(bg, refresh("a", 1)); !errors.Is(err, ErrUnavailable) ||
		!strings.Contains(err.Error(), "pg_stat_activity") {
		t.Errorf("while its row is held: %v", err)
	}
	if s, err := one.AdvanceGeneration(bg, refresh("b", 1)); err != nil || s.Generation != 2 {
		t.Errorf("another one: %+v, %v", s, err)
	}
}
