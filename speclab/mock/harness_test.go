package mock_test

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"go.uber.org/goleak"

	"postern/db"
	"postern/db/dbtest"
	"postern/handlers"
	"postern/speclab/mock"
	"postern/speclab/spec"
	"postern/test/rig/safe"
	"postern/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "correct horse"

// bench is a mock server in front of a whole server on a real database, behind a real listener, with the folder of the
// edited spec.
type bench struct {
	testing.TB
	dir    string
	server *mock.Server
	url    string
	out    *safe.Buffer // what the mock server printed
}

// newBench serves the edited specs, by their names; the first is the one that is named to the server.
func newBench(t testing.TB, files ...string) *bench {
	t.Helper()
	b := &bench{TB: t, dir: t.TempDir(), out: &safe.Buffer{}}
	var names []string
	for i := 0; i+1 < len(files); i += 2 {
		b.save(files[i], files[i+1])
		if i == 0 {
			names = append(names, files[i])
		}
	}
	b.start(realServer(t), names...)
	return b
}

// start puts the mock server before a handler.
func (b *bench) start(s *handlers.Server, names ...string) {
	b.Helper()
	m, err := mock.New(b.Context(), mock.Config{
		Real: s.Handler(), Contract: contractOf(b), Dir: b.dir, Files: names,
		Authorize: s.Authorize, Alias: handlers.Alias, Out: b.out,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.Close)
	web := httptest.NewServer(m)
	b.Cleanup(web.Close)
	b.server, b.url = m, web.URL
}

// cheap makes hashes that are compared in microseconds.
var cheap = &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// realServer is Postern with the account alice.
func realServer(t testing.TB) *handlers.Server {
	t.Helper()
	d := dbtest.New(t)
	master, err := tokens.NewMasterKey(rand.Reader)
	fatal(t, err)
	key, err := tokens.NewKey(1, rand.Reader)
	fatal(t, err)
	wrapped, err := master.Wrap(rand.Reader, key)
	fatal(t, err)
	fatal(t, d.AddRootKey(t.Context(), db.RootKey{ID: 1, Wrapped: wrapped, Created: time.Now()}))
	hash, err := argon2id.CreateHash(password, cheap)
	fatal(t, err)
	fatal(t, d.CreateUser(t.Context(), db.User{Localpart: "alice", PasswordHash: hash, Created: time.Now()}))
	s, err := handlers.New(t.Context(), handlers.Config{
		DB: d, ServerName: "example.org", Master: master, Metrics: handlers.NewMetrics(),
		Log: slog.New(slog.DiscardHandler),
		Now: time.Now, Random: rand.Reader, AccessTTL: 5 * time.Minute, RefreshLeeway: 30 * time.Second,
		Passwords: handlers.PasswordRules{Length: 8},
	})
	fatal(t, err)
	t.Cleanup(s.Close)
	return s
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contractOf is the contract, which is read once for all tests.
func contractOf(t testing.TB) *spec.API {
	t.Helper()
	api, err := readContract()
	fatal(t, err)
	return api
}

var readContract = sync.OnceValues(func() (*spec.API, error) {
	return spec.Load(os.DirFS("../../api"), "login.yaml")
})

// contractText is the contract with edits: pairs of what stands there and what to write instead.
func contractText(t testing.TB, edits ...string) string {
	t.Helper()
	raw, err := os.ReadFile("../../api/login.yaml")
	fatal(t, err)
	return edited(t, string(raw), edits...)
}

func edited(t testing.TB, text string, edits ...string) string {
	t.Helper()
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the contract has no %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	return text
}

// save writes a file as some editors do: in place.
func (b *bench) save(name, text string) {
	b.Helper()
	file := filepath.Join(b.dir, name)
	fatal(b, os.MkdirAll(filepath.Dir(file), 0o755))
	fatal(b, os.WriteFile(file, []byte(text), 0o644))
}

// saveByRename writes a file as other editors do.
func (b *bench) saveByRename(name, text string) {
	b.Helper()
	b.save(name+"~", text)
	fatal(b, os.Rename(filepath.Join(b.dir, name+"~"), filepath.Join(b.dir, name)))
}

// says waits until the console has said something again.
func (b *bench) says(words string, times int) {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); strings.Count(b.out.String(),
		words) < times; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("the console does not say %q %d times:\n%s", words, times, b.out)
		}
	}
}

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Raw    string
	JSON   map[string]any
}

func (a answer) by() string { return a.Header.Get("Postern-Answered-By") }

// ask makes a request; more are pairs of a header and its value.
func (b *bench) ask(method, path, token, body string, more ...string) answer {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.url+path, strings.NewReader(body))
	fatal(b, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	got, err := client.Do(r)
	fatal(b, err)
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	fatal(b, err)
	a := answer{Status: got.StatusCode, Header: got.Header, Raw: string(raw)}
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") && !strings.HasPrefix(a.Raw, "[") &&
		method != http.MethodHead {
		if err := json.Unmarshal(raw, &a.JSON); err != nil {
			b.Errorf("%s %s answers no JSON: %q", method, path, raw)
		}
	}
	return a
}

// want fails the test unless the answer has this status and was given by real or spec.
func (b *bench) want(a answer, status int, by string) answer {
	b.Helper()
	if a.Status != status || a.by() != by {
		b.Fatalf("the answer is %d by %q: %s; want %d by %s", a.Status, a.by(), a.Raw, status, by)
	}
	return a
}

// refused fails the test unless the answer is this Matrix error of the mock server, with these words.
func (b *bench) refused(a answer, status int, code string, words ...string) {
	b.Helper()
	if a.Status != status || a.JSON["errcode"] != code || a.by() != "spec" {
		b.Errorf("the answer is %d by %q: %s; want %d %s by spec", a.Status, a.by(), a.Raw, status, code)
		return
	}
	for _, word := range words {
		if text, _ := a.JSON["error"].(string); !strings.Contains(text, word) {
			b.Errorf("the error %q does not say %q", text, word)
		}
	}
}

const loginBody = `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"` +
	password + `","refresh_token":true}`

// login is real, and gives the access token.
func (b *bench) login() string {
	b.Helper()
	a := b.want(b.ask("POST", "/_matrix/client/v3/login", "", loginBody), 200, "real")
	token, _ := a.JSON["access_token"].(string)
	return token
}

// restricted adds a caveat to a token.
func restricted(t testing.TB, token, caveat string) string {
	t.Helper()
	parsed, err := tokens.ParseCaveat(caveat)
	fatal(t, err)
	narrow, err := tokens.Restrict(token, parsed)
	fatal(t, err)
	return narrow
}
