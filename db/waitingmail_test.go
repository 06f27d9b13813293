package db

import (
	"errors"
	"testing"
	"time"
)

func shown(localpart string) Email {
	return Email{Address: "carol@example.org", Localpart: localpart, Validated: t0, Added: t0, Language: "de"}
}

// TestRegisterWithEmail: the account has the address, and the homeserver hears of it; with one that an account has
// nothing is made.
func TestRegisterWithEmail(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	register := func(localpart string, waits bool) error {
		_, err := d.Register(bg, Registration{Localpart: localpart, PasswordHash: "x", At: t0, Waits: waits,
			Email: shown(localpart)})
		return err
	}
	if err := register("carol", false); err != nil {
		t.Fatal(err)
	}
	if e, err := d.Email(bg, "carol@example.org"); err != nil || e != shown("carol") {
		t.Errorf("kept is %+v, %v", e, err)
	}
	for _, waits := range []bool{false, true} {
		if err := register("dave", waits); !errors.Is(err, ErrEmailTaken) {
			t.Errorf("with another's address: %v", err)
		}
	}
	if taken, err := d.Taken(bg, "dave"); err != nil || taken {
		t.Errorf("dave is there: %v, %v", taken, err)
	}
}

// TestWaitingWithEmail: an address waits with its account. Of two accounts that wait with one, the first that is
// approved has it.
func TestWaitingWithEmail(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for _, name := range []string{"carol", "dave"} {
		if _, err := d.Register(bg, Registration{Localpart: name, PasswordHash: "x", At: t0, Waits: true,
			Email: shown(name)}); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := d.WaitingUser(bg, "carol"); err != nil || u.Email.Address != "carol@example.org" {
		t.Errorf("who waits is %+v, %v", u, err)
	}
	if _, err := d.Email(bg, "carol@example.org"); !errors.Is(err, ErrNotFound) {
		t.Errorf("it is bound already: %v", err)
	}
	later := t0.Add(time.Hour)
	if err := errors.Join(d.ApproveUser(bg, "carol", later), d.ApproveUser(bg, "dave", later)); err != nil {
		t.Fatal(err)
	}
	want := shown("carol")
	want.Added = later
	if e, err := d.Email(bg, "carol@example.org"); err != nil || e != want {
		t.Errorf("kept is %+v, %v", e, err)
	}
	events, err := d.Events(bg, "dave", 10)
	kinds := make(map[string]int)
	for _, e := range events {
		kinds[e.Kind]++
	}
	if err != nil || kinds[EventApproved] != 1 || kinds[EventEmailAdded] != 0 {
		t.Errorf("the events are %v, %v", kinds, err)
	}
}
