package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// impatient is short enough to be waited for. That strangers is what serves otherwise, TestDefaultPatience holds.
var impatient = patience{header: 300 * time.Millisecond, read: 600 * time.Millisecond, write: time.Second,
	idle: 400 * time.Millisecond}

// cutOff is how long a client waits to be cut off before the test gives up: nothing is asserted about when it happens.
const cutOff = 60 * time.Second

func (i *installation) serveImpatiently() *server {
	i.Helper()
	i.patience = impatient
	return i.serve("--rate-limit", "off")
}

func (s *server) dial() net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(cutOff)); err != nil {
		s.Fatal(err)
	}
	return conn
}

// trickle sends a text, its last part one byte at a time and for ever, and gives what the server says before it hangs
// up.
func (s *server) trickle(conn net.Conn, first string) string {
	s.Helper()
	hungUp := make(chan string)
	go func() {
		answer, _ := io.ReadAll(conn) // an error is a reset: it hung up as well
		hungUp <- string(answer)
	}()
	fmt.Fprint(conn, first)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case answer := <-hungUp:
			if time.Since(began) >= cutOff {
				s.Error("the server never hung up")
			}
			return answer
		case <-tick.C:
			fmt.Fprint(conn, "x") // fails once the server has hung up
		}
	}
}

// TestSlowLoris: a client that takes its time is cut off, whichever part of a request it takes it over, and nobody
// waits for it.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	s := newInstallation(t).serveImpatiently()
	for name, first := range map[string]string{
		"a method":   "G",
		"a path":     "GET /_matrix/client/v",
		"a header":   "GET /_matrix/client/versions HTTP/1.1\r\nHost: x\r\nX-",
		"a body":     "POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
		"a chunk":    "POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n{",
		"a form":     "POST /_matrix/client/v3/auth/m.login.dummy/fallback/web?session=x HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\na=",
		"no request": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.dial()
			answer := s.trickle(conn, first)
			if status, _ := s.ask("GET", "/_matrix/client/versions", "", ""); status != 200 {
				t.Errorf("meanwhile others are answered %d", status)
			}
			if strings.HasPrefix(answer, "HTTP/1.1 2") || strings.HasPrefix(answer, "HTTP/1.1 5") {
				t.Errorf("the answer is %q", answer)
			}
		})
	}
}

// TestThousandIdle: connections that nobody uses keep nobody out, and are hung up on, before and after a request.
func TestThousandIdle(t *testing.T) {
	t.Parallel()
	s := newInstallation(t).serveImpatiently()
	var idle []net.Conn
	for n := range 1000 {
		conn := s.dial()
		if idle = append(idle, conn); n%2 == 0 {
			fmt.Fprint(conn, "GET /_matrix/client/versions HTTP/1.1\r\nHost: x\r\n\r\n")
		}
	}
	if status, _ := s.ask("GET", "/_matrix/client/versions", "", ""); status != 200 {
		t.Errorf("beside them others are answered %d", status)
	}
	var all sync.WaitGroup
	for _, conn := range idle {
		all.Go(func() {
			if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
				t.Error("an idle connection is never hung up on")
			}
		})
	}
	all.Wait()
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// TestNobodyReads: a client that asks and asks and reads no answer is hung up on.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	s := newInstallation(t).serveImpatiently()
	conn := s.dial()
	asks := strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 100)
	for { // until the buffers are full, the server waits for one side of them, and its patience ends
		if _, err := io.WriteString(conn, asks); isTimeout(err) {
			t.Fatal("the server never hung up")
		} else if err != nil {
			break
		}
	}
	if status, _ := s.ask("GET", "/_matrix/client/versions", "", ""); status != 200 {
		t.Errorf("afterwards others are answered %d", status)
	}
}

// TestTooMuch: what is too large is refused before it is taken in, and in Matrix's words where Matrix is reached. The
// server would wait for the rest of a body until long after the test has given up.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.patience = patience{header: time.Hour, read: time.Hour, write: time.Hour, idle: time.Hour}
	s := i.serve("--rate-limit", "off")
	login, big := "POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\n", strings.Repeat("x", 40<<10)
	for name, test := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"a header": {"GET /_matrix/client/versions HTTP/1.1\r\nHost: x\r\nX-A: " + big + "\r\n\r\n", 431,
			""},
		"many headers": {"GET /_matrix/client/versions HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("A: b\r\n",
			8<<10) + "\r\n", 431, ""},
		"a path":                  {"GET /" + big + " HTTP/1.1\r\nHost: x\r\n\r\n", 431, ""},
		"a token":                 {"GET /_matrix/client/v3/account/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + big[:30<<10] + "\r\n\r\n", 401, "M_UNKNOWN_TOKEN"},
		"a body":                  {login + "Content-Length: 100000\r\n\r\n" + big + big, 413, "M_TOO_LARGE"},
		"a body that is promised": {login + "Content-Length: 1000000000000\r\n\r\n" + big + big, 413, "M_TOO_LARGE"},
		"chunks": {login + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("a000\r\n"+big+"\r\n",
			3), 413, "M_TOO_LARGE"},
		"many parameters": {"GET /_matrix/client/v3/account/whoami?" + strings.Repeat("a&", 15<<10) +
			" HTTP/1.1\r\nHost: x\r\n\r\n", 401, "M_MISSING_TOKEN"},
		"deep JSON": {login + "Content-Length: 60000\r\n\r\n" + strings.Repeat("[", 60000), 400,
			"M_NOT_JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.dial()
			go io.WriteString(conn, test.request) // the server may hang up before it has read it all
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != test.status || !strings.Contains(string(body), test.code) {
				t.Errorf("the answer is %d %s", answer.StatusCode, body)
			}
		})
	}
}

// TestDefaultPatience: an operator's server is no more patient than the security review has it.
func TestDefaultPatience(t *testing.T) {
	t.Parallel()
	if want := (patience{header: 5 * time.Second, read: 15 * time.Second, write: 30 * time.Second,
		idle: 2 * time.Minute}); strangers != want {
		t.Errorf("strangers may take %+v", strangers)
	}
}
