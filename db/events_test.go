package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// events are those of some kinds, newest first.
func (d *DB) events(t *testing.T, localpart string, kinds ...string) (of []Event) {
	t.Helper()
	all, err := d.Events(bg, localpart, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if slices.Contains(kinds, e.Kind) {
			of = append(of, e)
		}
	}
	return of
}

// someone is an actor.
type someone Seen

func (s someone) Seen() Seen { return Seen(s) }

// Each fact leaves its events, with who asked for it; what fails, and what was so before, leaves none.
func TestEventsOfFacts(t *testing.T) {
	t.Parallel()
	now := t0.Add(time.Hour)
	who := someone{At: now, Addr: "203.0.113.5", Agent: "Browser"}
	ctx := By(bg, who)
	ignoring := func(_ any, err error) error { return err }
	for _, test := range []struct {
		name   string
		before func(d *DB) error
		do     func(d *DB) error
		fails  error
		want   string // kind device session, separated by commas
	}{
		{"a login", nil, func(d *DB) error { return ignoring(d.StartSession(ctx, loginOf("two", "B"))) }, nil,
			"login B two,new_device B two"},
		{"a login on a known device", nil,
			func(d *DB) error { return ignoring(d.StartSession(ctx, loginOf("two", "A"))) }, nil, "login A two"},
		{"a login that is refused", nil, func(d *DB) error {
			l := loginOf("two", "B")
			l.PasswordHash = "another"
			return ignoring(d.StartSession(ctx, l))
		}, ErrConflict, ""},
		{"a logout", nil, func(d *DB) error { return d.EndSession(ctx, "one") }, nil, "logout A one"},
		{"a logout of nothing", nil, func(d *DB) error { return d.EndSession(ctx, "none") }, ErrNotFound, ""},
		{"a logout everywhere", also("two", "B"), func(d *DB) error { return ignoring(d.EndSessions(ctx, "alice")) },
			nil, "logout A one,logout B two"},
		{"a device deleted", also("two", "B"),
			func(d *DB) error { return ignoring(d.EndDevices(ctx, "alice", []string{"B", "C"})) }, nil, "logout B two"},
		{"a bot's token", bell, func(d *DB) error { return d.EndSession(ctx, "bell") }, nil, "token_ended B bell"},
		{"a bot's device", bell, func(d *DB) error { return d.EndDevice(ctx, "alice", "B") }, nil, "token_ended B bell"},
		{"all, with a bot's", bell, func(d *DB) error { return ignoring(d.EndSessions(ctx, "alice")) }, nil,
			"logout A one,token_ended B bell"},
		{"all others, with a bot's", bell, func(d *DB) error { return ignoring(d.EndOthers(ctx, "alice", "")) }, nil,
			"logout A one,token_ended B bell"},
		{"a browser", nil, func(d *DB) error {
			return d.AddBrowser(ctx, Browser{ID: "b", Localpart: "alice", Since: Seen(who)}, "hash", false)
		}, nil, "browser_signed_in  b"},
		{"a browser with another password", nil, func(d *DB) error {
			return d.AddBrowser(ctx, Browser{ID: "b", Localpart: "alice", Since: Seen(who)}, "another", false)
		}, ErrConflict, ""},
		{"another id of a browser", nil, func(d *DB) error {
			return d.AddBrowser(ctx, Browser{ID: "b", Localpart: "alice", Since: Seen(who), Again: true}, "hash", false)
		}, nil, ""},
		{"a password change", also("two", "B"), func(d *DB) error {
			return ignoring(d.ChangePassword(ctx, PasswordChange{Localpart: "alice", OldHash: "hash", Hash: "new",
				Keep: "one", EndOthers: true}))
		}, nil, "password_changed A one,logout B two"},
		{"a password change that fails", nil, func(d *DB) error {
			return ignoring(d.ChangePassword(ctx, PasswordChange{Localpart: "alice", OldHash: "another", Hash: "new"}))
		}, ErrConflict, ""},
		{"a lock", nil, func(d *DB) error { return d.LockUser(ctx, "alice", now) }, nil, "locked  "},
		{"a second lock", func(d *DB) error { return d.LockUser(bg, "alice", t0) },
			func(d *DB) error { return d.LockUser(ctx, "alice", now) }, nil, ""},
		{"the same lock again", func(d *DB) error { return d.LockUser(bg, "alice", now) },
			func(d *DB) error { return d.LockUser(ctx, "alice", now) }, nil, ""},
		{"an unlock", func(d *DB) error { return d.LockUser(bg, "alice", t0) },
			func(d *DB) error { return d.UnlockUser(ctx, "alice") }, nil, "unlocked  "},
		{"an unlock of what is open", nil, func(d *DB) error { return d.UnlockUser(ctx, "alice") }, nil, ""},
		{"a deactivation", nil, func(d *DB) error { return ignoring(d.Deactivate(ctx, "alice", now, false)) }, nil,
			"deactivated  ,logout A one"},
		{"a second deactivation", func(d *DB) error { return ignoring(d.Deactivate(bg, "alice", t0, false)) },
			func(d *DB) error { return ignoring(d.Deactivate(ctx, "alice", now, false)) }, nil, ""},
		{"the same deactivation again", func(d *DB) error { return ignoring(d.Deactivate(bg, "alice", now, false)) },
			func(d *DB) error { return ignoring(d.Deactivate(ctx, "alice", now, true)) }, nil, ""},
		{"a reactivation", func(d *DB) error { return ignoring(d.Deactivate(bg, "alice", t0, false)) },
			func(d *DB) error { return d.Reactivate(ctx, "alice") }, nil, "reactivated  "},
		{"a reactivation of what is open", nil, func(d *DB) error { return d.Reactivate(ctx, "alice") }, nil, ""},
		{"an account", nil, func(d *DB) error { return d.CreateUser(ctx, User{Localpart: "bob", Created: now}) }, nil,
			"created  "},
		{"an account there is", nil,
			func(d *DB) error { return d.CreateUser(ctx, User{Localpart: "alice", Created: now}) }, ErrConflict, ""},
		{"a registration", nil, func(d *DB) error {
			l := loginOf("two", "B")
			return ignoring(d.Register(ctx, Registration{Localpart: "bob", At: now, Login: &l}))
		}, nil, "created  ,login B two,new_device B two"},
		{"an invitation", nil,
			func(d *DB) error {
				return d.AddRegistrationToken(ctx, RegistrationToken{Token: "secret", Created: now})
			},
			nil, "invited  "},
		{"an invitation revoked",
			func(d *DB) error { return d.AddRegistrationToken(bg, RegistrationToken{Token: "s"}) },
			func(d *DB) error { return d.RevokeRegistrationToken(ctx, "s", now) }, nil, "invite_revoked  "},
		{"an invitation revoked twice", func(d *DB) error {
			return errors.Join(d.AddRegistrationToken(bg, RegistrationToken{Token: "s"}),
				d.RevokeRegistrationToken(bg, "s", now))
		}, func(d *DB) error { return d.RevokeRegistrationToken(ctx, "s", now) }, nil, ""},
		{"a name that a device has", nil,
			func(d *DB) error { return d.RenameDevice(ctx, "alice", "A", "name of one") }, nil, ""},
		{"a refresh", nil, func(d *DB) error { return ignoring(d.AdvanceGeneration(ctx, refresh("one", 1))) }, nil, ""},
	} {
		d := fresh(t)
		login(t, d, "one", "A")
		if test.before != nil {
			if err := test.before(d); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Write(bg, func(t *Tx) error { return t.Exec("DELETE FROM events") }); err != nil {
			t.Fatal(err)
		}
		if err := test.do(d); !errors.Is(err, test.fails) {
			t.Errorf("%s: %v", test.name, err)
		}
		all, err := d.Events(bg, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range all {
			got = append(got, fmt.Sprint(e.Kind, " ", e.DeviceID, " ", e.Session))
			if e.At != now || e.Addr != who.Addr || e.Agent != who.Agent {
				t.Errorf("%s: %+v is not by %+v", test.name, e, who)
			}
		}
		slices.Sort(got)
		want := strings.FieldsFunc(test.want, func(r rune) bool { return r == ',' })
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("%s leaves %q, want %q", test.name, got, want)
		}
	}
}

// loginOf is a login an hour after t0, by the same one as the actor.
func loginOf(id, device string) Login {
	return Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: device, At: t0.Add(time.Hour), KeyID: 1,
		Refreshable: true, Seen: Seen{At: t0.Add(time.Hour), Addr: "203.0.113.5", Agent: "Browser"}}
}

func also(id, device string) func(d *DB) error {
	return func(d *DB) error {
		_, err := d.StartSession(bg, loginOf(id, device))
		return err
	}
}

func bell(d *DB) error {
	_, err := bot(d, "bell", "B")
	return err
}

// A write that nobody has put an actor to is recorded at its time, and what an actor says of itself is clipped to what
// every engine stores.
func TestEventsWithoutActor(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	began := time.Now().Truncate(time.Millisecond)
	if err := errors.Join(d.LockUser(bg, "alice", t0), d.UnlockUser(bg, "alice")); err != nil {
		t.Fatal(err)
	}
	if got := d.events(t, "alice", EventUnlocked); len(got) != 1 || got[0].At.Before(began) || got[0].Agent != "" {
		t.Errorf("%+v", got)
	}
	odd := By(context.Background(), someone{At: t0, Agent: "a\x00b\xff" + strings.Repeat("x", 1000)})
	if err := d.EndSession(odd, "one"); err != nil {
		t.Fatal(err)
	}
	if got := d.events(t, "alice", EventLogout); len(got) != 1 || !strings.HasPrefix(got[0].Agent, "abx") ||
		len(got[0].Agent) > 256 {
		t.Errorf("%+v", got)
	}
}

// An event stands and falls with what it tells of.
func TestEventFallsWithItsFact(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	d := freshAt(t, Config{DSN: dsn(t), Follow: func(t *Tx, _, _ string) error {
		if full.Load() {
			return errors.Join(t.Record(Event{Kind: "lost"}), errors.New("the disk is full"))
		}
		return nil
	}})
	full.Store(true)
	before := d.count(t, "events")
	if err := d.LockUser(bg, "alice", t0); err == nil {
		t.Fatal("it is locked")
	}
	if n := d.count(t, "events"); n != before {
		t.Errorf("%d events of what did not happen", n-before)
	}
}

// However often an account logs in, its events stay bounded, the newest stay, and nobody else's go for them.
func TestTidyCrowdedEvents(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	const many, most = 450, 120
	err := d.Write(bg, func(t *Tx) (err error) {
		for i := range many {
			err = errors.Join(err, t.Record(Event{At: t0.Add(time.Duration(i) * time.Second), Kind: EventLogin,
				Localpart: "mallory", Session: fmt.Sprint("s", i), Agent: "x"}))
		}
		return errors.Join(err, t.Record(Event{At: t0.Add(-time.Hour), Kind: EventLogin, Localpart: "bob", Agent: "x"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	done, err := d.Tidy(bg, t0.Add(time.Hour), TidyConfig{MaxEvents: most, Pause: 1})
	if err != nil || done.Events != many-most {
		t.Errorf("%d went, want %d: %v", done.Events, many-most, err)
	}
	left := d.events(t, "mallory", EventLogin)
	if len(left) != most || left[0].Session != fmt.Sprint("s", many-1) ||
		left[most-1].Session != fmt.Sprint("s", many-most) {
		t.Errorf("%d are left, from %+v to %+v", len(left), left[0], left[len(left)-1])
	}
	if len(d.events(t, "bob", EventLogin)) != 1 {
		t.Error("bob's went")
	}
	done, err = d.Tidy(bg, t0.Add(time.Hour), TidyConfig{MaxEvents: most, Pause: 1})
	if err != nil || done.Events != 0 {
		t.Errorf("%d went the second time: %v", done.Events, err)
	}
}

// TestRecordHourly: however often something is so, and by however many goroutines, it is an event once an hour, by each
// kind. One that could not be written is tried in an hour.
func TestRecordHourly(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	record := func(kind string, now time.Time, want int) {
		t.Helper()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := d.RecordHourly(bg, kind, now); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := d.events(t, "", kind); len(got) != want {
			t.Errorf("at %s %s has been %d events, want %d", now, kind, len(got), want)
		}
	}
	record(EventMail, t0, 1)
	record(EventOutbox, t0.Add(time.Minute), 1)
	record(EventMail, t0.Add(time.Hour-time.Millisecond), 1)
	record(EventMail, t0.Add(time.Hour), 2)
	record(EventOutbox, t0.Add(time.Hour), 1)
	record(EventMail, t0.Add(-time.Minute), 3) // the clock was set back by more than an hour
	record(EventMail, t0, 3)

	gone, cancel := context.WithCancel(bg)
	cancel()
	if err := d.RecordHourly(gone, EventFlood, t0); err == nil {
		t.Error("it is written after its time")
	}
	record(EventFlood, t0.Add(time.Minute), 0)
	record(EventFlood, t0.Add(time.Hour), 1)
}
