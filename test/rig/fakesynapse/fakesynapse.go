// Package fakesynapse is a homeserver for quick tests: it obeys the calls under /_synapse/mas as strictly as Synapse
// 1.163 does, and can be away, slow, failing or cut off. A test of its own makes the same calls to a real Synapse and
// compares the answers.
//
// Nothing else of Matrix is here. What a device has of its own, its keys, is stood for by the number of its making: a
// device that was deleted and made again has another one.
package fakesynapse

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Mode is how the homeserver does.
type Mode int

// A homeserver does well until it is told otherwise.
const (
	Well    Mode = iota
	Away         // hangs up without reading
	Slow         // obeys, but not before the mode changes
	Failing      // answers 500 and does nothing
	Cut          // obeys, and sends half of the answer
)

// User is an account.
type User struct {
	Locked, Deactivated, Erased bool
	Devices                     map[string]Device
}

// Device is a device. Made tells it from others that had its id.
type Device struct {
	Name string
	Made int
}

// Server is one homeserver.
type Server struct {
	URL string

	secret string
	http   *httptest.Server

	mu       sync.Mutex
	mode     Mode
	turned   chan struct{} // closed when the mode changes
	users    map[string]*User
	made     int
	calls    []string
	before   func(call string)
	ailing   map[string]bool
	resets   []string
	mended   bool
	collides bool
	gone     chan struct{}
	waiting  sync.WaitGroup
	late     sync.WaitGroup
}

// New starts a homeserver that knows nobody.
func New(t testing.TB, secret string) *Server {
	t.Helper()
	s := &Server{secret: secret, users: make(map[string]*User), turned: make(chan struct{}), gone: make(chan struct{}),
		ailing: make(map[string]bool)}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	t.Cleanup(func() {
		close(s.gone)
		s.http.CloseClientConnections()
		s.http.Close()
		s.waiting.Wait()
	})
	return s
}

// Be changes how it does. What came while it was slow is obeyed before it returns, so that no later call overtakes it:
// Synapse obeys in the order in which it is called.
func (s *Server) Be(mode Mode) {
	s.mu.Lock()
	s.mode = mode
	close(s.turned)
	s.turned = make(chan struct{})
	s.mu.Unlock()
	s.late.Wait()
}

// Ail makes it answer 500 to whatever is about one user or, as in "alice A", about one device.
func (s *Server) Ail(whom string, ill bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ailing[whom] = ill
}

// Collide lets somebody else make the next new account in the moment in which a call is about to, as two calls at once
// do.
func (s *Server) Collide() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collides = true
}

// Before has a function called before each call is obeyed, with its name, the user and the device. It may wait: others
// are obeyed meanwhile.
func (s *Server) Before(do func(call string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = do
}

// Calls gives the calls that were obeyed or refused since it was asked last, such as "upsert_device alice A".
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// User is a copy of an account; nil if there is none.
func (s *Server) User(localpart string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[localpart]
	if u == nil {
		return nil
	}
	c := *u
	c.Devices = maps.Clone(u.Devices)
	return &c
}

// Devices lists all devices, as "alice A", in order.
func (s *Server) Devices() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []string{}
	for name, u := range s.users {
		for id := range u.Devices {
			all = append(all, name+" "+id)
		}
	}
	slices.Sort(all)
	return all
}

// Add puts a user and devices there, as if they always had been.
func (s *Server) Add(localpart string, deviceIDs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.provide(localpart)
	for _, id := range deviceIDs {
		s.made++
		u.Devices[id] = Device{Made: s.made}
	}
}

// Deactivate does what an administrator does there: the user is deactivated and has no devices any more.
func (s *Server) Deactivate(localpart string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.provide(localpart).Deactivated = true
	clear(s.users[localpart].Devices)
}

// Drop deletes a device there, as an administrator does.
func (s *Server) Drop(localpart, deviceID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.provide(localpart).Devices, deviceID)
}

// Lose forgets a user, as a restored backup does that is older.
func (s *Server) Lose(localpart string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, localpart)
}

// Resets lists the users who were allowed to replace their cross-signing keys.
func (s *Server) Resets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.resets)
}

func (s *Server) provide(localpart string) *User {
	u := s.users[localpart]
	if u == nil {
		u = &User{Devices: make(map[string]Device)}
		s.users[localpart] = u
	}
	return u
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.waiting.Add(1)
	defer s.waiting.Done()
	s.mu.Lock()
	mode, turned := s.mode, s.turned
	if mode == Slow {
		s.late.Add(1)
		defer s.late.Done()
	}
	s.mu.Unlock()
	if mode == Away {
		hangUp(w)
		return
	}
	c, refusal := s.read(r)
	if mode == Slow {
		select {
		case <-turned:
		case <-s.gone:
			return
		}
	}
	if mode == Failing {
		answer(w, failure)
		return
	}
	a := refusal
	if a == nil {
		a = s.obey(c)
	}
	if mode == Cut {
		cutOff(w, a)
		return
	}
	answer(w, a)
}

// reply is an answer.
type reply struct {
	status int
	body   any
}

var failure = &reply{500, map[string]any{"errcode": "M_UNKNOWN", "error": "Internal server error"}}

func refuse(status int, code, why string) *reply {
	return &reply{status, map[string]any{"errcode": code, "error": why}}
}

func answer(w http.ResponseWriter, a *reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	if a.status != http.StatusNoContent {
		_ = json.NewEncoder(w).Encode(a.body)
	}
}

// cutOff promises more than it sends.
func cutOff(w http.ResponseWriter, a *reply) {
	text, _ := json.Marshal(a.body)
	conn, buffer, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n" +
		string(text[:len(text)/2]))
	_ = buffer.Flush()
}

func hangUp(w http.ResponseWriter) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// obey does what a call says.
func (s *Server) obey(c call) *reply {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	name := strings.TrimSpace(c.name + " " + c.localpart() + " " + c.text("device_id"))
	if before != nil {
		before(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
	if s.ailing[c.localpart()] || s.ailing[c.localpart()+" "+c.text("device_id")] {
		return failure
	}
	return obeyed[c.name].do(s, c)
}
