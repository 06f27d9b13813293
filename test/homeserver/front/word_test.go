package front

import (
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"postern/test/rig/synapse"
)

// admin is bob, who may administer Synapse.
func (s *pair) admin(t *testing.T) *person {
	t.Helper()
	s.Run(t, "", "user", "admin", "bob", "on")
	return s.login(t, "bob", "DESK")
}

// refusedLogin fails unless a login is refused so.
func (s *pair) refusedLogin(t *testing.T, name string, status int, code string) {
	t.Helper()
	got, answer := synapse.Try(t, "POST", s.Server.URL+"/_matrix/client/v3/login", "",
		map[string]any{"type": "m.login.password",
			"identifier": map[string]any{"type": "m.id.user", "user": name}, "password": password})
	if got != status || answer["errcode"] != code {
		t.Errorf("%s logs in: %d %v, want %d %s", name, got, answer, status, code)
	}
}

// settled waits until the homeserver has been told of everything.
func (s *pair) settled(t *testing.T) {
	t.Helper()
	var said string
	for range 1200 {
		if said = s.Run(t, "", "synapse", "outbox"); strings.Contains(said, "nothing waits") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("these wait still:\n%s", said)
}

// A user or a device that an administrator of Synapse changes is changed here too: at once where the request passes the
// front, and else when Synapse refuses what the client asks next, or when the user logs in.
func TestAdministrator(t *testing.T) {
	t.Parallel()
	for name, past := range map[string]bool{"through the front": false, "past the front": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPair(t, "--expose-admin")
			bob := s.admin(t)
			base := s.Server.URL
			if past {
				base = s.hs.URL
			}
			administer := func(method, path string, body any) {
				t.Helper()
				synapse.Call(t, method, base+"/_synapse/admin/"+path, bob.access, body)
			}
			const alice = "v2/users/@alice:home.test"
			one, two, three := s.login(t, "alice", "ONE"), s.login(t, "alice", "T/W O"), s.login(t, "alice", "THREE")
			for _, p := range []*person{one, two, three} {
				p.ok(t, "GET", syncing+"?timeout=0", nil)
			}
			administer("DELETE", alice+"/devices/"+url.PathEscape("T/W O"), nil)
			two.refused(t, "GET", syncing+"?timeout=0", 401, "M_UNKNOWN_TOKEN", true)
			administer("POST", alice+"/delete_devices", map[string]any{"devices": []string{"THREE", "NONE"}})
			three.refused(t, "GET", syncing+"?timeout=0", 401, "M_UNKNOWN_TOKEN", true)
			one.ok(t, "GET", syncing+"?timeout=0", nil)
			if events := s.Run(t, "", "session", "events"); strings.Count(events, "device_gone") != 2 {
				t.Errorf("events:\n%s", events)
			}
			// It is logged in to anew.
			s.login(t, "alice", "THREE").ok(t, "GET", syncing+"?timeout=0", nil)
			if !past { // of a lock Synapse itself says nothing
				administer("PUT", alice, map[string]any{"locked": true})
				one.refused(t, "GET", syncing+"?timeout=0", 401, "M_USER_LOCKED", true)
				administer("PUT", alice, map[string]any{"locked": false})
				one.ok(t, "GET", syncing+"?timeout=0", nil)
			}
			administer("PUT", alice, map[string]any{"deactivated": true})
			one.refused(t, "GET", syncing+"?timeout=0", 401, "M_UNKNOWN_TOKEN", false)
			s.refusedLogin(t, "alice", 403, "M_USER_DEACTIVATED")

			s.Run(t, password, "user", "add", "carol", "--password-stdin")
			s.settled(t)
			administer("POST", "v1/deactivate/@carol:home.test", map[string]any{"erase": true})
			s.refusedLogin(t, "carol", 403, "M_USER_DEACTIVATED")
			s.settled(t)
			// Synapse's word is not taken back by whatever else it is told of the account.
			s.Run(t, "", "user", "lock", "carol")
			s.Run(t, "", "user", "unlock", "carol")
			s.settled(t)
			u := synapse.Call(t, "GET", s.hs.URL+"/_synapse/admin/v2/users/@carol:home.test", bob.access, nil)
			if u["deactivated"] != true {
				t.Errorf("carol is open at Synapse: %v", u)
			}
			if list := s.Run(t, "", "user", "list"); strings.Count(list, "deactivated") != 2 {
				t.Errorf("accounts:\n%s", list)
			}
		})
	}
}

// refusal waits until Synapse has refused something, and gives the list of what waits.
func (s *pair) refusal(t *testing.T) (said string) {
	t.Helper()
	for range 1200 {
		if said = s.Run(t, "", "synapse", "outbox"); strings.Contains(said, "synapse cannot") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return said
}

// An administrator's request that Synapse refuses changes nothing here.
func TestNoAdministrator(t *testing.T) {
	t.Parallel()
	s := newPair(t, "--expose-admin")
	alice, bob := s.login(t, "alice", "A"), s.login(t, "bob", "B")
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"DELETE", "v2/users/@alice:home.test/devices/A", nil},
		{"POST", "v2/users/@alice:home.test/delete_devices", map[string]any{"devices": []string{"A"}}},
		{"POST", "v1/deactivate/@alice:home.test", map[string]any{}},
		{"PUT", "v2/users/@alice:home.test", map[string]any{"deactivated": true}},
		{"PUT", "v2/users/@alice:home.test", map[string]any{"locked": true}},
	} {
		if status, answer := bob.ask(t, c.method, "/_synapse/admin/"+c.path, c.body); status != 403 {
			t.Errorf("%s %s: %d %v", c.method, c.path, status, answer)
		}
	}
	alice.ok(t, "GET", syncing+"?timeout=0", nil)
}

// A Synapse that was put back to an earlier state does not know a user any more, or a device. It is told of the user
// again; the client of a device logs in again, since its encryption keys are gone there, and keeps its own.
func TestSynapseRestored(t *testing.T) {
	t.Parallel()
	s := newPair(t)
	s.login(t, "alice", "KEPT").ok(t, "GET", syncing+"?timeout=0", nil)
	restore := s.backup(t)
	s.Run(t, password, "user", "add", "carol", "--password-stdin")
	lost := []*person{s.login(t, "alice", "LOST"), s.login(t, "carol", "LOST")}
	for _, p := range lost {
		p.ok(t, "GET", syncing+"?timeout=0", nil)
	}
	restore()
	for _, p := range lost {
		p.softEnd(t)
	}
	for _, name := range []string{"alice", "carol"} {
		s.login(t, name, "LOST").ok(t, "GET", syncing+"?timeout=0", nil)
	}
}

// backup keeps Synapse's database as it is. The function puts it back.
func (s *pair) backup(t *testing.T) (restore func()) {
	t.Helper()
	s.hs.Stop(t)
	kept, err := os.ReadFile(s.hs.DB)
	if err != nil {
		t.Fatal(err)
	}
	s.hs.Run(t)
	return func() {
		t.Helper()
		s.hs.Stop(t)
		for _, more := range []string{"-wal", "-shm"} {
			_ = os.Remove(s.hs.DB + more)
		}
		if err := os.WriteFile(s.hs.DB, kept, 0o600); err != nil {
			t.Fatal(err)
		}
		s.hs.Run(t)
	}
}

// softEnd asks until the session is logged out softly; before, it may be told to try again.
func (p *person) softEnd(t *testing.T) {
	t.Helper()
	for range 1200 {
		status, answer := p.ask(t, "GET", syncing+"?timeout=0", nil)
		if status == 503 {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if soft, _ := answer["soft_logout"].(bool); status != 401 || !soft {
			t.Fatalf("sync answers %d %v", status, answer)
		}
		return
	}
	t.Fatal("it is told to try again for ever")
}
