package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/homeserver/outbox"
	"postern/test/rig/fakesynapse"
	binary "postern/test/rig/process"
)

// TestOutbox: an operator sees what waits and why, on the command line, in the metrics and in the log; the command
// line's own changes are told by the server; and nothing of it shows the secret.
func TestOutbox(t *testing.T) {
	t.Parallel()
	const secret = "hunter2_of_both_sides"
	there := fakesynapse.New(t, secret)
	i := newInstallation(t)
	file := filepath.Join(filepath.Dir(i.db), "homeserver.secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--rate-limit", "off", "--log-level", "debug", "--homeserver", there.URL,
		"--homeserver-secret-file", file}
	apart := fmt.Sprintf("127.0.0.1:%d", binary.FreePort(t))
	s := i.serve(append(flags, "--metrics-listen", apart)...)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	access, _ := s.login("alice", "secret")
	if d := there.Devices(); len(d) != 1 || d[0] != "alice ALICE" {
		t.Errorf("the homeserver has %q", d)
	}
	until(t, "nothing waits", func() bool { return strings.Contains(i.must("", "synapse", "outbox"), "nothing waits") })

	there.Be(fakesynapse.Failing)
	i.must("", "session", "end", "--user", "alice")
	s.gone(access)
	until(t, "a try", func() bool { return strings.Contains(i.must("", "synapse", "outbox"), "status 500") })
	if out := i.must("", "synapse", "outbox"); !strings.Contains(out, "@alice:localhost  ALICE") ||
		strings.Contains(out, "nothing waits") {
		t.Errorf("synapse outbox prints\n%s", out)
	}
	metrics := fetched(t, "http://"+apart+"/metrics")
	if !strings.Contains(metrics, "postern_outbox_waiting 1") ||
		!strings.Contains(metrics, `postern_outbox_sends_total{outcome="away"}`) {
		t.Errorf("the metrics are\n%s", metrics)
	}
	if status, answer := s.ask("POST", "/_matrix/client/v3/login", "",
		`{"type":"m.login.password","user":"alice","password":"secret"}`); status != 503 ||
		answer["retry_after_ms"] == nil {
		t.Errorf("a login answers %d %v", status, answer)
	}
	logs := s.logs.String()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}

	alone := i.serve("--rate-limit", "off") // by mistake: nothing is lost
	i.must("", "user", "lock", "alice")
	if !strings.Contains(alone.logs.String(), "without --homeserver") {
		t.Errorf("the log does not say that nobody is told:\n%s", alone.logs)
	}
	if err := alone.stop(); err != nil {
		t.Fatal(err)
	}
	there.Be(fakesynapse.Well)
	s = i.serve(flags...)
	until(t, "everything told", func() bool {
		return len(there.Devices()) == 0 && there.User("alice").Locked &&
			strings.Contains(i.must("", "synapse", "outbox"), "nothing waits")
	})
	for _, file := range []string{i.db, i.db + "-wal"} {
		if kept, err := os.ReadFile(file); err != nil || strings.Contains(string(kept), "hunter2") {
			t.Errorf("%s has the secret: %v", file, err)
		}
	}
	if logs += s.logs.String() + metrics; strings.Contains(logs, "hunter2") ||
		!strings.Contains(logs, "cannot be told") {
		t.Errorf("the log, or the metrics:\n%s", logs)
	}
	if out := i.must("", "synapse", "outbox", "--help"); !strings.Contains(out, "Examples:") {
		t.Errorf("synapse outbox --help prints\n%s", out)
	}
}

// fetched is the body of an answer.
func fetched(t testing.TB, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestMetricsApart: the metrics are where they were asked for and not where clients are; in front of a homeserver they
// are nowhere else, and the path is the homeserver's.
func TestMetricsApart(t *testing.T) {
	t.Parallel()
	const secret = "hunter2_of_both_sides"
	there := fakesynapse.New(t, secret)
	i := newInstallation(t)
	file := filepath.Join(filepath.Dir(i.db), "homeserver.secret")
	write(t, file, secret)
	before := []string{"--homeserver", there.URL, "--homeserver-secret-file", file}
	for name, test := range map[string]struct {
		flags        []string
		apart, there bool
	}{
		"alone":                  {nil, false, true},
		"alone, apart":           {nil, true, false},
		"before a server":        {before, false, false},
		"before a server, apart": {before, true, false},
	} {
		apart := fmt.Sprintf("127.0.0.1:%d", binary.FreePort(t))
		if test.apart {
			test.flags = append(slices.Clone(test.flags), "--metrics-listen", apart)
		}
		s := i.serve(test.flags...)
		if got := strings.Contains(fetched(t, s.url+"/metrics"), "go_goroutines"); got != test.there {
			t.Errorf("%s: where clients are they are answered: %t", name, got)
		}
		if status, answer := s.ask("GET", "/health", "", ""); status != 200 || answer["status"] != "ok" {
			t.Errorf("%s: /health answers %d %v", name, status, answer)
		}
		if test.apart {
			if page := fetched(t, "http://"+apart+"/metrics"); !strings.Contains(page, "go_goroutines") {
				t.Errorf("%s: %s", name, page)
			}
			if page := fetched(t, "http://"+apart+"/health"); !strings.Contains(page, "404") {
				t.Errorf("%s: more than metrics is answered: %s", name, page)
			}
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}
	i.refused(`--metrics-listen "9009" is not an address and port`, "serve", "--metrics-listen", "9009")
}

// until waits for something that another goroutine does.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 1200 {
		if is() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited for %s", what)
}

// TestCommandsQueue: whatever a command, or a server that was started without --homeserver, changes is queued for the
// homeserver; where there is none, nothing is.
func TestCommandsQueue(t *testing.T) {
	t.Parallel()
	people := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(people, []byte("user,password_hash\ncarol,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, queues := range map[string]bool{"": false, "http://127.0.0.1:8008": true} {
		i := newInstallation(t)
		i.must("secret", "user", "add", "alice", "--password-stdin")
		for _, step := range []struct {
			want  string
			stdin string
			args  []string // none: log in at a server
		}{
			{"alice ALICE", "", nil},
			{"alice ALICE", "other", []string{"user", "passwd", "alice", "--password-stdin"}},
			{"bob ", "secret", []string{"user", "add", "bob", "--password-stdin"}},
			{"alice ", "", []string{"user", "lock", "alice"}},
			{"alice ", "", []string{"user", "unlock", "alice"}},
			{"alice ALICE", "other", nil},
			{"alice ALICE", "", []string{"session", "end", "--user", "alice"}},
			{"bob ", "", []string{"user", "deactivate", "bob"}},
			{"bob ", "", []string{"user", "reactivate", "bob"}},
			{"carol ", "", []string{"user", "import", people}},
		} {
			i.queue(func(q *outbox.Queue) error { // empty, for that homeserver
				return errors.Join(q.SetHomeserver(t.Context(), ""), q.SetHomeserver(t.Context(), url),
					q.DB.Write(t.Context(), func(t *db.Tx) error { return t.Exec(`DELETE FROM outbox`) }))
			})
			if step.args != nil {
				i.must(step.stdin, step.args...)
			} else {
				s := i.serve()
				s.login("alice", cmp.Or(step.stdin, "secret"))
				if err := s.stop(); err != nil {
					t.Fatal(err)
				}
			}
			i.queue(func(q *outbox.Queue) error {
				rows, err := q.List(t.Context())
				if queued := slices.ContainsFunc(rows, func(w outbox.Waiting) bool {
					return w.Localpart+" "+w.DeviceID == step.want
				}); queued != queues || len(rows) > 0 && !queues {
					t.Errorf("%v: %+v wait", step.args, rows)
				}
				return err
			})
		}
	}
}

// queue opens the database, as another process would.
func (i *installation) queue(do func(*outbox.Queue) error) {
	i.Helper()
	q, err := outbox.Open(i.Context(), db.Config{DSN: i.db})
	if err == nil {
		err = errors.Join(do(q), q.DB.Close())
	}
	if err != nil {
		i.Fatal(err)
	}
}
