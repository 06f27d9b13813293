package db

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	alice := User{Localpart: "alice", PasswordHash: "hash", Created: t0}
	if err := d.CreateUser(bg, alice); !errors.Is(err, ErrConflict) {
		t.Errorf("a taken localpart: %v", err)
	}
	bob := User{Localpart: "bob", PasswordHash: "other", Created: t0.Add(time.Millisecond),
		Deactivated: t0.Add(time.Second)}
	if err := d.CreateUser(bg, bob); err != nil {
		t.Fatal(err)
	}
	if got, err := d.User(bg, "bob"); err != nil || !cmp.Equal(got, bob) {
		t.Errorf("User: %v, %s", err, cmp.Diff(bob, got))
	}
	if _, err := d.User(bg, "Alice"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if got, err := d.Users(bg); err != nil || !cmp.Equal(got, []User{alice, bob}) {
		t.Errorf("Users: %v, %v", got, err)
	}
}

func TestDeactivate(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	if n, err := d.Deactivate(bg, "alice", t0); n != 1 || err != nil {
		t.Errorf("Deactivate: %d, %v", n, err)
	}
	gone(t, d, "one")
	if n, err := d.Deactivate(bg, "alice", t0.Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	if u, _ := d.User(bg, "alice"); !u.Deactivated.Equal(t0) {
		t.Errorf("deactivated at %v", u.Deactivated)
	}
	l := Login{ID: "late", Localpart: "alice", PasswordHash: "hash", DeviceID: "A", At: t0}
	if _, err := d.StartSession(bg, l); !errors.Is(err, ErrConflict) {
		t.Errorf("login while deactivated: %v", err)
	}
	if err := d.Reactivate(bg, "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.StartSession(bg, l); err != nil {
		t.Errorf("login afterwards: %v", err)
	}
	if _, err := d.Deactivate(bg, "nobody", t0); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if err := d.Reactivate(bg, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := d.Deactivate(bg, "alice", time.Time{}); !errors.Is(err, errNoTime) {
		t.Errorf("no time: %v", err)
	}
}

func gone(t *testing.T, d *DB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, _, err := d.Session(bg, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", id, err)
		}
		if _, err := d.AdvanceGeneration(bg, refresh(id, 1)); !errors.Is(err, ErrNotFound) {
			t.Errorf("refreshing %s: %v, want ErrNotFound", id, err)
		}
	}
}
