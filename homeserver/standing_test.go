package homeserver

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"postern/db"
	"postern/homeserver/outbox"
	"postern/test/rig/fakesynapse"
)

// disowned has a refusal of a good token looked into, and gives the session's state after it; db.Session{} if it ended.
func (b *behind) disowned(token string) db.Session {
	b.Helper()
	before, err := b.server.SessionOf(b.Context(), token)
	b.must(err)
	b.gate.Disowned(httptest.NewRequestWithContext(b.Context(), "GET", "/_matrix/client/v3/sync", http.NoBody), token)
	after, err := b.db.Device(b.Context(), before.Localpart, before.DeviceID)
	if !errors.Is(err, db.ErrNotFound) {
		b.must(err)
	}
	return after
}

// What the homeserver was not told of it is told; what it was told of and does not have any more ends; and nothing
// happens while it cannot be asked, or only remembers something.
func TestDisowned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do      func(b *behind)
		state   db.State
		waiting int
	}{
		"it is there": {do: func(*behind) {}, state: db.Live},
		"the device is gone": {do: func(b *behind) { b.there.Drop("alice", "A") },
			state: db.Soft},
		"a device of which it was not told": {do: func(b *behind) {
			b.there.Drop("alice", "A")
			b.must(b.db.RenameDevice(b.Context(), "alice", "A", "phone"))
		}, state: db.Live, waiting: 1},
		"the user is gone": {do: func(b *behind) { b.there.Lose("alice") }, state: db.Live, waiting: 1},
		"the user is deactivated": {do: func(b *behind) { b.there.Deactivate("alice") },
			waiting: 2},
		"the user is deactivated, and was reactivated here": {do: func(b *behind) {
			b.there.Deactivate("alice")
			b.must(b.queue.Reactivate(b.Context(), "alice"))
		}, state: db.Soft, waiting: 1},
		"it is away": {do: func(b *behind) {
			b.there.Drop("alice", "A")
			b.there.Be(fakesynapse.Away)
		}, state: db.Live},
		"it fails": {do: func(b *behind) {
			b.there.Drop("alice", "A")
			b.there.Be(fakesynapse.Failing)
		}, state: db.Live},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBehind(t)
			token := b.ok(b.login(`"device_id":"A"`)).Text("access_token")
			c.do(b)
			if s := b.disowned(token); s.State != c.state {
				t.Errorf("the session is %q, want %q", s.State, c.state)
			}
			events, err := b.db.Events(t.Context(), "alice", 10)
			gone := slices.ContainsFunc(events,
				func(e db.Event) bool { return e.Kind == db.EventDeviceGone && e.DeviceID == "A" })
			if b.must(err); gone != (c.state == db.Soft) {
				t.Errorf("events: %+v", events)
			}
			if n, err := b.queue.Size(t.Context()); err != nil || n != c.waiting {
				t.Errorf("%d wait, want %d: %v", n, c.waiting, err)
			}
		})
	}
}

// A login to an account that is deactivated there is refused, and the account is deactivated here.
func TestLoginOfTheDeactivated(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	other := b.ok(b.login(`"device_id":"A"`)).Text("access_token")
	b.there.Deactivate("alice")
	for _, device := range []string{"A", "B"} {
		b.want(b.login(`"device_id":"`+device+`"`), http.StatusForbidden, "M_USER_DEACTIVATED")
	}
	b.want(b.whoami(other), http.StatusUnauthorized, "M_UNKNOWN_TOKEN")
	b.tell()
	b.same()
	if u := b.there.User("alice"); !u.Deactivated {
		t.Errorf("it has %+v", u)
	}
}

// What the homeserver refuses is told as its refusal: only a homeserver that is away is 503.
func TestRefusalIsToldAsOne(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	b.there.Add("Alice", "OLD") // it takes no second user of that name
	a := b.login("")
	b.want(a, http.StatusBadRequest, "M_USER_IN_USE")
	if a.Header.Get("Retry-After") != "" {
		t.Errorf("it asks to be tried again: %v", a.Header)
	}
	waiting, err := b.queue.List(t.Context())
	if b.must(err); len(waiting) != 1 {
		t.Errorf("these wait: %+v", waiting)
	}
	if sessions, err := b.db.Sessions(t.Context(), "alice"); err != nil || len(sessions) > 0 {
		t.Errorf("%+v, %v", sessions, err)
	}
}

// A name that Synapse takes in no query is asked for in another way.
func TestNameBeyondASCII(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	const name = "Ünïcode"
	b.there.Add(name, "OLD")
	b.must(b.db.CreateUser(t.Context(),
		db.User{Localpart: name, PasswordHash: b.hash("alice"), Created: b.clock.Now()}))
	b.ok(b.do(call{Method: "POST", Path: loginPath, Body: loginBody(name, password, `"device_id":"A"`)}))
	b.must(b.db.LockUser(t.Context(), name, b.clock.Now()))
	b.tell()
	if u := b.there.User(name); !u.Locked || len(u.Devices) != 2 {
		t.Errorf("it has %+v", u)
	}
	b.must(b.db.UnlockUser(t.Context(), name))
	_, err := b.db.Deactivate(t.Context(), name, b.clock.Now(), false)
	b.must(err)
	b.tell()
	if u := b.there.User(name); !u.Deactivated {
		t.Errorf("it has %+v", u)
	}
	b.must(b.queue.Reactivate(t.Context(), name))
	sender := outbox.New(outbox.Config{Queue: b.queue, Synapse: b.client, Log: b.server.Log, Now: b.clock.Now})
	sender.Start()
	for range 12_000 {
		if w, err := b.queue.List(t.Context()); err != nil || len(w) == 1 && w[0].Refused {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	sender.Close()
	if w, err := b.queue.List(t.Context()); err != nil || len(w) != 1 || !w[0].Refused {
		t.Errorf("what cannot be done is not said: %+v, %v", w, err)
	}
	b.there.Mended()
	b.clock.Step(time.Hour)
	b.tell()
	if u := b.there.User(name); u.Deactivated || u.Locked {
		t.Errorf("it has %+v", u)
	}
}

// TestForgotten: a homeserver that knows hardly anybody is on the wrong database, and is told nothing.
func TestForgotten(t *testing.T) {
	t.Parallel()
	var f forgotten
	now := time.Unix(1_800_000_000, 0)
	for i := range 3 * fewForgotten {
		if got := f.few(fmt.Sprint("user", i), now); got != (i < fewForgotten) {
			t.Errorf("user %d: %v", i, got)
		}
	}
	if f.few("user0", now) {
		t.Error("one of those that it had forgotten first is told again, while there are many")
	}
	if !f.few("user0", now.Add(2*forgottenLately)) {
		t.Error("an hour later it is still many")
	}
}
