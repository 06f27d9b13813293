package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/tokens"
)

// TestFirstDay is a newcomer's: start, add a user, log in, refresh, log out, stop, start again.
func TestFirstDay(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off")
	if !strings.Contains(s.logs.String(), "postern user add NAME") {
		t.Errorf("without an account the log does not say how to add one:\n%s", s.logs)
	}
	i.must("secret\n", "user", "add", "Alice", "--password-stdin")
	access, refresh := s.login("alice", "secret")
	s.good(access)
	status, pair := s.ask("POST", "/_matrix/client/v3/refresh", "", `{"refresh_token":"`+refresh+`"}`)
	if status != 200 || pair["expires_in_ms"].(float64) > 300_000 {
		t.Fatalf("refresh answers %d %v", status, pair)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = i.serve()
	s.good(pair["access_token"].(string))
	if status, answer := s.ask("POST", "/_matrix/client/v3/logout", pair["access_token"].(string), ""); status != 200 {
		t.Errorf("logout answers %d %v", status, answer)
	}
	s.gone(pair["access_token"].(string))
	for _, name := range []string{"postern.db", "postern.key"} {
		info, err := os.Stat(filepath.Join(filepath.Dir(i.db), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestCommandsWhileServing: what the command line ends, the server refuses at once; what it adds, is there at once.
func TestCommandsWhileServing(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off")
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.must("secret", "user", "add", "@bob:localhost", "--password-stdin")

	access, _ := s.login("alice", "secret")
	s.good(access)
	list := i.must("", "session", "list", "alice")
	id := strings.Fields(strings.Split(list, "\n")[1])[0]
	i.must("", "session", "end", id)
	s.gone(access)

	access, _ = s.login("alice", "secret")
	i.must("", "session", "end", "--user", "alice", "--device", "ALICE")
	s.gone(access)

	access, _ = s.login("alice", "secret")
	bob, _ := s.login("bob", "secret")
	i.must("", "user", "deactivate", "alice")
	s.gone(access)
	s.good(bob)
	login := `{"type":"m.login.password","user":"alice","password":"secret"}`
	if status, answer := s.ask("POST", "/_matrix/client/v3/login", "", login); status != 403 ||
		answer["errcode"] != "M_USER_DEACTIVATED" {
		t.Errorf("a deactivated login answers %d %v", status, answer)
	}
	i.must("", "user", "reactivate", "alice")
	access, _ = s.login("alice", "secret")
	i.must("new", "user", "passwd", "alice", "--password-stdin", "--keep-sessions")
	s.good(access)
	i.must("newer", "user", "passwd", "alice", "--password-stdin")
	s.gone(access)
	s.login("alice", "newer")
	if users := i.must("", "user", "list"); !strings.Contains(users, "@alice:localhost") ||
		!strings.Contains(users, "active") {
		t.Errorf("user list prints\n%s", users)
	}
}

func TestKeysWhileServing(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off")
	i.must("secret", "user", "add", "alice", "--password-stdin")
	i.must("secret", "user", "add", "bob", "--password-stdin")
	alice, _ := s.login("alice", "secret")
	first := i.newestKey()
	i.refused("run `postern keys rotate` first", "keys", "retire", first)
	i.must("", "keys", "rotate")
	s.good(alice)
	bob, _ := s.login("bob", "secret")
	if out := i.must("", "token", "inspect", bob); !strings.Contains(out, "root key    "+i.newestKey()) {
		t.Errorf("after the rotation:\n%s", out)
	}
	i.refused("1 session would have to log in again", "keys", "retire", first)
	i.must("", "keys", "retire", first, "--force")
	if status, answer := s.whoami(alice); status != 401 || answer["soft_logout"] != true {
		t.Errorf("after its key was retired a token answers %d %v", status, answer)
	}
	s.good(bob)
	if out := i.must("", "session", "list", "alice"); !strings.Contains(out, "soft") {
		t.Errorf("session list prints\n%s", out)
	}
	for name, retired := range map[string]bool{"alice": true, "bob": false} {
		if out := i.must("", "session", "events", name); strings.Contains(out, "key_retired") != retired {
			t.Errorf("session events %s prints\n%s", name, out)
		}
	}
	i.refused("no root key "+first+" in force", "keys", "retire", first, "--force")
	if out := i.must("", "keys", "list"); !strings.Contains(out, "retired") || !strings.Contains(out, "mints") {
		t.Errorf("keys list prints\n%s", out)
	}
}

func TestTokenCommands(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve()
	i.must("secret", "user", "add", "alice", "--password-stdin")
	access, refresh := s.login("alice", "secret")
	if out := i.must(access+"\n", "token", "verify", "-"); !strings.Contains(out, "good") ||
		!strings.Contains(out, "@alice:localhost") {
		t.Errorf("verify prints\n%s", out)
	}
	i.must("", "token", "verify", refresh, "--type", "refresh")
	i.refused("refused", "token", "verify", refresh)
	narrow := strings.TrimSpace(i.must(access, "token", "restrict", "-", "method in GET,HEAD",
		"path under /_matrix/client/v3/account"))
	s.good(narrow)
	if status, answer := s.ask("POST", "/_matrix/client/v3/logout", narrow, ""); status != 403 {
		t.Errorf("logout with a restricted token answers %d %v", status, answer)
	}
	i.refused("method", "token", "verify", narrow, "--method", "PUT")
	i.refused("", "token", "restrict", access, "nonsense")
	i.refused("", "token", "inspect", "nonsense")
}

func TestDev(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	for range 2 { // the second start gives alice another password and keeps her sessions
		s := i.serve("--dev")
		_, rest, _ := strings.Cut(s.out.String(), `"password":"`)
		password, _, _ := strings.Cut(rest, `"`)
		access, _ := s.login("alice", password)
		s.good(access)
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	i = newInstallation(t)
	i.must("her own", "user", "add", "alice", "--password-stdin")
	s := i.serve("--dev")
	s.login("alice", "her own")
}

// TestAllProblemsAtOnce: a configuration is mended in one go.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	_, err := i.command("", "serve", "--listen", "nowhere", "--access-ttl", "soon", "--access-ttl-legacy=-1s",
		"--session-ttl", "x",
		"--refresh-leeway", "y", "--keep-expired", "1s", "--keep-events", "z", "--rate-limit", "many",
		"--trusted-proxy", "proxy", "--log-level", "loud", "--server-name", "no name", "--db-connections", "1")
	if err == nil {
		t.Fatal("it serves")
	}
	for _, flag := range []string{"--listen", "--access-ttl", "--access-ttl-legacy", "--session-ttl",
		"--refresh-leeway", "--keep-expired", "--keep-events", "--rate-limit", "--trusted-proxy", "--log-level",
		"--server-name"} {
		if !strings.Contains(err.Error(), flag+" \"") {
			t.Errorf("%s is not named in:\n%v", flag, err)
		}
	}
	if !strings.Contains(err.Error(), "--db-connections 1 is less than 2") {
		t.Errorf("--db-connections is not named in:\n%v", err)
	}
	if _, err := os.Stat(i.db); err == nil {
		t.Error("a server that did not start made a database")
	}
}

func TestMasterKey(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(i.db), "postern.key")
	key := text(t, file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	i.refused("is missing", "serve", "--listen", "127.0.0.1:0")
	i.refused("is missing", "keys", "rotate")
	other, err := tokens.NewMasterKey(strings.NewReader(strings.Repeat("another!", 4)))
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{other.Text(), "rubbish", ""} {
		if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		i.refused("master key", "serve", "--listen", "127.0.0.1:0")
	}
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	i.serve()
}

func TestCommandErrors(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.refused("there is no database at", "user", "list")
	i.refused("add --password-stdin", "user", "add", "alice")
	i.refused("empty", "user", "add", "alice", "--password-stdin")
	i.must("x", "user", "add", "alice", "--password-stdin")
	if _, err := i.command("x", "user", "add", "alice", "--password-stdin"); err == nil ||
		!strings.Contains(err.Error(), "exists already") {
		t.Errorf("adding alice twice: %v", err)
	}
	if _, err := i.command("x", "user", "add", "a b", "--password-stdin"); err == nil ||
		!strings.Contains(err.Error(), "may hold") {
		t.Errorf("adding a name with a space: %v", err)
	}
	i.refused("no account", "user", "deactivate", "bob")
	i.refused("no account", "session", "end", "--user", "bob")
	i.refused("no session", "session", "end", "nothing")
	i.refused("name either", "session", "end")
	i.refused("--help", "user", "frobnicate")
}

// TestServerName: under another name every token in use would be refused, so a slip is told and not served.
func TestServerName(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin", "--server-name", "example.org")
	s := i.serve("--server-name", "example.org")
	access, _ := s.login("alice", "secret")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	i.refused("was made for the server name example.org", "serve", "--listen", "127.0.0.1:0", "--server-name",
		"localhost")
	s = i.serve() // without the flag it is the name of before
	s.good(access)
	if out := i.must("secret", "user", "add", "bob", "--password-stdin"); !strings.Contains(out, "@bob:example.org") {
		t.Errorf("user add prints %s", out)
	}
	i.must("", "session", "list", "@alice:example.org")
	i.refused("no account", "session", "list", "@alice:elsewhere.org")
	i.refused("no account", "session", "events", "nobody")
}

// TestDatabaseGone: a database that vanishes is noticed, and a new one is not quietly put in its place.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve()
	if status, _ := s.ask("GET", "/health", "", ""); status != 200 {
		t.Fatalf("health answers %d", status)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(i.db + suffix); err != nil {
			t.Fatal(err)
		}
	}
	if status, answer := s.ask("GET", "/health", "", ""); status != 503 {
		t.Errorf("without its file health answers %d %v", status, answer)
	}
	if err := s.stop(); err != nil {
		t.Log(err) // what it could not write is lost, and it says so
	}
	i.refused("but its database", "serve", "--listen", "127.0.0.1:0")
	i.must("", "serve", "--help")
}

// TestRetirementAndLostAnswer: a key that a client may still need is not retired, and by force only softly.
func TestRetirementAndLostAnswer(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off")
	i.must("secret", "user", "add", "alice", "--password-stdin")
	_, refresh := s.login("alice", "secret")
	ask := func() (int, map[string]any) {
		return s.ask("POST", "/_matrix/client/v3/refresh", "", `{"refresh_token":"`+refresh+`"}`)
	}
	first := i.newestKey()
	i.must("", "keys", "rotate")
	ask() // the answer is lost
	i.refused("would have to log in again", "keys", "retire", first)
	status, pair := ask()
	if status != 200 {
		t.Fatalf("after a rotation the lost answer is %d %v", status, pair)
	}
	i.must("", "keys", "retire", first, "--force")
	if status, answer := ask(); status != 401 || answer["soft_logout"] != true {
		t.Errorf("by force it is %d %v", status, answer)
	}
	s.good(fmt.Sprint(pair["access_token"]))
}

// TestHelp: every command explains itself.
func TestHelp(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	for _, command := range []string{"", "serve", "user add", "user list", "session list", "session end",
		"token verify", "token restrict", "keys rotate", "keys retire", "backup", "db copy", "synapse outbox"} {
		out := i.must("", append(strings.Fields(command), "--help")...)
		if !strings.Contains(out, "Usage: postern") {
			t.Errorf("postern %s --help prints\n%s", command, out)
		}
	}
	if out := i.must("", "serve", "--help"); !strings.Contains(out, "POSTERN_ACCESS_TTL") ||
		!strings.Contains(out, "Examples:") {
		t.Errorf("serve --help prints\n%s", out)
	}
}

// TestNoSecretInLogs logs in, fails and refreshes at the chattiest level and looks for what must not be there.
func TestNoSecretInLogs(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--log-level", "debug", "--refresh-leeway", "0")
	i.must("hunter2-secret", "user", "add", "alice", "--password-stdin")
	access, refresh := s.login("alice", "hunter2-secret")
	s.ask("GET", "/_matrix/client/v3/account/whoami?access_token="+access+"x", "", "")
	s.ask("GET", "/_matrix/client/v3/nothing?access_token="+access, "", "")
	_, pair := s.ask("POST", "/_matrix/client/v3/refresh", "", `{"refresh_token":"`+refresh+`"}`)
	s.good(fmt.Sprint(pair["access_token"]))
	s.ask("POST", "/_matrix/client/v3/refresh", "", `{"refresh_token":"`+refresh+`"}`) // a replay
	s.ask("POST", "/_matrix/client/v3/login", "",
		`{"type":"m.login.password","user":"alice","password":"hunter2-wrong"}`)
	logs := s.logs.String()
	if !strings.Contains(logs, "replayed") {
		t.Errorf("the replay is not in the log:\n%s", logs)
	}
	for _, secret := range []string{"hunter2", access[:40], refresh[:40], "argon2id$",
		fmt.Sprint(pair["refresh_token"])[100:]} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log holds %q:\n%s", secret, logs)
		}
	}
	if events := i.must("", "session", "events"); !strings.Contains(events, "replay") {
		t.Errorf("session events prints\n%s", events)
	}
}

// TestStopDrains: a request that runs when the server is told to stop gets its answer.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve()
	i.must("secret", "user", "add", "alice", "--password-stdin")
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"type":"m.login.password","user":"alice","password":"secret"}`
	fmt.Fprintf(conn, "POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("the server says %q, %v", line, err)
	} // now the handler waits for the body
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	for err == nil { // until nobody listens any more
		var probe net.Conn
		if probe, err = net.Dial("tcp", address); err == nil {
			probe.Close()
		}
	}
	fmt.Fprint(conn, body)
	rest, err := io.ReadAll(answers)
	if err != nil || !strings.Contains(string(rest), "200 OK") || !strings.Contains(string(rest), "access_token") {
		t.Errorf("the answer is %q, %v", rest, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
