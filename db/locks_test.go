package db

import (
	"errors"
	"testing"
	"time"
)

func TestLockUser(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	other := open(t, Config{DSN: path})
	login(t, d, "one", "A")
	login(t, d, "two", "B")
	before := d.session(t, "one")
	for name, by := range map[string]*DB{"our own": d, "another process": other} {
		t.Run(name, func(t *testing.T) {
			if err := by.LockUser(bg, "alice", t0); err != nil {
				t.Fatal(err)
			}
			if err := by.LockUser(bg, "alice", t0.Add(time.Hour)); err != nil {
				t.Errorf("again: %v", err)
			}
			if u, err := d.User(bg, "alice"); err != nil || !u.Locked.Equal(t0) {
				t.Errorf("locked at %v, %v", u.Locked, err)
			}
			for _, id := range []string{"one", "two"} {
				if s := d.session(t, id); !errors.Is(s.Accepts(1, t0), ErrLocked) {
					t.Errorf("got %+v", s)
				}
			}
			for _, k := range []int64{1, 0} {
				if s, err := d.AdvanceGeneration(bg, refresh("one", k)); !errors.Is(err, ErrLocked) || s.ID != "one" ||
					s.Generation != 1 {
					t.Errorf("refreshing: %+v, %v", s, err)
				}
			}
			if err := by.UnlockUser(bg, "alice"); err != nil {
				t.Fatal(err)
			}
			if s := d.session(t, "one"); s != before {
				t.Errorf("afterwards: %+v", s)
			}
		})
	}
	if s, err := d.AdvanceGeneration(bg, refresh("one", 1)); err != nil || s.Generation != 2 {
		t.Errorf("refreshing afterwards: %+v, %v", s, err)
	}
	if err := errors.Join(d.LockUser(bg, "nobody", t0), d.UnlockUser(bg, "nobody")); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if err := d.LockUser(bg, "alice", time.Time{}); !errors.Is(err, errNoTime) {
		t.Errorf("no time: %v", err)
	}
}

// A thief is not protected by a lock.
func TestReplayWhileLocked(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	d.advance(t, "one", 3)
	if err := d.LockUser(bg, "alice", t0); err != nil {
		t.Fatal(err)
	}
	if s, err := d.AdvanceGeneration(bg, refresh("one", 1)); !errors.Is(err, ErrReplay) || s.State != Soft ||
		!s.Locked {
		t.Errorf("got %+v, %v", s, err)
	}
	if all := d.events(t, "alice", EventReplay); len(all) != 1 {
		t.Errorf("replays: %v", all)
	}
	if s, err := d.AdvanceGeneration(bg, refresh("one", 1)); !errors.Is(err, ErrSoft) {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestLoginWhileLocked(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "old", "A")
	if err := d.LockUser(bg, "alice", t0); err != nil {
		t.Fatal(err)
	}
	password := Login{ID: "new", Localpart: "alice", PasswordHash: "hash", DeviceID: "A", At: t0}
	wrong, token := password, password
	wrong.PasswordHash = "an older hash"
	token.PasswordHash, token.LoginToken, token.LoginTokenExpires = "", "token", t0.Add(time.Minute)
	over := token
	over.At = t0.Add(time.Minute)
	for _, tt := range []struct {
		name string
		l    Login
		want error
	}{{"right password", password, ErrLocked}, {"wrong password", wrong, ErrConflict},
		{"login token", token, ErrLocked}, {"late token", over, ErrTokenSpent}} {
		if _, err := d.StartSession(bg, tt.l); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	d.session(t, "old")
	if err := d.EndSession(bg, "old"); err != nil {
		t.Errorf("logout: %v", err)
	}
	if err := d.UnlockUser(bg, "alice"); err != nil {
		t.Fatal(err)
	}
	if s, err := d.StartSession(bg, token); err != nil || s.Locked {
		t.Errorf("the lock spent the token: %+v, %v", s, err)
	}
}
