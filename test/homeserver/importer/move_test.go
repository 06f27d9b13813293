// Package importer tries `postern user import --sessions` with as many accounts as a large homeserver has, and kills it
// in between.
//
//	go test ./test/homeserver/importer -accounts 100000 -v   # 300,000 tokens; tells how long it took
package importer

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // makes databases like Synapse's

	"postern/test/rig/process"
)

var accounts = flag.Int("accounts", 3000, "how many accounts, each with a device and three tokens")

func TestMain(m *testing.M) {
	flag.Parse()
	process.Main(m)
}

// homeserver is a database like Synapse's.
type homeserver struct {
	testing.TB
	path string
}

func (h homeserver) run(statements ...string) {
	h.Helper()
	d, err := sql.Open("sqlite", "file:"+h.path+"?_pragma=synchronous(0)")
	if err != nil {
		h.Fatal(err)
	}
	defer d.Close()
	for _, statement := range statements {
		if name, ok := strings.CutPrefix(statement, "file "); ok {
			text, err := os.ReadFile(filepath.Join("..", "..", "..", "homeserver", "importer", "testdata", name))
			if err != nil {
				h.Fatal(err)
			}
			statement = string(text)
		}
		if _, err := d.ExecContext(h.Context(), statement); err != nil {
			h.Fatalf("%v in %.100s", err, statement)
		}
	}
}

// newHomeserver has accounts user1, user2, …, each with a device that was refreshed once.
func newHomeserver(t testing.TB, accounts int) homeserver {
	h := homeserver{t, filepath.Join(t.TempDir(), "homeserver.db")}
	all := func(columns, values string) string {
		return fmt.Sprintf(`INSERT INTO %s WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT %s FROM n`, columns, accounts, values)
	}
	const user = `'@user' || i || ':example.org'`
	h.run("file synapse.sqlite.sql", "file synapse-sessions.sqlite.sql",
		all(`users (name, password_hash, creation_ts)`,
			user+`, '$2b$12$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS', 1577836800 + i`),
		all(`devices (user_id, device_id, display_name, last_seen, ip, user_agent)`,
			user+`, 'DEVICE' || i, 'Element on a phone', 1577836800000, '192.0.2.1', 'Element/1.0'`),
		all(`refresh_tokens (id, user_id, device_id, token)`, `2 * i, `+user+`, 'DEVICE' || i, 'syr_dXNlcg_new' || i`),
		all(`refresh_tokens (id, user_id, device_id, token, next_token_id)`,
			`2 * i - 1, `+user+`, 'DEVICE' || i, 'syr_dXNlcg_old' || i, 2 * i`),
		all(`access_tokens (id, user_id, device_id, token, valid_until_ms, refresh_token_id, used)`,
			`i, `+user+`, 'DEVICE' || i, 'syt_dXNlcg_' || i, 2000000000000, 2 * i, TRUE`))
	return h
}

// later is what happens there until the second import: every hundredth logs out, another one logs in somewhere else,
// another one refreshes.
func (h homeserver) later() {
	h.run(`DELETE FROM access_tokens WHERE id % 100 = 1`, `DELETE FROM refresh_tokens WHERE (id + 1) / 2 % 100 = 1`,
		`DELETE FROM devices WHERE SUBSTR(device_id, 7) % 100 = 1`,
		`INSERT INTO devices (user_id, device_id) SELECT user_id, 'ANOTHER' FROM access_tokens WHERE id % 100 = 2`,
		`INSERT INTO access_tokens (id, user_id, device_id, token) SELECT 10000000 + id, user_id, 'ANOTHER', 'another' || id FROM access_tokens WHERE id % 100 = 2`,
		`UPDATE access_tokens SET token = 'renewed' || id WHERE id % 100 = 3`)
}

// site is Postern.
type site struct {
	testing.TB
	process.Site
	from homeserver
}

func newSite(t testing.TB, from homeserver) site {
	return site{t, process.Site{Binary: process.Binary(t), Database: filepath.Join(t.TempDir(), "postern.db")}, from}
}

func (s site) move(ctx context.Context, more ...string) (string, time.Duration, error) {
	began := time.Now()
	out, err := s.Command(ctx, "",
		append([]string{"user", "import", s.from.path, "--server-name", "example.org", "--sessions"}, more...)...)
	return out, time.Since(began), err
}

// must is a move that succeeds and says so.
func (s site) must(more []string, lines ...string) time.Duration {
	s.Helper()
	out, took, err := s.move(s.Context(), more...)
	if err != nil {
		s.Fatal(err)
	}
	flat := strings.Join(strings.Fields(out), " ")
	for _, line := range lines {
		if !strings.Contains(flat, line) {
			s.Errorf("%q is not in\n%s", line, out[max(0, len(out)-1500):])
		}
	}
	return took
}

// honours asks the running server about tokens.
func (s site) honours(good bool, tokens ...string) {
	s.Helper()
	server, err := s.Serve(s.Context(), "--server-name", "example.org", "--rate-limit", "off")
	if err != nil {
		s.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			s.Error(err)
		}
	}()
	for _, token := range tokens {
		r, err := http.NewRequestWithContext(s.Context(), "GET", server.URL+"/_matrix/client/v3/account/whoami", nil)
		if err != nil {
			s.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			s.Fatal(err)
		}
		a.Body.Close()
		if (a.StatusCode == http.StatusOK) != good {
			s.Errorf("%s: %d", token, a.StatusCode)
		}
	}
}

// TestMany: a first run, and a second one after a hundredth of all has changed.
func TestMany(t *testing.T) {
	s := newSite(t, newHomeserver(t, *accounts))
	n, part := *accounts, *accounts/100
	first := s.must(nil, fmt.Sprintf("added %d - OUTCOME SESSIONS WHY added %d -", n, n),
		fmt.Sprintf("1000 of %d accounts", n))
	s.honours(true, "syt_dXNlcg_1", "syt_dXNlcg_2", "syt_dXNlcg_3", fmt.Sprint("syt_dXNlcg_", n))
	nothing := s.must([]string{"--since-last"}, fmt.Sprintf("unchanged %d - OUTCOME SESSIONS WHY unchanged %d -", n, n))
	s.from.later()
	since := s.must([]string{"--since-last"},
		fmt.Sprintf("added %d - ended %d logged out there replaced %d", part, part, part))
	s.honours(true, "syt_dXNlcg_2", "another2", "renewed3", "syt_dXNlcg_4")
	s.honours(false, "syt_dXNlcg_1", "syt_dXNlcg_3", "another1")
	t.Logf("%d accounts, %d tokens: %v; --since-last: %v, and %v when a hundredth each was added, ended and refreshed",
		n, 3*n, first, nothing, since)
}

// TestKilled: an import that is killed again and again comes to the same in the end.
func TestKilled(t *testing.T) {
	s := newSite(t, newHomeserver(t, 3000))
	kills := 0
	for patience := 40 * time.Millisecond; ; patience = patience * 5 / 4 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, _, err := s.move(ctx)
		cancel()
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			t.Fatal(err)
		}
		kills++
	}
	if kills == 0 {
		t.Error("it was never killed")
	}
	s.must([]string{"--since-last"}, "unchanged 3000 - OUTCOME SESSIONS WHY unchanged 3000 -")
	s.honours(true, "syt_dXNlcg_1", "syt_dXNlcg_1500", "syt_dXNlcg_3000")
}
