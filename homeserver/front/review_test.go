package front

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func unknown(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	io.WriteString(w, `{"errcode":"M_UNKNOWN_TOKEN","error":"Token is not active"}`)
}

// TestUnknownToken: no client is logged out because two servers disagree for a moment.
func TestUnknownToken(t *testing.T) {
	t.Parallel()
	var asked, checked, disowned atomic.Int32
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		switch {
		case r.URL.Path == "/other":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"flows":[],"session":"x"}`)
		case r.URL.Path == "/soon" && n == 2:
			io.WriteString(w, "known by now")
		default:
			unknown(w)
		}
	}, func(c *Config) {
		c.Login = &fakeLogin{
			disowned: func(token string) {
				if token == "ours-good" {
					disowned.Add(1)
				}
			},
			exchange: func(path, token string) string {
				if checked.Add(1) > 1 && path == "/ended" {
					return "ours-bad"
				}
				return token
			},
		}
	})
	for _, c := range []struct {
		method, path, token string
		asked               int32
		want                string
	}{
		{"GET", "/soon", "ours-good", 2, "200 known by now"},
		{"GET", "/never", "ours-good", 2, "503 M_UNKNOWN"},
		{"POST", "/never", "ours-good", 1, "503 M_UNKNOWN"},
		{"GET", "/ended", "ours-good", 1, "401 refused here"},
		{"POST", "/other", "ours-good", 1, `401 {"flows":[],"session":"x"}`},
		{"GET", "/never", "syt_other", 1, "401 M_UNKNOWN_TOKEN"},
	} {
		asked.Store(0)
		checked.Store(0)
		var body io.Reader
		if c.method == "POST" {
			body = strings.NewReader("{}")
		}
		res, err := s.ask(t.Context(), c.method, c.path, body, "Authorization: Bearer "+c.token)
		if err != nil {
			t.Fatal(err)
		}
		got := s.body(res)
		status, text, _ := strings.Cut(c.want, " ")
		if fmt.Sprint(res.StatusCode) != status || !strings.Contains(got, text) || asked.Load() != c.asked {
			t.Errorf("%s %s with %s: %d %s after %d, want %s after %d", c.method, c.path, c.token, res.StatusCode, got,
				asked.Load(), c.want, c.asked)
		}
		if (res.StatusCode == 503) != (disowned.Swap(0) == 1) {
			t.Errorf("%s: it is not looked into, or needlessly", c.path)
		}
		if (res.StatusCode == 503) != (res.Header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After is %q", c.path, res.Header.Get("Retry-After"))
		}
	}
}

// TestLateAnswer: a long poll whose session has ended meanwhile delivers nothing.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	const longAfter = 150 * time.Millisecond
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			time.Sleep(longAfter + 10*time.Millisecond)
		}
		io.WriteString(w, "news")
	}, func(c *Config) {
		c.Login = &fakeLogin{ended: func(token string) error { return errors.New("logged out as " + token) }}
	})
	if s.front.longAfter != time.Second {
		t.Errorf("an answer is long after %s", s.front.longAfter)
	}
	s.front.longAfter = longAfter
	for path, want := range map[string]string{"/late": `{"errcode":"M_UNKNOWN_TOKEN","error":"logged out as ours-good"}`, "/quick": "news"} {
		if _, body := s.get(path, "Authorization: Bearer ours-good"); body != want {
			t.Errorf("%s answers %q, want %q", path, body, want)
		}
	}
}
