package db

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// keys makes root keys.
func (d *DB) keys(tb testing.TB, ids ...int64) {
	tb.Helper()
	for _, id := range ids {
		if err := d.AddRootKey(bg, RootKey{ID: id, Wrapped: []byte("k"), Created: t0}); err != nil {
			tb.Fatal(err)
		}
	}
}

// A key that many sessions depend on is retired while others refresh: they go on, and each session is soft or has a
// token of another key.
func TestRetireAmidRefreshes(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.hasten(t)
	d.keys(t, 1, 2)
	const idle, pages = 4 * eachPage, 4
	d.bulk(t, "idle", idle, time.Time{})
	if err := d.Write(bg, func(t *Tx) error {
		return t.ChangeSessions(`UPDATE sessions SET key_id = 1, used = 1`)
	}); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var done atomic.Int64
	var wg, left sync.WaitGroup
	for i := range 4 {
		id := fmt.Sprint("busy", i)
		login(t, d, id, id)
		left.Add(1)
		wg.Go(func() {
			leave := sync.OnceFunc(left.Done)
			defer leave()
			for k := int64(1); ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				r := refresh(id, k)
				r.KeyID = 2
				if s, err := d.AdvanceGeneration(bg, r); err != nil || s.Generation != k+1 {
					t.Errorf("%s, %d: %+v, %v", id, k, s, err)
					return
				}
				leave()
				done.Add(1)
			}
		})
	}
	left.Wait() // until all of them have left the key
	before := done.Load()
	if err := d.RetireRootKey(bg, 1, t0.Add(time.Hour), false); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("while sessions depend on it: %v", err)
	}
	if err := d.RetireRootKey(bg, 1, t0.Add(time.Hour), true); err != nil {
		t.Error(err)
	}
	if n := done.Load() - before; n < pages {
		t.Errorf("%d refreshes meanwhile", n)
	}
	close(stop)
	wg.Wait()
	soft := 0
	if err := d.EachSession(bg, func(s Session) error {
		if s.State == Soft {
			soft++
		} else if s.KeyID != 2 {
			t.Errorf("it lives on: %+v", s)
		}
		return nil
	}); err != nil || soft != idle {
		t.Errorf("%d are soft: %v", soft, err)
	}
	if n := d.count(t, "events WHERE kind = '"+EventKeyRetired+"'"); n != idle {
		t.Errorf("%d events", n)
	}
}

// With a key that is closed nobody mints, and its tokens are good; a session that catches up with one of them opens it.
func TestClosedKey(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.keys(t, 1, 2)
	login(t, d, "one", "A")
	if err := d.closeRootKey(bg, 1, t0, false); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AdvanceGeneration(bg, refresh("one", 1)); !errors.Is(err, ErrKeyGone) {
		t.Errorf("a refresh: %v", err)
	}
	if _, err := d.StartSession(bg, Login{ID: "two", Localpart: "alice", PasswordHash: "hash", DeviceID: "B", At: t0,
		KeyID: 1}); !errors.Is(err, ErrKeyGone) {
		t.Errorf("a login: %v", err)
	}
	if err := d.session(t, "one").Accepts(1, t0); err != nil {
		t.Errorf("a token of it: %v", err)
	}
	r := refresh("one", 1)
	r.KeyID = 2
	if s, err := d.AdvanceGeneration(bg, r); err != nil || s.KeyID != 2 {
		t.Fatalf("with another key: %+v, %v", s, err)
	}
	if s, err := d.CatchUp(bg, Ahead{Session: "one", Generation: 5, KeyID: 1, At: t0}); err != nil || s.KeyID != 1 {
		t.Fatalf("catching up: %+v, %v", s, err)
	}
	if err := d.wipeRootKey(bg, 1, t0, false); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("since a session depends on it again: %v", err)
	}
	if err := d.wipeRootKey(bg, 1, t0, true); err != nil {
		t.Error(err)
	}
	if s := d.session(t, "one"); s.State != Soft {
		t.Errorf("it lives on: %+v", s)
	}
}
