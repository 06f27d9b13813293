package db

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func invite(t *testing.T, d *DB, r RegistrationToken) {
	t.Helper()
	r.Created = t0
	if err := d.AddRegistrationToken(bg, r); err != nil {
		t.Fatal(err)
	}
}

func wantToken(t *testing.T, d *DB, now time.Time, want RegistrationToken) {
	t.Helper()
	if got, err := d.RegistrationTokens(bg, now); err != nil || !cmp.Equal(got, []RegistrationToken{want}) {
		t.Errorf("%v, %s", err, cmp.Diff([]RegistrationToken{want}, got))
	}
}

func TestRegistrationTokens(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	hour := t0.Add(time.Hour)
	all := []RegistrationToken{
		{Token: "endless", Created: t0},
		{Token: "expiring", UsesAllowed: 3, Used: 1, Expires: hour, Created: t0},
		{Token: "revoked", UsesAllowed: 3, Revoked: t0, Created: t0},
		{Token: "spent", UsesAllowed: 3, Used: 3, Created: t0},
	}
	for _, r := range all {
		invite(t, d, r)
		if err := d.AddRegistrationToken(bg, r); !errors.Is(err, ErrConflict) {
			t.Errorf("%s again: %v", r.Token, err)
		}
	}
	if got, err := d.RegistrationTokens(bg, t0); err != nil || !cmp.Equal(got, all) {
		t.Errorf("%v, %s", err, cmp.Diff(all, got))
	}
	for _, tt := range []struct {
		token string
		now   time.Time
		want  bool
	}{{"endless", hour, true}, {"expiring", hour.Add(-1e6), true}, {"expiring", hour, false}, {"revoked", t0, false},
		{"spent", t0, false}, {"", t0, false}} {
		if got, err := d.RegistrationTokenValid(bg, tt.token, tt.now); got != tt.want || err != nil {
			t.Errorf("%s at %v: %v, %v", tt.token, tt.now, got, err)
		}
		err := d.ReserveRegistrationToken(bg, tt.token, "uia", tt.now, tt.now.Add(time.Minute))
		if (err == nil) != tt.want || err != nil && !errors.Is(err, ErrTokenSpent) {
			t.Errorf("reserving %s at %v: %v", tt.token, tt.now, err)
		}
		_, err = d.Register(bg, Registration{Localpart: fmt.Sprint(tt), At: tt.now, Token: tt.token,
			Reservation: "other"})
		if tt.token != "" && ((err == nil) != tt.want || err != nil && !errors.Is(err, ErrTokenSpent)) {
			t.Errorf("registering with %s at %v: %v", tt.token, tt.now, err)
		}
	}
	if err := d.RevokeRegistrationToken(bg, "none", t0); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such token: %v", err)
	}
	if err := d.RevokeRegistrationToken(bg, "endless", time.Time{}); !errors.Is(err, errNoTime) {
		t.Errorf("no time: %v", err)
	}
	if err := d.ReserveRegistrationToken(bg, "endless", "uia", t0, time.Time{}); !errors.Is(err, errNoTime) {
		t.Errorf("no time: %v", err)
	}
}

// TestChangeRegistrationToken: what is changed counts at once, what is left out stays, and what is revoked stays so.
func TestChangeRegistrationToken(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	invite(t, d, RegistrationToken{Token: "x", UsesAllowed: 3, Expires: t0.Add(time.Hour)})
	invite(t, d, RegistrationToken{Token: "revoked", Revoked: t0})
	uses, later, never := int64(-1), t0.Add(2*time.Hour), time.Time{}
	for _, step := range []struct {
		uses    *int64
		expires *time.Time
		want    RegistrationToken
		good    bool
	}{
		{nil, nil, RegistrationToken{UsesAllowed: 3, Expires: t0.Add(time.Hour)}, true},
		{nil, &later, RegistrationToken{UsesAllowed: 3, Expires: later}, true},
		{&uses, nil, RegistrationToken{UsesAllowed: -1, Expires: later}, false}, // below 0: not one
		{new(int64), &never, RegistrationToken{}, true},
	} {
		if err := d.ChangeRegistrationToken(bg, "x", step.uses, step.expires); err != nil {
			t.Fatal(err)
		}
		step.want.Token, step.want.Created = "x", t0
		if got, err := d.RegistrationToken(bg, "x", t0); err != nil || got != step.want {
			t.Errorf("%v, %s", err, cmp.Diff(step.want, got))
		}
		if good, err := d.RegistrationTokenValid(bg, "x", t0); err != nil || good != step.good {
			t.Errorf("%+v is good: %v, %v", step.want, good, err)
		}
	}
	for _, token := range []string{"none", "revoked"} {
		if err := d.ChangeRegistrationToken(bg, token, &uses, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s changed: %v", token, err)
		}
		if err := d.DeleteRegistrationToken(bg, token); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s deleted: %v", token, err)
		}
	}
}

// TestDeleteRegistrationToken: who is about to register with it cannot, and its text is free.
func TestDeleteRegistrationToken(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	invite(t, d, RegistrationToken{Token: "x", UsesAllowed: 1})
	if err := d.ReserveRegistrationToken(bg, "x", "uia", t0, t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := d.DeleteRegistrationToken(bg, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RegistrationToken(bg, "x", t0); !errors.Is(err, ErrNotFound) {
		t.Errorf("it is there: %v", err)
	}
	_, err := d.Register(bg, Registration{Localpart: "a", At: t0, Token: "x", Reservation: "uia"})
	if !errors.Is(err, ErrTokenSpent) {
		t.Errorf("registered with it: %v", err)
	}
	invite(t, d, RegistrationToken{Token: "x", UsesAllowed: 1})
	wantToken(t, d, t0, RegistrationToken{Token: "x", UsesAllowed: 1, Created: t0})
	events, err := d.Events(bg, "", 100)
	if err != nil || !slices.ContainsFunc(events, func(e Event) bool { return e.Kind == EventInviteRevoked }) {
		t.Errorf("the events do not say so: %v, %v", events, err)
	}
}

func TestReservation(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	invite(t, d, RegistrationToken{Token: "once", UsesAllowed: 1, Expires: t0.Add(10 * time.Minute)})
	minute := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	reserve := func(who string, from, until int, want error) {
		t.Helper()
		if err := d.ReserveRegistrationToken(bg, "once", who, minute(from), minute(until)); !errors.Is(err, want) {
			t.Errorf("%s reserves from %d until %d: %v, want %v", who, from, until, err, want)
		}
	}
	register := func(localpart, reservation string, now int, want error) {
		t.Helper()
		_, err := d.Register(bg, Registration{Localpart: localpart, At: minute(now), Token: "once",
			Reservation: reservation})
		if !errors.Is(err, want) {
			t.Errorf("%s registers at %d: %v, want %v", localpart, now, err, want)
		}
	}
	reserve("a", 0, 2, nil)
	reserve("a", 1, 3, nil) // prolonged
	reserve("b", 2, 9, ErrTokenSpent)
	register("bob", "b", 2, ErrTokenSpent)
	register("bob", "", 2, ErrTokenSpent)
	if valid, err := d.RegistrationTokenValid(bg, "once", minute(2)); valid || err != nil {
		t.Errorf("valid while it is reserved: %v, %v", valid, err)
	}

	// a is never heard of again, and we start anew: its time runs out all the same, and b's turn comes.
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, Config{DSN: path})
	reserve("b", 2, 9, ErrTokenSpent)
	if valid, err := d.RegistrationTokenValid(bg, "once", minute(3)); !valid || err != nil {
		t.Errorf("not valid when the reservation is over: %v, %v", valid, err)
	}
	reserve("b", 3, 12, nil)
	register("alison", "a", 3, ErrTokenSpent)
	register("alison", "a", 2, ErrTokenSpent) // nor does a clock that steps back revive a
	if err := d.ReleaseRegistrationToken(bg, "once", "b"); err != nil {
		t.Error(err)
	}
	if err := d.ReleaseRegistrationToken(bg, "once", "b"); err != nil {
		t.Errorf("again: %v", err)
	}
	reserve("c", 4, 20, nil)
	register("carol", "c", 19, nil) // reserved in time, though the token is over
	reserve("d", 5, 6, ErrTokenSpent)
	wantToken(t, d, t0, RegistrationToken{Token: "once", UsesAllowed: 1, Used: 1, Expires: minute(10), Created: t0})
}

// A clock that steps back may revive a reservation, never a use.
func TestReservationRevived(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	invite(t, d, RegistrationToken{Token: "once", UsesAllowed: 1})
	if err := d.ReserveRegistrationToken(bg, "once", "a", t0, t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Register(bg, Registration{Localpart: "bob", At: t0.Add(time.Minute), Token: "once",
		Reservation: "b"}); err != nil {
		t.Errorf("after the reservation: %v", err)
	}
	if _, err := d.Register(bg, Registration{Localpart: "alison", At: t0, Token: "once",
		Reservation: "a"}); !errors.Is(err, ErrTokenSpent) {
		t.Errorf("back in time: %v", err)
	}
}

// Who is revoked while registering does not get in.
func TestRevokeWhileReserved(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	invite(t, d, RegistrationToken{Token: "endless"})
	if err := d.ReserveRegistrationToken(bg, "endless", "uia", t0, t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantToken(t, d, t0, RegistrationToken{Token: "endless", Reserved: 1, Created: t0})
	for i := range time.Duration(2) {
		if err := d.RevokeRegistrationToken(bg, "endless", t0.Add(i*time.Hour+1e6)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Register(bg, Registration{Localpart: "bob", At: t0, Token: "endless",
		Reservation: "uia"}); !errors.Is(err, ErrTokenSpent) {
		t.Errorf("got %v", err)
	}
	wantToken(t, d, t0, RegistrationToken{Token: "endless", Created: t0, Revoked: t0.Add(1e6)})
}

// 64 racers, at two processes, for a token of one use: one reserves it, and one of those who did not reserve uses it.
func TestRacersReserveOneUse(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	by := []*DB{d, open(t, Config{DSN: path})}
	for round := range 5 {
		token := fmt.Sprint("once", round)
		invite(t, d, RegistrationToken{Token: token, UsesAllowed: 1})
		errs := racers(func(i int) error {
			return by[i%2].ReserveRegistrationToken(bg, token, fmt.Sprint("uia", i), t0, t0.Add(time.Minute))
		})
		if won := winners(t, errs, ErrTokenSpent); won != 1 {
			t.Fatalf("%d reserved one use", won)
		}
		late := t0.Add(time.Hour)
		errs = racers(func(i int) error {
			_, err := by[i%2].Register(bg,
				Registration{Localpart: fmt.Sprint("user", round, "-", i), At: late, Token: token,
					Reservation: fmt.Sprint("uia", i)})
			return err
		})
		if won := winners(t, errs, ErrTokenSpent); won != 1 {
			t.Fatalf("%d used one use", won)
		}
	}
}
