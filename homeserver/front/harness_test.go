package front

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/test/rig/safe"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene is a front and its homeserver, on real connections.
type scene struct {
	testing.TB
	url, addr string // of the front
	front     *Front
	stop      context.CancelFunc // the server shall stop
	log       *safe.Buffer
}

// newScene makes a front for a homeserver that is a handler, with a fakeLogin.
func newScene(t testing.TB, homeserver http.HandlerFunc, change ...func(*Config)) *scene {
	t.Helper()
	behind := httptest.NewServer(homeserver)
	t.Cleanup(behind.Close)
	return before(t, behind.URL, change...)
}

func before(t testing.TB, homeserver string, change ...func(*Config)) *scene {
	t.Helper()
	at, err := url.Parse(homeserver)
	if err != nil {
		t.Fatal(err)
	}
	stopping, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	s := &scene{TB: t, stop: stop, log: &safe.Buffer{}}
	c := Config{Homeserver: at, Login: &fakeLogin{}, Patience: 5 * time.Second, Grace: 50 * time.Millisecond,
		Stopping: stopping, Log: slog.New(slog.NewTextHandler(s.log, nil))}
	for _, f := range change {
		f(&c)
	}
	s.front = New(c)
	t.Cleanup(s.front.Close)
	server := httptest.NewUnstartedServer(s.front)
	// As the real server has them: what streams must live longer.
	server.Config.ReadTimeout, server.Config.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	s.url, s.addr = server.URL, server.Listener.Addr().String()
	return s
}

// fakeLogin has one operation, login, which the homeserver answers for a GET with the token "bridge". Its tokens begin
// with "ours-": "ours-good" is good and of the session "good", the others are not. "bridge" is an application
// service's. The functions change that; each may be nil.
type fakeLogin struct {
	operation func(method, path, token string) Operation // path is by its current name
	exchange  func(path, token string) (instead string)
	ended     func(token string) error
	over      func(sessions []string) ([]string, error)
	disowned  func(token string)
}

func (l *fakeLogin) ServeHTTP(w http.ResponseWriter, r *http.Request) { postern(w, r) }

func (l *fakeLogin) Operation(method, path, token string) Operation {
	path = strings.Replace(path, "/client/r0/", "/client/v3/", 1)
	op := Operation{Path: path}
	if l.operation != nil {
		op = l.operation(method, path, token)
		op.Path = path
	}
	if path == "/_matrix/client/v3/login" && (method != "GET" || token != "bridge") {
		op.Handler = l
	}
	return op
}

func (l *fakeLogin) Exchange(r *http.Request, path, token string) (Pass, error) {
	if l.exchange != nil {
		token = l.exchange(path, token)
	}
	switch {
	case !strings.HasPrefix(token, "ours-"):
		return Pass{Token: token, Trusted: token == "bridge"}, nil
	case token == "ours-good":
		return Pass{Token: "plain", Session: "good", Trusted: true}, nil
	}
	return Pass{}, errors.New("refused here")
}

func (l *fakeLogin) Refuse(w http.ResponseWriter, r *http.Request, token string, err error) {
	refuse(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", err.Error())
}

func (l *fakeLogin) Ended(r *http.Request, token string) error {
	if l.ended == nil {
		return nil
	}
	return l.ended(token)
}

func (l *fakeLogin) Over(ctx context.Context, sessions []string) ([]string, error) {
	if l.over == nil {
		return nil, nil
	}
	return l.over(sessions)
}

func (l *fakeLogin) Disowned(_ *http.Request, token string) { l.disowned(token) }

func (l *fakeLogin) Client(r *http.Request) (addr, scheme string) { return "192.0.2.7", "https" }

func postern(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"postern":%q}`, r.URL.EscapedPath())
}

// raw sends bytes as they are and returns the answer.
func (s *scene) raw(text string) (*http.Response, string) {
	s.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		s.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return res, string(body)
}

// get requests a target with some header lines.
func (s *scene) get(target string, header ...string) (*http.Response, string) {
	s.Helper()
	return s.raw("GET " + target + " HTTP/1.1\r\nHost: matrix.example.org\r\n" + strings.Join(append(header, "\r\n"),
		"\r\n"))
}

// requests is a homeserver that keeps the requests that it gets, as they are on the wire.
type requests struct {
	listener net.Listener
	seen     chan string
}

func wiretap(t testing.TB) *requests {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &requests{listener: l, seen: make(chan string, 100)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { r.one(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return r
}

func (r *requests) one(conn net.Conn) {
	defer conn.Close()
	reader, head := bufio.NewReader(conn), ""
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		head += line
	}
	r.seen <- head
	io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
}

func (r *requests) url() string { return "http://" + r.listener.Addr().String() }

// line returns the first line of the next request, and its headers by name.
func (r *requests) line() (string, map[string][]string) {
	head := <-r.seen
	first, rest, _ := strings.Cut(head, "\r\n")
	header := make(map[string][]string)
	for line := range strings.SplitSeq(rest, "\r\n") {
		if name, value, found := strings.Cut(line, ": "); found {
			header[name] = append(header[name], value)
		}
	}
	return first, header
}
