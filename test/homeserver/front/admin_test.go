package front

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/test/rig/synapse"
)

// adminTable asks each request of the table in docs/admin-tools.md, in its order, as an administrator and through
// Postern, and compares the answer with what the table says.
func adminTable(t *testing.T, s *pair) {
	text, err := os.ReadFile("../../../docs/admin-tools.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dora", "emil"} {
		s.Run(t, password, "user", "add", name, "--password-stdin")
		s.login(t, name, "DESK")
	}
	alice := s.login(t, "alice", "DESK")
	alice.updated(t)
	s.login(t, "bob", "SHED")
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		request, found := strings.CutPrefix(cells[0], "| `")
		if !found || len(cells) != 4 {
			continue
		}
		rows++
		request, sent, _ := strings.Cut(strings.TrimSuffix(request, "`"), "` `")
		method, path, _ := strings.Cut(request, " ")
		var body any
		if sent != "" {
			if err := json.Unmarshal([]byte(sent), &body); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
		want, err := strconv.Atoi(strings.Fields(cells[1])[0])
		if status, answer := alice.ask(t, method, "/_synapse/admin/"+path, body); status != want || err != nil {
			t.Errorf("%s %s is answered %d, the table says %s: %v", request, sent, status, cells[1], answer)
		}
	}
	s.login(t, "dora", "AGAIN") // whom a row has reactivated
	if rows < 40 {
		t.Errorf("the table has %d rows", rows)
	}
}

// updated waits until Synapse has done what it does in the background after the first start on a database: before, it
// cannot reactivate anybody, since an index is missing yet.
func (p *person) updated(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		status := p.ok(t, "GET", "/_synapse/admin/v1/background_updates/status", nil)
		if all, _ := status["current_updates"].(map[string]any); len(all) == 0 {
			return
		}
	}
	t.Error("the background updates do not end")
}

// registrationSecret is a file with the secret that the Synapse of the tests has.
func registrationSecret(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "registration.secret")
	if err := os.WriteFile(file, []byte(synapse.RegistrationSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
