package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
)

// TestClients: an operator adds, lists and removes clients while the server runs.
func TestClients(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--oauth", "on", "--public-url", "http://127.0.0.1:8008", "--oauth-clients", "static")
	const metadata = `{"client_name":"Bot","client_uri":"https://bot.example.org","contacts":["x"],
		"redirect_uris":["https://bot.example.org/cb,x"],"grant_types":["refresh_token","authorization_code"]}`
	register := func() (int, map[string]any) { return s.ask("POST", "/oauth2/registration", "", metadata) }
	if status, answer := register(); status != 400 || !strings.Contains(s.logs.String(), "client refused") {
		t.Errorf("registration answers %d %v", status, answer)
	}
	flags := []string{"client", "add", "--name", "Bot", "--uri", "https://bot.example.org", "--redirect",
		"https://bot.example.org/cb,x"}
	id := strings.TrimSpace(i.must("", flags...))
	if status, answer := register(); status != 201 || answer["client_id"] != id {
		t.Errorf("registration answers %d %v", status, answer)
	}
	i.refused("added before, as "+id, flags...)
	i.refused("added before, as "+id, "client", "add", "--metadata", file(t, metadata))
	if list := i.must("", "client", "list"); !strings.Contains(list, "Bot   https://bot.example.org  0         yes") {
		t.Errorf("client list prints\n%s", list)
	}

	i.must("secret", "user", "add", "alice", "--password-stdin")
	d := dbtest.Open(t, i.db)
	account, err := d.User(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := d.RootKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.StartSession(t.Context(), db.Login{ID: "one", Localpart: "alice", PasswordHash: account.PasswordHash,
		DeviceID: "A", At: time.Now(), KeyID: keys[0].ID, ClientID: id}); err != nil {
		t.Fatal(err)
	}
	i.refused(id+" has 1 session, and was not removed; --end-sessions", "client", "remove", id)
	if out := i.must("", "client", "remove", id, "--end-sessions"); !strings.Contains(out, "removed; 1 session ended") {
		t.Errorf("client remove prints\n%s", out)
	}
	if list := i.must("", "session", "list"); strings.Contains(list, "one") {
		t.Errorf("session list prints\n%s", list)
	}
	i.refused("no client", "client", "remove", id)
	if status, answer := register(); status != 400 {
		t.Errorf("registration answers %d %v", status, answer)
	}
}

// TestClientAddProblems: what is wrong is said before anything is added, with the rule.
func TestClientAddProblems(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	for _, tt := range []struct {
		says string
		args []string
	}{
		{"--uri", nil},
		{"client_uri: 'http://bot.example.org': it must be an https URI", []string{"--uri", "http://bot.example.org"}},
		{"redirect_uris", []string{"--uri", "https://bot.example.org"}},
		{"redirect_uris[0]", []string{"--uri", "https://bot.example.org", "--redirect", "https://evil.example/"}},
		{"--type", []string{"--uri", "https://bot.example.org", "--type", "service"}},
		{"grant_types", []string{"--uri", "https://bot.example.org", "--redirect", "https://bot.example.org/", "--grant",
			"implicit"}},
		{"leave the other flags out", []string{"--uri", "https://bot.example.org", "--metadata", "-"}},
		{"no such file", []string{"--metadata", filepath.Join(t.TempDir(), "nowhere")}},
		{"not the metadata of a client", []string{"--metadata", file(t, "[]")}},
	} {
		i.refused(tt.says, append([]string{"client", "add"}, tt.args...)...)
	}
	i.refused("there is no database", "client", "list")
	i.must("", "client", "add", "--uri", "http://localhost:8080", "--redirect", "http://localhost:8080/cb")
	i.must(`{"client_uri":"https://a.example.org","redirect_uris":["https://a.example.org/"],"client_name":"A"}`,
		"client", "add", "--metadata", "-")
	if list := i.must("", "client", "list"); strings.Count(list, "yes") != 2 {
		t.Errorf("client list prints\n%s", list)
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
