package homeserver

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"postern/test/rig/fakesynapse"
)

func (b *behind) register(extra string) answer {
	b.Helper()
	return b.do(call{Method: "POST", Path: "/_matrix/client/v3/register",
		Body: `{"auth":{"type":"m.login.dummy"},"password":"correct horse"` + extra + `}`})
}

// Whoever registers is known there before the answer, and nobody becomes somebody who is known there already.
func TestRegisterTellsTheHomeserver(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	b.there.Add("old", "KEYS")
	b.ok(b.register(`,"username":"carol","device_id":"C","initial_device_display_name":"phone"`))
	b.ok(b.register(`,"username":"dora","inhibit_login":true`))
	b.ok(b.register(""))
	if c, d := b.there.User("carol"), b.there.User("dora"); c == nil || d == nil || c.Devices["C"].Name != "phone" ||
		len(d.Devices) > 0 {
		t.Errorf("it has %+v and %+v", c, d)
	}
	if n, err := b.db.OutboxSize(t.Context()); err != nil || n > 0 {
		t.Errorf("%d wait, %v", n, err)
	}
	b.want(b.register(`,"username":"old"`), http.StatusBadRequest, "M_USER_IN_USE")
	b.want(b.register(`,"username":"OLD"`), http.StatusBadRequest, "M_USER_IN_USE")
	b.want(b.register(`,"username":"123"`), http.StatusBadRequest, "M_INVALID_USERNAME")
	b.want(b.do(call{Method: "GET", Path: "/_matrix/client/v3/register/available?username=old"}), http.StatusBadRequest,
		"M_USER_IN_USE")
	if _, err := b.db.User(t.Context(), "old"); err == nil {
		t.Error("there is an account of that name")
	}
}

func TestRegisterWithoutHomeserver(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, b *behind, mode fakesynapse.Mode) {
		b.there.Be(mode)
		for _, extra := range []string{`,"username":"carol"`, `,"username":"carol","inhibit_login":true`, ""} {
			b.want(b.register(extra), http.StatusServiceUnavailable, "M_UNKNOWN")
		}
		if users, err := b.db.Users(t.Context()); err != nil || len(users) != 2 {
			t.Errorf("%+v, %v", users, err)
		}
		b.there.Be(fakesynapse.Well)
		b.tell()
		b.ok(b.register(`,"username":"carol"`))
		b.same()
	})
}

// The homeserver goes between the question for the name and the news of the account: the account is made, the same
// registration finds it, and the homeserver hears of it.
func TestRegisterAndThenAway(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string]string{"with a login": "", "without": `,"inhibit_login":true`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBehind(t)
			provision := b.peer.Provision
			b.peer.Provision = func(ctx context.Context, localpart, deviceID, name string) error {
				b.there.Be(fakesynapse.Away)
				return provision(ctx, localpart, deviceID, name)
			}
			first := b.do(call{Method: "POST", Path: "/_matrix/client/v3/register",
				Body: `{"username":"carol","password":"correct horse"` + extra + `}`})
			again := call{Method: "POST", Path: "/_matrix/client/v3/register",
				Body: `{"auth":{"type":"m.login.dummy","session":"` + first.Text("session") + `"}}`}
			a := b.do(again)
			b.want(a, http.StatusServiceUnavailable, "M_UNKNOWN")
			if !strings.Contains(a.Text("error"), "is made") {
				t.Errorf("%s", a.Raw)
			}
			b.want(b.do(again), http.StatusServiceUnavailable, "M_UNKNOWN")
			b.there.Be(fakesynapse.Well)
			b.peer.Provision = provision
			b.ok(b.do(again))
			b.same()
			b.tell()
			b.same()
			if b.there.User("carol") == nil {
				t.Error("it does not know carol")
			}
		})
	}
}
