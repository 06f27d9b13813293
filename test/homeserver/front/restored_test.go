package front

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/test/rig/delegated"
	"postern/test/rig/process"
	"postern/test/rig/synapse"
)

// TestPosternRestored puts Postern's database back to an earlier moment. What Synapse has of that time since is kept:
// who had refreshed goes on, who had logged in does so again, on the same devices with the same encryption keys. What
// is undone here and not there, sync shows first, and then settles by Synapse's word.
func TestPosternRestored(t *testing.T) {
	t.Parallel()
	s, listen := newFixed(t, "alice", "carol", "dave", "frank")
	s.Run(t, "", "user", "lock", "frank")
	kept, out, asked := s.login(t, "alice", "KEPT"), s.login(t, "alice", "OUT"), s.login(t, "alice", "ASKED")
	s.login(t, "dave", "D")
	kept.publish(t, "KEPT")
	s.settled(t)
	file := filepath.Join(t.TempDir(), "backup.db")
	s.Run(t, "", "backup", file)

	for range 3 {
		kept.refreshes(t)
		asked.refreshes(t)
	}
	kept.ok(t, "GET", syncing+"?timeout=0", nil)
	lost, zoe := s.login(t, "alice", "LOST"), s.began(t, "zoe", "Z")
	lost.publish(t, "LOST")
	out.ok(t, "POST", "/_matrix/client/v3/logout", map[string]any{})
	s.Run(t, "", "user", "lock", "carol")
	s.Run(t, "", "user", "unlock", "frank")
	s.Run(t, "", "user", "deactivate", "dave")
	s.settled(t)
	there := kept.published(t)
	s.goBack(t, file, listen...)

	// With tokens that are newer than their rows: through the front, and of Synapse, which asks about it.
	kept.ok(t, "GET", syncing+"?timeout=0", nil)
	synapse.Call(t, "GET", s.hs.URL+syncing+"?timeout=0", asked.access, nil)
	s.taken(t, "zoe")
	for _, p := range []*person{lost, zoe} {
		p.refused(t, "GET", syncing+"?timeout=0", 401, "M_UNKNOWN_TOKEN", true)
	}
	s.settled(t)
	shown := s.syncs(t, "--dry-run")
	want := []string{
		"@alice:home.test LOST no session on the device left alone",
		"@alice:home.test OUT Synapse does not have the device soft-logged-out",
		"@carol:home.test - locked at Synapse alone locked here",
		"@dave:home.test - deactivated at Synapse alone deactivated here",
		"@frank:home.test - locked here alone Synapse is told",
		"@zoe:home.test - only Synapse has the user left alone: postern user import",
	}
	for _, line := range want {
		if !strings.Contains(shown, line) {
			t.Errorf("%q is not in\n%s", line, shown)
		}
	}
	if strings.Count(shown, "@") != len(want) {
		t.Errorf("sync --dry-run prints\n%s", shown)
	}
	out.ok(t, "GET", whoami, nil) // it was only shown
	s.Run(t, "", "user", "unlock", "frank")
	s.syncs(t)
	s.settled(t)

	out.refused(t, "GET", whoami, 401, "M_UNKNOWN_TOKEN", true)
	s.refusedLogin(t, "carol", 401, "M_USER_LOCKED")
	s.refusedLogin(t, "dave", 403, "M_USER_DEACTIVATED")
	s.login(t, "frank", "F").ok(t, "GET", syncing+"?timeout=0", nil)
	s.login(t, "alice", "LOST").ok(t, "GET", syncing+"?timeout=0", nil)
	s.began(t, "zoe", "Z").ok(t, "GET", syncing+"?timeout=0", nil)
	s.settled(t)
	if now := kept.published(t); now != there {
		t.Errorf("encryption keys were\n%s\nand are\n%s", there, now)
	}
	if said := s.syncs(t); said != "both sides are the same" {
		t.Errorf("in the end sync prints\n%s", said)
	}
}

const whoami = "/_matrix/client/v3/account/whoami"

// newFixed is a pair with accounts whose Postern listens where it says, so that it may be killed and started again.
func newFixed(t *testing.T, accounts ...string) (s *pair, flags []string) {
	t.Helper()
	hs := synapse.Prepare(t, synapse.Options{})
	s = &pair{delegated.New(t, hs.URL, synapse.ServerName), hs}
	flags = []string{"--registration", "open", "--listen", fmt.Sprintf("127.0.0.1:%d", process.FreePort(t))}
	s.StartToKill(t, flags...)
	hs.Delegate(t, s.Server.URL, secret)
	hs.Run(t)
	for _, name := range accounts {
		s.Run(t, password, "user", "add", name, "--password-stdin")
	}
	return s, flags
}

// began adds an account and logs it in.
func (s *pair) began(t *testing.T, name, device string) *person {
	t.Helper()
	s.Run(t, password, "user", "add", name, "--password-stdin")
	return s.login(t, name, device)
}

// taken fails unless a stranger is refused the name, whose account only Synapse knows.
func (s *pair) taken(t *testing.T, name string) {
	t.Helper()
	status, answer := synapse.Try(t, "POST", s.Server.URL+"/_matrix/client/v3/register", "",
		map[string]any{"username": name, "password": password})
	if status != 400 || answer["errcode"] != "M_USER_IN_USE" {
		t.Errorf("%s is registered by a stranger: %d %v", name, status, answer)
	}
}

// syncs gives what `postern synapse sync` prints, each line's columns one space apart.
func (s *pair) syncs(t *testing.T, more ...string) string {
	t.Helper()
	return strings.Join(strings.Fields(s.Run(t, "", append([]string{"synapse", "sync", s.hs.Config}, more...)...)), " ")
}

// goBack kills Postern, restores a backup, and starts it again.
func (s *pair) goBack(t *testing.T, file string, flags ...string) {
	t.Helper()
	if err := s.Server.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"-wal", "-shm"} {
		_ = os.Remove(s.Database + more)
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(s.Database, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.StartToKill(t, flags...)
}

// refreshes exchanges the refresh token.
func (p *person) refreshes(t *testing.T) {
	t.Helper()
	answer := synapse.Call(t, "POST", p.Server.URL+"/_matrix/client/v3/refresh", "",
		map[string]any{"refresh_token": p.refresh})
	p.access, p.refresh = answer["access_token"].(string), answer["refresh_token"].(string)
}

// publish has Synapse keep encryption keys of the device.
func (p *person) publish(t *testing.T, device string) {
	t.Helper()
	me := p.ok(t, "GET", "/_matrix/client/v3/account/whoami", nil)["user_id"]
	p.ok(t, "POST", "/_matrix/client/v3/keys/upload", map[string]any{"device_keys": map[string]any{
		"user_id": me, "device_id": device, "algorithms": []string{"m.olm.v1.curve25519-aes-sha2"},
		"keys":       map[string]any{"ed25519:" + device: "a key of " + device},
		"signatures": map[string]any{},
	}})
}

// published are the encryption keys of alice's devices, in words.
func (p *person) published(t *testing.T) string {
	t.Helper()
	answer := p.ok(t, "POST", "/_matrix/client/v3/keys/query",
		map[string]any{"device_keys": map[string]any{"@alice:home.test": []string{}}})
	return fmt.Sprint(answer["device_keys"])
}
