package db

import (
	"errors"
	"testing"
)

func TestSetPassword(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	login(t, d, "two", "B")
	if n, err := d.ChangePassword(bg, PasswordChange{Localpart: "alice", Hash: "new"}); n != 0 || err != nil {
		t.Errorf("keeping sessions: %d, %v", n, err)
	}
	d.session(t, "one")
	if u, _ := d.User(bg, "alice"); u.PasswordHash != "new" {
		t.Errorf("hash is %q", u.PasswordHash)
	}
	if n, err := d.ChangePassword(bg, PasswordChange{Localpart: "alice", Hash: "newer", EndOthers: true}); n != 2 ||
		err != nil {
		t.Errorf("ending sessions: %d, %v", n, err)
	}
	gone(t, d, "one", "two")
	if _, err := d.ChangePassword(bg, PasswordChange{Localpart: "nobody", Hash: "x", EndOthers: true}); !errors.Is(err,
		ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	login(t, d, "two", "B")
	c := PasswordChange{Localpart: "alice", OldHash: "an older hash", Hash: "new", Keep: "one", EndOthers: true}
	if n, err := d.ChangePassword(bg, c); n != 0 || !errors.Is(err, ErrConflict) {
		t.Errorf("from an older hash: %d, %v", n, err)
	}
	d.session(t, "two")
	c.OldHash = "hash"
	if n, err := d.ChangePassword(bg, c); n != 1 || err != nil {
		t.Errorf("ending others: %d, %v", n, err)
	}
	d.session(t, "one")
	gone(t, d, "two")
	if u, _ := d.User(bg, "alice"); u.PasswordHash != "new" {
		t.Errorf("hash is %q", u.PasswordHash)
	}
	if n, err := d.ChangePassword(bg, PasswordChange{Localpart: "alice", OldHash: "new", Hash: "newer"}); n != 0 ||
		err != nil {
		t.Errorf("keeping all: %d, %v", n, err)
	}
	d.session(t, "one")
	if n, err := d.ChangePassword(bg,
		PasswordChange{Localpart: "alice", Hash: "stolen", Keep: "gone", EndOthers: true}); n != 0 ||
		!errors.Is(err, ErrConflict) {
		t.Errorf("asked by a session that has ended: %d, %v", n, err)
	}
	if n, err := d.ChangePassword(bg, PasswordChange{Localpart: "alice", Hash: "newest", EndOthers: true}); n != 1 ||
		err != nil {
		t.Errorf("not compared: %d, %v", n, err)
	}
	if _, err := d.ChangePassword(bg, PasswordChange{Localpart: "nobody", OldHash: "x", Hash: "y"}); !errors.Is(err,
		ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := d.Deactivate(bg, "alice", t0, false); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ChangePassword(bg,
		PasswordChange{Localpart: "alice", OldHash: "newest", Hash: "late"}); !errors.Is(err, ErrConflict) {
		t.Errorf("deactivated meanwhile: %v", err)
	}
}

func TestRehash(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	if err := d.Rehash(bg, "alice", "hash", "hashed anew"); err != nil {
		t.Fatal(err)
	}
	d.session(t, "one")
	if u, _ := d.User(bg, "alice"); u.PasswordHash != "hashed anew" {
		t.Errorf("hash is %q", u.PasswordHash)
	}
	for _, who := range []string{"alice", "nobody"} {
		if err := d.Rehash(bg, who, "hash", "lost"); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v", who, err)
		}
	}
}
