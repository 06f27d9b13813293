package front

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// ask makes a request on a connection of its own.
func (s *scene) ask(ctx context.Context, method, path string, body io.Reader, header ...string) (*http.Response,
	error) {
	s.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		s.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		ExpectContinueTimeout: 10 * time.Second}}).Do(r)
}

func (s *scene) body(res *http.Response) string {
	s.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.Error(err)
	}
	return string(text)
}

// TestLongPoll: a request may take longer than the server's own timeouts, and so may the next one on the connection.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		time.Sleep(450 * time.Millisecond) // more than the server's timeouts, and than the patience
		fmt.Fprintf(w, "waited with %s", body)
	}, func(c *Config) { c.Patience = 300 * time.Millisecond })
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, body := range []string{"", "a body", ""} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/_matrix/client/v3/sync",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.body(res); got != "waited with "+body {
			t.Errorf("the answer is %d %q", res.StatusCode, got)
		}
	}
}

// TestNothingIsHeldBack: each part of a body arrives before the next is sent, in both directions, and so do trailers.
func TestNothingIsHeldBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		part := make([]byte, 100)
		for {
			n, err := r.Body.Read(part)
			w.Write(part[:n])
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				break
			}
		}
		w.Header().Set("X-Sum", "all")
	})
	in, out := io.Pipe()
	go func() { _, _ = io.WriteString(out, "one") }()
	res, err := s.ask(t.Context(), "PUT", "/x", in, "Authorization: Bearer ours-good")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got := make([]byte, 100)
	for i, part := range []string{"one", "two", "three"} {
		if i > 0 {
			if _, err := io.WriteString(out, part); err != nil {
				t.Fatal(err)
			}
		}
		n, err := res.Body.Read(got)
		if err != nil || string(got[:n]) != part {
			t.Fatalf("%q came back as %q: %v", part, got[:n], err)
		}
	}
	out.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 || res.StatusCode != 202 ||
		res.Trailer.Get("X-Sum") != "all" {
		t.Errorf("%d, rest %q, trailer %v: %v", res.StatusCode, rest, res.Trailer, err)
	}
}

// TestSlow: a transfer may take longer than the server's timeouts and than the client's patience, as long as parts of
// it arrive. Each part arrives when it is sent, even if the length is known, and the homeserver may pause before the
// end.
func TestSlow(t *testing.T) {
	t.Parallel()
	const parts, pause = 7, 60 * time.Millisecond
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
			return
		}
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", fmt.Sprint(parts))
		}
		for range parts {
			io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(pause)
		}
		time.Sleep(6 * pause)
	}, func(c *Config) { c.Patience = 5 * pause })
	t.Run("upload", func(t *testing.T) {
		t.Parallel()
		in, out := io.Pipe()
		go func() {
			for range parts {
				_, _ = io.WriteString(out, "x")
				time.Sleep(pause)
			}
			out.Close()
		}()
		res, err := s.ask(t.Context(), "POST", "/x", in, "Authorization: Bearer bridge")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.body(res); got != fmt.Sprint(parts, " <nil>") {
			t.Errorf("%d %s arrived", res.StatusCode, got)
		}
	})
	for _, path := range []string{"/known", "/unknown"} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			res, err := s.ask(t.Context(), "GET", path, nil)
			if err != nil {
				t.Fatal(err)
			}
			reads, one := 0, make([]byte, parts)
			for err == nil {
				var n int
				if n, err = res.Body.Read(one); n > 0 {
					reads++
				}
			}
			if res.Body.Close(); err != io.EOF || reads < parts/2 {
				t.Errorf("%s arrived in %d parts: %v", path, reads, err)
			}
		})
	}
}

// TestExpectContinue: a client with a good token that sends Expect: 100-continue gets the homeserver's answer to that,
// and any client a refusal of Postern before it sends any of the body.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	for path, want := range map[string]string{"/taken": "200 5", "/refused": "413 too much\n"} {
		body := &counted{Reader: strings.NewReader("12345")}
		res, err := s.ask(t.Context(), "POST", path, body, "Expect: 100-continue", "Authorization: Bearer ours-good")
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(res.StatusCode, " ", s.body(res)); got != want || path == "/refused" && body.n > 0 {
			t.Errorf("%s answers %q after %d bytes, want %q", path, got, body.n, want)
		}
	}
	body := &counted{Reader: strings.NewReader("12345")}
	res, err := s.ask(t.Context(), "POST", "/taken", body, "Expect: 100-continue", "Authorization: Bearer ours-bad")
	if err != nil {
		t.Fatal(err)
	}
	if s.body(res); res.StatusCode != 401 || body.n > 0 {
		t.Errorf("%d after %d bytes", res.StatusCode, body.n)
	}
}

type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// TestHead: an answer to HEAD has the Content-Length of GET and no body.
func TestHead(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "12345") })
	res, err := s.ask(t.Context(), "HEAD", "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := s.body(res); res.ContentLength != 12345 || text != "" {
		t.Errorf("length %d, body %q", res.ContentLength, text)
	}
}

// zeros is a body of so many bytes.
func zeros(n int64) io.Reader { return io.LimitReader(endless{}, n) }

type endless struct{}

func (endless) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// TestBodies: bodies of any length and with any bytes pass unchanged.
func TestBodies(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %d %x %v", r.ContentLength, n, sum.Sum(nil)[:4], err)
	})
	for _, n := range []int{1, 1000, 300_000, 5_000_000} {
		content := bytes.Repeat([]byte("\x00\xffp\r\n"), n/5+1)[:n]
		for length, body := range map[int]io.Reader{n: bytes.NewReader(content),
			-1: io.MultiReader(bytes.NewReader(content))} {
			res, err := s.ask(t.Context(), "POST", "/x", body)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.body(res), fmt.Sprintf("%d %d %x <nil>", length, n, sum(content)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}

func sum(content []byte) []byte { all := sha256.Sum256(content); return all[:4] }
