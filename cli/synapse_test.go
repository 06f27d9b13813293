package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/homeserver/delegation"
	binary "postern/test/rig/process"
	"postern/test/rig/synapse"
)

// TestMoveByCommands is a move in and out with a real Synapse, by the three commands, and by the command that setup
// prints; and doctor's picture at each stage.
func TestMoveByCommands(t *testing.T) {
	t.Parallel()
	moveByCommands(t, "")
}

// TestMoveByCommandsOfOldSynapse is the same with the oldest releases that can leave their accounts to another server,
// where they are installed: they know scopes by their unstable names alone.
func TestMoveByCommandsOfOldSynapse(t *testing.T) {
	t.Parallel()
	for _, release := range []string{"1.136.0", "1.137.0"} {
		t.Run(release, func(t *testing.T) { t.Parallel(); moveByCommands(t, release) })
	}
}

// TestOlderSynapse: a release that cannot is named before anything is changed.
func TestOlderSynapse(t *testing.T) {
	t.Parallel()
	hs := synapse.New(t, synapse.Options{Release: "1.135.0"})
	i := newInstallation(t)
	const words = "Synapse is 1.135.0, and matrix_authentication_service, by which it leaves its accounts"
	i.tells(i.sick("synapse", "doctor", hs.Config, "--listen", fmt.Sprintf("127.0.0.1:%d", binary.FreePort(t))),
		"problem  "+words)
	i.refused(words, "synapse", "setup", hs.Config, "--write")
}

func moveByCommands(t *testing.T, release string) {
	bridge := filepath.Join(t.TempDir(), "irc.yaml")
	registration := "id: irc\nurl: null\nas_token: the token of the bridge\nhs_token: another\nsender_localpart: ircbot\nnamespaces: {users: [{exclusive: true, regex: '@_irc_.*'}]}\n"
	write(t, bridge, registration)
	hs := synapse.New(t, synapse.Options{Release: release, Extra: "app_service_config_files: ['" + bridge +
		"']\nenable_registration: true\nenable_registration_without_verification: true\n# mine\nsession_lifetime: 24h\npassword_config:\n  pepper: \"the pepper of the tests\"\n"})
	hs.Register(t, "alice", "a long password", false)
	first := hs.Login(t, "alice", "a long password", "PHONE", false)["access_token"].(string)
	gone := hs.Login(t, "alice", "a long password", "GONE", false)["access_token"].(string)
	before, clients := text(t, hs.Config), hs.URL
	i := newInstallation(t)
	examine := []string{"synapse", "doctor", hs.Config, "--listen", strings.TrimPrefix(clients, "http://"),
		"--server-name", synapse.ServerName}
	i.tells(i.must("", examine...), "ready for `postern synapse setup`",
		": enable_registration: Synapse does not start", ": session_lifetime: ", "password_config.pepper",
		"Synapse answers on "+hs.URL, "the clocks agree", "SQLite, and may keep it", "Postern has no database at",
		"is Synapse's, and Postern's --listen too",
		"1 application service (irc), which Postern must know")
	i.must("", "user", "import", hs.DB, "--server-name", synapse.ServerName, "--sessions")
	hs.Register(t, "dave", "a long password", false)
	hs.Login(t, "alice", "a long password", "TABLET", false)
	synapse.Call(t, "POST", clients+"/_matrix/client/v3/logout", gone, map[string]any{})
	again := []string{"user", "import", hs.DB, "--server-name", synapse.ServerName, "--sessions", "--since-last"}
	i.tells(i.must("", examine...), "1 account (dave) only at Synapse", "1 device (alice TABLET) only at Synapse",
		"1 device (alice GONE) only at Postern", "2 changes at Synapse since the last import: sessions, passwords")
	i.must("", again...)
	i.tells(i.must("", examine...), "2 accounts and 4 devices are the same on both sides")

	line := i.setUp(t, hs, before)
	synapse.Call(t, "POST", clients+"/_matrix/client/v3/login", "", // Synapse has not been started again
		map[string]any{"type": "m.login.password", "user": "dave", "password": "a long password"})
	i.tells(i.sick(examine...), "problem  Synapse gave tokens after the last import (access token ")
	hs.Stop(t)
	i.refused("Synapse gave tokens after the last import", append([]string{"serve"}, line...)...)
	i.must("", again...)
	i.must("a long password", "user", "add", "carol", "--password-stdin", "--server-name", synapse.ServerName)
	i.tells(i.sick(examine...), "problem  Synapse does not answer on "+hs.URL,
		"problem  Synapse → Postern: nobody answers", "where Postern should", "1 account (carol) only at Postern")
	postern := i.serve(line...)
	hs.Run(t)
	if who := synapse.Call(t, "GET", clients+"/_matrix/client/v3/account/whoami", first,
		nil); who["device_id"] != "PHONE" {
		t.Errorf("the first token in front: %v", who)
	}
	synapse.Call(t, "POST", clients+"/_matrix/client/v3/login", "",
		map[string]any{"type": "m.login.password", "user": "alice", "password": "a long password",
			"device_id": "LAPTOP"})
	if sync := synapse.Call(t, "GET", clients+"/_matrix/client/v3/sync?timeout=0", first,
		nil); sync["next_batch"] == nil {
		t.Errorf("the first token at Synapse: %v", sync)
	}
	i.tells(i.settled(examine...), "no problem", "a real token went through both sides: Synapse knows it for @alice:", "Postern → Synapse: "+hs.URL+" takes the secret",
		"Synapse → Postern: http://127.0.0.1:", "takes the secret",
		"1 account (carol) only at Postern", "Postern listens", "1 application service (irc) known to both")
	write(t, bridge, strings.Replace(registration, "the token", "a new token", 1))
	i.tells(i.sick(examine...), "it was started without 1 file ("+bridge)
	write(t, bridge, registration)

	secret := filepath.Join(hs.Dir, "secret")
	right := text(t, secret)
	write(t, secret, "another-secret\n")
	i.tells(i.sick(examine...), "runs with another secret than its configuration says",
		"runs with another secret than Synapse's")
	write(t, secret, right)

	i.tells(i.must("", "synapse", "restore", hs.Config), "1 session begun or renewed here", "0 passwords set here",
		"1 account made here", "byte by byte what it was", "Nothing was changed.")
	i.must("", "synapse", "restore", hs.Config, "--write")
	if text(t, hs.Config) != before {
		t.Errorf("restored:\n%s", text(t, hs.Config))
	}
	i.tells(i.must("", "synapse", "restore", hs.Config), "There is nothing to take back")
	// Who logged in there meanwhile would be logged out.
	if out, err := i.command("", again...); err == nil ||
		!strings.Contains(err.Error()+out, "begin with a new database: stop Postern, then mv "+i.db) {
		t.Errorf("imported into a database that was moved out of: %v %s", err, out)
	}
	i.tells(i.must("", examine...), "knows nothing of what happened at Synapse since")
	i.tells(i.must("", "synapse", "setup", hs.Config), "Beware: ", "begin with a new database",
		"Only if Synapse was not started since")
	if err := postern.stop(); err != nil {
		t.Error(err)
	}
	hs.Stop(t)
	hs.URL = clients
	hs.Run(t)
	if who := synapse.Call(t, "GET", clients+"/_matrix/client/v3/account/whoami", first,
		nil); who["user_id"] != "@alice:"+synapse.ServerName {
		t.Errorf("the first token at plain Synapse: %v", who)
	}
}

// setUp shows and makes the change, and gives the arguments of the command that was printed for `postern serve`.
func (i *installation) setUp(t *testing.T, hs *synapse.Server, before string) []string {
	t.Helper()
	secret, pepper := filepath.Join(hs.Dir, "secret"), filepath.Join(hs.Dir, "postern-pepper")
	port := fmt.Sprint(binary.FreePort(t))
	setup := []string{"synapse", "setup", hs.Config, "--secret-file", secret, "--endpoint",
		fmt.Sprintf("http://127.0.0.1:%d", binary.FreePort(t)), "--synapse-port", port}
	i.tells(i.must("", setup...), "-enable_registration: true\n", "+# taken out by postern:session_lifetime: 24h\n",
		"Nothing was changed.", "It also writes password_config.pepper into "+pepper)
	if _, err := os.Stat(secret); err == nil || text(t, hs.Config) != before {
		t.Error("setup without --write wrote something")
	}
	out := i.must("", append(setup, "--write")...)
	i.tells(out, "made   "+secret, "kept   "+hs.Config+".before-postern", "wrote  "+hs.Config)
	i.tells(i.must("", append(setup, "--write")...), "There was nothing to change")
	if text(t, hs.Config+".before-postern") != before {
		t.Error("the copy is not what was there")
	}
	for _, name := range []string{secret, pepper, hs.Config, hs.Config + ".before-postern"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	hs.URL = "http://127.0.0.1:" + port
	_, line, _ := strings.Cut(out, "\n  postern serve ")
	line, unit, _ := strings.Cut(line, "\n")
	for name, value := range map[string]string{"--session-ttl": "24h", "--registration": "open"} {
		if !strings.Contains(line, name+" "+value+" ") || !strings.Contains(unit, name+" "+value+" ") {
			t.Errorf("%s %s is lost in %s\n%s", name, value, line, unit)
		}
	}
	return strings.Fields(line)
}

// settled is must, once what happens behind an answer has happened.
func (i *installation) settled(args ...string) (out string) {
	i.Helper()
	var err error
	for range 1200 {
		if out, err = i.command("", args...); err == nil {
			return out
		}
		time.Sleep(50 * time.Millisecond)
	}
	i.Fatalf("postern %s: %v\n%s", strings.Join(args, " "), err, out)
	return ""
}

// TestDatabaseOfSynapse: no error about Synapse's database shows its password.
func TestDatabaseOfSynapse(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	config := i.config(fmt.Sprintf(`server_name: a.test
report_stats: false
listeners: [{port: %d, type: http, x_forwarded: true, bind_addresses: ['127.0.0.1'], resources: [{names: [client]}]}]
database: {name: psycopg2, args: {user: synapse_user, password: hush & more, dbname: synapse, host: 127.0.0.1, port: %d, cp_min: 5}}
`, binary.FreePort(t), binary.FreePort(t)))
	out := i.must("", "synapse", "doctor", config, "--listen", fmt.Sprintf("127.0.0.1:%d", binary.FreePort(t)))
	i.tells(out, "Synapse's database was not looked into", "synapse_user", "free for Postern")
	if strings.Contains(out, "hush") {
		t.Errorf("the password is shown:\n%s", out)
	}
}

// TestShellWord: what setup prints can be typed.
func TestShellWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"/etc/a-b_c.d": "/etc/a-b_c.d", "": "''", "a b": "'a b'",
		"a'b": `'a'\''b'`, "a?b&c": "'a?b&c'", "$x": "'$x'"} {
		if got := shellWord(text); got != want {
			t.Errorf("%q becomes %s", text, got)
		}
	}
}

// TestSetupTellsOfLocalhost: Synapse's own configuration has both addresses of loopback, and Postern listens on one.
func TestSetupTellsOfLocalhost(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	for bind, told := range map[string]bool{"['::1', '127.0.0.1']": true, "['127.0.0.1']": false, "['::1']": false} {
		config := i.config("server_name: localhost\nlisteners:\n  - port: 8008\n    type: http\n    bind_addresses: " +
			bind + "\n    resources: [{names: [client]}]\n")
		out := i.must("", "synapse", "setup", config, "--synapse-port", "8010")
		if strings.Contains(out, "a proxy that sends to localhost has to send to 127.0.0.1:8008") != told {
			t.Errorf("%s:\n%s", bind, out)
		}
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
		"Synapse leaves its accounts to":      {config},
		"is not the URL of a server":          {config, "--endpoint", "127.0.0.1:8009"},
		"speak against each other":            {config, "--keep-listener", "--synapse-port", "8010"},
		"is not a port":                       {config, "--synapse-port", "80100"},
		"must be the same: check --db":        {config, "--server-name", "b.test"},
		"no such file":                        {config + ".gone"},
		"no listener of Synapse can be moved": {config, "--synapse-port", "8010", "--endpoint", "http://mas.test"},
		"holds more than one YAML document":   {i.config("a: 1\n---\nb: 2\n")},
		"cannot be read":                      {i.config("a: [1\n")},
		"there are no settings":               {i.config("# nothing\n")},
		"there is a merge (<<)":               {i.config("a: &a {b: 1}\n<<: *a\n")},
		"nothing was changed; make the change by": {i.config(
			"server_name: a.test\nsession_lifetime: 1h\nsession_lifetime: 2h\n")},
		"does not stand on lines of its own; chan": {i.config("{server_name: a.test, session_lifetime: 1h}\n")},
	} {
		i.refused(words, append([]string{"synapse", "setup", "--write"}, args...)...)
	}
	stale := func(text string) string {
		config := i.config("server_name: a.test\n" + text)
		write(t, filepath.Join(filepath.Dir(config), "postern-secret"), "of-an-earlier-time\n")
		write(t, filepath.Join(filepath.Dir(config), "postern-pepper"), "of-an-earlier-time")
		return config
	}
	i.refused("postern-secret is there, and is not what", "synapse", "setup", "--write",
		stale("matrix_authentication_service: {enabled: true, endpoint: 'http://127.0.0.1:8009/', secret: hush}\n"))
	i.refused("postern-pepper is there, and is not what", "synapse", "setup", "--write",
		stale("password_config: {pepper: hush}\n"))
	if out := i.sick("synapse", "doctor", config); strings.Contains(out, "hush") ||
		!strings.Contains(out, "no listener of Synapse answers") {
		t.Errorf("doctor:\n%s", out)
	}
}

// TestDoctorRehearsesSetup: what setup refuses doctor does not call ready, with the same words; a configuration that
// says where it ends is ready for both.
func TestDoctorRehearsesSetup(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	const listeners = `"listeners": [{"port": 1, "type": "http", "bind_addresses": ["127.0.0.1"], ` +
		`"x_forwarded": true, "resources": [{"names": ["client"]}]}]`
	listen := fmt.Sprintf("127.0.0.1:%d", binary.FreePort(t))
	for text, why := range map[string]string{
		`{"server_name": "a.test", "session_lifetime": 1, ` + listeners + "}\n": "does not stand on lines of its own",
		`{"server_name": "a.test", ` + listeners + "}\n":                        "cannot be changed safely",
		"server_name: a.test\n" + listeners + "\nsession_lifetime: 1h\n...\n":   "",
	} {
		config := i.config(text)
		if why == "" {
			i.tells(i.must("", "synapse", "doctor", config, "--listen", listen), "ready for")
			i.must("", "synapse", "setup", config, "--write")
			i.tells(i.must("", "synapse", "restore", config, "--write"), "byte by byte")
			continue
		}
		i.tells(i.sick("synapse", "doctor", config, "--listen", listen), "setup` refuses: ", why)
		i.refused(why, "synapse", "setup", config)
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

// TestDropIn: what setup prints for systemd has every flag, files as credentials, and words that systemd takes as they
// are.
func TestDropIn(t *testing.T) {
	t.Parallel()
	got := dropIn([]delegation.Flag{{Name: "db", Value: "/var/lib/a b/postern.db"}, {Name: "login-tokens"},
		{Name: "homeserver-secret-file", Value: "/etc/50%/secret", File: "secret"},
		{Name: "appservice", Value: "/etc/irc/registration.yaml", File: "registration.yaml"},
		{Name: "appservice", Value: "/etc/mail/registration.yaml", File: "registration.yaml"},
		{Name: "public-url", Value: "https://a.org/$x%20\"y"}})
	const want = `  [Service]
  LoadCredential=
  LoadCredential=secret:/etc/50%%/secret
  LoadCredential=registration.yaml:/etc/irc/registration.yaml
  LoadCredential=2-registration.yaml:/etc/mail/registration.yaml
  ExecStart=
  ExecStart=/usr/local/bin/postern serve --db "/var/lib/a b/postern.db" --login-tokens --homeserver-secret-file %d/secret` +
		` --appservice %d/registration.yaml --appservice %d/2-registration.yaml --public-url "https://a.org/$$x%%20\"y"
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
