package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/test/rig/fakesynapse"
)

// issued is the token that a command has printed.
func issued(t *testing.T, out string) string {
	t.Helper()
	token, _, _ := strings.Cut(out, "\n")
	if len(token) < 100 || strings.ContainsAny(token, " .") {
		t.Fatalf("the first line is no token:\n%s", out)
	}
	return token
}

// TestTokenIssue: an operator makes a token for a bot while the server runs, sees what it opens, finds it, and ends it.
func TestTokenIssue(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve()
	i.must("secret", "user", "add", "alice", "--password-stdin")
	out := i.must("", "token", "issue", "alice", "--name", "Bell", "--expires", "90d", "method in GET",
		"path under /_matrix/client/v3/account", "addr in 127.0.0.1,::1")
	token := issued(t, out)
	for _, words := range []string{"  may     see whose token it is", "  may not read new messages", "ends on",
		"only while addr in 127.0.0.1,::1"} {
		if !strings.Contains(out, words) {
			t.Errorf("issue does not say %q:\n%s", words, out)
		}
	}
	s.good(token)
	if status, answer := s.ask("POST", "/_matrix/client/v3/logout", token, ""); status != 403 {
		t.Errorf("logout answers %d %v", status, answer)
	}
	list := i.must("", "session", "list", "alice")
	if !strings.Contains(list, "Bell") || !strings.Contains(list, "token") || strings.Contains(list, token[:40]) {
		t.Errorf("session list prints\n%s", list)
	}
	events := i.must("", "session", "events", "alice")
	if !strings.Contains(events, "token_issued") || !strings.Contains(events, "postern token issue") ||
		strings.Contains(events, token[:40]) {
		t.Errorf("session events prints\n%s", events)
	}
	first := i.newestKey()
	i.must("", "keys", "rotate")
	i.refused("as tokens for bots never do", "keys", "retire", first)
	_, who := s.ask("GET", "/_matrix/client/v3/account/whoami", token, "")
	device, _ := who["device_id"].(string)
	i.refused("does not replace", "token", "issue", "alice", "--device-id", device)
	i.must("", "session", "end", "--user", "alice", "--device", device)
	s.gone(token)
	env := i.must("", "token", "issue", "@alice:localhost", "--expires", "never", "--format", "env", "--device-id",
		device)
	if !strings.HasPrefix(env, "POSTERN_TOKEN=") || !strings.Contains(env, "never ends") {
		t.Errorf("issue prints\n%s", env)
	}
	s.good(strings.TrimPrefix(strings.SplitN(env, "\n", 2)[0], "POSTERN_TOKEN="))
	if logs := s.logs.String(); strings.Contains(logs, token[:40]) {
		t.Errorf("the log has a token:\n%s", logs)
	}
	if out := i.must("", "token", "issue", "--help"); !strings.Contains(out, "Examples:") {
		t.Errorf("help prints\n%s", out)
	}
}

// TestTokenIssueRefuses: what no bot could use is refused, with what to do instead.
func TestTokenIssueRefuses(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.refused("there is no account", "token", "issue", "bob")
	for words, args := range map[string][]string{
		"write it like 'method in GET,PUT'": {"nonsense"}, "unknown key": {"method in GET", "room = !a:b"},
		"is the server's to say": {"user_id = @bob:localhost"}, "in capitals": {"method in get"},
		"that time is over": {"time < 5"}, "device of its own": {"device_id = A"},
		"still to come": {"--expires", "2001-01-01"}, "--expires \"soon\"": {"--expires", "soon"},
		"--expires \"-5d\"": {"--expires=-5d"}, "nobody sees": {"--name", "a\u202eb"},
	} {
		i.refused(words, append([]string{"token", "issue", "alice"}, args...)...)
	}
	i.must("", "user", "lock", "alice")
	i.refused("deactivated or locked", "token", "issue", "alice")
	if list := i.must("", "session", "list"); strings.Contains(list, "alice") {
		t.Errorf("there is a session:\n%s", list)
	}
}

// TestEndOf: the ways to write an end.
func TestEndOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"never": {}, "90m": now.Add(90 * time.Minute),
		"1d": now.AddDate(0, 0, 1), "365d": now.AddDate(1, 0, 0), "2026-11-30": time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)} {
		if got, err := endOf(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0d", "d", "1e9d", "9999999d", "2026-11-29", "10000-01-01", "-1h"} {
		if got, err := endOf(text, now); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestTokenIssueBeforeHomeserver: the homeserver has the token's device before the token is of use there, whoever made
// it, and loses it with the token.
func TestTokenIssueBeforeHomeserver(t *testing.T) {
	t.Parallel()
	const secret = "hunter2_of_both_sides"
	there := fakesynapse.New(t, secret)
	i := newInstallation(t)
	file := filepath.Join(filepath.Dir(i.db), "homeserver.secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s := i.serve("--homeserver", there.URL, "--homeserver-secret-file", file)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	out := i.must("", "token", "issue", "alice", "--name", "Bell", "--device-id", "BELL")
	if devices := strings.Join(there.Devices(), ","); !strings.Contains(devices, "BELL") {
		t.Errorf("the homeserver has %s, and issue prints\n%s", devices, out)
	}
	s.good(issued(t, out))
	i.must("", "session", "end", "--user", "alice", "--device", "BELL")
	until(t, "the device is gone", func() bool { return len(there.Devices()) == 0 })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if out := i.must("", "token", "issue", "alice"); !strings.Contains(out, "once the server runs") {
		t.Errorf("without a server issue prints\n%s", out)
	}
}
