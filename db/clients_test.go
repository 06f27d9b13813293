package db

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClients(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for i := range 3 {
		d.keep(t, "app", t0.Add(time.Duration(i)*time.Hour))
	}
	want := []Client{{ID: "app", Metadata: "{}", Created: t0, Used: t0.Add(2 * time.Hour)}}
	if got, err := d.Clients(bg); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
	if c, err := d.Client(bg, "app"); err != nil || c != want[0] {
		t.Errorf("%+v %v", c, err)
	}
	if _, err := d.Client(bg, "other"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func (d *DB) keep(t *testing.T, id string, at time.Time) {
	t.Helper()
	if err := d.KeepClient(bg, id, "{}", at); err != nil {
		t.Fatal(err)
	}
}

// enter starts a session for a client, on a device of its name.
func (d *DB) enter(client string, at time.Time) error {
	_, err := d.StartSession(bg, Login{ID: "of " + client, Localpart: "alice", DeviceID: client, PasswordHash: "hash",
		At: at, KeyID: 1, Refreshable: true, ClientID: client})
	return err
}

func (d *DB) clientIDs(t *testing.T) (ids []string) {
	t.Helper()
	all, err := d.Clients(bg)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	return ids
}

// TestClientsOnce: a client that registers again and again is one row.
func TestClientsOnce(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	rounds := 100_000
	if testing.Short() {
		rounds = 1000
	}
	last := t0.Add(time.Duration(rounds-1) * time.Second)
	for i := range rounds {
		d.keep(t, "app", t0.Add(time.Duration(i)*time.Second))
	}
	all, err := d.Clients(bg)
	if err != nil || len(all) != 1 || all[0].Created != t0 || last.Sub(all[0].Used) >= usedAnew {
		t.Errorf("%+v %v", all, err)
	}
}

// TestClientsGo: a client that nobody has used for long goes, and never one that has a session or that was added.
func TestClientsGo(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for _, id := range []string{"idle", "used", "again"} {
		d.keep(t, id, t0)
	}
	if err := errors.Join(d.enter("used", t0), d.AddClient(bg, "zadded", "{}", t0)); err != nil {
		t.Fatal(err)
	}
	later := t0.Add(clientLife + day)
	d.keep(t, "again", later)
	done, err := d.Tidy(bg, later, TidyConfig{})
	left := d.clientIDs(t)
	if err != nil || done.Clients != 1 || !slices.Equal(left, []string{"again", "used", "zadded"}) {
		t.Fatalf("%+v %v %q", done, err, left)
	}
	if err := d.EndSession(bg, "of used"); err != nil {
		t.Fatal(err)
	}
	if done, err = d.Tidy(bg, later, TidyConfig{}); err != nil || done.Clients != 1 {
		t.Errorf("%+v %v", done, err)
	}
}

// TestClientsAreBounded: strangers may register any number. The one goes that was not used for longest, and never one
// that has a session or that was added.
func TestClientsAreBounded(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.keep(t, "with a session", t0)
	d.keep(t, "soft", t0)
	if err := errors.Join(d.enter("with a session", t0), d.enter("soft", t0), d.AddClient(bg, "added", "{}", t0),
		d.Write(bg, func(t *Tx) error {
			_, err := t.Soften(Event{At: t0, Kind: "test", Session: "of soft"})
			return err
		})); err != nil {
		t.Fatal(err)
	}
	d.keep(t, "waiting", t0.Add(time.Minute))
	d.hasten(t)
	for i := range mostClients + 5*tidyBatch/2 {
		d.keep(t, fmt.Sprint("flood", i), t0.Add(2*time.Minute))
		if i == mostClients/2 {
			d.keep(t, "waiting", t0.Add(3*time.Minute))
		}
	}
	bounded := func() {
		t.Helper()
		if n := d.count(t, "oauth_clients"); n <= mostClients || n > mostClients+tidyBatch {
			t.Errorf("there are %d clients", n)
		}
	}
	bounded()
	d.keep(t, "new", t0.Add(2*time.Minute))
	for _, id := range []string{"with a session", "soft", "added", "waiting", "new"} {
		if _, err := d.Client(bg, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	bounded()
}

// TestSessionNeedsItsClient: none begins for a client that is gone, and nothing is spent by trying.
func TestSessionNeedsItsClient(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	l := Login{ID: "one", Localpart: "alice", DeviceID: "A", At: t0, KeyID: 1, LoginToken: "code",
		LoginTokenExpires: t0.Add(day), ClientID: "app"}
	if _, err := d.StartSession(bg, l); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	d.keep(t, "app", t0)
	if _, err := d.StartSession(bg, l); err != nil {
		t.Error(err)
	}
}

func TestAddAndRemoveClient(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.keep(t, "app", t0)
	if err := d.AddClient(bg, "app", "{}", t0); err != nil {
		t.Error(err)
	}
	if err := d.AddClient(bg, "app", "{}", t0); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	if c, err := d.Client(bg, "app"); err != nil || !c.Added {
		t.Errorf("%+v %v", c, err)
	}
	if err := d.enter("app", t0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RemoveClient(bg, "app", false); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	if n, err := d.RemoveClient(bg, "app", true); n != 1 || err != nil {
		t.Error(n, err)
	}
	if _, _, err := d.Session(bg, "of app"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := d.RemoveClient(bg, "app", true); !errors.Is(err, ErrNotFound) {
		t.Error(err)
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
