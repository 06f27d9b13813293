package cli

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInvites(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off", "--registration", "token")
	token := strings.TrimSpace(i.must("", "invite", "add"))
	register := func(name, token string) (int, map[string]any) {
		return s.ask("POST", "/_matrix/client/v3/register", "", `{"username":"`+name+`","password":"correct horse",
			"auth":{"type":"m.login.registration_token","token":"`+token+`"}}`)
	}
	if status, answer := register("alice", token); status != 200 {
		t.Fatalf("registration answers %d %v", status, answer)
	}
	if status, answer := register("bob", token); status != 401 || answer["errcode"] != "M_UNAUTHORIZED" {
		t.Errorf("a token that is used up answers %d %v", status, answer)
	}
	if list := i.must("", "invite", "list"); !strings.Contains(list, "used-up") {
		t.Errorf("invite list prints\n%s", list)
	}
	i.must("", "invite", "add", "--uses", "0", "--expires", "0", "--token", "open-day")
	i.refused("exists already", "invite", "add", "--token", "open-day")
	i.refused("1 to 64", "invite", "add", "--token", "a b")
	if status, answer := register("bob", "open-day"); status != 200 {
		t.Errorf("registration answers %d %v", status, answer)
	}
	i.must("", "invite", "revoke", "open-day")
	if status, _ := register("carol", "open-day"); status != 401 {
		t.Errorf("a revoked token answers %d", status)
	}
	i.refused("no registration token", "invite", "revoke", "never")
}

// TestInviteLinks: with the public URL an operator gets links that lead to a page of the server.
func TestInviteLinks(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	const public = "http://127.0.0.1"
	s := i.serve("--registration", "token", "--oauth", "on", "--public-url", public)
	out := strings.Fields(i.must("", "invite", "add", "--token", "a~b.c", "--public-url", public+"/"))
	if len(out) != 2 || out[0] != "a~b.c" || out[1] != public+"/register?token=a~b.c" {
		t.Fatalf("invite add prints %q", out)
	}
	status, page := s.read("GET", strings.TrimPrefix(out[1], public), "", "")
	if status != 200 || !strings.Contains(page, `value="a~b.c"`) {
		t.Errorf("the link is %d %s", status, page)
	}
	if list := i.must("", "invite", "list", "--public-url", public); !strings.Contains(list, out[1]) {
		t.Errorf("invite list prints\n%s", list)
	}
	i.must("", "invite", "revoke", "a~b.c")
	if list := i.must("", "invite", "list", "--public-url", public); strings.Contains(list, out[1]) {
		t.Errorf("a revoked one has a link:\n%s", list)
	}
	i.refused("--public-url", "invite", "add", "--public-url", "here")
	if out := strings.Fields(i.must("", "invite", "add")); len(out) != 1 {
		t.Errorf("without the URL it prints %q", out)
	}
}

func TestLockAndLoginLink(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off", "--login-tokens")
	i.must("secret", "user", "add", "alice", "--password-stdin")
	access, _ := s.login("alice", "secret")
	i.must("", "user", "lock", "alice")
	if status, answer := s.whoami(access); status != 401 || answer["errcode"] != "M_USER_LOCKED" ||
		answer["soft_logout"] != true {
		t.Errorf("a locked user's whoami answers %d %v", status, answer)
	}
	if list := i.must("", "user", "list"); !strings.Contains(list, "locked") {
		t.Errorf("user list prints\n%s", list)
	}
	i.refused("`postern user unlock alice`", "user", "login-link", "alice")
	i.refused("`postern user unlock alice`", "user", "reset-link", "alice", "--public-url", "https://example.org")
	i.must("", "user", "unlock", "alice")
	s.good(access)

	token, _, _ := strings.Cut(i.must("", "user", "login-link", "alice"), "\n")
	login := `{"type":"m.login.token","token":"` + token + `"}`
	status, answer := s.ask("POST", "/_matrix/client/v3/login", "", login)
	if status != 200 {
		t.Fatalf("the login link's token answers %d %v", status, answer)
	}
	s.good(fmt.Sprint(answer["access_token"]))
	if status, _ := s.ask("POST", "/_matrix/client/v3/login", "", login); status != 403 {
		t.Errorf("used twice it answers %d", status)
	}
	if link := i.must("", "user", "login-link", "alice", "--client",
		"https://app.example.org/?a=b"); !strings.HasPrefix(link, "https://app.example.org/?a=b&loginToken=") {
		t.Errorf("the link is %s", link)
	}
	i.refused("no account", "user", "login-link", "bob")
	i.refused("not between", "user", "login-link", "alice", "--ttl", "0s")
	if link := i.must("", "user", "reset-link", "alice", "--public-url",
		"https://example.org/"); !strings.HasPrefix(link, "https://example.org/recover?link=") {
		t.Errorf("the link is %s", link)
	}
	i.refused("no account", "user", "reset-link", "bob", "--public-url", "https://example.org")
	i.refused("needs --public-url", "user", "reset-link", "alice")
	i.refused("not between", "user", "reset-link", "alice", "--public-url", "https://example.org", "--expires", "169h")
}

func TestRegistrationProblems(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	_, err := i.command("", "serve", "--registration", "maybe", "--terms-url", "here", "--public-url", "there",
		"--password-min-length", "0", "--login-token-ttl", "x")
	for _, flag := range []string{"--registration", "--terms-url", "--public-url", "--password-min-length",
		"--login-token-ttl"} {
		if err == nil || !strings.Contains(err.Error(), flag+" \"") {
			t.Errorf("%s is not named in:\n%v", flag, err)
		}
	}
}

// TestUserAddNames: a name is refused as a registration refuses it, and what becomes of it is said.
func TestUserAddNames(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	csv := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(csv, []byte("user,password_hash\nLongpw,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.must("", "user", "import", csv)
	refused := func(words, name string) {
		if _, err := i.command("secret", "user", "add", name, "--password-stdin"); err == nil ||
			!strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", name, err, words)
		}
	}
	refused("in other letters", "longpw")
	refused("user id of this server", "@bob:other.org")
	refused("the name is empty", "")
	if out := i.must("secret", "user", "add", "BOB", "--password-stdin"); !strings.Contains(out, "BOB becomes bob") ||
		!strings.Contains(out, "added @bob:localhost") {
		t.Errorf("it prints\n%s", out)
	}
	refused("`postern user passwd bob`", "bob")
}

// TestNamesInOtherLetters: a command finds the account that a login would find.
func TestNamesInOtherLetters(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	csv := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(csv, []byte("user,password_hash\nSomeUser,\nThree,\nTHREE,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.must("", "user", "import", csv)
	for _, name := range []string{"someuser", "@SOMEUSER:localhost", "SomeUser"} {
		if out := i.must("", "user", "lock", name); !strings.HasPrefix(out, "SomeUser is locked") {
			t.Errorf("%s: %s", name, out)
		}
	}
	i.must("", "user", "lock", "Three")
	i.refused("several accounts", "user", "lock", "three")
	i.refused("no account", "user", "lock", "four")
	i.refused("no account", "user", "lock", "@SomeUser:other.org")
	i.refused("no account", "session", "end", "--user", "x\x00\xff")
	i.refused("no session", "session", "end", "x\x00\xff")
}

// TestPasswordLength: a command asks of a new password what the server asks, unless it is told otherwise.
func TestPasswordLength(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.strict = true
	try := func(good bool, password string, args ...string) {
		t.Helper()
		out, err := i.command(password+"\n", append(args, "--password-stdin", "--password-strength", "0")...)
		if good && err != nil || !good && (err == nil || !strings.Contains(err.Error(), "at least 8 characters")) {
			t.Errorf("%q: %v\n%s", password, err, out)
		}
	}
	try(false, "1234567", "user", "add", "alice")
	try(false, "éééé", "user", "add", "alice") // eight bytes
	try(true, "éééééééé", "user", "add", "alice")
	try(false, "secret", "user", "passwd", "alice")
	try(true, "long secret", "user", "passwd", "alice")
	try(true, "secret", "user", "passwd", "alice", "--password-min-length", "6")
	try(true, "secret", "user", "add", "bob", "--password-min-length", "6")
	s := i.serve("--registration", "open")
	_, answer := s.ask("POST", "/_matrix/client/v3/register", "", `{"username":"carol","password":"1234567"}`)
	if answer["errcode"] != "M_WEAK_PASSWORD" ||
		!strings.Contains(fmt.Sprint(answer["error"]), "at least 8 characters") {
		t.Errorf("the server answers %v", answer)
	}
}

// TestPasswordStrength: a command refuses a password that is easy to guess, for whoever knows the account too, or that
// has leaked, as the server does, and says what to do. A list that cannot be used is refused at the start.
func TestPasswordStrength(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.strict = true
	list := filepath.Join(t.TempDir(), "pwnedpasswords.txt")
	// the SHA-1 of "a whale in leaked water", and one before it and one after it
	const leaked = "0000000000000000000000000000000000000000:1\r\nLEAKED:7\r\n" +
		"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:1\r\n"
	sum := fmt.Sprintf("%X", sha1.Sum([]byte("a whale in leaked water")))
	if err := os.WriteFile(list, []byte(strings.Replace(leaked, "LEAKED", sum, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	try := func(says, password string, args ...string) {
		t.Helper()
		out, err := i.command(password+"\n", append(args, "--password-stdin")...)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v\n%s\nwant %q", password, err, out, says)
		}
	}
	add := []string{"user", "add", "wintermute", "--server-name", "neuromancer.example"}
	try("use a few uncommon words", "password1", add...)
	try("easy to guess", "Wintermute1984", add...)
	try("not between 0 and 4", "a whale in deep water", append(add, "--password-strength", "5")...)
	try("in a list of leaked passwords", "a whale in leaked water", append(add, "--leaked-passwords", list)...)
	try("haveibeenpwned-downloader", "a whale in deep water", append(add, "--leaked-passwords", list+"x")...)
	try("", "a whale in deep water", append(add, "--leaked-passwords", list)...)
	passwd := []string{"user", "passwd", "wintermute", "--server-name", "neuromancer.example"}
	try("easy to guess", "neuromancer12", passwd...)
	try("", "neuromancer12", append(passwd, "--password-strength", "0")...)
	s := i.serve("--registration", "open", "--server-name", "neuromancer.example", "--leaked-passwords", list)
	for password, says := range map[string]string{"a whale in leaked water": "in a list of leaked passwords",
		"carolcarol": "easy to guess"} {
		_, answer := s.ask("POST", "/_matrix/client/v3/register", "", `{"username":"carol","password":"`+password+`"}`)
		if answer["errcode"] != "M_WEAK_PASSWORD" || !strings.Contains(fmt.Sprint(answer["error"]), says) {
			t.Errorf("the server answers %v", answer)
		}
	}
	if err := os.WriteFile(list, []byte("no list any more"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, answer := s.ask("POST", "/_matrix/client/v3/register", "",
		`{"username":"carol","password":"a whale in leaked water"}`)
	if status != 401 || !strings.Contains(s.logs.String(), "not looked up among the leaked ones") {
		t.Errorf("with a list that is spoilt the server answers %v, and logs %s", answer, s.logs)
	}
	i.refused(`--password-strength "-1"`, "serve", "--password-strength=-1", "--leaked-passwords", list+"x")
	i.refused("--leaked-passwords: ", "serve", "--password-strength=-1", "--leaked-passwords", list+"x")
}
