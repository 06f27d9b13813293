package outbox

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
)

var bg = context.Background()

// base is an open database with its queue.
type base struct {
	*db.DB
	*Queue
}

func openBase(tb testing.TB, dsn string) base {
	q := open(tb, dsn)
	return base{q.DB, q}
}

// fresh opens an empty database with one account, alice.
func fresh(tb testing.TB) base {
	tb.Helper()
	return freshAt(tb, dbtest.DSN(tb))
}

func freshAt(tb testing.TB, dsn string) base {
	tb.Helper()
	d := openBase(tb, dsn)
	if err := d.CreateUser(bg, db.User{Localpart: "alice", PasswordHash: "hash", Created: t0}); err != nil {
		tb.Fatal(err)
	}
	return d
}

// login starts a session of alice's on a device.
func login(tb testing.TB, d base, id, device string) {
	tb.Helper()
	if _, err := d.StartSession(bg, aLogin(id, device)); err != nil {
		tb.Fatal(err)
	}
}

// waiting names what waits, as "alice A".
func (d base) waiting(t *testing.T) []string {
	t.Helper()
	all, err := d.List(bg)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, w := range all {
		names = append(names, w.Localpart+" "+w.DeviceID)
	}
	slices.Sort(names)
	return names
}

func (d base) wantWaiting(t *testing.T, want ...string) {
	t.Helper()
	if got := d.waiting(t); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%q wait, want %q", got, want)
	}
}

// withHomeserver gives the database a homeserver.
func withHomeserver(t *testing.T, d base) {
	t.Helper()
	if err := d.SetHomeserver(bg, "http://127.0.0.1:8008"); err != nil {
		t.Fatal(err)
	}
}

// Where nobody has to be told nothing is written; and whoever writes knows whether somebody has.
func TestOutboxOnlyWithHomeserver(t *testing.T) {
	t.Parallel()
	path := dbtest.DSN(t)
	d := freshAt(t, path)
	cli := openBase(t, path)
	login(t, d, "one", "A")
	_, err := d.EndSessions(bg, "alice")
	err = errors.Join(err, d.LockUser(bg, "alice", t0), d.UnlockUser(bg, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t)
	select {
	case <-d.news:
		t.Error("there is news")
	default:
	}
	login(t, d, "two", "HERE")
	login(t, d, "three", "THERE")
	if err := d.Write(bg, func(t *db.Tx) error {
		return t.Exec(`UPDATE sessions SET imported = TRUE WHERE id = 'three'`)
	}); err != nil {
		t.Fatal(err)
	}
	withHomeserver(t, d)
	d.wantWaiting(t, "alice HERE") // or its tokens would be turned away
	if err := errors.Join(d.clear(), d.SetHomeserver(bg, "http://127.0.0.1:8009"),
		d.SetHomeserver(bg, "http://127.0.0.1:8008")); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t)
	if err := cli.LockUser(bg, "alice", t0); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t, "alice ")
	if place, err := cli.Homeserver(bg); err != nil || place != "http://127.0.0.1:8008" {
		t.Errorf("%q, %v", place, err)
	}
	if err := cli.SetHomeserver(bg, ""); err != nil {
		t.Fatal(err)
	}
	if err := d.UnlockUser(bg, "alice"); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t)
}

// A fact that did not come about leaves no row, and one that did has its row in the same moment.
func TestOutboxRowComesWithItsFact(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	withHomeserver(t, d)
	err := errors.Join(d.CreateUser(bg, db.User{Localpart: "alice", Created: t0}), d.LockUser(bg, "nobody", t0),
		d.EndSession(bg, "none"),
		d.EndDevice(bg, "alice", "none"), d.RenameDevice(bg, "alice", "none", "x"), d.Reactivate(bg, "nobody"))
	if !errors.Is(err, db.ErrNotFound) || !errors.Is(err, db.ErrConflict) {
		t.Errorf("got %v", err)
	}
	d.wantWaiting(t)
	login(t, d, "one", "A")
	d.wantWaiting(t, "alice A")
	select {
	case <-d.news:
	default:
		t.Error("there is no news")
	}
	all, err := d.List(bg)
	if err != nil || all[0].Since.IsZero() || time.Since(all[0].Since) > time.Hour {
		t.Errorf("%+v, %v", all, err)
	}
}

func aLogin(id, device string) db.Login {
	return db.Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: device, At: t0, KeyID: 1}
}

// A login that was announced, and to which nothing happened, clears its row; in any other case the row stays.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	due := t0.Add(30 * time.Second)
	for name, c := range map[string]struct {
		before, between func(d base) error // of the announcement and the begin
		known, busy     bool
		untold          bool
	}{
		"a new device": {},
		"a known device": {known: true, before: func(d base) error {
			_, err := d.StartSession(bg, aLogin("zero", "A"))
			return errors.Join(err, d.clear())
		}},
		"a known device of which was not told": {known: true,
			before: func(d base) error { _, err := d.StartSession(bg, aLogin("zero", "A")); return err }},
		"the old session ends meanwhile": {known: true, untold: true,
			before:  func(d base) error { _, err := d.StartSession(bg, aLogin("zero", "A")); return err },
			between: func(d base) error { return d.EndSession(bg, "zero") }},
		"… and the homeserver was told of that already": {known: true, untold: true,
			before:  func(d base) error { _, err := d.StartSession(bg, aLogin("zero", "A")); return err },
			between: func(d base) error { return errors.Join(d.EndSession(bg, "zero"), d.clear()) }},
		"another login on the device": {untold: true,
			between: func(d base) error { _, err := d.Announce(bg, aLogin("two", "A"), false, due); return err }},
		"the sender is just telling of it": {busy: true, untold: true, before: func(d base) error {
			_, err := d.StartSession(bg, aLogin("zero", "A"))
			_, err2 := d.Claim(bg, "sender", t0, due, 9)
			return errors.Join(err, err2, d.EndSession(bg, "zero"))
		}},
		"nobody knows what came of an earlier word": {untold: true, before: func(d base) error {
			_, err := d.StartSession(bg, aLogin("zero", "A"))
			err = errors.Join(err, d.EndSession(bg, "zero"))
			_, err2 := d.Claim(bg, "sender", t0, due, 9)
			return errors.Join(err, err2, d.Settle(bg, "sender", "alice",
				[]Outcome{{DeviceID: "A", Err: errors.New("time is over"), Due: due}}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d := fresh(t)
			withHomeserver(t, d)
			if c.before != nil {
				if err := c.before(d); err != nil {
					t.Fatal(err)
				}
			}
			a, err := d.Announce(bg, aLogin("one", "A"), false, due)
			if err != nil || a.HasSession != c.known {
				t.Fatalf("%+v, %v", a, err)
			}
			if free, err := d.Free(bg, "alice", "A", t0); err != nil || free == c.busy {
				t.Errorf("free: %v, %v", free, err)
			}
			if now, next, err := d.Due(bg, t0); err != nil || now || !next.Equal(due) {
				t.Errorf("an announcement is due at %v (%v), %v", next, now, err)
			}
			if c.between != nil {
				if err := c.between(d); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := d.StartSession(bg, aLogin("one", "A")); err != nil {
				t.Fatal(err)
			}
			if untold, err := d.Waits(bg, "alice", "A"); err != nil || untold != c.untold {
				t.Errorf("untold: %v, %v", untold, err)
			}
			if now, _, err := d.Due(bg, t0); err != nil || now != c.untold {
				t.Errorf("due: %v, %v", now, err)
			}
		})
	}
}

// clear makes it as if all had been told.
func (d base) clear() error {
	accounts, err := d.Claim(bg, "all", t0, t0, 99)
	for _, e := range accounts {
		for _, i := range e.Rows {
			err = errors.Join(err, d.Settle(bg, "all", e.Localpart, []Outcome{{DeviceID: i.DeviceID}}))
		}
	}
	return err
}

// An announcement refuses what the login would be refused for, and spends nothing.
func TestAnnounceRefuses(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	withHomeserver(t, d)
	day := t0.Add(24 * time.Hour)
	l := db.Login{ID: "one", Localpart: "alice", DeviceID: "A", At: t0, KeyID: 1, LoginToken: "token",
		LoginTokenExpires: day}
	for range 2 {
		if _, err := d.Announce(bg, l, false, day); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.StartSession(bg, l); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t)
	_, err := d.Announce(bg, l, false, day)
	if !errors.Is(err, db.ErrTokenSpent) {
		t.Errorf("spent: %v", err)
	}
	wrong := aLogin("two", "B")
	wrong.PasswordHash = "other"
	if _, err := d.Announce(bg, wrong, false, day); !errors.Is(err, db.ErrConflict) {
		t.Errorf("another password: %v", err)
	}
	if err := errors.Join(d.LockUser(bg, "alice", t0), d.clear()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Announce(bg, aLogin("three", "C"), false, day); !errors.Is(err, db.ErrLocked) {
		t.Errorf("locked: %v", err)
	}
	d.wantWaiting(t)
}

// What was announced and did not come about is the sender's: at once when it is recalled, and by itself when nobody is
// left to do that.
func TestAnnouncementLapses(t *testing.T) {
	t.Parallel()
	path := dbtest.DSN(t)
	d := freshAt(t, path)
	withHomeserver(t, d)
	due := t0.Add(30 * time.Second)
	for _, id := range []string{"one", "two"} {
		if _, err := d.Announce(bg, aLogin(id, id), false, due); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Recall(bg, "alice", "one"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   time.Time
		want []string
	}{{t0, []string{"one"}}, {due, []string{"one", "two"}}} {
		at, want := c.at, c.want
		accounts, err := d.Claim(bg, "h", at, t0, 9)
		if err != nil || len(accounts) != 1 || len(accounts[0].Rows) != len(want) {
			t.Fatalf("at %v: %+v, %v", at, accounts, err)
		}
		for _, i := range accounts[0].Rows {
			if i.HasSession || !slices.Contains(want, i.DeviceID) {
				t.Errorf("at %v: %+v", at, i)
			}
		}
		_ = d.Settle(bg, "h", "alice",
			[]Outcome{{DeviceID: "one", Err: errors.New("x"), Due: t0},
				{DeviceID: "two", Err: errors.New("x"), Due: due}})
	}
	if _, err := d.Announce(bg, aLogin("three", "three"), false, due); err != nil {
		t.Fatal(err)
	}
	if err := d.Resume(bg); err != nil { // as the next start of the only server does
		t.Fatal(err)
	}
	accounts, err := d.Claim(bg, "i", t0, due, 9)
	third := len(accounts) == 1 && slices.ContainsFunc(accounts[0].Rows,
		func(i Row) bool { return i.DeviceID == "three" })
	if err != nil || third == d.Shared() { // another server may be about to begin it
		t.Errorf("after a start: %+v, %v", accounts, err)
	}
}

// Whoever registers tells the homeserver at once, and clears just what nothing happened to.
func TestRegisterIsAnnounced(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	withHomeserver(t, d)
	l := aLogin("first", "F")
	r := db.Registration{Localpart: "bob", PasswordHash: "h", At: t0, Login: &l}
	d.AnnounceRegistration(&r, "reg", t0.Add(time.Minute))
	if _, err := d.Register(bg, r); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t, "bob ", "bob F")
	if now, _, err := d.Due(bg, t0); err != nil || now {
		t.Errorf("due: %v, %v", now, err)
	}
	if err := d.RenameDevice(bg, "bob", "F", "new"); err != nil {
		t.Fatal(err)
	}
	if all, err := d.Announced(bg, "bob", "reg", []string{"", "F"}); err != nil || all {
		t.Errorf("all: %v, %v", all, err)
	}
	d.wantWaiting(t, "bob F")
}
