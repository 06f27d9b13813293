package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	home "postern/test/synapse"
)

// TestMoveByCommands is a move in and out with a real Synapse, by the three commands; and doctor's picture at each stage.
func TestMoveByCommands(t *testing.T) {
	t.Parallel()
	hs := home.New(t, home.Options{Extra: "enable_registration: true\nenable_registration_without_verification: true\n# mine\nsession_lifetime: 24h\npassword_config:\n  pepper: \"the pepper of the tests\"\n"})
	hs.Register(t, "alice", "a long password", false)
	hs.Register(t, "bob", "a long password", false)
	first := hs.Login(t, "alice", "a long password", "PHONE", false)["access_token"].(string)
	before := text(t, hs.Config)
	i := newInstallation(t)

	out := i.must("", "synapse", "doctor", hs.Config, "--server-name", home.ServerName)
	i.tells(out, "ready for `postern synapse setup`", ": enable_registration: Synapse does not start", ": session_lifetime: ", "password_config.pepper", "Synapse answers on "+hs.URL, "the clocks agree", "SQLite, and may keep it")
	i.must("", "user", "import", hs.DB, "--server-name", home.ServerName)

	secret := filepath.Join(hs.Dir, "the secret")
	port := fmt.Sprint(unusedPort(t))
	endpoint := newEndpoint(t, secret)
	setup := []string{"synapse", "setup", hs.Config, "--secret-file", secret, "--endpoint", endpoint.URL, "--synapse-port", port}
	out = i.must("", setup...)
	i.tells(out, "-enable_registration: true\n", "+# taken out by postern:session_lifetime: 24h\n", "Nothing was changed.", "postern serve --server-name "+home.ServerName,
		"--homeserver http://127.0.0.1:"+port+" --homeserver-secret-file '"+secret+"'", "--synapse-pepper-file "+filepath.Join(hs.Dir, "postern-pepper"), fmt.Sprintf("--listen 127.0.0.1:%d ", hs.Port))
	if _, err := os.Stat(secret); err == nil || text(t, hs.Config) != before {
		t.Error("setup without --write wrote something")
	}
	i.tells(i.must("", append(setup, "--write")...), "made   "+secret, "kept   "+hs.Config+".before-postern", "wrote  "+hs.Config)
	i.tells(i.must("", append(setup, "--write")...), "There was nothing to change")
	if text(t, hs.Config+".before-postern") != before {
		t.Error("the copy is not what was there")
	}
	for _, name := range []string{secret, filepath.Join(hs.Dir, "postern-pepper"), hs.Config, hs.Config + ".before-postern"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}

	out = i.sick("synapse", "doctor", hs.Config, "--listen", endpoint.address()) // Synapse does not know yet
	i.tells(out, "problem  Synapse does not answer on http://127.0.0.1:"+port)
	hs.Stop(t)
	hs.URL = "http://127.0.0.1:" + port
	hs.Run(t)
	out = i.must("", "synapse", "doctor", hs.Config, "--listen", endpoint.address())
	i.tells(out, "no problem", "Postern → Synapse: "+hs.URL+" takes the secret", "Synapse → Postern: "+endpoint.URL+" takes the secret", "3 devices (alice ", " only at Synapse: their users log in again", "2 accounts and 0 devices are the same")

	i.must("a long password", "user", "add", "carol", "--password-stdin")
	write(t, secret, "another-secret\n")
	out = i.sick("synapse", "doctor", hs.Config, "--listen", endpoint.address())
	i.tells(out, "runs with another secret than its configuration says", "runs with another secret than Synapse's", "1 account (carol) only at Postern")

	out = i.must("", "synapse", "restore", hs.Config)
	i.tells(out, "1 account made here", "0 sessions begun or renewed here", "byte by byte what it was", "Nothing was changed.")
	i.must("", "synapse", "restore", hs.Config, "--write")
	if text(t, hs.Config) != before {
		t.Errorf("restored:\n%s", text(t, hs.Config))
	}
	i.tells(i.must("", "synapse", "restore", hs.Config), "There is nothing to take back")
	hs.Stop(t)
	hs.URL = fmt.Sprintf("http://127.0.0.1:%d", hs.Port)
	hs.Run(t)
	if who := home.Call(t, "GET", hs.URL+"/_matrix/client/v3/account/whoami", first, nil); who["user_id"] != "@alice:"+home.ServerName {
		t.Errorf("the first token: %v", who)
	}
}

// TestSetupMistakes: what cannot be meant is refused before anything is written.
func TestSetupMistakes(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("a long password", "user", "add", "alice", "--password-stdin")
	config := filepath.Join(t.TempDir(), "homeserver.yaml")
	write(t, config, "server_name: a.test\nreport_stats: false\nmatrix_authentication_service: {enabled: true, endpoint: 'http://mas.test/', secret: hush}\n")
	for words, args := range map[string][]string{
		"Synapse leaves its accounts to":           {config},
		"is not the URL of a server":               {config, "--endpoint", "127.0.0.1:8009"},
		"speak against each other":                 {config, "--keep-listener", "--synapse-port", "8010"},
		"is not a port":                            {config, "--synapse-port", "80100"},
		"must be the same: check --db":             {config, "--server-name", "b.test"},
		"no such file":                             {config + ".gone"},
		"no listener of Synapse can be moved":      {config, "--synapse-port", "8010", "--endpoint", "http://mas.test"},
		"holds more than one YAML document":        {i.config("a: 1\n---\nb: 2\n")},
		"cannot be read":                           {i.config("a: [1\n")},
		"there are no settings":                    {i.config("# nothing\n")},
		"there is a merge (<<)":                    {i.config("a: &a {b: 1}\n<<: *a\n")},
		"nothing was changed; make the change by":  {i.config("server_name: a.test\nsession_lifetime: 1h\nsession_lifetime: 2h\n")},
		"does not stand on lines of its own; chan": {i.config("{server_name: a.test, session_lifetime: 1h}\n")},
	} {
		i.refused(words, append([]string{"synapse", "setup", "--write"}, args...)...)
	}
	if out := i.sick("synapse", "doctor", config); strings.Contains(out, "hush") || !strings.Contains(out, "no listener of Synapse answers") {
		t.Errorf("doctor:\n%s", out)
	}
}

// config writes a homeserver.yaml of its own.
func (i *installation) config(text string) string {
	path := filepath.Join(i.TempDir(), "homeserver.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		i.Fatal(err)
	}
	return path
}

// sick is must for a command that ends with the status 1 and has said why.
func (i *installation) sick(args ...string) string {
	i.Helper()
	out, err := i.command("", args...)
	var status exitStatus
	if !errors.As(err, &status) || status.code != 1 || status.err != nil {
		i.Errorf("postern %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// tells holds that a command's output has these words, and no secret of the tests.
func (i *installation) tells(out string, words ...string) {
	i.Helper()
	for _, w := range words {
		if !strings.Contains(out, w) {
			i.Errorf("no %q in\n%s", w, out)
		}
	}
	for _, secret := range []string{"the secret of the tests", "secret of the tests", "the pepper of the tests"} {
		if strings.Contains(out, secret) {
			i.Errorf("a secret is shown:\n%s", out)
		}
	}
}

// endpointServer answers as package handlers does where the homeserver asks.
type endpointServer struct{ *httptest.Server }

func (e endpointServer) address() string { return strings.TrimPrefix(e.URL, "http://") }

// newEndpoint answers with the secret that stood in the file when it was first asked, as a server that has read it at its start.
func newEndpoint(t *testing.T, secretFile string) endpointServer {
	t.Helper()
	mux := http.NewServeMux()
	known := ""
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "http://x/", "account_management_uri": "http://x/"})
	})
	mux.HandleFunc("POST /oauth2/introspect", func(w http.ResponseWriter, r *http.Request) {
		if known == "" {
			known = strings.TrimSpace(text(t, secretFile))
		}
		if r.Header.Get("Authorization") != "Bearer "+known || r.FormValue("token") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]bool{"active": false})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return endpointServer{server}
}

// unusedPort is a port of loopback that nobody has just now.
func unusedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
