package cli

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"postern/test/rig/process"
)

// TestOAuthFlags: it is on where there is a public URL, and what would make clients trust an address that others can
// read is refused, or a warning if nobody asked for it, with the way out.
func TestOAuthFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		oauth, public string
		on            bool
		says          string
	}{
		{"off", "", false, ""},
		{"off", "https://example.org", false, ""},
		{"", "", false, ""},
		{"", "https://example.org", true, ""},
		{"", "http://127.0.0.1:8008", true, ""},
		{"", "http://example.org", false, "needs an https address"},
		{"", "https://example.org/matrix", false, "without a path"},
		{"on", "https://example.org", true, ""},
		{"on", "http://127.0.0.1:8008", true, ""},
		{"on", "http://127.9.9.9:8008", true, ""},
		{"on", "http://localhost:8008", true, ""},
		{"on", "http://[::1]:8008", true, ""},
		{"on", "https://example.org/", true, ""},
		{"yes", "https://example.org", false, "neither on nor off"},
		{"on", "", false, "needs --public-url"},
		{"on", "http://example.org", false, "needs an https address"},
		{"on", "http://192.0.2.1", false, "needs an https address"},
		{"on", "https://example.org/matrix", false, "without a path"},
		{"on", "https://example.org?x", false, "without a path"},
		{"on", "HTTPS://example.org", false, "without a path"},
		{"on", "https://EXAMPLE.org", false, "without a path"},
		{"on", "https://a@example.org", false, "without a path"},
		{"on", "http://localhost.example.org", false, "needs an https address"},
	} {
		flags := serveFlags{OAuth: tt.oauth, PublicURL: tt.public}
		on, err := flags.servesOAuth()
		if on != tt.on || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %t, %v", tt, on, err)
		}
	}
}

// TestOAuthByDefault: with a public URL it is served, without one it is not, and where it cannot be the log says so, or
// the server does not start if it was asked for.
func TestOAuthByDefault(t *testing.T) {
	t.Parallel()
	const metadata = "/_matrix/client/v1/auth_metadata"
	for _, tt := range []struct {
		args   []string
		status int
		warns  bool
	}{
		{nil, 404, false},
		{[]string{"--public-url", "https://example.org"}, 200, false},
		{[]string{"--public-url", "http://localhost:8008"}, 200, false},
		{[]string{"--public-url", "https://example.org", "--oauth", "off"}, 404, false},
		{[]string{"--public-url", "https://example.org/matrix"}, 404, true},
		{[]string{"--public-url", "http://example.org"}, 404, true},
		{[]string{"--public-url", "http://example.org", "--oauth", "off"}, 404, false},
	} {
		s := newInstallation(t).serve(tt.args...)
		if status, answer := s.ask("GET", metadata, "", ""); status != tt.status {
			t.Errorf("%q: the metadata are %d %v", tt.args, status, answer)
		}
		if logs := s.logs.String(); strings.Contains(logs, "--oauth off ends this warning") != tt.warns {
			t.Errorf("%q: the log is\n%s", tt.args, logs)
		}
	}
	newInstallation(t).refused("without a path", "serve", "--oauth", "on", "--public-url", "https://a.example/matrix")
}

// TestForgottenOAuth: a server that would log people out, since a flag of it is gone or wrong, does not start.
func TestForgottenOAuth(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	s := i.serve("--public-url", "https://example.org")
	app := process.NewClient(1)
	defer app.Close()
	client, err := app.RegisterOAuth(t.Context(), s.url)
	s.need(err)
	code, err := app.Authorize(t.Context(), s.url, process.Consent{Client: client, Device: "PHONE00001", User: "alice",
		Password: "secret"})
	s.need(err)
	pair, err := app.Redeem(t.Context(), s.url, client, code)
	s.need(err)
	s.need(s.stop())
	i.refused("1 session began by the OAuth 2.0 API and would be logged out", "serve", "--listen", "127.0.0.1:0")
	i.refused("without a path, in lower case, and not \"https://example.org/x\"; or, if the 1 session that began by it "+
		"may be logged out, --oauth off", "serve", "--public-url", "https://example.org/x")
	s = i.serve("--oauth", "off")
	if s.good(pair.Access); !strings.Contains(s.logs.String(), `"sessions":1`) {
		t.Errorf("the log is\n%s", s.logs)
	}
	s.need(s.stop())
	s = i.serve("--public-url", "https://example.org")
	_, err = app.RefreshOAuth(t.Context(), s.url, client, pair.Refresh)
	s.need(err)
}

// TestOAuthInDev: a newcomer's server says where it is, if that is on this machine.
func TestOAuthInDev(t *testing.T) {
	t.Parallel()
	for listen, on := range map[string]bool{"127.0.0.1:0": true, "localhost:0": true, ":0": true, "0.0.0.0:0": true,
		"[::1]:0": true, "192.0.2.1:0": false, "nowhere": false} {
		flags := serveFlags{Dev: true, Listen: listen}
		if got, err := flags.servesOAuth(); got != on || err != nil {
			t.Errorf("%s: %t, %v", listen, got, err)
		}
	}
	for at, want := range map[string]string{"127.0.0.1:8008": "http://127.0.0.1:8008", "[::1]:80": "http://[::1]:80",
		"[::]:8008": "http://127.0.0.1:8008", "0.0.0.0:8008": "http://127.0.0.1:8008"} {
		address, err := net.ResolveTCPAddr("tcp", at)
		if got := localURL(address); err != nil || got != want {
			t.Errorf("%s is found at %s, %v", at, got, err)
		}
	}
	s := newInstallation(t).serve("--dev", "--oauth", "off")
	if status, answer := s.ask("GET", "/.well-known/matrix/client", "", ""); status != 404 {
		t.Errorf("with --oauth off there is a public URL: %d %v", status, answer)
	}
	if out := s.out.String(); strings.Contains(out, "oauth2") {
		t.Errorf("with --oauth off it prints\n%s", out)
	}
}

// TestDevCommands types everything that `serve --dev` prints into a shell, and does what it asks of the browser.
func TestDevCommands(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s: apt-get install %[1]s", program)
		}
	}
	s := newInstallation(t).serve("--dev")
	printed := s.out.String()
	commands := strings.Join(regexp.MustCompile(`(?m)^  .*\n`).FindAllString(printed, -1), "")
	redeem := "  PAIR=$(curl -s " + s.url + "/oauth2/token"
	before, after, found := strings.Cut(commands, redeem)
	password := regexp.MustCompile(`"password":"([^"]+)"`).FindStringSubmatch(printed)
	if !found || password == nil {
		t.Fatalf("it prints\n%s", printed)
	}
	sh := exec.CommandContext(t.Context(), "bash")
	in, err := sh.StdinPipe()
	s.need(err)
	pipe, err := sh.StdoutPipe()
	s.need(err)
	s.need(sh.Start())
	t.Cleanup(func() { _ = sh.Process.Kill(); _ = sh.Wait() })
	_, err = io.WriteString(in, before)
	s.need(err)
	out, seen, line := bufio.NewReader(pipe), "", ""
	link := regexp.MustCompile(`"verification_uri_complete":"([^"]+)"`)
	for ; !link.MatchString(line); seen += line {
		if line, err = out.ReadString('\n'); err != nil {
			t.Fatalf("there is no address to open:\n%s", seen)
		}
	}
	browser := process.NewClient(1)
	defer browser.Close()
	_, err = browser.LetIn(t.Context(), link.FindStringSubmatch(line)[1], "nowhere:",
		process.Consent{User: "alice", Password: password[1]})
	if err == nil || !strings.Contains(err.Error(), "The device is connected") {
		t.Fatalf("the pages end with %v", err)
	}
	_, err = io.WriteString(in, redeem+after)
	s.need(errors.Join(err, in.Close()))
	rest, err := io.ReadAll(out)
	s.need(err)
	seen += string(rest)
	for said, times := range map[string]int{`"user_id":"@alice:localhost"`: 4, `"device_id":"MYSHELL0001"`: 1,
		`"refresh_token":`: 4, `"registration_endpoint":"` + s.url: 1, "errcode": 0, `"error"`: 0} {
		if got := strings.Count(seen, said); got != times {
			t.Errorf("%s is there %d times, not %d:\n%s", said, got, times, seen)
		}
	}
}

func (s *server) need(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// TestAdmissionFlags: which clients are admitted is said in full, or not at all.
func TestAdmissionFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		clients string
		hosts   []string
		says    string
	}{
		{"open", nil, ""},
		{"static", nil, ""},
		{"known", []string{"element.io", "Chat.example.org", "localhost", "xn--bcher-kva.example"}, ""},
		{"known", nil, "needs a host"},
		{"closed", nil, "none of open, known, static"},
		{"open", []string{"element.io"}, "is for --oauth-clients known"},
		{"static", []string{"element.io"}, "is for --oauth-clients known"},
		{"known", []string{"https://element.io"}, "is not a host"},
		{"known", []string{"element.io/"}, "is not a host"},
		{"known", []string{"element.io:443"}, "is not a host"},
		{"known", []string{"*.element.io"}, "is not a host"},
		{"known", []string{".element.io"}, "is not a host"},
		{"known", []string{"element.io."}, "is not a host"},
		{"known", []string{"bücher.example"}, "is not a host"},
		{"known", []string{""}, "is not a host"},
		{"known", []string{"a@element.io"}, "is not a host"},
	} {
		var problems flagErrors
		f := serveFlags{OAuthClients: tt.clients, OAuthKnownHost: tt.hosts}
		rules := f.oauthRules(&problems)
		if (len(problems) == 0) != (tt.says == "") ||
			len(problems) > 0 && !strings.Contains(problems[0].Error(), tt.says) {
			t.Errorf("%+v: %v", tt, problems)
		}
		if string(rules.Admission) != tt.clients || len(rules.Hosts) != len(tt.hosts) {
			t.Errorf("%+v: %+v", tt, rules)
		}
	}
}
