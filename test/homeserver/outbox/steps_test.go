package outbox

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"postern/test/rig/fakesynapse"
)

// Postern is killed in the moment when each of the calls arrives: in the midst of a login, and after a logout or a
// deactivation was committed, before the homeserver's answer to it. The homeserver obeys the call; its answer is lost.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, call string
		do         func(h *installation, token string)
		want       []string // devices in the end
		spared     []string // those that only the homeserver has
	}{
		{"a login on a new device", "upsert_device alice ", func(h *installation, _ string) { h.login("alice", "") }, []string{"alice OLD"}, nil},
		{"a login on a device of which only the client knows", "upsert_device alice NAMED", func(h *installation, _ string) { h.login("alice", "NAMED") },
			[]string{"alice OLD"}, []string{"alice NAMED"}},
		{"a login on a known device", "upsert_device alice OLD", func(h *installation, _ string) { h.login("alice", "OLD") }, []string{"alice OLD"}, nil},
		{"a first login", "provision_user bob", func(h *installation, _ string) { h.login("bob", "NEW") }, []string{"alice OLD"}, nil},
		{"a logout", "delete_device alice OLD", func(h *installation, token string) { h.ask("POST", "logout", token, "{}") }, []string{}, nil},
		{"a deactivation", "delete_user alice", func(h *installation, _ string) { h.command("", "user", "deactivate", "alice") }, []string{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			there := fakesynapse.New(t, secret)
			h := newInstallation(t, there.URL, "alice")
			token, status := h.login("alice", "OLD")
			if status != 200 {
				t.Fatalf("login answers %d", status)
			}
			// until bob is on his way: the command line's news of him is not the call that is waited for
			there.Be(fakesynapse.Away)
			if strings.HasSuffix(c.call, "bob") {
				h.command(password, "user", "add", "bob", "--password-stdin")
			}
			killed := make(chan struct{})
			var once sync.Once
			there.Before(func(call string) {
				if strings.HasPrefix(call, c.call) {
					once.Do(func() {
						h.kill()
						close(killed)
					})
				}
			})
			there.Be(fakesynapse.Well)
			c.do(h, token)
			<-killed
			there.Before(nil)
			h.start()
			h.settle()
			if got := there.Devices(); !slices.Equal(got, slices.Concat(c.spared, c.want)) ||
				!slices.Equal(h.sessions(), c.want) {
				t.Errorf("the homeserver has %q and Postern %q, want %q", got, h.sessions(), c.want)
			}
		})
	}
}

// What was done while the homeserver was away, and before Postern was killed, is told at the next start; the command
// line lists it until then.
func TestKilledBeforeItWasTold(t *testing.T) {
	t.Parallel()
	there := fakesynapse.New(t, secret)
	h := newInstallation(t, there.URL, "alice", "bob")
	token, _ := h.login("alice", "A")
	h.login("bob", "B")
	there.Be(fakesynapse.Away)
	if status, _ := h.ask("POST", "logout", token, "{}"); status != 200 {
		t.Fatalf("logout answers %d", status)
	}
	h.command("", "session", "end", "--user", "bob")
	h.command("", "user", "lock", "bob")
	if _, status := h.login("alice", "A"); status != 503 {
		t.Errorf("login answers %d", status)
	}
	h.kill()
	said := h.command("", "synapse", "outbox")
	for _, want := range []string{"USER", "@alice:localhost  A", "@bob:localhost    B", "@bob:localhost    -"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	there.Be(fakesynapse.Well)
	h.start()
	h.settle()
	if got := there.Devices(); len(got) > 0 || !there.User("bob").Locked {
		t.Errorf("the homeserver has %q and %+v", got, there.User("bob"))
	}
}
