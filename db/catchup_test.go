package db

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// ahead is a token of generation k, of five minutes.
func ahead(id string, k int64) Ahead {
	return Ahead{Session: id, Generation: k, KeyID: 1, AccessExpires: t0.Add(5 * time.Minute), At: t0.Add(time.Minute)}
}

// 64 who show tokens of two generations, both newer than the row, at two processes, at different times and with
// different root keys, agree on the newer one, whatever they show and at which endpoint, and nobody is refused. What a
// pair is computed from is the same for all who get the same generation.
func TestCatchUpRace(t *testing.T) {
	t.Parallel()
	c := Config{DSN: dsn(t)}
	at := []*DB{freshAt(t, c), open(t, c)}
	for i, d := range at {
		d.hasten(t)
		if err := d.AddRootKey(bg, RootKey{ID: int64(i + 1), Wrapped: []byte("k"), Created: t0}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range repeat(20, 4) {
		id := fmt.Sprint("s", round)
		login(t, at[0], id, id)
		var wg sync.WaitGroup
		var got [64]Session
		newest := int64(8 + round%2) // in every other round nobody refreshes with the newest token
		for i := range got {
			wg.Go(func() {
				k, now, key := int64(7+i%2), t0.Add(time.Minute+time.Duration(i)*time.Millisecond), int64(1+i/8%2)
				var err error
				if i/2%2 == 0 || k > newest-1 {
					got[i], err = at[i/4%2].CatchUp(bg, Ahead{Session: id, Generation: k, KeyID: key,
						AccessExpires: now.Add(4 * time.Minute), At: now})
				} else {
					r := refresh(id, k)
					r.At, r.TokenKeyID, r.KeyID = now, key, 3-key
					got[i], err = at[i/4%2].AdvanceGeneration(bg, r)
				}
				if s := got[i]; err != nil || s.Generation < k || s.Generation > newest || s.State != Live {
					t.Errorf("%d shows %d: %d, %s, %v", i, k, s.Generation, s.State, err)
				}
			})
		}
		wg.Wait()
		same := make(map[int64]Session)
		for i, s := range append(got[:], at[0].session(t, id), at[1].session(t, id)) {
			first, there := same[s.Generation]
			if !there {
				first, same[s.Generation] = s, s
			}
			if s.KeyID != first.KeyID || !s.Minted.Equal(first.Minted) || !s.AccessExpires.Equal(first.AccessExpires) {
				t.Errorf("round %d: two pairs of generation %d: %d has got %+v, and another one %+v", round,
					s.Generation, i, s, first)
			}
		}
		if s := at[0].session(t, id); s.Generation != newest || newest == 9 && !s.Used.IsZero() {
			t.Errorf("round %d: %+v", round, s)
		}
		if all := at[0].events(t, "alice", EventCaughtUp); len(all) == 0 || all[0].Session != id {
			t.Errorf("events: %+v", all)
		}
	}
}

// What the database still knows counts: a session that was logged out softly, has ended or is locked stays as it is,
// and one that was logged out is not there.
func TestCatchUpChangesNothing(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for _, id := range []string{"soft", "gone", "ended", "locked"} {
		login(t, d, id, id)
	}
	if err := errors.Join(d.EndSession(bg, "gone"), d.LockUser(bg, "alice", t0), d.Write(bg, func(t *Tx) error {
		_, err := t.Soften(Event{Kind: EventReplay, Session: "soft"})
		return errors.Join(err, t.ChangeSessions(`UPDATE sessions SET expires = 1 WHERE id = 'ended'`))
	})); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]error{"soft": ErrSoft, "ended": ErrEnded, "locked": ErrLocked} {
		s, err := d.CatchUp(bg, ahead(id, 7))
		if err != nil || s.Generation != 1 || !errors.Is(s.Accepts(7, t0.Add(time.Second)), want) {
			t.Errorf("%s: %+v, %v", id, s, err)
		}
		if s, err := d.AdvanceGeneration(bg, refresh(id, 7)); !errors.Is(err, want) || s.Generation != 1 {
			t.Errorf("%s: %+v, %v", id, s, err)
		}
	}
	if _, err := d.CatchUp(bg, ahead("gone", 7)); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := d.UnlockUser(bg, "alice"); err != nil {
		t.Fatal(err)
	}
	if s, err := d.CatchUp(bg, ahead("locked", 7)); err != nil || s.Generation != 7 {
		t.Errorf("unlocked: %+v, %v", s, err)
	}
	if all := d.events(t, "alice", EventCaughtUp); len(all) != 1 {
		t.Errorf("events: %+v", all)
	}
}

// The key that the newer token was minted with is the one that a retirement has to ask about.
func TestCatchUpKeys(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for id := range int64(3) {
		if err := d.AddRootKey(bg, RootKey{ID: id + 1, Wrapped: []byte("k"), Created: t0}); err != nil {
			t.Fatal(err)
		}
	}
	login(t, d, "one", "A")
	a := ahead("one", 7)
	a.KeyID = 2
	if s, err := d.CatchUp(bg, a); err != nil || s.KeyID != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := d.RetireRootKey(bg, 1, t0, false); err != nil {
		t.Errorf("nothing depends on key 1: %v", err)
	}
	r := refresh("one", 9)
	r.TokenKeyID, r.KeyID = 2, 3
	if s, err := d.AdvanceGeneration(bg, r); err != nil || s.KeyID != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := d.RetireRootKey(bg, 2, t0, false); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("the client may still have the token of key 2: %v", err)
	}
	a = ahead("one", 12)
	if _, err := d.CatchUp(bg, a); !errors.Is(err, ErrKeyGone) {
		t.Errorf("a token of a retired key: %v", err)
	}
}

// Nothing is minted with a key that the database has forgotten: nobody could check it.
func TestForgottenKey(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := d.AddRootKey(bg, RootKey{ID: 1, Wrapped: []byte("k"), Created: t0}); err != nil {
		t.Fatal(err)
	}
	login(t, d, "one", "A")
	r := refresh("one", 1)
	r.KeyID = 2
	if _, err := d.AdvanceGeneration(bg, r); !errors.Is(err, ErrKeyGone) {
		t.Errorf("a refresh: %v", err)
	}
	l := Login{ID: "two", Localpart: "alice", PasswordHash: "hash", DeviceID: "B", At: t0, KeyID: 2}
	if _, err := d.StartSession(bg, l); !errors.Is(err, ErrKeyGone) {
		t.Errorf("a login: %v", err)
	}
	a := ahead("one", 3)
	a.KeyID = 2
	if _, err := d.CatchUp(bg, a); !errors.Is(err, ErrKeyGone) {
		t.Errorf("catching up: %v", err)
	}
	if s, err := d.AdvanceGeneration(bg, refresh("one", 1)); err != nil || s.Generation != 2 {
		t.Errorf("with the key that is there: %+v, %v", s, err)
	}
}

// A mark takes 64 bytes at most, with its index.
func TestMarksAreSmall(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.hasten(t)
	const n, atOnce = 50_000, 2_000 // a transaction must not take long
	before := d.size(t)
	for from := 0; from < n; from += atOnce {
		if err := d.Write(bg, func(tx *Tx) error {
			for i := from; i < from+atOnce; i++ {
				secret := sha256.Sum256(fmt.Append(nil, i))
				if err := tx.MarkEnded(SessionID(t0.Add(time.Duration(i/10)*time.Second), secret[:])); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	size := float64(d.size(t)-before) / n
	t.Logf("%.1f bytes", size)
	if size > 64 || size < 16 {
		t.Errorf("a mark takes %.1f bytes", size)
	}
	done, err := d.Tidy(bg, t0.Add(time.Hour+keepExpired), TidyConfig{Pause: 1})
	if err != nil || done.Marks != 36_000 {
		t.Errorf("%+v, %v", done, err)
	}
}

func (d *DB) size(t *testing.T) (bytes int64) {
	t.Helper()
	q := `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	if d.cache == nil {
		q = `SELECT pg_total_relation_size('ended_sessions')`
	}
	if _, err := d.Get(bg, q, []any{&bytes}); err != nil {
		t.Fatal(err)
	}
	return bytes
}

// Two sessions that are born in one second have different marks, and an id that tells no birth has none.
func TestMark(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	a, _ := mark(SessionID(t0, []byte("aaaaaaaaaaa")))
	b, _ := mark(SessionID(t0, []byte("baaaaaaaaaa")))
	later, _ := mark(SessionID(t0.Add(time.Second), make([]byte, SessionSecret)))
	last, ok := mark(SessionID(time.Unix(1<<32-1, 0), []byte("\xff\xff\xff\xffaaaaaaa")))
	if a == b || a < 0 || later <= a || later <= b || !ok || last <= later {
		t.Errorf("%x %x %x %x", a, b, later, last)
	}
	for _, id := range []string{"", "one", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwx",
		"ABCDEFGHIJKLMNOPQRSTUVW1"} {
		if n, ok := mark(id); ok {
			t.Errorf("%q: %x", id, n)
		}
		if lost, err := d.MayBeLost(bg, id, t0, 0); lost || err != nil {
			t.Errorf("%q may be lost: %v", id, err)
		}
	}
}
