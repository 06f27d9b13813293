package front

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestClientGoes: the request to the homeserver ends with the client, whether that waits, reads or sends.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	began, ended := make(chan string, 3), make(chan string, 3)
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/reads":
			io.WriteString(w, "a part")
			_ = http.NewResponseController(w).Flush()
		case "/sends":
			began <- r.URL.Path
			_, _ = io.Copy(io.Discard, r.Body)
			ended <- r.URL.Path
			return
		}
		began <- r.URL.Path
		<-r.Context().Done()
		ended <- r.URL.Path
	})
	for _, request := range []string{"GET /waits", "POST /waits", "GET /reads", "POST /reads", "POST /sends"} {
		method, path, _ := strings.Cut(request, " ")
		ctx, leave := context.WithCancel(t.Context())
		var body io.Reader
		if path == "/sends" {
			in, out := io.Pipe()
			go func() {
				_, _ = io.WriteString(out, "a part")
				<-ctx.Done()
				out.CloseWithError(ctx.Err())
			}()
			body = in
		}
		done := make(chan error, 1)
		go func() {
			res, err := s.ask(ctx, method, path, body, "Authorization: Bearer ours-good")
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			done <- err
		}()
		if got := <-began; got != path {
			t.Fatalf("%s began", got)
		}
		leave()
		if got := <-ended; got != path {
			t.Fatalf("%s ended", got)
		}
		if err := <-done; err == nil {
			t.Errorf("%s: the client was answered", path)
		}
	}
	if log := s.log.String(); log != "" {
		t.Errorf("that clients go is logged: %s", log)
	}
}

// TestStalledClient: a client that stops sending or reading is disconnected.
func TestStalledClient(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 2)
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		if r.Method == "POST" {
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		for part := make([]byte, 1<<20); ; {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}, func(c *Config) { c.Patience = 200 * time.Millisecond })
	if res, body := s.raw("POST /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ours-good\r\nContent-Length: 100\r\n" +
		"\r\nhalf"); res.StatusCode != 408 {
		t.Errorf("the sender hears %d %s", res.StatusCode, body)
	}
	<-ended
	res, err := s.ask(t.Context(), "GET", "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	<-ended // though nobody reads
	res.Body.Close()
}

// TestStopping: a request that only waits is refused with Retry-After; uploads and downloads may finish.
func TestStopping(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan struct{}, 3), make(chan struct{})
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/download":
			io.WriteString(w, "a part")
			_ = http.NewResponseController(w).Flush()
			began <- struct{}{}
			<-goOn
			io.WriteString(w, " and the rest")
		case "/upload":
			began <- struct{}{}
			text, _ := io.ReadAll(r.Body)
			w.Write(text)
		default:
			began <- struct{}{}
			<-r.Context().Done()
		}
	})
	in, out := io.Pipe()
	answers := map[string]chan string{}
	for _, path := range []string{"/sync", "/download", "/upload"} {
		answers[path] = make(chan string, 1)
		var body io.Reader
		method := "GET"
		if path == "/upload" {
			body, method = in, "PUT"
		}
		go func() {
			res, err := s.ask(t.Context(), method, path, body, "Authorization: Bearer ours-good")
			if err != nil {
				answers[path] <- err.Error()
				return
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			answers[path] <- fmt.Sprint(res.StatusCode, " ", string(text), " ", res.Header.Get("Retry-After"), err)
		}()
		if path == "/upload" {
			if _, err := io.WriteString(out, "a part"); err != nil {
				t.Fatal(err)
			}
		}
		<-began
	}
	s.stop()
	if got := <-answers["/sync"]; got != `503 {"errcode":"M_UNKNOWN","error":"The server is restarting. Try again."} 2<nil>` {
		t.Errorf("a long poll hears %q", got)
	}
	time.Sleep(100 * time.Millisecond) // until the front has looked at the others too, each in a goroutine of its own
	close(goOn)
	if _, err := io.WriteString(out, " and the rest"); err != nil {
		t.Fatal(err)
	}
	out.Close()
	for _, path := range []string{"/download", "/upload"} {
		if got := <-answers[path]; got != "200 a part and the rest <nil>" {
			t.Errorf("%s ends with %q", path, got)
		}
	}
}

// TestNoNews: a sync that waits is ended as soon as the server stops, as if its time were over, so that its client asks
// again at once. Other requests that wait have the time of grace.
func TestNoNews(t *testing.T) {
	t.Parallel()
	began := make(chan struct{}, 8)
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
	}, func(c *Config) { c.Grace = time.Second })
	ended := map[string]chan string{}
	for _, path := range []string{"/_matrix/client/v3/sync?since=s%2F1&timeout=30000",
		"/_matrix/client/v3/sync?timeout=30000", "/_matrix/client/v3/sync?since=s1",
		"/_matrix/client/v3/sync?since=s1&timeout=0", "/_matrix/client/v3/sync?since=s1&timeout=30000&full_state=true",
		"/_matrix/client/v3/rooms/sync?since=1&timeout=1", "/_matrix/client/v3/events?since=1&timeout=1"} {
		ended[path] = make(chan string, 1)
		go func() {
			res, err := s.ask(t.Context(), "GET", path, nil, "Authorization: Bearer ours-good")
			if err != nil {
				ended[path] <- err.Error()
				return
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			ended[path] <- fmt.Sprint(res.StatusCode, " ", string(text))
		}()
		<-began
	}
	s.stop()
	const poll = "/_matrix/client/v3/sync?since=s%2F1&timeout=30000"
	if got := <-ended[poll]; got != `200 {"next_batch":"s/1"}` {
		t.Errorf("it hears %q", got)
	}
	if s.front.graceOver.Err() != nil {
		t.Error("it waited for the time of grace")
	}
	for path, got := range ended {
		if path == poll {
			continue
		}
		if text := <-got; !strings.HasPrefix(text, "503 ") {
			t.Errorf("%s hears %q", path, text)
		}
	}
}
