package homeserver

import (
	"errors"
	"testing"

	"postern/db"
	"postern/db/dbtest"
)

// TestSetAdmin: the mark is on the account and on each of its sessions, those that it has and those that it gets,
// whoever wrote it.
func TestSetAdmin(t *testing.T) {
	t.Parallel()
	path := dbtest.DSN(t)
	x := newSiteOn(t, path, func(c *setup) { c.there = obliging() })
	d, other := x.db, dbtest.Open(t, path)
	session := func(device string) db.Session {
		t.Helper()
		s, err := d.Device(t.Context(), "alice", device)
		x.must(err)
		return s
	}
	first := x.ok(x.login(`"device_id":"A","refresh_token":true`))
	for name, by := range map[string]*db.DB{"our own": d, "another process": other} {
		for _, admin := range []bool{true, true, false, true} {
			if err := by.SetAdmin(t.Context(), "alice", admin); err != nil {
				t.Fatal(err)
			}
			if u, err := d.User(t.Context(), "alice"); err != nil || u.Admin != admin {
				t.Errorf("%s: the account says %v, %v, want %v", name, u.Admin, err, admin)
			}
			if s := session("A"); s.Admin != admin {
				t.Errorf("%s: the session says %v, want %v", name, s.Admin, admin)
			}
		}
	}
	x.ok(x.login(`"device_id":"B"`))
	if !session("B").Admin {
		t.Error("a new session does not say it")
	}
	x.ok(x.refresh(first.Text("refresh_token")))
	if s := session("A"); !s.Admin || s.Generation != 2 {
		t.Errorf("refreshed: %+v", s)
	}
	if err := d.SetAdmin(t.Context(), "alice", false); err != nil || session("B").Admin {
		t.Errorf("the mark stays: %v", err)
	}
	if err := d.SetAdmin(t.Context(), "nobody", true); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	counted := make(map[string]int)
	all, err := d.Events(t.Context(), "alice", 100)
	x.must(err)
	for _, e := range all {
		counted[e.Kind]++
	}
	if counted[db.EventAdminOn] != 3 || counted[db.EventAdminOff] != 3 {
		t.Errorf("events of what was so already: %v", counted)
	}
}
