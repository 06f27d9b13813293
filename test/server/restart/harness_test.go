package restart

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/test/rig/delegated"
	"postern/test/rig/fakesynapse"
	"postern/test/rig/process"
)

const (
	name    = "example.org"
	waiting = "/sync?since=s1&timeout=30000"
)

// A part of what is loaded up and down is sent before the restart, and the rest when the test says so.
var (
	part  = strings.Repeat("a part ", 50_000)
	whole = part + "and the rest"
)

// site is an installation before a homeserver, which is in this process.
type site struct {
	process.Site
	folder, url, internal string
	flags                 []string
	upstream              *upstream
	client                *process.Client
	pair                  process.Pair
	logins                int // each on a device of its own
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{folder: t.TempDir(), upstream: newUpstream(t), client: process.NewClient(8)}
	t.Cleanup(s.client.Close)
	if err := os.Chmod(s.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Site = process.Site{Binary: process.Binary(t), Database: filepath.Join(s.folder, "postern.db")}
	s.url = fmt.Sprintf("http://127.0.0.1:%d", process.FreePort(t))
	s.internal = fmt.Sprintf("127.0.0.1:%d", process.FreePort(t))
	s.flags = append(process.Before(t, s.upstream.URL, delegated.Secret), "--internal-listen", s.internal,
		"--rate-limit", "off", "--log-level", "debug", "--server-name", name, "--linger", "1m", "--listen", strings.TrimPrefix(s.url, "http://"))
	s.Run(t, delegated.Password, "user", "add", "alice", "--password-stdin", "--server-name", name)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Postern:\n%s", s.log())
		}
	})
	return s
}

func (s *site) log() string {
	text, _ := os.ReadFile(filepath.Join(s.folder, "log"))
	return string(text)
}

// waitForLog waits until the server has logged some words.
func (s *site) waitForLog(t *testing.T, words string) {
	t.Helper()
	for range 1200 {
		if strings.Contains(s.log(), words) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the log never says %q", words)
}

func (s *site) login(t *testing.T) {
	t.Helper()
	var err error
	if s.pair, err = s.client.Login(t.Context(), s.url, "alice", delegated.Password, "PHONE"); err != nil {
		t.Fatal(err)
	}
	s.logins++
}

// check is that the session goes on, nothing was logged as an error, and the homeserver got no call twice and knows
// each device.
func (s *site) check(t *testing.T) {
	t.Helper()
	calls := make(map[string]int)
	for _, call := range s.upstream.mas.Calls() {
		if calls[call]++; calls[call] > 1 && !strings.HasPrefix(call, "query_") {
			t.Errorf("the homeserver got %q twice", call)
		}
	}
	if there := s.upstream.mas.Devices(); len(there) != s.logins || len(calls) < s.logins {
		t.Errorf("after %d logins the homeserver has %q, by the calls %v", s.logins, there, calls)
	}
	if _, err := s.client.Refresh(t.Context(), s.url, s.pair.Refresh); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	for _, word := range []string{`"level":"ERROR"`, "another server runs", "cut off"} {
		if strings.Contains(s.log(), word) && !strings.Contains(s.log(), "did not come up") {
			t.Errorf("the log has %s", word)
		}
	}
}

// answer is what came of a request.
type answer struct {
	status int
	body   string
	err    error
	at     time.Time
}

// begin sends a request with the access token. A POST sends a part and then waits for the upstream to finish.
func (s *site) begin(method, path string) chan answer {
	done := make(chan answer, 1)
	token := s.pair.Access
	go func() {
		var a answer
		defer func() { a.at = time.Now(); done <- a }()
		var body io.Reader
		if method == "POST" {
			in, out := io.Pipe()
			body = in
			go func() {
				_, _ = io.WriteString(out, part)
				<-s.upstream.finished
				_, err := io.WriteString(out, strings.TrimPrefix(whole, part))
				out.CloseWithError(err)
			}()
		}
		request, err := http.NewRequest(method, s.url+"/_matrix/client/v3"+path, body)
		if err != nil {
			a.err = err
			return
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if a.err = err; err != nil {
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		a.status, a.body, a.err = response.StatusCode, string(text), err
	}()
	return done
}

// ask asks every 10 ms, over a connection that is kept and over new ones in turn, and refreshes and logs in now and
// then. What ends it gives the number of answers and the longest wait for one, and fails the test unless all were good.
func (s *site) ask(t *testing.T) (end func() (times int, longest time.Duration)) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	var times int
	var longest time.Duration
	fresh := process.NewClientBy(&http.Transport{DisableKeepAlives: true})
	go func() {
		defer close(done)
		for tick := time.NewTicker(10 * time.Millisecond); ; times++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			began := time.Now()
			var err error
			switch {
			case times%20 == 10:
				if _, err = fresh.Login(context.Background(), s.url, "alice", delegated.Password,
					fmt.Sprint("TABLET", times)); err == nil {
					s.logins++
				}
			case times%20 == 0:
				var pair process.Pair
				if pair, err = fresh.Refresh(context.Background(), s.url, s.pair.Refresh); err == nil {
					s.pair = pair
				}
			case times%2 == 0:
				err = fresh.Whoami(context.Background(), s.url, s.pair.Access)
			default:
				err = s.client.Whoami(context.Background(), s.url, s.pair.Access)
			}
			longest = max(longest, time.Since(began))
			if err != nil {
				t.Errorf("request %d: %v", times, err)
			}
		}
	}()
	var once sync.Once
	end = func() (int, time.Duration) {
		once.Do(func() { close(stop) })
		<-done
		return times, longest
	}
	t.Cleanup(func() { end() })
	return end
}

// upstream is the homeserver.
type upstream struct {
	*httptest.Server
	mas      *fakesynapse.Server
	waiting  atomic.Int32
	finished chan struct{}
	finish   func()
}

func newUpstream(t *testing.T) *upstream {
	u := &upstream{mas: fakesynapse.New(t, delegated.Secret), finished: make(chan struct{})}
	u.mas.Add("alice") // otherwise her first device is refused, and comes again
	u.finish = sync.OnceFunc(func() { close(u.finished) })
	u.Server = httptest.NewServer(u)
	t.Cleanup(func() { u.finish(); u.Server.CloseClientConnections(); u.Server.Close() })
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/_synapse/mas/"):
		u.mas.ServeHTTP(w, r)
	case strings.HasSuffix(r.URL.Path, "/download"):
		_, _ = io.WriteString(w, part)
		_ = http.NewResponseController(w).Flush()
		u.waiting.Add(1)
		<-u.finished
		_, _ = io.WriteString(w, strings.TrimPrefix(whole, part))
	case strings.HasSuffix(r.URL.Path, "/upload"):
		u.waiting.Add(1)
		text, _ := io.ReadAll(r.Body)
		_, _ = w.Write(text)
	default:
		u.waiting.Add(1)
		<-r.Context().Done()
	}
}

// begun waits until that many requests are here.
func (u *upstream) begun(t *testing.T, n int32) {
	t.Helper()
	for range 1200 {
		if u.waiting.Load() >= n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the requests do not arrive")
}
