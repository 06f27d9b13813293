package db

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask has an account wait.
func ask(t *testing.T, d *DB, localpart, network string) {
	t.Helper()
	_, err := d.Register(bg,
		Registration{Localpart: localpart, PasswordHash: "hers", At: t0, Waits: true, Network: network})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWaiting: an account that waits is none, but its name is taken; approved, it is one like any other; rejected,
// there was none.
func TestWaiting(t *testing.T) {
	t.Parallel()
	var told []string
	d := freshAt(t, Config{DSN: dsn(t), Follow: func(_ *Tx, localpart, _ string) error {
		told = append(told, localpart)
		return nil
	}})
	told = nil
	ask(t, d, "carol", "192.0.2.1")
	ask(t, d, "dave", "2001:db8::/64")
	want := []WaitingUser{{"carol", "hers", t0, "192.0.2.1", Email{Localpart: "carol"}},
		{"dave", "hers", t0, "2001:db8::/64", Email{Localpart: "dave"}}}
	if got, err := d.WaitingUsers(bg); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
	if taken, err := d.Taken(bg, "Carol"); !taken || err != nil {
		t.Errorf("the name is taken: %v, %v", taken, err)
	}
	for _, waits := range []bool{true, false} {
		if _, err := d.Register(bg, Registration{Localpart: "carol", PasswordHash: "mine", At: t0,
			Waits: waits}); !errors.Is(err, ErrConflict) {
			t.Errorf("somebody else asks for the name: %v", err)
		}
	}
	_, err := d.User(bg, "carol")
	_, err2 := d.UserNamed(bg, "carol")
	_, err3 := d.StartSession(bg, Login{ID: "x", Localpart: "carol", PasswordHash: "hers", DeviceID: "A", At: t0})
	if !errors.Is(err, ErrNotFound) || !errors.Is(err2, ErrNotFound) || !errors.Is(err3, ErrConflict) {
		t.Errorf("it is an account already: %v, %v, %v", err, err2, err3)
	}
	if len(told) > 0 {
		t.Errorf("the homeserver hears of %q", told)
	}
	if err := errors.Join(d.ApproveUser(bg, "carol", t0.Add(day)), d.RejectUser(bg, "dave")); err != nil {
		t.Fatal(err)
	}
	if u, err := d.User(bg, "carol"); err != nil ||
		u != (User{Localpart: "carol", PasswordHash: "hers", Created: t0.Add(day)}) {
		t.Errorf("approved: %+v, %v", u, err)
	}
	if taken, err := d.Taken(bg, "dave"); taken || err != nil {
		t.Errorf("the rejected name is taken: %v, %v", taken, err)
	}
	if !slices.Equal(told, []string{"carol"}) {
		t.Errorf("the homeserver hears of %q", told)
	}
	for _, name := range []string{"carol", "dave", "nobody"} {
		err, err2 := d.ApproveUser(bg, name, t0), d.RejectUser(bg, name)
		if !errors.Is(err, ErrNotFound) || !errors.Is(err2, ErrNotFound) {
			t.Errorf("%s once more: %v, %v", name, err, err2)
		}
	}
	if n, err := d.CountWaiting(bg); n != 0 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
	for name, kinds := range map[string][]string{"carol": {EventApproved, EventCreated, EventWaiting},
		"dave": {EventRejected, EventWaiting}} {
		events, err := d.Events(bg, name, 10)
		var got []string
		for _, e := range events {
			got = append(got, e.Kind)
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, kinds) {
			t.Errorf("%s's events are %q, %v", name, got, err)
		}
	}
}

// TestWaitingBehindAnAccount: an account that was made otherwise meanwhile, by an import for one, stays as it is.
func TestWaitingBehindAnAccount(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	ask(t, d, "carol", "")
	if err := d.CreateUser(bg, User{Localpart: "carol", PasswordHash: "moved", Created: t0}); err != nil {
		t.Fatal(err)
	}
	if err := d.ApproveUser(bg, "carol", t0); !errors.Is(err, ErrConflict) {
		t.Errorf("approved over an account: %v", err)
	}
	if err := d.RejectUser(bg, "carol"); err != nil {
		t.Error(err)
	}
	if u, err := d.User(bg, "carol"); err != nil || u.PasswordHash != "moved" {
		t.Errorf("the account is %+v, %v", u, err)
	}
}

// TestWaitingIsBounded: strangers cannot fill the table, and who comes from one network leaves room for others.
func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := d.Write(bg, func(t *Tx) error {
		for i := range maxWaiting - 1 {
			if err := t.wait(Registration{Localpart: fmt.Sprint("u", i), At: t0,
				Network: fmt.Sprint(i / maxWaitingOfNetwork)}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	try := func(name, network string) error {
		_, err := d.Register(bg, Registration{Localpart: name, At: t0, Waits: true, Network: network})
		return err
	}
	if err := try("x", "0"); !errors.Is(err, ErrFull) {
		t.Errorf("one more of a network that has enough: %v", err)
	}
	if err := try("x", "other"); err != nil {
		t.Errorf("of another network: %v", err)
	}
	if err := try("y", "another"); !errors.Is(err, ErrFull) {
		t.Errorf("one more than all: %v", err)
	}
	if err := errors.Join(d.RejectUser(bg, "u0"), try("y", "0")); err != nil {
		t.Errorf("after a decision: %v", err)
	}
}

// TestTidyWaiting: who was not approved for 30 days is rejected, which is in the events.
func TestTidyWaiting(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	ask(t, d, "carol", "")
	for want, at := range []time.Time{t0.Add(30 * day), t0.Add(30*day + time.Millisecond)} {
		if done, err := d.Tidy(bg, at, TidyConfig{Pause: 1}); err != nil || done.Waiting != want {
			t.Errorf("at %s %d went, %v", at, done.Waiting, err)
		}
	}
	events, err := d.Events(bg, "carol", 10)
	rejected := slices.IndexFunc(events, func(e Event) bool { return e.Kind == EventRejected && e.Agent == "" })
	if err != nil || len(events) != 2 || rejected < 0 {
		t.Errorf("the events are %+v, %v", events, err)
	}
	if taken, err := d.Taken(bg, "carol"); taken || err != nil {
		t.Errorf("the name is taken: %v, %v", taken, err)
	}
}

// TestRacersWaitForOneName: of many who ask for a name one waits, and of operators who decide one does.
func TestRacersWaitForOneName(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	other := open(t, Config{DSN: path})
	pair := []*DB{d, other}
	errs := racers(func(i int) error {
		_, err := pair[i%2].Register(bg, Registration{Localpart: "carol", At: t0, Waits: i%4 < 2})
		return err
	})
	if won := winners(t, errs, ErrConflict); won != 1 {
		t.Errorf("%d of them have the name", won)
	}
	ask(t, d, "dave", "")
	errs = racers(func(i int) error {
		if i%4 < 2 {
			return pair[i%2].RejectUser(bg, "dave")
		}
		return pair[i%2].ApproveUser(bg, "dave", t0)
	})
	if won := winners(t, errs, ErrNotFound); won != 1 {
		t.Errorf("%d of them decided", won)
	}
}
