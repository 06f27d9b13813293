package db

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// waiting names what waits, as "alice A".
func (d *DB) waiting(t *testing.T) []string {
	t.Helper()
	all, err := d.Outbox(bg)
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

func (d *DB) wantWaiting(t *testing.T, want ...string) {
	t.Helper()
	if got := d.waiting(t); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%q wait, want %q", got, want)
	}
}

// behindIt makes the database one with a homeserver behind.
func behindIt(t *testing.T, d *DB) {
	t.Helper()
	if err := d.SetBehind(bg, "http://127.0.0.1:8008"); err != nil {
		t.Fatal(err)
	}
}

// Where nobody has to be told nothing is written; and whoever writes knows whether somebody has.
func TestOutboxOnlyWithHomeserver(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	cli := open(t, Config{DSN: path})
	login(t, d, "one", "A")
	_, err := d.EndSessions(bg, "alice")
	err = errors.Join(err, d.LockUser(bg, "alice", t0), d.UnlockUser(bg, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t)
	select {
	case <-d.News():
		t.Error("there is news")
	default:
	}
	login(t, d, "two", "HERE")
	login(t, d, "three", "THERE")
	if _, err := write(bg, d, "", func(t *Tx) (int, error) {
		return 0, t.Exec(`UPDATE sessions SET imported = TRUE WHERE id = 'three'`)
	}); err != nil {
		t.Fatal(err)
	}
	behindIt(t, d)
	d.wantWaiting(t, "alice HERE") // or its tokens would be turned away
	if err := errors.Join(d.clear(), d.SetBehind(bg, "http://127.0.0.1:8009"),
		d.SetBehind(bg, "http://127.0.0.1:8008")); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t)
	if err := cli.LockUser(bg, "alice", t0); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t, "alice ")
	if place, err := cli.Behind(bg); err != nil || place != "http://127.0.0.1:8008" {
		t.Errorf("%q, %v", place, err)
	}
	if err := cli.SetBehind(bg, ""); err != nil {
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
	behindIt(t, d)
	err := errors.Join(d.CreateUser(bg, User{Localpart: "alice", Created: t0}), d.LockUser(bg, "nobody", t0),
		d.EndSession(bg, "none"),
		d.EndDevice(bg, "alice", "none"), d.RenameDevice(bg, "alice", "none", "x"), d.Reactivate(bg, "nobody"))
	if !errors.Is(err, ErrNotFound) || !errors.Is(err, ErrConflict) {
		t.Errorf("got %v", err)
	}
	d.wantWaiting(t)
	login(t, d, "one", "A")
	d.wantWaiting(t, "alice A")
	select {
	case <-d.News():
	default:
		t.Error("there is no news")
	}
	all, err := d.Outbox(bg)
	if err != nil || all[0].Since.IsZero() || time.Since(all[0].Since) > time.Hour {
		t.Errorf("%+v, %v", all, err)
	}
}

func aLogin(id, device string) Login {
	return Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: device, At: t0, KeyID: 1}
}

// A login that was announced, and to which nothing happened, clears its row; in any other case the row stays.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	due := t0.Add(30 * time.Second)
	for name, c := range map[string]struct {
		before, between func(d *DB) error // of the announcement and the begin
		known, busy     bool
		untold          bool
	}{
		"a new device": {},
		"a known device": {known: true, before: func(d *DB) error {
			_, err := d.StartSession(bg, aLogin("zero", "A"))
			return errors.Join(err, d.clear())
		}},
		"a known device of which was not told": {known: true,
			before: func(d *DB) error { _, err := d.StartSession(bg, aLogin("zero", "A")); return err }},
		"the old session ends meanwhile": {known: true, untold: true,
			before:  func(d *DB) error { _, err := d.StartSession(bg, aLogin("zero", "A")); return err },
			between: func(d *DB) error { return d.EndSession(bg, "zero") }},
		"… and the homeserver was told of that already": {known: true, untold: true,
			before:  func(d *DB) error { _, err := d.StartSession(bg, aLogin("zero", "A")); return err },
			between: func(d *DB) error { return errors.Join(d.EndSession(bg, "zero"), d.clear()) }},
		"another login on the device": {untold: true,
			between: func(d *DB) error { _, err := d.Announce(bg, aLogin("two", "A"), due); return err }},
		"the sender is just telling of it": {busy: true, untold: true, before: func(d *DB) error {
			_, err := d.StartSession(bg, aLogin("zero", "A"))
			_, err2 := d.Claim(bg, "sender", t0, due, 9)
			return errors.Join(err, err2, d.EndSession(bg, "zero"))
		}},
		"nobody knows what came of an earlier word": {untold: true, before: func(d *DB) error {
			_, err := d.StartSession(bg, aLogin("zero", "A"))
			err = errors.Join(err, d.EndSession(bg, "zero"))
			_, err2 := d.Claim(bg, "sender", t0, due, 9)
			return errors.Join(err, err2, d.Settle(bg, "sender", "alice",
				[]Outcome{{DeviceID: "A", Err: errors.New("time is over"), Due: due}}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d := fresh(t)
			behindIt(t, d)
			if c.before != nil {
				if err := c.before(d); err != nil {
					t.Fatal(err)
				}
			}
			a, err := d.Announce(bg, aLogin("one", "A"), due)
			if err != nil || a.Known != c.known {
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
			if untold, err := d.Untold(bg, "alice", "A"); err != nil || untold != c.untold {
				t.Errorf("untold: %v, %v", untold, err)
			}
			if now, _, err := d.Due(bg, t0); err != nil || now != c.untold {
				t.Errorf("due: %v, %v", now, err)
			}
		})
	}
}

// clear makes it as if all had been told.
func (d *DB) clear() error {
	errands, err := d.Claim(bg, "all", t0, t0, 99)
	for _, e := range errands {
		for _, i := range e.Items {
			err = errors.Join(err, d.Settle(bg, "all", e.Localpart, []Outcome{{DeviceID: i.DeviceID}}))
		}
	}
	return err
}

// An announcement refuses what the login would be refused for, and spends nothing.
func TestAnnounceRefuses(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	behindIt(t, d)
	day := t0.Add(24 * time.Hour)
	l := Login{ID: "one", Localpart: "alice", DeviceID: "A", At: t0, KeyID: 1, LoginToken: "token",
		LoginTokenExpires: day}
	for range 2 {
		if _, err := d.Announce(bg, l, day); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.StartSession(bg, l); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t)
	_, err := d.Announce(bg, l, day)
	if !errors.Is(err, ErrTokenSpent) {
		t.Errorf("spent: %v", err)
	}
	wrong := aLogin("two", "B")
	wrong.PasswordHash = "other"
	if _, err := d.Announce(bg, wrong, day); !errors.Is(err, ErrConflict) {
		t.Errorf("another password: %v", err)
	}
	if err := errors.Join(d.LockUser(bg, "alice", t0), d.clear()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Announce(bg, aLogin("three", "C"), day); !errors.Is(err, ErrLocked) {
		t.Errorf("locked: %v", err)
	}
	d.wantWaiting(t)
}

// What was announced and did not come about is the sender's: at once when it is recalled, and by itself when nobody is
// left to do that.
func TestAnnouncementLapses(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path})
	behindIt(t, d)
	due := t0.Add(30 * time.Second)
	for _, id := range []string{"one", "two"} {
		if _, err := d.Announce(bg, aLogin(id, id), due); err != nil {
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
		errands, err := d.Claim(bg, "h", at, t0, 9)
		if err != nil || len(errands) != 1 || len(errands[0].Items) != len(want) {
			t.Fatalf("at %v: %+v, %v", at, errands, err)
		}
		for _, i := range errands[0].Items {
			if i.Known || !slices.Contains(want, i.DeviceID) {
				t.Errorf("at %v: %+v", at, i)
			}
		}
		_ = d.Settle(bg, "h", "alice",
			[]Outcome{{DeviceID: "one", Err: errors.New("x"), Due: t0},
				{DeviceID: "two", Err: errors.New("x"), Due: due}})
	}
	if _, err := d.Announce(bg, aLogin("three", "three"), due); err != nil {
		t.Fatal(err)
	}
	if err := d.Resume(bg); err != nil { // as the next start of the only server does
		t.Fatal(err)
	}
	errands, err := d.Claim(bg, "i", t0, due, 9)
	third := len(errands) == 1 && slices.ContainsFunc(errands[0].Items,
		func(i Item) bool { return i.DeviceID == "three" })
	if err != nil || third == d.Shared() { // another server may be about to begin it
		t.Errorf("after a start: %+v, %v", errands, err)
	}
}

// Whoever registers tells the homeserver at once, and clears just what nothing happened to.
func TestRegisterIsAnnounced(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	behindIt(t, d)
	l := aLogin("first", "F")
	r := Registration{Localpart: "bob", PasswordHash: "h", At: t0, Login: &l, Name: "reg", Until: t0.Add(time.Minute)}
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

// What people do now does not wait for a large import, and looking for what is due costs the same however much waits.
func TestNewestFirst(t *testing.T) {
	t.Parallel()
	now := t0
	d := freshAt(t, Config{DSN: dsn(t), now: func() time.Time { now = now.Add(time.Second); return now }})
	behindIt(t, d)
	var many []User
	for i := range 3 * maxErrand {
		many = append(many, User{Localpart: fmt.Sprint("user", i), Created: t0})
	}
	if _, _, err := d.importUsers(many); err != nil {
		t.Fatal(err)
	}
	login(t, d, "one", "A")
	errands, err := d.Claim(bg, "first", t0, t0.Add(time.Minute), 2)
	if err != nil || len(errands) != 2 || errands[0].Localpart != "alice" {
		t.Errorf("%+v, %v", errands, err)
	}
	for n := range 2 * maxErrand {
		if _, err := d.StartSession(bg, aLogin(fmt.Sprint("s", n), fmt.Sprint("D", n))); err != nil {
			t.Fatal(err)
		}
	}
	if errands, err = d.Claim(bg, "second", t0, t0.Add(time.Minute), 8); err != nil || len(errands) != 8 ||
		errands[0].Localpart == "alice" {
		t.Errorf("beside the first: %+v, %v", errands, err)
	}
	if err := d.Settle(bg, "first", "alice", []Outcome{{DeviceID: "A"}}); err != nil {
		t.Fatal(err)
	}
	errands, err = d.Claim(bg, "third", t0, t0.Add(time.Minute), 8)
	if err != nil || errands[0].Localpart != "alice" || len(errands[0].Items) != maxErrand {
		t.Errorf("of many devices: %d errands, %v", len(errands), err)
	}
}

// BenchmarkClaim is one look at an outbox in which 100,000 accounts wait.
func BenchmarkClaim(b *testing.B) {
	d := fresh(b)
	if err := d.SetBehind(bg, "http://127.0.0.1:8008"); err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		var many []User
		for j := range 1000 {
			many = append(many, User{Localpart: fmt.Sprint("user", i, "-", j), Created: t0})
		}
		if _, _, err := d.importUsers(many); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		errands, err := d.Claim(bg, "holder", t0, t0.Add(time.Minute), 8)
		if err != nil || len(errands) != 8 {
			b.Fatal(len(errands), err)
		}
		for _, e := range errands {
			if err := d.Settle(bg, "holder", e.Localpart, []Outcome{{DeviceID: ""}}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
