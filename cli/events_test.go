package cli

import (
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEvents: whoever looks after an attack, or at an administrator's work, finds what was done, by whom and for which
// account, and neither a password nor a token.
func TestEvents(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off")
	i.must("correct horse", "user", "add", "alice", "--password-stdin")
	i.must("correct horse", "user", "add", "bob", "--password-stdin")
	access, _ := s.login("alice", "correct horse")
	s.ask("POST", "/_matrix/client/v3/account/password", access, `{"new_password":"battery staple",`+
		`"auth":{"type":"m.login.password","password":"correct horse"}}`)
	s.ask("POST", "/_matrix/client/v3/logout", access, "")
	i.must("other horses", "user", "passwd", "alice", "--password-stdin")
	for _, command := range []string{"user lock alice", "user unlock alice", "user admin alice on",
		"user admin alice off"} {
		i.must("", strings.Fields(command)...)
	}
	link := strings.TrimSpace(i.must("", "user", "login-link", "alice"))
	reset := strings.TrimSpace(i.must("", "user", "reset-link", "alice", "--public-url", "https://example.org"))
	invite := strings.TrimSpace(i.must("", "invite", "add"))
	i.must("", "invite", "revoke", invite)
	i.must("", "user", "deactivate", "alice")
	i.must("", "user", "reactivate", "alice")

	all := i.must("", "session", "events")
	var kinds []string
	for _, line := range strings.Split(i.must("", "session", "events", "--user", "@alice:localhost"), "\n")[1:] {
		if fields := strings.Fields(line); len(fields) > 3 {
			kinds = append(kinds, fields[2])
			if fields[3] != "@alice:localhost" {
				t.Errorf("--user alice shows %s", line)
			}
		}
	}
	slices.Sort(kinds)
	want := []string{"admin_off", "admin_on", "created", "deactivated", "locked", "login", "login_link", "logout",
		"new_device", "password_changed", "password_changed", "reactivated", "reset_link", "unlocked"}
	if !slices.Equal(kinds, want) {
		t.Errorf("alice's events are %q, want %q", kinds, want)
	}
	for _, line := range []string{
		`login +@alice:localhost +ALICE +\S+ +- +127\.0\.0\.1 +Go-http-client`,
		`password_changed +@alice:localhost +ALICE +\S+ +- +127\.0\.0\.1`,
		`password_changed +@alice:localhost +- +- +- +- +postern user passwd`,
		`admin_on +@alice:localhost +- +- +- +- +postern user admin`,
		`invited +- +- +- +- +- +postern invite add`, `invite_revoked +- .* postern invite revoke`,
		`login_link +@alice:localhost .* postern user login-link`,
		`reset_link +@alice:localhost .* postern user reset-link`, `created +@bob:localhost .* postern user add`,
	} {
		if !regexp.MustCompile(line).MatchString(all) {
			t.Errorf("session events has no %s:\n%s", line, all)
		}
	}
	for _, secret := range []string{"horse", "staple", access, link, reset, invite, "argon2id"} {
		if strings.Contains(all, secret) {
			t.Errorf("session events shows %q:\n%s", secret, all)
		}
	}
	i.refused("once", "session", "events", "alice", "--user", "bob")
	i.refused("no account", "session", "events", "--user", "carol")
	i.refused(`"nonsense"; the kinds are replay, `, "session", "events", "--kind", "login", "--kind", "nonsense")
}

// TestLogIsVisible: whatever type a value has, no line of the log holds what nobody sees.
func TestLogIsVisible(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	type name string
	newLogger(&out, slog.LevelInfo).Info("a\u202e", "text", "b\u202e\u009b", "name", name("c\u2066"), "error",
		errors.New("d\u200f\x1b"), "list", []string{"e\u202e"}, "number", 7)
	for _, want := range []string{`"msg":"a\\u202e"`, `"b\\u202e\\u009b"`, `"c\\u2066"`, `"d\\u200f\\x1b"`, `e\\u202e`,
		`"number":7`, `"level":"INFO"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in %q", want, &out)
		}
	}
	if strings.ContainsAny(out.String(), "\u202e\u2066\u200f\u009b") {
		t.Errorf("the log is %q", &out)
	}
}

// TestTablesArePrintable: what a client calls its device or itself cannot control the operator's terminal, nor turn
// what stands beside it, in any table.
func TestTablesArePrintable(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off")
	i.must("correct horse", "user", "add", "alice", "--password-stdin")
	_, answer := s.ask("POST", "/_matrix/client/v3/login", "", `{"type":"m.login.password","user":"alice",`+
		`"password":"correct horse","device_id":"X","initial_device_display_name":"a\u202eb\u001b[2Jc\u009bd\te\u2028f"}`)
	if answer["device_id"] != "X" {
		t.Fatalf("login answers %v", answer)
	}
	for _, command := range []string{"session list", "session events", "user list", "keys list", "invite list",
		"synapse outbox"} {
		out := i.must("", strings.Fields(command)...)
		if strings.ContainsAny(out, "\u202e\x1b\u009b\u2028\t") {
			t.Errorf("%s prints %q", command, out)
		}
	}
	if out := i.must("", "session", "list"); !strings.Contains(out, `a\u202eb\x1b[2Jc\u009bd\te\u2028f`) {
		t.Errorf("session list prints\n%s", out)
	}
}
