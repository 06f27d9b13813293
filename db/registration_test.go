package db

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	s, err := d.Register(bg, Registration{Localpart: "bob", PasswordHash: "his", At: t0,
		Login: &Login{ID: "one", DeviceID: "A", DisplayName: "Phone", KeyID: 1, AccessTTL: time.Minute,
			Refreshable: true}})
	want := Session{ID: "one", Localpart: "bob", DeviceID: "A", DisplayName: "Phone", Created: t0, Refreshable: true,
		Generation: 1, Oldest: 1,
		KeyID: 1, Minted: t0, AccessExpires: t0.Add(time.Minute), State: Live}
	if err != nil || !cmp.Equal(s, want) || s != d.session(t, "one") {
		t.Errorf("%v, %s", err, cmp.Diff(want, s))
	}
	if u, err := d.User(bg, "bob"); err != nil || u != (User{Localpart: "bob", PasswordHash: "his", Created: t0}) {
		t.Errorf("got %+v, %v", u, err)
	}
	if s, err := d.Register(bg, Registration{Localpart: "carol", PasswordHash: "hers", At: t0}); err != nil ||
		s != (Session{}) {
		t.Errorf("inhibit_login: %+v, %v", s, err)
	}
	if _, err := d.Deactivate(bg, "carol", t0, false); err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]bool{"alice": true, "carol": true, "dave": false} {
		if got, err := d.Taken(bg, who); got != want || err != nil {
			t.Errorf("%s taken: %v, %v", who, got, err)
		}
	}
	for _, who := range []string{"bob", "carol"} {
		if _, err := d.Register(bg, Registration{Localpart: who, PasswordHash: "another", At: t0,
			Login: &Login{ID: "x", DeviceID: "A"}}); !errors.Is(err, ErrConflict) {
			t.Errorf("%s again: %v", who, err)
		}
	}
	if u, err := d.User(bg, "bob"); err != nil || u.PasswordHash != "his" {
		t.Errorf("got %+v, %v", u, err)
	}
	gone(t, d, "x")
}

// All of it or nothing.
func TestRegisterIsOneThing(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "taken", "A")
	invite(t, d, RegistrationToken{Token: "once", UsesAllowed: 1})
	if err := d.ReserveRegistrationToken(bg, "once", "uia", t0, t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	r := Registration{Localpart: "bob", At: t0, Token: "once", Reservation: "uia",
		Login: &Login{ID: "taken", DeviceID: "B"}}
	if _, err := d.Register(bg, r); !errors.Is(err, ErrConflict) {
		t.Errorf("a taken session id: %v", err)
	}
	r.Localpart, r.Login = "alice", nil
	if _, err := d.Register(bg, r); !errors.Is(err, ErrConflict) {
		t.Errorf("a taken name: %v", err)
	}
	r.Localpart, r.Token = "bob", "no such"
	if _, err := d.Register(bg, r); !errors.Is(err, ErrTokenSpent) {
		t.Errorf("no such token: %v", err)
	}
	if err := d.AddRootKey(bg, RootKey{ID: 1, Wrapped: []byte("k"), Created: t0}); err != nil {
		t.Fatal(err)
	}
	if err := d.RetireRootKey(bg, 1, t0, true); err != nil {
		t.Fatal(err)
	}
	r.Token, r.Login = "once", &Login{ID: "fresh", DeviceID: "B", KeyID: 1}
	if _, err := d.Register(bg, r); !errors.Is(err, ErrKeyGone) {
		t.Errorf("a retired key: %v", err)
	}
	r.Login = nil
	wantToken(t, d, t0, RegistrationToken{Token: "once", UsesAllowed: 1, Reserved: 1, Created: t0})
	if taken, err := d.Taken(bg, "bob"); taken || err != nil {
		t.Errorf("half a user: %v, %v", taken, err)
	}
	if _, err := d.Register(bg, r); err != nil {
		t.Error(err)
	}
	wantToken(t, d, t0, RegistrationToken{Token: "once", UsesAllowed: 1, Used: 1, Created: t0})
}

func TestRacersRegisterOneName(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	other := open(t, Config{DSN: path})
	invite(t, d, RegistrationToken{Token: "many", UsesAllowed: 100})
	errs := racers(func(i int) error {
		_, err := []*DB{d, other}[i%2].Register(bg,
			Registration{Localpart: "bob", At: t0, Token: "many", Login: &Login{ID: fmt.Sprint(i), DeviceID: "A"}})
		return err
	})
	if won := winners(t, errs, ErrConflict); won != 1 {
		t.Errorf("%d of them are bob", won)
	}
	wantToken(t, d, t0, RegistrationToken{Token: "many", UsesAllowed: 100, Used: 1, Created: t0})
}
