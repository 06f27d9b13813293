package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"postern/test/rig/postgres"
)

// A check that begins after a write was answered sees it, whoever else asks at that moment and wherever it was written.
func TestCheckSeesWhatWasAnswered(t *testing.T) {
	t.Parallel()
	at := dsn(t)
	one := freshAt(t, Config{DSN: at})
	two := one // which sees the other's file only by asking; that is another test's
	if postgres.Chosen() {
		two = open(t, Config{DSN: at})
	}
	one.hasten(t)
	const sessions = 12
	for i := range sessions {
		login(t, one, fmt.Sprint("s", i), fmt.Sprint("D", i))
	}
	stop := make(chan struct{})
	var others, writers sync.WaitGroup
	for i := range 8 { // so that batches are on their way all the time
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _, _ = two.Session(bg, fmt.Sprint("s", i))
				}
			}
		})
	}
	for i := range sessions {
		writers.Go(func() { refreshAndCheck(t, one, two, fmt.Sprint("s", i)) })
	}
	writers.Wait()
	close(stop)
	others.Wait()
}

// refreshAndCheck goes on until the session is ended.
func refreshAndCheck(t *testing.T, one, two *DB, id string) {
	for k := range int64(repeat(60, 20)) {
		if _, err := one.AdvanceGeneration(bg, refresh(id, k+1)); err != nil {
			t.Error(err)
			return
		}
		var checks sync.WaitGroup
		for range 3 {
			checks.Go(func() {
				if s, _, err := two.Session(bg, id); err != nil || s.Generation != k+2 {
					t.Errorf("%s: generation %d after %d was answered: %v", id, s.Generation, k+2, err)
				}
			})
		}
		checks.Wait()
	}
	if err := one.EndSession(bg, id); err != nil {
		t.Error(err)
	}
	if _, _, err := two.Session(bg, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("%s has ended: %v", id, err)
	}
}

// Of the reads that share a round trip only the one that is wrong fails.
func TestPoisonedReadFailsAlone(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			var name string
			switch i % 4 {
			case 0:
				_, err := d.Get(bg, `SELECT no_such_column FROM users`, []any{&name})
				wantUnavailable(t, err, "no_such_column")
			case 1:
				if found, err := d.Get(bg, `SELECT localpart FROM users WHERE localpart = $1`, []any{&name},
					"bob"); found || err != nil {
					t.Errorf("nobody: %v, %v", found, err)
				}
			case 2:
				if u, err := d.User(bg, "alice"); err != nil || u.Localpart != "alice" {
					t.Errorf("a good one: %+v, %v", u, err)
				}
			default:
				if s, _, err := d.Session(bg, "one"); err != nil || s.DeviceID != "A" {
					t.Errorf("a check: %+v, %v", s, err)
				}
			}
		})
	}
	all.Wait()
}

// onlyPostgres skips a test of what SQLite does not have.
func onlyPostgres(t *testing.T) {
	t.Helper()
	if !postgres.Chosen() {
		t.Skip("SQLite has no round trips: go test ./test/server/postgres runs this")
	}
}

// hold keeps every read of sessions from ending, until release is called.
func hold(t *testing.T, d *DB) (release func()) {
	t.Helper()
	pool, err := d.pool(roleWriter, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pool.Conn(bg)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, c, `BEGIN`)
	mustExec(t, c, `LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE`)
	return func() {
		mustExec(t, c, `ROLLBACK`)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// crowd has so many check a session that all batches are on their way and more wait.
func (d *DB) crowd(check func(i int)) *sync.WaitGroup {
	var all sync.WaitGroup
	for i := range 3 * maxRunning {
		all.Go(func() { check(i) })
		time.Sleep(2 * slow) // until the last batch is one that does not hold up the next
	}
	return &all
}

// A batch that hangs keeps nobody from asking for something else, a caller that gives up gets its way, and the others
// their answers.
func TestHangingBatch(t *testing.T) {
	t.Parallel()
	onlyPostgres(t)
	d := fresh(t)
	login(t, d, "one", "A")
	release := hold(t, d)
	var first sync.WaitGroup
	first.Go(func() { d.session(t, "one") })
	time.Sleep(2 * slow)
	if _, err := d.User(bg, "alice"); err != nil {
		t.Errorf("beside a batch that hangs: %v", err)
	}
	all := d.crowd(func(i int) {
		if i%2 == 0 || i < maxRunning {
			d.session(t, "one")
			return
		}
		ctx, cancel := context.WithTimeout(bg, slow/2) // long before the batches are let go
		defer cancel()
		if _, _, err := d.Session(ctx, "one"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one that gave up: %v", err)
		}
	})
	release()
	all.Wait()
	first.Wait()
	for d.reader.busy() { // until the test's time is over
		time.Sleep(time.Millisecond)
	}
}

func (r *reader) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running > 0 || len(r.waiting) > 0
}

// Nobody waits longer than the engine's patience, not even who asked while batches hung; afterwards all is well.
func TestPatienceOfReads(t *testing.T) {
	t.Parallel()
	onlyPostgres(t)
	d := fresh(t)
	login(t, d, "one", "A")
	d.reader.patience = 2 * time.Second
	release := hold(t, d)
	d.crowd(func(int) {
		began := time.Now()
		_, _, err := d.Session(bg, "one")
		wantUnavailable(t, err, "unavailable")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("one waited %v", took)
		}
	}).Wait()
	release()
	d.session(t, "one")
}

// What is asked of a closed database fails, and says so.
func TestReadsAfterClose(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for {
				if _, _, err := d.Session(bg, "one"); err != nil {
					wantUnavailable(t, err, "closed")
					return
				}
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	_, err := d.User(bg, "alice")
	wantUnavailable(t, err, "closed")
}
