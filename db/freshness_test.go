package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What another process did must show in the very next answer: here thousands of times, between writes of our own and
// checks by others, so that every order of ours, theirs and the asking comes up.
func TestForeignWritesAreSeen(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	rounds := repeat(1_000, 100)
	path := file(t)
	d := freshAt(t, Config{DSN: path, flushEvery: time.Millisecond})
	d.hasten(t)
	login(t, d, "busy", "BUSY")

	stop := make(chan struct{})
	var own sync.WaitGroup
	own.Go(func() { // our own commits, one after the other
		for k := int64(1); ; k++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := d.AdvanceGeneration(bg, refresh("busy", k)); err != nil {
				t.Error(err)
				return
			}
			if k%8 == 0 { // the engine's lock is not fair: let the others in
				time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
			}
		}
	})
	own.Go(func() { // checks, and notes that are flushed behind
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			s, _, err := d.Session(bg, "busy")
			if err != nil {
				t.Error(err)
				return
			}
			d.NoteUse(s, s.Generation, Seen{At: t0.Add(time.Duration(i) * time.Second),
				Addr: fmt.Sprint("192.0.2.", i%250)})
		}
	})

	other := open(t, Config{DSN: path})
	other.hasten(t)
	raw := impatient(t, d)
	foreign := map[string]func(id string) error{
		"postern": func(id string) error { return other.EndSession(bg, id) },
		"shell": func(id string) error {
			return eventually(func() error {
				_, err := raw.ExecContext(bg, `DELETE FROM sessions WHERE id = $1`, id)
				return err
			})
		},
	}
	var theirs sync.WaitGroup
	for name, end := range foreign {
		theirs.Go(func() {
			for i := range rounds {
				id := fmt.Sprint(name, i)
				if _, err := d.StartSession(bg,
					Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: name, At: t0}); err != nil {
					t.Error(err)
					return
				}
				if _, _, err := d.Session(bg, id); err != nil {
					t.Errorf("%s before its end: %v", id, err)
					return
				}
				if err := end(id); err != nil {
					t.Error(err)
					return
				}
				if _, _, err := d.Session(bg, id); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s after its end: %v", id, err)
					return
				}
			}
		})
	}
	theirs.Wait()
	close(stop)
	own.Wait()
}

// Many readers, a row that another process counts up: no reader may see less than what was committed when it asked.
func TestForeignUpdatesNeverGoBack(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	rounds := repeat(3_000, 100)
	d := fresh(t)
	d.hasten(t)
	login(t, d, "one", "A")
	login(t, d, "busy", "B")
	raw := impatient(t, d)
	var committed atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := committed.Load()
				s, _, err := d.Session(bg, "one")
				if err != nil || s.KeyID < least {
					t.Errorf("saw %d after %d: %v", s.KeyID, least, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for k := int64(1); ; k++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := d.AdvanceGeneration(bg, refresh("busy", k)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range rounds {
		err := eventually(func() error {
			_, err := raw.ExecContext(bg, `UPDATE sessions SET key_id = $1 WHERE id = 'one'`, i+2)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		committed.Store(int64(i + 2))
		time.Sleep(50 * time.Microsecond) // the engine is not fair: who never lets go of the lock keeps it
	}
	close(stop)
	wg.Wait()
}

// The same, of what we write ourselves: once a write is answered, nobody sees what was before.
func TestOwnWritesAreSeen(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := freshAt(t, Config{DSN: file(t), cacheSize: 1}) // of two sessions one is always loaded anew
	d.hasten(t)
	login(t, d, "a", "A")
	login(t, d, "b", "B")
	raw := rawOpen(t, d)
	stop := make(chan struct{})
	var wg, flushes sync.WaitGroup
	flushes.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := raw.ExecContext(bg,
				`INSERT INTO settings (name, value) VALUES ('x', 'y') ON CONFLICT (name) DO UPDATE SET value = 'z'`); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	for _, id := range []string{"a", "b"} {
		var answered atomic.Int64
		answered.Store(1)
		done := make(chan struct{})
		for range 3 {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					least := answered.Load()
					if s, _, err := d.Session(bg, id); err != nil || s.Generation < least {
						t.Errorf("%s: saw %d after %d: %v", id, s.Generation, least, err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			defer close(done)
			for k := int64(1); k < int64(repeat(1_000, 200)); k++ {
				if _, err := d.AdvanceGeneration(bg, refresh(id, k)); err != nil {
					t.Error(err)
					return
				}
				answered.Store(k + 1)
			}
		})
	}
	wg.Wait()
	close(stop)
	flushes.Wait()
}

func TestEpoch(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	path := file(t)
	d := freshAt(t, Config{DSN: path})
	login(t, d, "one", "A")
	_, before, err := d.Session(bg, "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetSetting(bg, "own", "write"); err != nil {
		t.Fatal(err)
	}
	if _, now, _ := d.Session(bg, "one"); now != before {
		t.Error("a write of our own raised the epoch")
	}
	other := open(t, Config{DSN: path})
	if err := other.AddRootKey(bg, RootKey{ID: 1, Wrapped: []byte("k"), Created: t0}); err != nil {
		t.Fatal(err)
	}
	_, now, err := d.Session(bg, "one")
	if err != nil || now == before || now != d.Epoch() {
		t.Errorf("epoch %d, then %d: %v", before, now, err)
	}
}

// A check that has to wait for the writer follows its caller's patience if it is not the one who asks.
func TestCheckWaitsNoLongerThanItsCaller(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := fresh(t)
	login(t, d, "one", "A")
	d.fresh.header.forget()      // or there would be nothing to ask
	d.fresh.asking <- struct{}{} // an ask that takes its time
	first := make(chan error, 1)
	go func() { first <- d.fresh.check(bg) }()
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if err := d.fresh.check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-d.fresh.asking
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// While nobody commits nobody asks; a commit of anybody's is asked about.
func TestHeader(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := fresh(t)
	login(t, d, "one", "A")
	if err := d.fresh.check(bg); err != nil {
		t.Fatal(err)
	}
	if d.fresh.header.look() == ([12]uint32{}) {
		t.Skip("this system has no view of the index")
	}
	if !d.fresh.header.unchanged() {
		t.Error("nobody has committed, and it asks")
	}
	shell, err := rawOpen(t, d).Conn(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	mustExec(t, shell, `INSERT INTO settings (name, value) VALUES ('any', 'x')`)
	if d.fresh.header.unchanged() {
		t.Error("a shell has committed, and it does not ask")
	}
	if err := d.fresh.check(bg); err != nil || !d.fresh.header.unchanged() {
		t.Errorf("asked once it asks again: %v", err)
	}
	if err := d.SetSetting(bg, "any", "ours"); err != nil || !d.fresh.header.unchanged() {
		t.Errorf("a commit of our own is known, and it asks: %v", err)
	}
}

// Checks go on while another process keeps the write lock, and see what it did as soon as it is done.
func TestChecksGoOnWhileTheWriterWaits(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := freshAt(t, Config{DSN: file(t), wait: 10 * time.Second})
	login(t, d, "one", "A")
	login(t, d, "two", "B")
	lock, err := rawOpen(t, d).Conn(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	mustExec(t, lock, `BEGIN IMMEDIATE`)
	written := make(chan error, 1)
	go func() { written <- d.SetSetting(bg, "any", "write") }()
	time.Sleep(20 * time.Millisecond)
	for range 100 {
		d.session(t, "one")
	}
	mustExec(t, lock, `DELETE FROM sessions WHERE id = 'two'`)
	d.session(t, "two") // not committed yet
	mustExec(t, lock, `COMMIT`)
	if _, _, err := d.Session(bg, "two"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// eventually repeats a statement until the lock is free. The engine's own patience would sleep far longer.
func eventually(run func() error) error {
	for {
		if err := run(); !busy(err) {
			return err
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func impatient(tb testing.TB, d *DB) *sql.DB {
	tb.Helper()
	raw, err := sql.Open("sqlite", "file:"+d.engine.String()+"?_pragma=synchronous(OFF)&_pragma=busy_timeout(0)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { raw.Close() })
	return raw
}

func mustExec(tb testing.TB, c *sql.Conn, q string) {
	tb.Helper()
	if _, err := c.ExecContext(bg, q); err != nil {
		tb.Fatal(err)
	}
}
