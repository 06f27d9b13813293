package handlers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/gen"
)

// soon is how long a test waits for what comes at once, before it gives up.
const soon = time.Minute

// listen serves on a real port.
func (s *site) listen(write time.Duration) string {
	s.Helper()
	server := httptest.NewUnstartedServer(s.server.Handler())
	server.Config.WriteTimeout = write
	server.Start()
	s.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func behindProxy(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// send makes a request on a connection of its own.
func (s *site) send(address string, c call) net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", address)
	s.must(err)
	s.Cleanup(func() { conn.Close() })
	s.must(conn.SetDeadline(time.Now().Add(soon)))
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nX-Forwarded-For: %s\r\n"+
		"Content-Length: %d\r\n\r\n%s", c.Method, c.Path, c.Token, c.From, len(c.Body), c.Body)
	s.must(err)
	return conn
}

// receive reads the answer to it.
func (s *site) receive(conn net.Conn) (*http.Response, string) {
	s.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.Fatal("no answer came: ", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	s.must(err)
	return answer, string(body)
}

// fill takes all places, so that everybody has to wait until they are given back.
func (s *site) fill() (giveBack func()) {
	s.Helper()
	q := s.server.hasher.queue
	var all []*place
	for range q.free {
		p, err := q.wait(s.Context(), claim{lane: ofStrangers})
		s.must(err)
		all = append(all, p)
	}
	return sync.OnceFunc(func() {
		for _, p := range all {
			p.leave()
		}
	})
}

// until waits for something that happens by itself.
func (s *site) until(what string, is func() bool) {
	s.Helper()
	for began := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(began) > soon {
			s.Fatal("it never came to this: ", what)
		}
	}
}

// untilWaiting waits until so many wait for a place.
func (s *site) untilWaiting(n int) {
	s.Helper()
	s.until(fmt.Sprint(n, " wait"), func() bool { return s.server.hasher.waits() == n })
}

// idle waits until the places are free.
func (s *site) idle() {
	s.Helper()
	q := s.server.hasher.queue
	s.until("nobody works", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.free == runtime.GOMAXPROCS(0)
	})
}

// state is what a request could have changed of the accounts.
func (s *site) state() string {
	s.Helper()
	users, err := s.db.Users(s.Context())
	s.must(err)
	sessions, err := s.db.Sessions(s.Context(), "")
	s.must(err)
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintln(&b, u.Localpart, u.PasswordHash, u.Deactivated)
	}
	for _, x := range sessions {
		fmt.Fprintln(&b, x.ID, x.DeviceID, x.Generation, x.State)
	}
	return b.String()
}

// passwordRequests are those that wait for a hash and then write: from a client that has shown nothing, and with the
// token of alice's laptop.
func passwordRequests(token string) map[string]call {
	auth := `"auth":` + passwordStep("alice", password, "")
	return map[string]call{
		"login":      {Method: "POST", Path: loginPath, Body: loginBody("alice", password, `"device_id":"NEW"`)},
		"relogin":    {Method: "POST", Path: loginPath, Body: loginBody("alice", password, `"device_id":"PHONE"`)},
		"draftLogin": {Method: "POST", Path: draftLoginPath, Body: `{"username":"alice","password":"` + password + `"}`},
		"register":   {Method: "POST", Path: "/_matrix/client/v3/register", Body: registerBody("carol", `"auth":{"type":"m.login.dummy"}`)},
		"changePassword": {Method: "POST", Path: "/_matrix/client/v3/account/password", Token: token,
			Body: `{"new_password":"another one",` + auth + `}`},
		"deactivateAccount": {Method: "POST", Path: "/_matrix/client/v3/account/deactivate", Token: token, Body: `{` + auth + `}`},
		"deleteDevice":      {Method: "DELETE", Path: devicePath("PHONE"), Token: token, Body: `{` + auth + `}`},
		"deleteDevices": {Method: "POST", Path: "/_matrix/client/v3/delete_devices", Token: token,
			Body: `{"devices":["PHONE"],` + auth + `}`},
	}
}

// TestGoneClients: whoever has hung up while waiting gets nothing done, and the place of nobody.
func TestGoneClients(t *testing.T) {
	t.Parallel()
	for name := range passwordRequests("") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c, address := passwordRequests(s.phoneAndLaptop())[name], s.listen(defaultPatience)
			before, giveBack := s.state(), s.fill()
			conn := s.send(address, c)
			s.untilWaiting(1)
			s.must(conn.Close())
			s.untilWaiting(0)
			giveBack()
			s.idle()
			if after := s.state(); after != before {
				t.Errorf("there was\n%s\nand then\n%s", before, after)
			}
			if answer, body := s.receive(s.send(address, c)); answer.StatusCode != 200 {
				t.Errorf("one who stays gets %s %s", answer.Status, body)
			}
			if s.state() == before {
				t.Error("what it is for did not happen either: the test shows nothing")
			}
		})
	}
}

// late is a peer that takes so long that the client has gone by the time it is done.
type late struct {
	alone
	leave func()
}

func (l late) StartSession(ctx context.Context, login db.Login, _ bool) (db.Session, error) {
	l.leave()
	<-ctx.Done()
	return l.alone.StartSession(ctx, login, false)
}

func (l late) Register(ctx context.Context, r db.Registration, write WriteAccount) (db.Session, error) {
	l.leave()
	<-ctx.Done()
	return write(r)
}

// TestLateSessions: no session begins once the client has gone, or its connection is about to end, whatever it was that
// took so long.
func TestLateSessions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"login", "draftLogin", "register"} {
		for why, patience := range map[string]time.Duration{"gone": time.Hour, "out of time": 600 * time.Millisecond} {
			t.Run(name+" "+why, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, func(c *Config) { c.Patience = patience })
				var conn net.Conn
				sent, began := make(chan struct{}), make(chan struct{})
				s.server.Peer = late{alone{s.db}, func() {
					<-sent
					close(began)
					if why == "gone" {
						s.must(conn.Close())
					}
				}}
				before := s.state()
				conn = s.send(s.listen(0), passwordRequests("")[name])
				close(sent)
				if why == "gone" {
					<-began
					s.until("the request ends", func() bool { return s.counted(name, "503") })
				} else if answer, body := s.receive(conn); answer.StatusCode != 503 {
					t.Errorf("it is answered %s %s", answer.Status, body)
				}
				if after := s.state(); after != before {
					t.Errorf("there was\n%s\nand then\n%s", before, after)
				}
			})
		}
	}
}

// counted reports whether such an answer was given.
func (s *site) counted(operation, code string) bool {
	a := s.do(call{Method: "GET", Path: "/metrics"})
	return strings.Contains(a.Raw, fmt.Sprintf("postern_requests_total{code=%q,operation=%q} 1", code, operation))
}

// TestFlood: of very many who guess at once, from an address each, everybody is answered while the connection is there,
// with what to do next; nobody gets a session by it that they do not hear of; and then it goes on.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := newSite(t, behindProxy, func(c *Config) { c.Patience = 6 * time.Second })
	address, before, giveBack := s.listen(s.server.Patience), s.state(), s.fill()
	var all sync.WaitGroup
	for i := range 300 {
		word := []string{"wrong", password}[i%2]
		conn := s.send(address, call{Method: "POST", Path: loginPath, From: fmt.Sprintf("198.51.%d.7", i),
			Body: loginBody(fmt.Sprint("user", i), word, "")})
		all.Go(func() {
			answer, body := s.receive(conn)
			if answer.StatusCode != 429 || !strings.Contains(body, `"errcode":"M_LIMIT_EXCEEDED"`) ||
				answer.Header.Get("Retry-After") != "2" {
				t.Errorf("it is answered %s, Retry-After %q, %s", answer.Status, answer.Header.Get("Retry-After"), body)
			}
		})
	}
	all.Wait()
	s.untilWaiting(0)
	if after := s.state(); after != before {
		t.Errorf("there was\n%s\nand then\n%s", before, after)
	}
	giveBack()
	s.ok(s.login(""))
}

// TestKnownDevicesWaitApart: a login on a device that the account has, and what a session asks for, do not wait among
// strangers. A device that is another's, or nobody's, is none.
func TestKnownDevicesWaitApart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("bob", password, `"device_id":"BOBS"`)}))
	address, giveBack := s.listen(defaultPatience), s.fill()
	waiting := func(l lane) int {
		q := s.server.hasher.queue
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.waiting[l])
	}
	requests, sessions, strangers := passwordRequests(token), 0, 0
	for _, device := range []string{"BOBS", "", "phone", "PHONE "} {
		requests["with "+device] = call{Method: "POST", Path: loginPath,
			Body: loginBody("ALICE", password, `"device_id":"`+device+`"`)}
	}
	for name, c := range requests {
		conn := s.send(address, c)
		if c.Token != "" || name == "relogin" {
			sessions++
		} else {
			strangers++
		}
		s.untilWaiting(sessions + strangers)
		if waiting(ofSessions) != sessions || waiting(ofStrangers) != strangers {
			t.Fatalf("after %s %d wait with the sessions and %d with the strangers, want %d and %d", name,
				waiting(ofSessions), waiting(ofStrangers), sessions, strangers)
		}
		s.must(conn.SetDeadline(time.Time{}))
	}
	giveBack()
}

// TestOwnersDoNotTakeTurns: a login on a known device does not wait until a guess at the account is answered.
func TestOwnersDoNotTakeTurns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.server.hasher.free = 2
	token := s.phoneAndLaptop()
	guess, err := s.server.hasher.wait(t.Context(), from("192.0.2.1", "alice"))
	s.must(err)
	s.ok(s.login(`"device_id":"PHONE"`))
	s.ok(s.deletePhone(token, passwordStep("alice", password, "")))
	conn := s.send(s.listen(0), call{Method: "POST", Path: loginPath, Body: loginBody("alice", password, "")})
	s.untilWaiting(1)
	guess.leave()
	if answer, body := s.receive(conn); answer.StatusCode != 200 {
		t.Errorf("then a stranger is answered %s %s", answer.Status, body)
	}
}

// TestKnownDevicesAreCountedApart: whoever guesses at an account cannot keep its owner from logging in where they were
// logged in before, and a guesser who knows such a device does not get far.
func TestKnownDevicesAreCountedApart(t *testing.T) {
	t.Parallel()
	s := newSite(t, behindProxy, func(c *Config) { c.RateLimit = Rate{Count: 3, Period: time.Minute} })
	n := 0
	try := func(word, device string) answer { // from an address that is new
		n++
		return s.do(call{Method: "POST", Path: loginPath, From: fmt.Sprintf("192.0.2.%d:1", n),
			Body: loginBody("alice", word, `"device_id":"`+device+`"`)})
	}
	s.ok(try(password, "PHONE"))
	s.want(try("wrong", "X"), 403, "M_FORBIDDEN")
	s.want(try("wrong", "X"), 403, "M_FORBIDDEN")
	for _, device := range []string{"X", "", "phone"} {
		s.want(try(password, device), 429, "M_LIMIT_EXCEEDED")
	}
	s.ok(try(password, "PHONE"))
	s.want(try("wrong", "PHONE"), 403, "M_FORBIDDEN")
	s.ok(try(password, "PHONE"))
	s.want(try(password, "PHONE"), 429, "M_LIMIT_EXCEEDED")
}

// TestRefusedAtTheHash: a request that proves its password and then has to wait too long for the hash of a new one has
// lost nothing.
func TestRefusedAtTheHash(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Registration = RegistrationToken })
	s.must(s.db.AddRegistrationToken(t.Context(),
		db.RegistrationToken{Token: "once", UsesAllowed: 1, Created: s.clock.Now()}))
	invited := call{Method: "POST", Path: "/_matrix/client/v3/register",
		Body: registerBody("carol", `"auth":{"type":"m.login.registration_token","token":"once"}`)}
	token := s.phoneAndLaptop()
	change := func(auth string) call {
		return call{Method: "POST", Path: "/_matrix/client/v3/account/password", Token: token,
			Body: `{"new_password":"another one","auth":` + auth + `}`}
	}
	session := s.challenged(s.do(call{Method: "POST", Path: "/_matrix/client/v3/account/password", Token: token,
		Body: `{"new_password":"another one"}`}))
	s.must(s.completeStage(session))

	giveBack := s.fill()
	s.server.hasher.patience = time.Millisecond
	s.want(s.do(invited), 429, "M_LIMIT_EXCEEDED")
	s.want(s.do(change(`{"session":"`+session+`"}`)), 429, "M_LIMIT_EXCEEDED")
	giveBack()
	s.server.hasher.patience = soon
	s.ok(s.do(invited))
	s.ok(s.do(change(`{"session":"` + session + `"}`)))
	s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "another one", "")}))
}

// completeStage types alice's password on the page of the stage.
func (s *site) completeStage(session string) error {
	a := s.do(call{Method: "POST", Path: "/_matrix/client/v3/auth/m.login.password/fallback/web?session=" + session,
		Body:   "password=" + strings.ReplaceAll(password, " ", "+"),
		Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
	if a.Status != 200 {
		return errors.New(a.Raw)
	}
	return nil
}

// TestLateRegistration: a registration that another server took its time for gets no session that nobody hears of.
func TestLateRegistration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account, err := s.db.User(t.Context(), "alice")
	s.must(err)
	for took, want := range map[time.Duration]bool{time.Second: true, s.server.Patience: false} {
		who := &Caller{Now: s.clock.Now()}
		s.clock.Step(took)
		before := s.state()
		_, err := s.server.LogInRegistered(WithCaller(t.Context(), who), account, &gen.RegisterRequest{})
		if begun := s.state() != before; begun != want || (err == nil) != want {
			t.Errorf("after %s a session begins: %t, %v", took, begun, err)
		}
	}
}
