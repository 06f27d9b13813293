package front

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSessionEnds: a request that waits is refused when its session ends, and so is no other: not one of another
// session, and none that moves. All of them are looked up at once, and nothing is when nobody waits.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	began, gone := make(chan string, 4), make(chan string, 4)
	goOn := make(chan struct{})
	var mu sync.Mutex
	var over []string
	var s *scene
	s = newScene(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/again" {
			fmt.Fprint(w, "watched: ", s.front.watch.running())
		}
		if r.URL.Path == "/download" {
			io.WriteString(w, "a part")
			_ = http.NewResponseController(w).Flush()
		}
		if r.URL.Path != "/download" {
			began <- r.URL.Path
		}
		if r.URL.Path == "/upload" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		select {
		case <-r.Context().Done():
			gone <- r.URL.Path
		case <-goOn:
			io.WriteString(w, " and the rest")
		}
	}, func(c *Config) { c.Login = &sessions{&mu, &over, &fakeLogin{}} })
	if s.front.watch.every != time.Second {
		t.Errorf("it looks every %s", s.front.watch.every)
	}
	s.front.watch.every = 5 * time.Millisecond
	in, out := io.Pipe()
	answers := make(map[string]chan string)
	for path, session := range map[string]string{"/waits": "alice", "/other": "bob", "/download": "alice",
		"/upload": "alice"} {
		var body io.Reader
		method := "GET"
		if path == "/upload" {
			body, method = in, "PUT"
		}
		answer := make(chan string, 1)
		answers[path] = answer
		go func() {
			res, err := s.ask(t.Context(), method, path, body, "Authorization: Bearer "+session)
			if err != nil {
				answer <- err.Error()
				return
			}
			if path == "/download" {
				began <- path // here, and not only at the homeserver
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			answer <- string(text)
			if err != nil {
				t.Error(err)
			}
		}()
		if body != nil {
			io.WriteString(out, "a part")
		}
		<-began
	}
	mu.Lock()
	over = []string{"alice"}
	mu.Unlock()
	if got := <-answers["/waits"]; got != `{"errcode":"M_UNKNOWN_TOKEN","error":"alice is logged out"}` {
		t.Errorf("who waits hears %s", got)
	}
	if path := <-gone; path != "/waits" {
		t.Errorf("the homeserver is left alone with %s", path)
	}
	mu.Lock()
	over = nil
	mu.Unlock()
	close(goOn)
	out.Close()
	for path, want := range map[string]string{"/other": " and the rest", "/download": "a part and the rest",
		"/upload": " and the rest"} {
		if got := <-answers[path]; got != want {
			t.Errorf("%s hears %q", path, got)
		}
	}
	for s.front.watch.running() {
		time.Sleep(time.Millisecond)
	}
	if _, body := s.get("/again", "Authorization: Bearer alice"); body != "watched: true and the rest" {
		t.Errorf("a new one: %s", body)
	}
}

func (w *watch) running() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.armed
}

// sessions is a login whose tokens are the names of their sessions.
type sessions struct {
	mu   *sync.Mutex
	over *[]string
	*fakeLogin
}

func (l *sessions) Exchange(_ *http.Request, _, token string) (Pass, error) {
	return Pass{Token: token, Session: token, Trusted: true}, nil
}

func (l *sessions) Ended(_ *http.Request, token string) error {
	return errors.New(token + " is logged out")
}

func (l *sessions) Over(_ context.Context, sessions []string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Sort(sessions); len(slices.Compact(sessions)) != len(sessions) {
		return nil, errors.New("a session twice")
	}
	return *l.over, nil
}

// TestSessionsUnknown: while the login database is away nobody is logged out, and a session that lasts after all is
// told to try again.
func TestSessionsUnknown(t *testing.T) {
	t.Parallel()
	var rounds atomic.Int32
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(c *Config) {
		c.Login = &fakeLogin{over: func(sessions []string) ([]string, error) {
			if rounds.Add(1) < 3 {
				return sessions, errors.New("the database is away")
			}
			return sessions, nil
		}}
	})
	s.front.watch.every = 5 * time.Millisecond
	res, body := s.get("/_matrix/client/v3/sync", "Authorization: Bearer ours-good")
	if res.StatusCode != 503 || rounds.Load() < 3 || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s after %d rounds", res.StatusCode, body, rounds.Load())
	}
}
