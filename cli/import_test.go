package cli

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // makes databases like Synapse's
)

// thePepper and its hash of "correct horse" are of the vectors in handlers/hash_test.go.
const thePepper = "EVEN_MORE_SECRET"

// synapseFile makes a database like Synapse's, with the rows that importer's tests have.
func synapseFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "homeserver.db")
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, file := range []string{"synapse.sqlite.sql", "synapse.rows.sql"} {
		if _, err := d.ExecContext(t.Context(),
			text(t, filepath.Join("homeserver", "importer", "testdata", file))); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestMovingIn is an operator's way from Synapse: look, move, log people in, look again.
func TestMovingIn(t *testing.T) {
	t.Parallel()
	i, source := newInstallation(t), synapseFile(t)
	secret := filepath.Join(t.TempDir(), "pepper")
	if err := os.WriteFile(secret, []byte(thePepper+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	move := func(more ...string) string {
		t.Helper()
		return i.must("", append([]string{"user", "import", source, "--server-name", "example.org"}, more...)...)
	}
	dry := move("--dry-run")
	if _, err := os.Stat(i.db); err == nil {
		t.Error("a dry run made a database")
	}
	for _, line := range []string{"Nothing was written", "--synapse-pepper-file", "user passwd NAME"} {
		if !strings.Contains(dry, line) {
			t.Errorf("the dry run does not say %q:\n%s", line, dry)
		}
	}
	s := i.serve("--server-name", "example.org", "--rate-limit", "off", "--synapse-pepper-file", secret)
	i.must("her own", "user", "add", "admin", "--password-stdin", "--server-name", "example.org")
	dry = move("--dry-run")
	done := move()
	if foreseen, _, _ := strings.Cut(dry,
		"\nNothing was written"); strings.TrimSpace(done) != strings.TrimSpace(foreseen) {
		t.Errorf("foreseen was\n%s\nand it became\n%s", foreseen, done)
	}
	holds(t, done, "@17:example.org skipped guest", "@_irc_dave:example.org skipped application service's user",
		"@bot:example.org skipped bot",
		"@carol:elsewhere.org skipped another server's user", "@odd:example.org skipped unknown kind of password hash",
		"@support:example.org skipped support user", "@admin:example.org skipped is here already",
		"@sso:example.org added no password",
		"@waiting:example.org added locked", "added 3", "added 1 no password", "added 2 deactivated", "added 2 locked",
		"skipped 1 guest")

	s.login("alice", "correct horse") // once with Synapse's hash, and then with our own
	s.login("alice", "correct horse")
	s.login("Bob Übel", "correct horse")
	s.login("admin", "her own")
	for user, want := range map[string]string{"locked": "401 M_USER_LOCKED", "sso": "403 M_FORBIDDEN",
		"gone": "403 M_FORBIDDEN", "bot": "403 M_FORBIDDEN"} {
		status, answer := s.ask("POST", "/_matrix/client/v3/login", "",
			`{"type":"m.login.password","user":"`+user+`","password":"correct horse"}`)
		if got := fmt.Sprint(status, " ", answer["errcode"]); got != want {
			t.Errorf("%s gets %s, want %s", user, got, want)
		}
	}
	i.must("now one", "user", "passwd", "sso", "--password-stdin", "--server-name", "example.org")
	s.login("sso", "now one")

	list := i.must("", "user", "list", "--server-name", "example.org")
	holds(t, move(), "@alice:example.org skipped is here already", "skipped 9 is here already")
	if again := i.must("", "user", "list", "--server-name", "example.org"); again != list {
		t.Errorf("a second import made of\n%s\n\n%s", list, again)
	}
	holds(t, list, "@alice:example.org active 2020-01-01 00:00:01 1", "@gone:example.org deactivated",
		"@locked:example.org locked", "@Bob Übel:example.org active")
}

// holds looks for rows, whatever the width of the columns.
func holds(t testing.TB, out string, rows ...string) {
	t.Helper()
	flat := "\n"
	for line := range strings.Lines(out) {
		flat += strings.Join(strings.Fields(line), " ") + "\n"
	}
	for _, row := range rows {
		if !strings.Contains(flat, "\n"+row) {
			t.Errorf("%q is not in\n%s", row, out)
		}
	}
}

// TestMovingManyIn: batches, and a word on the way.
func TestMovingManyIn(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--rate-limit", "off")
	var people strings.Builder
	people.WriteString("user,password_hash\n")
	for n := range 2600 {
		fmt.Fprintf(&people, "user%d,$2b$04$/JFS.vmDn8l1btGa0uovsuCLkOb1OAV4YZ0oePKS1S3uckrKTJoxC\n", n)
	}
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte(people.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out := i.must("", "user", "import", file)
	holds(t, out, "1000 of 2600 accounts", "2000 of 2600 accounts", "added 2600")
	s.login("user2599", "correct horse")
	holds(t, i.must("", "user", "import", file), "skipped 2600 is here already")
}

func TestImportErrors(t *testing.T) {
	t.Parallel()
	i, source := newInstallation(t), synapseFile(t)
	i.refused("pass --server-name example.org", "user", "import", source)
	i.refused("there is no file", "user", "import", "nowhere.db")
	i.refused("--since-last belongs to --sessions", "user", "import", source, "--server-name", "example.org",
		"--since-last")
	i.refused("leave --sessions out", "user", "import", "people.csv", "--sessions")
	i.refused("dendrite's table", "user", "import", source, "--format", "dendrite")
	i.refused("--format", "user", "import", source, "--format", "conduit")
	i.refused("is not a server name", "user", "import", source, "--server-name", "no name")
	if _, err := os.Stat(i.db); err == nil {
		t.Error("an import that did not happen made a database")
	}
	if out := i.must("", "user", "import", "--help"); !strings.Contains(out, "Examples:") ||
		!strings.Contains(out, "--dry-run") {
		t.Errorf("help is\n%s", out)
	}
	empty := filepath.Join(t.TempDir(), "pepper")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.refused("is empty; leave the flag out", "serve", "--synapse-pepper-file", empty)
	i.refused("--synapse-pepper-file:", "serve", "--synapse-pepper-file", empty+"s")
}
