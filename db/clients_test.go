package db

import (
	"errors"
	"testing"
)

func TestClients(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for range 3 {
		if err := d.KeepClient(bg, "app", "{}", t0); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := d.Client(bg, "app"); text != "{}" || err != nil || d.count(t, "oauth_clients") != 1 {
		t.Errorf("%q %v", text, err)
	}
	if _, err := d.Client(bg, "other"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestClientsGo: a client that nobody has used for long goes, and never one that has a session.
func TestClientsGo(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for _, id := range []string{"idle", "used", "new"} {
		if err := d.KeepClient(bg, id, "{}", t0); err != nil {
			t.Fatal(err)
		}
	}
	l := Login{ID: "one", Localpart: "alice", DeviceID: "A", PasswordHash: "hash", At: t0, KeyID: 1, Refreshable: true,
		ClientID: "used"}
	if s, err := d.StartSession(bg, l); err != nil || s.ClientID != "used" {
		t.Fatalf("%+v %v", s, err)
	}
	later := t0.Add(usedClientLife + day)
	if err := d.KeepClient(bg, "new", "{}", later); err != nil { // it registers again
		t.Fatal(err)
	}
	done, err := d.Tidy(bg, later, TidyConfig{})
	if err != nil || done.Clients != 1 {
		t.Fatalf("%+v %v", done, err)
	}
	if _, err := d.Client(bg, "idle"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the idle one is there: %v", err)
	}
	if err := d.EndSession(bg, "one"); err != nil {
		t.Fatal(err)
	}
	if done, err = d.Tidy(bg, later, TidyConfig{}); err != nil || done.Clients != 1 {
		t.Errorf("%+v %v", done, err)
	}
}

// TestPasswordBesideToken: a code is a token that is void when the password has changed since it was made.
func TestPasswordBesideToken(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	l := Login{ID: "one", Localpart: "alice", DeviceID: "A", PasswordHash: "another", At: t0, KeyID: 1,
		LoginToken: "code", LoginTokenExpires: t0.Add(day)}
	if _, err := d.StartSession(bg, l); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	l.PasswordHash = "hash"
	if _, err := d.StartSession(bg, l); err != nil {
		t.Error(err)
	}
}
