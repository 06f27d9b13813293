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

// TestChangePasswordMeanwhile: what proved the change is held against the account in the transaction that makes it. An
// operator, who proves nothing, changes it all the same.
func TestChangePasswordMeanwhile(t *testing.T) {
	t.Parallel()
	const address = "alice@example.org"
	for what, change := range map[string]func(d *DB) error{
		"it was locked for a while": func(d *DB) error {
			return or(d.LockUser(bg, "alice", t0), d.UnlockUser(bg, "alice"))
		},
		"it was closed for a while": func(d *DB) error {
			_, err := d.Deactivate(bg, "alice", t0, false)
			return or(or(err, d.Reactivate(bg, "alice")),
				d.AddEmail(bg, Email{Address: address, Localpart: "alice", Validated: t0, Added: t0}))
		},
		"the account is locked":   func(d *DB) error { return d.LockUser(bg, "alice", t0) },
		"the address was removed": func(d *DB) error { return d.RemoveEmail(bg, "alice", address) },
		"the address is another's": func(d *DB) error {
			return or(or(d.RemoveEmail(bg, "alice", address), d.CreateUser(bg, User{Localpart: "bob", Created: t0})),
				d.AddEmail(bg, Email{Address: address, Localpart: "bob", Validated: t0, Added: t0}))
		},
	} {
		d := fresh(t)
		must(t, d.AddEmail(bg, Email{Address: address, Localpart: "alice", Validated: t0, Added: t0}))
		c := PasswordChange{Localpart: "alice", OldHash: "hash", Era: 1, Address: address, Hash: "new"}
		must(t, change(d))
		if _, err := d.ChangePassword(bg, c); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v", what, err)
		}
		if u, _ := d.User(bg, "alice"); u.PasswordHash != "hash" {
			t.Errorf("%s, and the hash is %q", what, u.PasswordHash)
		}
		_, err := d.ChangePassword(bg, PasswordChange{Localpart: "alice", Hash: "an operator's"})
		must(t, err)
	}
	d := fresh(t)
	must(t, d.AddEmail(bg, Email{Address: address, Localpart: "alice", Validated: t0, Added: t0}))
	_, err := d.ChangePassword(bg, PasswordChange{Localpart: "alice", OldHash: "hash", Address: address, Hash: "new"})
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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
