package front

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTrickle: strangers whose bodies come a byte at a time, each in good time, hold no connection to the homeserver,
// and are answered when the time for the whole is over.
func TestTrickle(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}, func(c *Config) {
		c.Login = &fakeLogin{operation: func(method, path, token string) Operation {
			return Operation{Open: path == "/open"}
		}}
	})
	if s.front.strangerTime != time.Minute {
		t.Errorf("strangers have %s", s.front.strangerTime)
	}
	s.front.strangerTime = 300 * time.Millisecond
	kinds := []string{
		"POST /x HTTP/1.1\r\nContent-Length: 1000\r\n",
		"POST /x HTTP/1.1\r\nContent-Length: 10000000\r\n",
		"PUT /x HTTP/1.1\r\nContent-Length: 1000\r\nAuthorization: Bearer other\r\n",
		"PUT /x HTTP/1.1\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n",
		"POST /open HTTP/1.1\r\nContent-Length: 1000\r\nAuthorization: Bearer ours-bad\r\n",
		"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
	}
	var all sync.WaitGroup
	for n := range 60 { // more at once would take the test's server longer to accept than it gives a head
		all.Go(func() {
			part := "x"
			if kinds[n%len(kinds)] == kinds[5] {
				part = "1\r\nx\r\n"
			}
			if status := s.trickle(kinds[n%len(kinds)], part); status != 408 {
				t.Errorf("%q hears %d", kinds[n%len(kinds)], status)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n > 0 {
		t.Errorf("the homeserver was asked %d times", n)
	}
	// One that fills the buffer gets through to the homeserver, and has no more time for it.
	long := strings.Repeat("x", bufferSize)
	if status := s.trickle("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"+long, "x"); status != 408 ||
		asked.Load() != 1 {
		t.Errorf("it hears %d after %d requests", status, asked.Load())
	}
	// Who has a good token may take any time, and asks nobody before there is something to send.
	res, body := s.raw("PUT /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bridge\r\nContent-Length: 3\r\n\r\nabc")
	if res.StatusCode != 200 || body != "3" {
		t.Errorf("a service hears %d %s", res.StatusCode, body)
	}
}

// trickle sends the head of a request and a part of its body again and again, and returns the status of the answer.
func (s *scene) trickle(head, part string) int {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Error(err)
		return 0
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if !strings.Contains(head, "\r\n\r\n") {
		head += "Host: x\r\n\r\n"
	}
	_, _ = io.WriteString(conn, head)
	var sending sync.WaitGroup
	defer sending.Wait()
	done := make(chan struct{})
	defer close(done)
	sending.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				_, _ = io.WriteString(conn, part)
			}
		}
	})
	reader := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			s.Error(err)
			return 0
		}
		res.Body.Close()
		if res.StatusCode != http.StatusContinue {
			return res.StatusCode
		}
	}
}

// TestSilentBody: who has a good token holds no connection to the homeserver either before there is something to send.
func TestSilentBody(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1) },
		func(c *Config) { c.Patience = 100 * time.Millisecond })
	if res, body := s.raw("PUT /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ours-good\r\nContent-Length: 3\r\n" +
		"\r\n"); res.StatusCode != 408 || asked.Load() > 0 {
		t.Errorf("it hears %d %s after %d requests", res.StatusCode, body, asked.Load())
	}
}
