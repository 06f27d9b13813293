// Package matrixtest makes requests of a Matrix server in the process of the test, by a clock that the test moves, and
// holds every answer against the contract.
//
//	clock := matrixtest.NewClock()
//	answer := matrixtest.Ask(t, server.Handler(), matrixtest.Call{Method: "GET", Path: "/_matrix/client/versions"})
package matrixtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Clock is a time that only the test moves.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock begins at noon, a while after the release that this was written for.
func NewClock() *Clock { return &Clock{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Step moves it.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Call is a request to make.
type Call struct {
	Method, Path, Body, Token string
	Header                    map[string]string
	From                      string // address of the client
}

// As is the call by another method.
func (c Call) As(method string) Call { c.Method = method; return c }

// With is the call with another body.
func (c Call) With(body string) Call { c.Body = body; return c }

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Raw    string
	JSON   map[string]any
}

// Text is a field of the answer, empty if it is no text.
func (a Answer) Text(field string) string { text, _ := a.JSON[field].(string); return text }

// Code is the errcode.
func (a Answer) Code() string { return a.Text("errcode") }

// Soft is soft_logout.
func (a Answer) Soft() bool { soft, _ := a.JSON["soft_logout"].(bool); return soft }

// Want fails the test unless the answer is a Matrix error with this status and code.
func (a Answer) Want(t testing.TB, status int, code string) {
	t.Helper()
	if a.Status != status || a.Code() != code {
		t.Fatalf("answer is %d %s, want %d %s", a.Status, a.Raw, status, code)
	}
}

// OK fails the test unless the answer is 200.
func (a Answer) OK(t testing.TB) Answer {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("answer is %d %s, want 200", a.Status, a.Raw)
	}
	return a
}

// Challenged is the session of a challenge for user-interactive authentication; the test fails if the answer is none.
func (a Answer) Challenged(t testing.TB) (session string) {
	t.Helper()
	session = a.Text("session")
	if a.Status != http.StatusUnauthorized || session == "" || a.JSON["flows"] == nil {
		t.Fatalf("answer is %d %s, want a challenge", a.Status, a.Raw)
	}
	return session
}

// LoginBody is the body of a login by password, with more members if there are any.
func LoginBody(user, password, extra string) string {
	if extra != "" {
		extra = "," + extra
	}
	return `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + user + `"},"password":"` +
		password + `"` + extra + `}`
}

// Ask makes the request and holds the answer against the contract.
func Ask(t testing.TB, handler http.Handler, c Call) Answer {
	t.Helper()
	var body io.Reader = http.NoBody
	if c.Body != "" {
		body = strings.NewReader(c.Body)
	}
	r := httptest.NewRequestWithContext(t.Context(), c.Method, c.Path, body)
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for name, text := range c.Header {
		r.Header.Set(name, text)
	}
	if c.From != "" {
		r.RemoteAddr = c.From
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	a := Answer{Status: w.Code, Header: w.Header(), Raw: w.Body.String()}
	decoder := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	if err := decoder.Decode(&a.JSON); err != nil && w.Body.Len() > 0 &&
		strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		t.Errorf("%s %s answers no JSON: %q", c.Method, c.Path, a.Raw)
	}
	if err := contract.check(c.Method, c.Path, a); err != nil {
		t.Errorf("%s %s %d %s: %v", c.Method, c.Path, a.Status, a.Raw, err)
	}
	return a
}
