package doctor

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/homeserver/delegation"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// examined is an examination of a configuration, with one section.
func examined(t *testing.T, text string) *examination {
	t.Helper()
	path := filepath.Join(t.TempDir(), "homeserver.yaml")
	write(t, path, text, 0o600)
	config, err := delegation.Read([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	x := &examination{Config: Config{Synapse: config, Listen: "127.0.0.1:1", Now: time.Now}}
	x.delegated = config.Delegation().Enabled
	x.section("test")
	return x
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// found writes the findings of the last section in lines.
func (x *examination) found() string {
	var out strings.Builder
	for _, f := range x.sections[len(x.sections)-1].Findings {
		fmt.Fprintf(&out, "%s %s\n", []string{"ok", "warn", "problem"}[f.Level], f.What)
		if (f.Fix == "") != (f.Level == OK) {
			fmt.Fprintf(&out, "its fix is %q\n", f.Fix)
		}
	}
	return out.String()
}

// TestClocks: each side tells the other when tokens expire.
func TestClocks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for off, want := range map[time.Duration]string{
		-time.Minute:    "warn the clocks of this machine and of Synapse's differ by 1m0s\n",
		time.Minute:     "warn the clocks of this machine and of Synapse's differ by 1m0s\n",
		4 * time.Second: "ok the clocks agree\n",
	} {
		x := &examination{Config: Config{Now: func() time.Time { return now }}}
		x.section("test")
		if x.clock(now.Add(off)); x.found() != want {
			t.Errorf("%s off: %s", off, x.found())
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, name, want string }{
		{"server_name: a.org\n", "a.org", "ok server_name a.org on both sides\n"},
		{"server_name: a.org\n", "", "ok server_name a.org; Postern is to be started with --server-name a.org\n"},
		{"server_name: a.org\n", "b.org", "problem Synapse's server_name is a.org and Postern's is b.org\n"},
		{"report_stats: false\n", "a.org", "problem there is no server_name in these files\n"},
	} {
		x := examined(t, test.text)
		x.ServerName = test.name
		if x.names(); x.found() != test.want {
			t.Errorf("%q and %q: %s", test.text, test.name, x.found())
		}
	}
}

const delegated = "matrix_authentication_service: {enabled: true, endpoint: '%s', %s}\n"

// TestSecrets: which secret counts, who else may read it, and that none is shown.
func TestSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	private, open, other := filepath.Join(dir, "private"), filepath.Join(dir, "open"), filepath.Join(dir, "other")
	write(t, private, "hush\n", 0o600)
	write(t, open, "hush\n", 0o644)
	write(t, other, "hush-too\n", 0o600)
	for _, test := range []struct{ setting, ours, want string }{
		{"secret_path: " + private, "", "ok secret in " + private},
		{"secret_path: " + private, private, "ok secret in " + private},
		{"secret_path: " + private, other, "problem the secrets in " + other + " (Postern) and "},
		{"secret_path: " + open, "", "problem " + open + " can be read by everybody"},
		{"secret_path: " + private + ".gone", "", "problem open "},
		{"secret: hush", "", "warn "},
		{"secret: hush", private, "ok secret in " + private},
		{"x: y", "", "problem "},
	} {
		x := examined(t, fmt.Sprintf(delegated, "http://127.0.0.1:1/", test.setting))
		x.SecretFile = test.ours
		if x.secrets(); !strings.Contains(x.found(), test.want) || strings.Contains(x.found(), "hush") {
			t.Errorf("%s and %q: %s", test.setting, test.ours, x.found())
		}
	}
	x := examined(t, "server_name: a.org\n")
	if x.secrets(); x.found() != "" {
		t.Errorf("before the move: %s", x.found())
	}
}

// TestListeners: what is a problem afterwards may be none before.
func TestListeners(t *testing.T) {
	t.Parallel()
	const client = "listeners: [{port: 8008, type: http, bind_addresses: ['%s'], x_forwarded: %t, resources: [{names: [client]}]}]\n"
	delegation := fmt.Sprintf(delegated, "http://127.0.0.1:1/", "secret: hush")
	for _, test := range []struct{ text, listen, want string }{
		{"server_name: a.org\n", "127.0.0.1:1", "problem no listener of Synapse answers clients"},
		{fmt.Sprintf(client, "127.0.0.1", true), "127.0.0.1:1", ": Postern's way to Synapse\nok 127.0.0.1:1: free for Postern"},
		{fmt.Sprintf(client, "0.0.0.0", true), "127.0.0.1:1", ": clients from outside reach it past Postern"},
		{fmt.Sprintf(client, "127.0.0.1", true), "[::1", "problem --listen \"[::1\" is not an address and port"},
		{fmt.Sprintf(client, "127.0.0.1", true), "127.0.0.1:8008", "warn port 8008 is Synapse's, and Postern's --listen too"},
		{delegation + fmt.Sprintf(client, "127.0.0.1", true), "127.0.0.1:8008", "problem port 8008 is Synapse's"},
		{delegation + fmt.Sprintf(client, "127.0.0.1", true), "127.0.0.1:1", "problem nobody listens on 127.0.0.1:1, where Postern should"},
		{fmt.Sprintf(client, "127.0.0.1", false), "127.0.0.1:1", "warn "},
		{delegation + fmt.Sprintf(client, "127.0.0.1", false), "127.0.0.1:1", ": x_forwarded is not set"},
		{"listeners: [{port: 1, type: metrics}, {path: /run/x, type: http, resources: [{names: [client]}]}]\n", "127.0.0.1:1",
			"ok "},
	} {
		x := examined(t, test.text)
		x.Listen = test.listen
		if x.listeners(t.Context()); !strings.Contains(x.found(), test.want) {
			t.Errorf("%s with --listen %s:\n%s\nnot %s", test.text, test.listen, x.found(), test.want)
		}
	}
}

// TestSynapseSide: what Synapse's answer means depends on who is to have the accounts.
func TestSynapseSide(t *testing.T) {
	t.Parallel()
	const standalone = "server_name: a.org\n"
	byPath := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "secret")
		write(t, path, "hush", 0o600)
		return fmt.Sprintf(delegated, "http://127.0.0.1:1/", "secret_path: "+path)
	}(t)
	for _, test := range []struct {
		text   string
		status int
		code   string
		want   string
	}{
		{byPath, 200, "", "ok Postern → Synapse: URL takes the secret"},
		{byPath, 404, "M_NOT_FOUND", "ok Postern → Synapse: URL takes the secret"},
		{byPath, 403, "M_FORBIDDEN", "problem Postern → Synapse: URL runs with another secret than its configuration says"},
		{byPath, 500, "M_UNKNOWN", "problem Postern → Synapse: URL fails when it looks at the secret; most likely its user may not read "},
		{byPath, 404, "M_UNRECOGNIZED", "problem Synapse on URL runs without delegation still"},
		{byPath, 502, "", "problem Postern → Synapse: URL answers 502 -"},
		{standalone, 404, "M_UNRECOGNIZED", "ok Synapse answers on URL"},
		{standalone, 404, "M_NOT_FOUND", "warn Synapse on URL runs with delegation still, and its configuration has none"},
		{standalone, 403, "M_FORBIDDEN", "warn Synapse on URL runs with delegation still, and its configuration has none"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/_synapse/mas/query_user" {
				t.Errorf("asked for %s", r.URL)
			}
			w.WriteHeader(test.status)
			fmt.Fprintf(w, `{"errcode": %q}`, test.code)
		}))
		x := examined(t, test.text)
		x.Homeserver = server.URL + "/"
		x.secrets()
		x.section("Synapse")
		x.synapseSide(t.Context())
		server.Close()
		if want := strings.ReplaceAll(test.want, "URL", server.URL); !strings.HasPrefix(x.found(), want) {
			t.Errorf("%d %s:\n%s\nnot %s", test.status, test.code, x.found(), want)
		}
		x.section("stopped")
		x.synapseSide(t.Context())
		if level := map[bool]string{true: "problem", false: "warn"}[x.delegated]; x.found() != level+
			" Synapse does not answer on "+server.URL+"\n" {
			t.Errorf("stopped: %s", x.found())
		}
	}
}

// TestPosternSide asks a Postern that is none, one with another secret, and one that is well.
func TestPosternSide(t *testing.T) {
	t.Parallel()
	const document = `{"issuer": "http://a.org/", "account_management_uri": "http://a.org/"}`
	for _, test := range []struct {
		document string
		status   int
		body     string
		want     string
	}{
		{`<html>`, 200, ``, "problem Synapse → Postern: URL/.well-known/openid-configuration answers 200 and not what Synapse needs"},
		{document, 200, `{"active": false}`, "ok Synapse → Postern: URL takes the secret"},
		{document, 401, `{}`, "problem Synapse → Postern: URL runs with another secret than Synapse's"},
		{document, 200, `{"active": true}`, "problem Synapse → Postern: URL/oauth2/introspect answers 200"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/.well-known/openid-configuration" {
				fmt.Fprint(w, test.document)
				return
			}
			if r.Header.Get("Authorization") != "Bearer hush" || r.FormValue("token") != "postern-doctor" {
				t.Errorf("asked with %v", r.Header)
			}
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}))
		x := examined(t, fmt.Sprintf(delegated, server.URL+"/", "secret: hush"))
		x.secret = "hush"
		x.posternSide(t.Context())
		server.Close()
		if want := strings.ReplaceAll(test.want, "URL", server.URL); x.found() != want+"\n" {
			t.Errorf("%s %d: %s", test.document, test.status, x.found())
		}
	}
}

// TestServices: Postern must have been started with each application service that Synapse has.
func TestServices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"irc", "mail"} {
		path := filepath.Join(dir, name+".yaml")
		write(t, path, "id: "+name+"\nas_token: token-of-"+name+"\n", 0o600)
		files = append(files, path)
	}
	list := "app_service_config_files: ['" + strings.Join(files, "', '") + "']\n"
	x := examined(t, list)
	if x.services(t.Context()); x.found() !=
		"warn Synapse has 2 application services (irc, mail), which Postern must know\n" {
		t.Error(x.found())
	}
	knows := map[string]bool{"Bearer token-of-irc": true}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := "M_UNKNOWN_TOKEN"
		if knows[r.Header.Get("Authorization")] {
			code = "M_EXCLUSIVE"
		}
		fmt.Fprintf(w, `{"errcode": %q}`, code)
	}))
	defer server.Close()
	x = examined(t, list+fmt.Sprintf(delegated, "http://127.0.0.1:1/", "secret: hush"))
	x.Listen = server.Listener.Addr().String()
	if x.services(t.Context()); x.found() != "problem Postern does not know every application service: it was started "+
		"without 1 file ("+files[1]+")\n" {
		t.Error(x.found())
	}
	knows["Bearer token-of-mail"] = true
	x.section("both")
	if x.services(t.Context()); x.found() != "ok 2 application services (irc, mail) known to both\n" {
		t.Error(x.found())
	}
}

// TestExamine is one examination from beginning to end: no side is there.
func TestExamine(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	closed.Close()
	c := examined(t, "server_name: a.org\nsession_lifetime: 24h\n"+
		fmt.Sprintf(delegated, "http://"+address, "secret: hush")).Config
	c.Listen, c.Homeserver = address, "http://"+address
	var titles []string
	problems := 0
	for _, s := range Examine(t.Context(), c) {
		titles = append(titles, s.Title)
		for _, f := range s.Findings {
			if f.Level == Problem {
				problems++
			}
			if strings.Contains(f.What+f.Fix, "hush") {
				t.Errorf("the secret is shown: %+v", f)
			}
		}
	}
	if got := strings.Join(titles, ", "); got != "settings, listeners, both sides, accounts" || problems != 4 {
		t.Errorf("%d problems in %s", problems, got)
	}
}
