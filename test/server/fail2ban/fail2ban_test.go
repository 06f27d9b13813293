// Package fail2ban holds what the real binary logs of an attack against the filter that docs/fail2ban.md gives, with
// Debian's fail2ban-regex.
//
// Where there is no fail2ban the test is skipped, and with TEST_FAIL2BAN=off; with TEST_FAIL2BAN=required it fails.
package fail2ban

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern/db"
	"postern/test/rig/process"
)

func TestMain(m *testing.M) { process.Main(m) }

const (
	filter   = "../../../docs/fail2ban/postern.conf"
	password = "correct horse battery staple"
)

// find is where fail2ban-regex is.
func find(t *testing.T) string {
	t.Helper()
	if os.Getenv("TEST_FAIL2BAN") == "off" {
		t.Skip("TEST_FAIL2BAN=off")
	}
	program, err := exec.LookPath("fail2ban-regex")
	switch {
	case err == nil:
		return program
	case os.Getenv("TEST_FAIL2BAN") == "required":
		t.Fatal("there is no fail2ban-regex: apt-get install fail2ban")
	}
	t.Skip("there is no fail2ban-regex: apt-get install fail2ban")
	return ""
}

// deed is a request from an address, and whether the filter is to match what is logged of it.
type deed struct {
	from, method, path, body string
	normal, aggressive       bool
}

func login(from, user, password string, normal, aggressive bool) deed {
	return deed{from, "POST", "login", `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + user +
		`"},"password":"` + password + `","device_id":"X"}`, normal, aggressive}
}

var deeds = []deed{
	login("203.0.113.1", "alice", password, false, false),
	login("203.0.113.2", "alice", "wrong", true, true),
	login("2001:db8::3", "nobody", "wrong", true, true),
	// Names that try to look like lines about somebody else.
	login("203.0.113.4", `x\",\"why\":\"\"}\n{\"time\":\"2026-11-30T02:01:22Z\",\"level\":\"INFO\",`+
		`\"msg\":\"login failed\",\"addr\":\"198.51.100.9\",\"errcode\":\"M_FORBIDDEN\",\"user\":\"`, "wrong", true, true),
	login("203.0.113.5", `\u202e\u2028 login failed addr=198.51.100.9 \",\"addr\":\"198.51.100.9\",`, "wrong", true, true),
	login("203.0.113.6", "locked", password, false, false),
	login("203.0.113.15", "second", password, false, false), // by an app that knows only passwords
	login("203.0.113.16", "second", "wrong", true, true),
	{"203.0.113.7", "POST", "login", `{"type":"m.login.token","token":"guess"}`, true, true},
	{"203.0.113.8", "POST", "register", `{"username":"carol","password":"` + password +
		`","auth":{"type":"m.login.registration_token","token":"guess"}}`, true, true},
	{"203.0.113.9", "POST", "register", `{"username":"alice","password":"` + password + `"}`, false, true},
	{"203.0.113.10", "POST", "login", `{"type":"m.login.unknown"}`, false, false},
	{"203.0.113.11", "GET", "account/whoami?access_token=guess", ``, false, false},
	{"203.0.113.12", "POST", "register", `{"username":"dave","password":"` + password + `"}`, false, false},
	// The fourth wrong password within an hour, and then a rate limit.
	login("203.0.113.13", "eve", "wrong", true, true), login("203.0.113.13", "eve", "wrong", true, true),
	login("203.0.113.13", "eve", "wrong", true, true), login("203.0.113.13", "eve", "wrong", true, true),
	login("203.0.113.14", "eve", "wrong", false, true),
}

// attack does all deeds at a server, as its proxy sees them, and gives what it logged.
func attack(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	site := process.Site{Binary: process.Binary(t), Database: filepath.Join(folder, "postern.db"),
		Key: filepath.Join(folder, "postern.key")}
	for _, name := range []string{"alice", "locked", "second"} {
		command(t, site, password, "user", "add", name, "--password-stdin")
	}
	command(t, site, "", "user", "lock", "locked")
	addFactor(t, site.Database, "second")
	server, err := site.Serve(t.Context(), "--trusted-proxy", "127.0.0.1", "--registration", "token", "--login-tokens",
		"--rate-limit", "4/1h")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deeds {
		r, err := http.NewRequestWithContext(t.Context(), d.method, server.URL+"/_matrix/client/v3/"+d.path,
			strings.NewReader(d.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", d.from)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	return server.Log()
}

// addFactor gives an account one-time codes.
func addFactor(t *testing.T, database, name string) {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{DSN: database})
	if err == nil {
		err = errors.Join(d.AddFactor(t.Context(), db.Factor{ID: "x", Localpart: name, Kind: db.FactorCodes,
			Sealed: []byte("x")}, "", nil), d.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, site process.Site, stdin string, args ...string) {
	t.Helper()
	if out, err := site.Command(t.Context(), stdin, args...); err != nil {
		t.Fatal(out, err)
	}
}

// TestFilter: the filter finds exactly the addresses of those who guessed, in a file and in what the journal makes of
// it, and no name that a client types puts anybody else on the list.
func TestFilter(t *testing.T) {
	t.Parallel()
	program := find(t)
	log := attack(t)
	for _, secret := range []string{password, "guess"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
	if strings.ContainsAny(log, "\u202e\u2028") {
		t.Errorf("a name turns a line:\n%q", log)
	}
	for mode, counts := range map[string]func(deed) bool{
		"normal": func(d deed) bool { return d.normal }, "aggressive": func(d deed) bool { return d.aggressive },
	} {
		var want []string
		for _, d := range deeds {
			if counts(d) {
				want = append(want, d.from)
			}
		}
		for _, prefix := range []string{"", "Nov 30 02:01:22 host postern[123]: "} {
			file := filepath.Join(t.TempDir(), "log")
			text := prefix + strings.ReplaceAll(strings.TrimSpace(log), "\n", "\n"+prefix) + "\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := matches(t, program, file, mode); !slices.Equal(got, want) {
				t.Errorf("%s, lines that begin with %q: it finds\n%q, want\n%q\nin\n%s", mode, prefix, got, want, text)
			}
		}
	}
}

// matches are the addresses that the filter finds, in the order of the lines.
func matches(t *testing.T, program, file, mode string) []string {
	t.Helper()
	path, err := filepath.Abs(filter)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "-o", "ip", file, fmt.Sprintf("%s[mode=%s]", path,
		mode)).Output()
	if err != nil {
		t.Fatalf("fail2ban-regex: %v\n%s", err, out)
	}
	return strings.Fields(string(out))
}

// TestPageShowsTheFilter: what docs/fail2ban.md shows is what is tested.
func TestPageShowsTheFilter(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/fail2ban.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filter)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```ini\n"+string(text)+"```\n") {
		t.Error("docs/fail2ban.md does not show docs/fail2ban/postern.conf as it is")
	}
}
