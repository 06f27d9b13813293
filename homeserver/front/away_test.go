package front

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHomeserverAway: clients get an error that says what to do, web pages can read it, and it is logged once.
func TestHomeserverAway(t *testing.T) {
	t.Parallel()
	behind := httptest.NewServer(http.HandlerFunc(postern))
	s := before(t, behind.URL)
	behind.Close()
	for range 5 {
		res, body := s.get("/_matrix/client/v3/sync")
		if res.StatusCode != 502 || !strings.Contains(body, `"errcode":"M_UNKNOWN"`) ||
			!strings.Contains(body, "Try again") || res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Fatalf("%d %s %v", res.StatusCode, body, res.Header)
		}
	}
	if _, body := s.get("/_matrix/client/v3/login"); !strings.Contains(body, "postern") {
		t.Errorf("Postern's own is away too: %s", body)
	}
	if n := strings.Count(s.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, s.log)
	}
}

// TestTooLarge: Synapse closes the connection on a body that is larger than it accepts. It is not away then, and no
// client may cause an error in the log.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
		panic(http.ErrAbortHandler)
	})
	for range 3 {
		res, err := s.ask(t.Context(), "POST", "/_matrix/media/v3/upload", zeros(4<<20))
		if err != nil {
			continue // it was still sending
		}
		if body := s.body(res); res.StatusCode != 502 || !strings.Contains(body, "larger than it takes") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
	if log := s.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("the log says %s", log)
	}
}

// TestHalfAnAnswer: an answer that the homeserver breaks off does not look complete to the client.
func TestHalfAnAnswer(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	res, err := s.ask(t.Context(), "GET", "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("half an answer looks whole: %q", text)
	}
}

// TestLoop: a --homeserver that is Postern itself is recognized at the first request.
func TestLoop(t *testing.T) {
	t.Parallel()
	behind := httptest.NewUnstartedServer(nil)
	behind.Start()
	s := before(t, behind.URL)
	behind.Config.Handler = s.front
	t.Cleanup(behind.Close)
	for range 3 {
		if res, body := s.get("/x"); res.StatusCode != 508 || !strings.Contains(body, "--homeserver") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
	if n := strings.Count(s.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, s.log)
	}
}
