package homeserver

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/handlers"
	"postern/homeserver/outbox"
	"postern/homeserver/synapse"
	"postern/test/rig/fakesynapse"
)

// behind is a site in front of a homeserver.
type behind struct {
	*site
	there  *fakesynapse.Server
	client *synapse.Client
	tells  *outbox.Sender
}

// newBehind makes one. The sender does not run yet: see tell.
func newBehind(t *testing.T, change ...func(*setup)) *behind {
	t.Helper()
	const secret = "the_secret_of_the_tests"
	b := &behind{there: fakesynapse.New(t, secret)}
	b.client = synapse.New(synapse.Config{URL: b.there.URL, Secret: secret, Timeout: 300 * time.Millisecond})
	b.site = newSite(t, append(change, func(c *setup) {
		b.tells = outbox.New(outbox.Config{Queue: c.there.Queue, Synapse: b.client, Log: c.Log, Now: c.Now})
		c.there = Config{Provision: b.tells.Provision, Available: b.tells.Available,
			User: b.tells.User, HasDevice: b.client.HasDevice, AllowReset: b.client.AllowCrossSigningReset}
	})...)
	b.must(b.queue.SetHomeserver(t.Context(), b.there.URL))
	t.Cleanup(func() {
		b.tells.Close()
		b.client.Close()
	})
	return b
}

// tell lets a sender run until nothing waits.
func (b *behind) tell() {
	b.Helper()
	sender := outbox.New(outbox.Config{Queue: b.queue, Synapse: b.client, Log: slog.New(slog.DiscardHandler),
		Now: b.clock.Now})
	sender.Start()
	defer sender.Close()
	for range 12_000 {
		n, err := b.queue.Size(b.Context())
		b.must(err)
		if n == 0 {
			return
		}
		b.clock.Step(time.Second)
		time.Sleep(5 * time.Millisecond)
	}
	all, err := b.queue.List(b.Context())
	b.Fatalf("these wait still: %+v, %v", all, err)
}

// same fails the test unless the homeserver has exactly the devices that have sessions, and nothing waits.
func (b *behind) same() {
	b.Helper()
	sessions, err := b.db.Sessions(b.Context(), "")
	b.must(err)
	want := []string{}
	for _, s := range sessions {
		want = append(want, s.Localpart+" "+s.DeviceID)
	}
	slices.Sort(want)
	if got := b.there.Devices(); !slices.Equal(got, want) {
		b.Errorf("the homeserver has %q, and there are sessions on %q", got, want)
	}
}

func (b *behind) wantCalls(want ...string) {
	b.Helper()
	if got := b.there.Calls(); !slices.Equal(got, want) {
		b.Errorf("the homeserver was called %q, want %q", got, want)
	}
}

// The homeserver knows the device before the client has its token: it is asked whether the user is open there, and one
// call tells it.
func TestLoginTellsTheHomeserver(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	b.ok(b.login(`"device_id":"A","initial_device_display_name":"phone"`))
	b.wantCalls("query_user alice", "upsert_device alice A", "provision_user alice", "upsert_device alice A")
	b.same()
	if d := b.there.User("alice").Devices["A"]; d.Name != "phone" {
		t.Errorf("it has %+v", d)
	}
	b.ok(b.login(`"device_id":"B"`))
	b.draftLogin()
	b.same()
	if calls := b.there.Calls(); len(calls) != 4 {
		t.Errorf("two logins make the calls %q", calls)
	}
	if n, err := b.queue.Size(t.Context()); err != nil || n > 0 {
		t.Errorf("%d wait, %v", n, err)
	}
}

// Nothing is told of who has not proved to be the user.
func TestWrongPasswordTellsNothing(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	b.want(b.do(call{Method: "POST", Path: "/_matrix/client/v3/login", Body: loginBody("alice", "wrong", "")}),
		http.StatusForbidden, "M_FORBIDDEN")
	b.want(b.do(call{Method: "POST", Path: "/_matrix/client/v3/login",
		Body: `{"type":"m.login.token","token":"wrong"}`}), http.StatusForbidden, "M_FORBIDDEN")
	b.must(b.db.LockUser(t.Context(), "alice", b.clock.Now()))
	b.want(b.login(""), http.StatusUnauthorized, "M_USER_LOCKED")
	b.wantCalls()
}

// A login on a known device keeps it there, with its keys and its name.
func TestLoginAgainKeepsTheDevice(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	b.ok(b.login(`"device_id":"A","initial_device_display_name":"phone"`))
	before := b.there.User("alice").Devices["A"]
	b.ok(b.login(`"device_id":"A","initial_device_display_name":"other"`))
	b.tell()
	if after := b.there.User("alice").Devices["A"]; after != before {
		t.Errorf("the device was %+v and is %+v", before, after)
	}
	b.same()
}

var faults = map[string]fakesynapse.Mode{"away": fakesynapse.Away, "slow": fakesynapse.Slow,
	"failing": fakesynapse.Failing, "cut off": fakesynapse.Cut}

// eachFault tries something with a homeserver for each of its faults, which it does not have yet.
func eachFault(t *testing.T, try func(t *testing.T, b *behind, mode fakesynapse.Mode)) {
	t.Helper()
	for name, mode := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(t, newBehind(t), mode)
		})
	}
}

// Without the homeserver nobody logs in, and nothing is left of the try on either side; with it everything is as if
// nothing had been.
func TestLoginWithoutHomeserver(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, b *behind, mode fakesynapse.Mode) {
		kept := b.ok(b.login(`"device_id":"KEPT"`))
		token := b.loginToken(kept)
		made := b.there.User("alice").Devices["KEPT"].Made
		b.there.Be(mode)
		for _, body := range []string{
			loginBody("alice", password, ""), loginBody("alice", password, `"device_id":"KEPT"`),
			loginBody("bob", password, ""), `{"type":"m.login.token","token":"` + token + `"}`,
		} {
			a := b.do(call{Method: "POST", Path: "/_matrix/client/v3/login", Body: body})
			b.want(a, http.StatusServiceUnavailable, "M_UNKNOWN")
			if a.Header.Get("Retry-After") == "" || !strings.Contains(a.Text("error"), "homeserver") {
				t.Errorf("%v %s", a.Header, a.Raw)
			}
		}
		sessions, err := b.db.Sessions(t.Context(), "")
		if b.must(err); len(sessions) != 1 {
			t.Errorf("sessions: %+v", sessions)
		}
		waiting, err := b.queue.List(t.Context())
		b.must(err)
		for _, w := range waiting { // for nothing but the homeserver
			if !w.Due.IsZero() {
				t.Errorf("%+v", w)
			}
		}
		b.ok(b.whoami(kept.Text("access_token")))
		b.there.Be(fakesynapse.Well)
		b.tell()
		b.same()
		if after := b.there.User("alice").Devices["KEPT"].Made; after != made {
			t.Error("the kept device lost its keys")
		}
		b.ok(b.do(call{Method: "POST", Path: "/_matrix/client/v3/login",
			Body: `{"type":"m.login.token","token":"` + token + `"}`}))
		b.same()
	})
}

// A device that only the homeserver has, since before Postern came, keeps its keys when a login on it fails.
func TestFailedLoginSparesTheDevice(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, b *behind, mode fakesynapse.Mode) {
		b.there.Add("alice", "OLD")
		made := b.there.User("alice").Devices["OLD"].Made
		b.there.Be(mode)
		b.want(b.login(`"device_id":"OLD"`), http.StatusServiceUnavailable, "M_UNKNOWN")
		b.there.Be(fakesynapse.Well)
		b.tell()
		if d := b.there.User("alice").Devices["OLD"]; d.Made != made {
			t.Fatalf("the device lost its keys: %+v", d)
		}
		old := b.ok(b.login(`"device_id":"OLD"`))
		if d := b.there.User("alice").Devices["OLD"]; d.Made != made {
			t.Errorf("the device lost its keys: %+v", d)
		}
		b.ok(b.logout(old.Text("access_token"))) // but that is meant
		b.tell()
		b.same()
	})
}

// loginToken is a login token of the operator's.
func (b *behind) loginToken(answer) string {
	b.Helper()
	ring, err := handlers.ReadKeyring(b.Context(), b.db, b.master)
	b.must(err)
	token, err := handlers.MintLoginToken(host, ring, "alice", "."+rand.Text(), b.clock.Now().Add(time.Hour))
	b.must(err)
	return token
}

// A logout needs nobody, and is told later.
func TestLogoutWithoutHomeserver(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, b *behind, mode fakesynapse.Mode) {
		one, two := b.ok(b.login("")), b.ok(b.login(""))
		b.there.Be(mode)
		b.ok(b.logout(one.Text("access_token")))
		b.want(b.whoami(one.Text("access_token")), http.StatusUnauthorized, "M_UNKNOWN_TOKEN")
		b.ok(b.whoami(two.Text("access_token")))
		b.there.Be(fakesynapse.Well)
		b.tell()
		b.same()
	})
}

// Whatever happens to a device while a login on it is on its way, in the end it is there.
func TestLoginMeetsLogout(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]bool{"the logout waits": false, "the logout was told": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBehind(t)
			old := b.ok(b.login(`"device_id":"A"`))
			var once sync.Once
			b.there.Before(func(c string) {
				if c == "upsert_device alice A" {
					once.Do(func() {
						b.ok(b.logout(old.Text("access_token")))
						if told {
							b.must(b.forced("delete_device alice A"))
						}
					})
				}
			})
			b.ok(b.login(`"device_id":"A"`))
			b.same() // already, and not only when everything was told
			b.tell()
			b.same()
		})
	}
}

// forced does what the sender does with one device that has no session, all in one moment.
func (b *behind) forced(string) error {
	errands, err := b.queue.Claim(b.Context(), "sender", b.clock.Now(), b.clock.Now().Add(time.Minute), 9)
	if err != nil {
		return err
	}
	for _, e := range errands {
		for _, i := range e.Rows {
			if i.HasSession {
				continue
			}
			if err := b.client.DeleteDevice(b.Context(), e.Localpart, i.DeviceID); err != nil {
				return err
			}
			if err := b.queue.Settle(b.Context(), "sender", e.Localpart,
				[]outbox.Outcome{{DeviceID: i.DeviceID}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// A login on a device whose end is just being told waits until that has arrived.
func TestLoginWaitsForTheSender(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	b.ok(b.logout(b.ok(b.login(`"device_id":"A"`)).Text("access_token")))
	errands, err := b.queue.Claim(t.Context(), "sender", b.clock.Now(), b.clock.Now().Add(time.Minute), 9)
	if b.must(err); len(errands) != 1 {
		t.Fatalf("%+v", errands)
	}
	b.there.Calls()
	done := make(chan answer)
	go func() { done <- b.login(`"device_id":"A"`) }()
	time.Sleep(50 * time.Millisecond) // more than it would need
	b.wantCalls()
	b.must(b.client.DeleteDevice(t.Context(), "alice", "A"))
	b.must(b.queue.Settle(t.Context(), "sender", "alice", []outbox.Outcome{{DeviceID: "A"}}))
	b.ok(<-done)
	b.wantCalls("delete_device alice A", "query_user alice", "upsert_device alice A")
	b.same()
	b.tell()
	b.same()
}

// What a sender that was killed has said may arrive late, after a login on the device: so that is told once more.
func TestLoginAfterTheSenderDied(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	b.ok(b.logout(b.ok(b.login(`"device_id":"A"`)).Text("access_token")))
	_, err := b.queue.Claim(t.Context(), "killed", b.clock.Now(), b.clock.Now().Add(time.Minute), 9)
	b.must(err)
	if b.db.Shared() {
		b.clock.Step(2 * time.Minute)
	}
	b.must(b.queue.Resume(t.Context()))
	b.ok(b.login(`"device_id":"A"`))
	b.must(b.client.DeleteDevice(t.Context(), "alice", "A"))
	b.tell()
	b.same()
}

// Who leaves and wants to be forgotten is, also if the homeserver was away; who only leaves is not.
func TestDeactivateErases(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{`"erase":true,`: true, `"erase":false,`: false, "": false} {
		b := newBehind(t)
		token := b.ok(b.login("")).Text("access_token")
		b.there.Be(fakesynapse.Away)
		b.ok(b.do(call{Method: "POST", Path: "/_matrix/client/v3/account/deactivate", Token: token,
			Body: `{` + body + `"auth":` + passwordStep("alice", password, "") + `}`}))
		b.there.Be(fakesynapse.Well)
		b.tell()
		if u := b.there.User("alice"); !u.Deactivated || u.Erased != want {
			t.Errorf("%s: it has %+v", body, u)
		}
	}
}

func (b *behind) hash(name string) string {
	b.Helper()
	u, err := b.db.User(b.Context(), name)
	b.must(err)
	return u.PasswordHash
}
