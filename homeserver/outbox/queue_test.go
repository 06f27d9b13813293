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

// due is when a claim of t0 ends.
var due = t0.Add(30 * time.Second)

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
		d.EndDevice(bg, "alice", "none"), d.RenameDevice(bg, "alice", "none", "x"), d.Queue.Reactivate(bg, "nobody"))
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

// claimLogin claims a device for a login at t0.
func (d base) claimLogin(id, device string) error {
	_, err := d.ClaimLogin(bg, aLogin(id, device), false, t0, due)
	return err
}

// A login that has claimed its device, and to which nothing happened, clears the row; in any other case the row stays.
func TestClaimLogin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, between func(d base) error // of the claim and the begin
		known           bool
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
		"another login claims the device when the time is over": {untold: true, between: func(d base) error {
			_, err := d.ClaimLogin(bg, aLogin("two", "A"), false, due.Add(time.Millisecond), due.Add(time.Hour))
			return err
		}},
		"nobody knows what a sender said whose time is over": {untold: true, before: func(d base) error {
			_, err := d.StartSession(bg, aLogin("zero", "A"))
			err = errors.Join(err, d.EndSession(bg, "zero"))
			_, err2 := d.Claim(bg, "killed", t0.Add(-time.Hour), t0.Add(-time.Minute), 9)
			return errors.Join(err, err2)
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
			replaced, err := d.ClaimLogin(bg, aLogin("one", "A"), false, t0, due)
			if err != nil || replaced.Exists != c.known {
				t.Fatalf("%+v, %v", replaced, err)
			}
			if now, next, err := d.Due(bg, t0); err != nil || now || !next.Equal(due) {
				t.Errorf("a claim is due at %v (%v), %v", next, now, err)
			}
			if err := d.claimLogin("other", "A"); !errors.Is(err, ErrBusy) {
				t.Errorf("another claim: %v", err)
			}
			if c.between != nil {
				if err := c.between(d); err != nil {
					t.Fatal(err)
				}
			}
			// nobody else tells of the device meanwhile
			if accounts, err := d.Claim(bg, "sender", t0, due, 9); err != nil || len(accounts) > 0 {
				t.Errorf("%+v, %v", accounts, err)
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

// A login waits for a sender that is telling of the same device, and for no other.
func TestClaimLoginWaitsForTheSender(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	withHomeserver(t, d)
	login(t, d, "zero", "A")
	if err := d.EndSession(bg, "zero"); err != nil {
		t.Fatal(err)
	}
	if accounts, err := d.Claim(bg, "sender", t0, due, 9); err != nil || len(accounts) != 1 {
		t.Fatalf("%+v, %v", accounts, err)
	}
	for _, err := range []error{d.claimLogin("one", "A"), d.Take(bg, "two", "alice", "A", t0, due)} {
		if !errors.Is(err, ErrBusy) {
			t.Errorf("a second claim: %v", err)
		}
	}
	d.wantWaiting(t, "alice A")
	if err := d.claimLogin("three", "B"); err != nil {
		t.Error(err)
	}
	if err := d.Settle(bg, "sender", "alice", []Outcome{{DeviceID: "A"}}); err != nil {
		t.Fatal(err)
	}
	if err := d.claimLogin("four", "A"); err != nil {
		t.Error(err)
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

// A claim is refused what the login would be refused for, and spends nothing.
func TestClaimLoginRefuses(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	withHomeserver(t, d)
	day := t0.Add(24 * time.Hour)
	l := db.Login{ID: "one", Localpart: "alice", DeviceID: "A", At: t0, KeyID: 1, LoginToken: "token",
		LoginTokenExpires: day}
	if _, err := d.ClaimLogin(bg, l, false, t0, day); err != nil {
		t.Fatal(err)
	}
	if _, err := d.StartSession(bg, l); err != nil {
		t.Fatal(err)
	}
	d.wantWaiting(t)
	_, err := d.ClaimLogin(bg, l, false, t0, day)
	if !errors.Is(err, db.ErrTokenSpent) {
		t.Errorf("spent: %v", err)
	}
	wrong := aLogin("two", "B")
	wrong.PasswordHash = "other"
	if _, err := d.ClaimLogin(bg, wrong, false, t0, day); !errors.Is(err, db.ErrConflict) {
		t.Errorf("another password: %v", err)
	}
	if err := errors.Join(d.LockUser(bg, "alice", t0), d.clear()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ClaimLogin(bg, aLogin("three", "C"), false, t0, day); !errors.Is(err, db.ErrLocked) {
		t.Errorf("locked: %v", err)
	}
	d.wantWaiting(t)
}

// What was claimed and did not come about is the sender's: at once when it is settled so, and by itself when nobody is
// left to do that.
func TestClaimLapses(t *testing.T) {
	t.Parallel()
	path := dbtest.DSN(t)
	d := freshAt(t, path)
	withHomeserver(t, d)
	if err := errors.Join(d.claimLogin("one", "A"), d.claimLogin("two", "B")); err != nil {
		t.Fatal(err)
	}
	if err := d.Settle(bg, "one", "alice", []Outcome{{DeviceID: "A", Err: errors.New("away")}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   time.Time
		want []string
	}{{t0, nil}, {due.Add(time.Millisecond), []string{"A", "B"}}} { // of one account nothing is told by two
		accounts, err := d.Claim(bg, "sender", c.at, c.at, 9)
		var got []string
		for _, a := range accounts {
			for _, row := range a.Rows {
				if got = append(got, row.DeviceID); row.HasSession {
					t.Errorf("at %v: %+v", c.at, row)
				}
			}
		}
		if slices.Sort(got); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("at %v: %q, %v", c.at, got, err)
		}
	}
	if err := errors.Join(d.clear(), d.claimLogin("three", "C")); err != nil {
		t.Fatal(err)
	}
	if err := d.Resume(bg); err != nil { // as the next start of the only server does
		t.Fatal(err)
	}
	accounts, err := d.Claim(bg, "sender", t0, due, 9)
	third := len(accounts) == 1 && slices.ContainsFunc(accounts[0].Rows, func(r Row) bool { return r.DeviceID == "C" })
	if err != nil || third == d.Shared() { // another server may be about to begin it
		t.Errorf("after a start: %+v, %v", accounts, err)
	}
}

// Whoever registers tells the homeserver at once, and clears just what nothing happened to.
func TestClaimRegistration(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	withHomeserver(t, d)
	l := aLogin("first", "F")
	r := db.Registration{Localpart: "bob", PasswordHash: "h", At: t0, Login: &l}
	d.ClaimRegistration(&r, "reg", t0.Add(time.Minute))
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
	if err := d.Settle(bg, "reg", "bob", []Outcome{{}, {DeviceID: "F"}}); err != nil {
		t.Error(err)
	}
	d.wantWaiting(t, "bob F")
}
