package front

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// scripted is a homeserver that answers as it is told, byte for byte.
type scripted struct {
	url      string
	mu       sync.Mutex
	accepted int // connections
}

// script makes a homeserver. answer gets each request of a connection, and its number on that. The connection ends if
// it returns false.
func script(t testing.TB, answer func(conn net.Conn, r *http.Request, n int) bool) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{url: "http://" + l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.accepted++
			s.mu.Unlock()
			all.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for n := 1; ; n++ {
					if r, err := http.ReadRequest(in); err != nil || !answer(conn, r, n) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return s
}

func (s *scripted) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// TestConnectionsAreKept: requests one after the other need one connection to the homeserver, whatever frames their
// answers, until it was idle for too long.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/length":  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"/empty":   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"/chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"/none":    "HTTP/1.1 204 No Content\r\n\r\n",
		"/cached":  "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
	}
	behind := script(t, func(conn net.Conn, r *http.Request, _ int) bool {
		if body, err := io.ReadAll(r.Body); err != nil || (string(body) == "{}") != (r.Method == "PUT") {
			t.Errorf("%s %s arrives with %q: %v", r.Method, r.URL, body, err)
		}
		io.WriteString(conn, answers[r.URL.Path])
		return true
	})
	s := before(t, behind.url)
	for path, answer := range answers {
		for range 2 {
			res, body := s.get(path)
			if want := answer[len("HTTP/1.1 "):]; !strings.HasPrefix(want, fmt.Sprint(res.StatusCode)) ||
				(body == "{}") != strings.Contains(answer, "{}") {
				t.Errorf("%s: %d %q", path, res.StatusCode, body)
			}
		}
	}
	for _, body := range []string{"Content-Length: 2\r\n\r\n{}",
		"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"} {
		if res, _ := s.raw("PUT /length HTTP/1.1\r\nHost: x\r\n" + body); res.StatusCode != 200 {
			t.Errorf("a message: %d", res.StatusCode)
		}
	}
	if n := behind.connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if s.front.pool == nil {
		t.Skip("http.Transport sends everything here")
	}
	s.front.pool.closeOld() // none is old
	if s.get("/length"); behind.connections() != 1 {
		t.Error("one that was just used is closed")
	}
	s.front.pool.keep = 0
	if s.front.pool.closeOld(); len(s.front.pool.idle) > 0 || s.front.pool.sweep != nil {
		t.Error("old ones are kept")
	}
}

// TestConnectionsEnd: a homeserver may close an idle connection at any moment, without a word, and no client notices.
func TestConnectionsEnd(t *testing.T) {
	t.Parallel()
	var asked sync.Map
	behind := script(t, func(conn net.Conn, r *http.Request, n int) bool {
		if r.URL.Path == "/late" && n > 1 {
			asked.Store(r.URL.Path, true)
			return false // as if its end and the request had crossed
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		return r.URL.Path != "/early"
	})
	s := before(t, behind.url)
	for _, path := range []string{"/x", "/late", "/early", "/early", "/late", "/early", "/x"} {
		if res, body := s.get(path); res.StatusCode != 200 || body != "{}" {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if _, found := asked.Load("/late"); !found {
		t.Error("no connection was used twice")
	}
	if log := s.log.String(); log != "" {
		t.Errorf("the log says %s", log)
	}
}

// TestNotTwice: what may have changed something at the homeserver is not sent again.
func TestNotTwice(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := make(map[string]int)
	behind := script(t, func(conn net.Conn, r *http.Request, n int) bool {
		mu.Lock()
		asked[r.Method]++
		mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body)
		if n > 1 {
			return false
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		return true
	})
	s := before(t, behind.url)
	for _, c := range []struct {
		method, rest  string
		status, times int
	}{{"POST", "Content-Length: 2\r\n\r\n{}", 502, 1}, {"DELETE", "\r\n", 502, 1}, {"GET", "\r\n", 200, 2}} {
		s.front.pool.closeIdle()
		s.raw("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
		res, body := s.raw(c.method + " /x HTTP/1.1\r\nHost: x\r\n" + c.rest)
		mu.Lock()
		if res.StatusCode != c.status || asked[c.method] != c.times {
			t.Errorf("%s: %d %s, sent %d times", c.method, res.StatusCode, body, asked[c.method])
		}
		mu.Unlock()
	}
}

// TestUnasked: what a homeserver sends unasked is nobody's answer.
func TestUnasked(t *testing.T) {
	t.Parallel()
	const forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
	sent := make(chan bool)
	behind := script(t, func(conn net.Conn, r *http.Request, _ int) bool {
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
		if r.URL.Path == "/together" {
			answer += forged
		}
		io.WriteString(conn, answer)
		if r.URL.Path == "/later" {
			time.Sleep(20 * time.Millisecond) // until the answer is read
			io.WriteString(conn, forged)
			sent <- true
		}
		return true
	})
	s := before(t, behind.url)
	for _, path := range []string{"/together", "/later", "/x", "/together", "/together", "/x"} {
		if _, body := s.get(path); body != "{}" {
			t.Errorf("%s is answered %s", path, body)
		}
		if path == "/later" {
			<-sent
		}
	}
}

// TestUnaskedForWaiter: a request that waits for a connection does not get what came behind another's answer either. A
// large answer is read past the buffer, so that the rest is not in it.
func TestUnaskedForWaiter(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan bool), make(chan bool)
	large := "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000)
	behind := script(t, func(conn net.Conn, r *http.Request, _ int) bool {
		if r.URL.Path == "/large" {
			began <- true
			<-goOn
			io.WriteString(conn, large+"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
		} else {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		}
		return true
	})
	s := before(t, behind.url)
	if s.front.pool == nil {
		t.Skip("http.Transport sends everything here")
	}
	bodies := map[string]chan string{"/large": make(chan string, 1), "/x": make(chan string, 1)}
	ask := func(path string) {
		res, err := s.ask(t.Context(), "GET", path, nil)
		if err != nil {
			bodies[path] <- err.Error()
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		bodies[path] <- string(text)
	}
	go ask("/large")
	<-began
	busy := make(chan bool)
	s.front.pool.dialer = &net.Dialer{Control: func(string, string, syscall.RawConn) error { <-busy; return nil }}
	go ask("/x")
	for s.front.pool.waiters() < 1 {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	if got := <-bodies["/large"]; len(got) != 20000 {
		t.Errorf("the large answer is %.99q", got)
	}
	close(busy)
	if got := <-bodies["/x"]; got != "{}" {
		t.Errorf("who waited hears %q", got)
	}
}

// oddly answers as a homeserver may, and as none should.
func oddly(conn net.Conn, r *http.Request, _ int) bool {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	answer, again := map[string][2]string{
		"/hints":    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok},
		"/upgrade":  {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + ok},
		"/nonsense": {"SSH-2.0\r\n\r\n"},
		"/endless":  {"HTTP/1.1 200 OK\r\n", "X: " + strings.Repeat("x", 1000) + "\r\n"},
		"/hinting":  {"", "HTTP/1.1 103 Early Hints\r\n\r\n"},
	}[r.URL.Path], true
	for _, err := io.WriteString(conn, answer[0]); answer[1] != "" && again; _, err = io.WriteString(conn, answer[1]) {
		again = err == nil
	}
	return again
}

// TestHeads: informational answers pass, and a head that makes no sense or has no end is none.
func TestHeads(t *testing.T) {
	t.Parallel()
	s := before(t, script(t, oddly).url)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /hints HTTP/1.1\r\nHost: x\r\n\r\n")
	in := bufio.NewReader(conn)
	for _, want := range []int{103, 200} {
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != want || (res.Header.Get("Link") != "") != (want == 103) {
			t.Fatalf("%v: %v, want %d", res, err, want)
		}
	}
	for _, path := range []string{"/upgrade", "/nonsense", "/endless"} {
		if res, body := s.get(path); res.StatusCode != 502 {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if got := s.lastOf("/hinting"); got != 502 {
		t.Errorf("endless hints end with %d", got)
	}
}

// lastOf is the status of the answer that follows those that are only informational.
func (s *scene) lastOf(path string) int {
	res, err := s.ask(s.Context(), "GET", path, nil)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// TestFreed: a request that waits for a new connection takes one that another has done with.
func TestFreed(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan string, 2), make(chan bool)
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		began <- r.URL.Path
		<-goOn
	})
	if s.front.pool == nil {
		t.Skip("http.Transport sends everything here")
	}
	answers := make(chan int, 3)
	ask := func(ctx context.Context) {
		res, err := s.ask(ctx, "GET", "/x", nil)
		if err != nil {
			answers <- 0
			return
		}
		res.Body.Close()
		answers <- res.StatusCode
	}
	go ask(t.Context())
	<-began
	busy := make(chan bool)
	t.Cleanup(func() { close(busy) })
	s.front.pool.dialer = &net.Dialer{Control: func(string, string, syscall.RawConn) error { <-busy; return nil }}
	leaving, leave := context.WithCancel(t.Context())
	go ask(leaving) // who leaves takes none
	for s.front.pool.waiters() < 1 {
		time.Sleep(time.Millisecond)
	}
	go ask(t.Context())
	for s.front.pool.waiters() < 2 {
		time.Sleep(time.Millisecond)
	}
	if leave(); <-answers != 0 {
		t.Error("who left is answered")
	}
	for s.front.pool.waiters() > 1 {
		time.Sleep(time.Millisecond)
	}
	close(goOn)
	for range 2 {
		if got := <-answers; got != 200 {
			t.Errorf("the answer is %d", got)
		}
	}
}

func (p *pool) waiters() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// TestInOnePiece: a small answer that the homeserver sends in one piece arrives in one.
func TestInOnePiece(t *testing.T) {
	t.Parallel()
	behind := script(t, func(conn net.Conn, r *http.Request, _ int) bool {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
		return true
	})
	s := before(t, behind.url)
	if s.front.pool == nil {
		t.Skip("http.Transport sends everything here")
	}
	for range 20 {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
		part := make([]byte, 4<<10)
		if n, err := conn.Read(part); !strings.Contains(string(part[:n]), "{}") {
			t.Fatalf("the first part is %q: %v", part[:n], err)
		}
	}
}

// TestCutShort: an answer that ends before its length does not look whole, and what came of it arrives.
func TestCutShort(t *testing.T) {
	t.Parallel()
	behind := script(t, func(conn net.Conn, r *http.Request, _ int) bool {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhalf")
		return false
	})
	s := before(t, behind.url)
	res, err := s.ask(t.Context(), "GET", "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err == nil || string(text) != "half" {
		t.Errorf("%q: %v", text, err)
	}
}
