package db

import (
	"errors"
	"testing"
)

// TestSetAdmin: the mark is on the account and on each of its sessions, those that it has and those that it gets,
// whoever wrote it.
func TestSetAdmin(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	other := open(t, Config{DSN: path})
	login(t, d, "one", "A")
	for name, by := range map[string]*DB{"our own": d, "another process": other} {
		for _, admin := range []bool{true, true, false, true} {
			if err := by.SetAdmin(bg, "alice", admin); err != nil {
				t.Fatal(err)
			}
			if u, err := d.User(bg, "alice"); err != nil || u.Admin != admin {
				t.Errorf("%s: the account says %v, %v, want %v", name, u.Admin, err, admin)
			}
			if s := d.session(t, "one"); s.Admin != admin {
				t.Errorf("%s: the session says %v, want %v", name, s.Admin, admin)
			}
		}
	}
	if s := login(t, d, "two", "B"); !s.Admin {
		t.Error("a new session does not say it")
	}
	if s, err := d.AdvanceGeneration(bg, refresh("one", 1)); err != nil || !s.Admin {
		t.Errorf("refreshed: %+v, %v", s, err)
	}
	if err := d.SetAdmin(bg, "alice", false); err != nil || d.session(t, "two").Admin {
		t.Errorf("the mark stays: %v", err)
	}
	if err := d.SetAdmin(bg, "nobody", true); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}
