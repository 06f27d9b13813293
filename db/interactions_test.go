package db

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/test/rig/postgres"
)

// interacting opens two connections to one database, as two replicas have, with an interaction.
func interacting(t *testing.T, i Interaction) (both []*DB) {
	t.Helper()
	path := dsn(t)
	both = []*DB{freshAt(t, Config{DSN: path}), open(t, Config{DSN: path})}
	if err := both[0].AddInteraction(bg, i, t0, 10); err != nil {
		t.Fatal(err)
	}
	return both
}

var begun = Interaction{ID: "i", Expires: t0.Add(time.Minute), Version: 1, Sealed: []byte("\x00sealed\xff")}

func TestInteraction(t *testing.T) {
	t.Parallel()
	both := interacting(t, begun)
	one, two := both[0], both[1]
	if shared := one.Shared(); shared != postgres.Chosen() {
		t.Errorf("shared: %v", shared)
	}
	if got, err := two.Interaction(bg, "i"); err != nil || !cmp.Equal(got, begun) {
		t.Errorf("%v, %s", err, cmp.Diff(begun, got))
	}
	next := begun
	next.Sealed = []byte("more")
	if err := two.SaveInteraction(bg, next); err != nil {
		t.Fatal(err)
	}
	next.Version = 2
	if got, err := one.Interaction(bg, "i"); err != nil || !cmp.Equal(got, next) {
		t.Errorf("%v, %s", err, cmp.Diff(next, got))
	}
	if err := one.SaveInteraction(bg, begun); !errors.Is(err, ErrConflict) {
		t.Errorf("saving an old version: %v", err)
	}
	if err := one.EndInteraction(bg, "i"); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"save": two.SaveInteraction(bg, next), "end": two.EndInteraction(bg, "i")} {
		if want := map[string]error{"save": ErrConflict, "end": ErrNotFound}[name]; !errors.Is(err, want) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
	if _, err := two.Interaction(bg, "i"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after the end: %v", err)
	}
	if err := one.AddInteraction(bg, Interaction{ID: "x"}, t0, 10); !errors.Is(err, errNoTime) {
		t.Errorf("without an end: %v", err)
	}
}

// Of many who go on from one version, or end one, one does.
func TestRacersInteract(t *testing.T) {
	t.Parallel()
	both := interacting(t, begun)
	saved := racers(func(n int) error {
		i := begun
		i.Sealed = fmt.Append(nil, n)
		return both[n%2].SaveInteraction(bg, i)
	})
	if won := winners(t, saved, ErrConflict); won != 1 {
		t.Errorf("%d of them saved", won)
	}
	i, err := both[0].Interaction(bg, "i")
	if err != nil || i.Version != 2 {
		t.Errorf("got %+v, %v", i, err)
	}
	for n, err := range saved {
		if err == nil && string(i.Sealed) != fmt.Sprint(n) {
			t.Errorf("%d was told that it saved, and %s did", n, i.Sealed)
		}
	}
	ended := racers(func(n int) error { return both[n%2].EndInteraction(bg, "i") })
	if won := winners(t, ended, ErrNotFound); won != 1 {
		t.Errorf("%d of them ended it", won)
	}
}

// A registration that is finished many times at once, under names that do not collide, makes one account.
func TestRacersFinishOneRegistration(t *testing.T) {
	t.Parallel()
	both := interacting(t, begun)
	invite(t, both[0], RegistrationToken{Token: "many", UsesAllowed: 100})
	finish := func(n int) error {
		name, i := fmt.Sprint("user", n), begun
		i.Sealed = []byte(name)
		_, err := both[n%2].Register(bg,
			Registration{Localpart: name, At: t0, Token: "many", Interaction: &i,
				Login: &Login{ID: name, DeviceID: "A"}})
		return err
	}
	if won := winners(t, racers(finish), ErrConflict); won != 1 {
		t.Errorf("%d of them registered", won)
	}
	i, err := both[0].Interaction(bg, "i")
	if err != nil || i.Version != 2 {
		t.Fatalf("got %+v, %v", i, err)
	}
	both[1].session(t, string(i.Sealed))
	users, err := both[0].Users(bg)
	if err != nil || len(users) != 2 {
		t.Errorf("users %+v, %v", users, err)
	}
	wantToken(t, both[0], t0, RegistrationToken{Token: "many", UsesAllowed: 100, Used: 1, Created: t0})

	// And what is refused for another reason leaves the interaction as it was.
	i.Sealed = []byte("never")
	if _, err := both[0].Register(bg, Registration{Localpart: "alice", At: t0, Interaction: &i}); !errors.Is(err,
		ErrConflict) {
		t.Errorf("a taken name: %v", err)
	}
	if _, err := both[0].Register(bg,
		Registration{Localpart: "bob", At: t0, Token: "no such", Interaction: &i}); !errors.Is(err, ErrTokenSpent) {
		t.Errorf("no such token: %v", err)
	}
	if got, err := both[0].Interaction(bg, "i"); err != nil || got.Version != 2 || string(got.Sealed) == "never" {
		t.Errorf("after refusals %+v, %v", got, err)
	}
}

// There are never more than most of a kind, the oldest go first, and those go that are over or begin later than now.
func TestInteractionsAreBounded(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.hasten(t)
	const most = 5
	add := func(id string, now time.Time) {
		t.Helper()
		if err := d.AddInteraction(bg, Interaction{ID: id, Expires: now.Add(time.Hour), Version: 1, Sealed: []byte(id)},
			now, most); err != nil {
			t.Fatal(err)
		}
	}
	want := func(ids ...string) {
		t.Helper()
		got, err := list(bg, d, `SELECT id FROM interactions WHERE kind = '' ORDER BY expires`, scanText)
		if err != nil || !cmp.Equal(got, ids) {
			t.Errorf("%v, %s", err, cmp.Diff(ids, got))
		}
	}
	other := Interaction{Kind: "other", ID: "other", Expires: t0.Add(time.Minute), Version: 1, Sealed: []byte("x")}
	if err := d.AddInteraction(bg, other, t0, 1); err != nil {
		t.Fatal(err)
	}
	for n := range 8 {
		add(fmt.Sprint(n), t0.Add(time.Duration(n)*time.Minute))
	}
	want("3", "4", "5", "6", "7")
	add("hour", t0.Add(time.Hour+5*time.Minute))
	want("6", "7", "hour")
	add("tomorrow", t0.Add(24*time.Hour))
	want("tomorrow")
	add("back", t0)
	want("back")
	if got, err := d.Interaction(bg, "other"); err != nil || !cmp.Equal(got, other) {
		t.Errorf("one of another kind: %v, %s", err, cmp.Diff(other, got))
	}
	if err := d.AddInteraction(bg, Interaction{Kind: "other", ID: "back", Expires: t0.Add(time.Minute),
		Version: 1, Sealed: []byte("x")}, t0, 1); !errors.Is(err, ErrConflict) {
		t.Errorf("an id that one of another kind has: %v", err)
	}
}
