package handlers

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deletePhone asks to delete alice's phone, with this auth.
func (s *site) deletePhone(token, auth string) answer {
	s.Helper()
	c := call{Method: "DELETE", Path: devicePath("PHONE"), Token: token}
	if auth != "" {
		c.Body = `{"auth":` + auth + `}`
	}
	return s.do(c)
}

func passwordStep(user, password, session string) string {
	step := map[string]any{"type": "m.login.password",
		"identifier": map[string]string{"type": "m.id.user", "user": user}, "password": password}
	if session != "" {
		step["session"] = session
	}
	text, _ := json.Marshal(step) // unreachable: strings
	return string(text)
}

// phoneAndLaptop logs alice in twice and gives the laptop's token.
func (s *site) phoneAndLaptop() string {
	s.Helper()
	s.ok(s.login(`"device_id":"PHONE"`))
	return s.ok(s.login(`"device_id":"LAPTOP"`)).Text("access_token")
}

func TestInteractive(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	begun := s.deletePhone(token, "")
	session := s.challenged(begun)
	if begun.JSON["errcode"] != nil || begun.JSON["completed"] != nil ||
		!strings.Contains(begun.Raw, `"stages":["m.login.password"]`) {
		t.Errorf("the challenge is %s", begun.Raw)
	}
	wrong := s.deletePhone(token, passwordStep("alice", "wrong", session))
	if s.challenged(wrong) != session || wrong.Code() != "M_FORBIDDEN" || wrong.Text("error") == "" ||
		wrong.JSON["params"] == nil {
		t.Errorf("a wrong password answers %s", wrong.Raw)
	}
	s.want(s.deletePhone(token, `{"type":"m.login.password","session":"`+session+`"}`), 400, "M_MISSING_PARAM")
	s.want(s.deletePhone(token, `{"type":"m.login.dummy","session":"`+session+`"}`), 400, "M_UNRECOGNIZED")
	s.challenged(s.deletePhone(token, `{"session":"`+session+`"}`)) // asks how far it is
	s.ok(s.deletePhone(token, passwordStep("@Alice:example.org", password, session)))
	s.want(s.do(call{Method: "GET", Path: devicePath("PHONE"), Token: token}), 404, "M_NOT_FOUND")
	// Replayed, the session is not there any more: nothing was remembered as done.
	again := s.deletePhone(token, `{"session":"`+session+`"}`)
	if s.challenged(again) == session {
		t.Errorf("a finished session answers %s", again.Raw)
	}
}

// TestInteractiveOneShot: the proof may come with the first request, and a device that is gone is deleted.
func TestInteractiveOneShot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	s.ok(s.deletePhone(token, passwordStep("alice", password, "")))
	s.ok(s.deletePhone(token, `{"type":"m.login.password","user":"alice","password":"`+password+`"}`))
	s.ok(s.deletePhone(token, `{"type":"m.login.password","password":"`+password+`"}`))
}

// TestInteractiveCrossing: an authentication that was begun for one thing, or by one user, is good for no other.
func TestInteractiveCrossing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	bob := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("bob", password, "")})).Text("access_token")
	session := s.challenged(s.deletePhone(token, ""))
	step := passwordStep("alice", password, session)
	for _, c := range []call{
		{Method: "DELETE", Path: devicePath("LAPTOP"), Token: token, Body: `{"auth":` + step + `}`},
		{Method: "DELETE", Path: devicePath("PHONE"), Token: bob, Body: `{"auth":` + passwordStep("bob", password, session) + `}`},
		{Method: "POST", Path: "/_matrix/client/v3/delete_devices", Token: token, Body: `{"devices":["PHONE"],"auth":` + step + `}`},
		{Method: "POST", Path: "/_matrix/client/v3/account/deactivate", Token: token, Body: `{"auth":` + step + `}`},
		{Method: "POST", Path: registerPath, Body: registerBody("carol", `"auth":{"type":"m.login.dummy","session":"`+session+`"}`)},
	} {
		s.want(s.do(c), 403, "M_FORBIDDEN")
	}
	// Bob's password proves nothing for alice, nor hers for bob.
	s.want(s.deletePhone(token, passwordStep("bob", password, session)), 403, "M_FORBIDDEN")
	s.want(s.deletePhone(bob, passwordStep("alice", password, "")), 403, "M_FORBIDDEN")
	s.ok(s.do(call{Method: "GET", Path: devicePath("PHONE"), Token: token}))
	s.ok(s.deletePhone(token, step)) // and the right one still goes through
}

// TestInteractiveBodyMayChange: the body is that of the request which brings the password.
func TestInteractiveBodyMayChange(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	path := "/_matrix/client/v3/delete_devices"
	session := s.challenged(s.do(call{Method: "POST", Path: path, Token: token, Body: `{"devices":["LAPTOP"]}`}))
	s.ok(s.do(call{Method: "POST", Path: path, Token: token,
		Body: `{"devices":["PHONE","NONE"],"auth":` + passwordStep("alice", password, session) + `}`}))
	s.ok(s.whoami(token))
	s.want(s.do(call{Method: "GET", Path: devicePath("PHONE"), Token: token}), 404, "M_NOT_FOUND")
}

func TestInteractiveExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	session := s.challenged(s.do(call{Method: "POST", Path: registerPath,
		Body: registerBody("carol", `"inhibit_login":true`)}))
	s.clock.Step(interactionLife + time.Second)
	late := s.do(call{Method: "POST", Path: registerPath, Body: `{"auth":{"session":"` + session + `"}}`})
	if s.challenged(late) == session {
		t.Error("an expired session goes on")
	}
	taken, err := s.db.Taken(t.Context(), "carol")
	s.must(err)
	if taken {
		t.Error("an expired session made an account")
	}
}

// TestInteractiveAbuse opens far more sessions than are kept: memory stays bounded, old ones are refused, and honest
// people still get through. It measures the memory of the whole process, so it runs alone.
func TestInteractiveAbuse(t *testing.T) {
	s := newSite(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	first := s.challenged(s.do(call{Method: "POST", Path: registerPath,
		Body: registerBody("mallory", `"device_id":"X"`)}))
	s.clock.Step(time.Second)
	long := strings.Repeat("x", 500)
	flood := 10_000
	if testing.Short() || s.db.Shared() {
		flood = maxInteractions + 100 // each is a transaction; the tests of db see to the rest
	}
	for i := range flood {
		s.do(call{Method: "POST", Path: registerPath,
			Body: fmt.Sprintf(`{"username":"mallory%d","password":"%s"}`, i, long)})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("%d sessions take %d MiB", flood, grown>>20)
	}
	if a := s.do(call{Method: "POST", Path: registerPath,
		Body: `{"auth":{"session":"` + first + `","type":"m.login.dummy"}}`}); a.Status == 200 {
		t.Error("the first session is still there")
	}
	s.ok(s.do(call{Method: "POST", Path: registerPath, Body: registerBody("carol", `"auth":{"type":"m.login.dummy"}`)}))
}

// TestInteractiveRace: of many requests that go on with one session whose stages are complete, one gets through.
func TestInteractiveRace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	session := s.challenged(s.do(call{Method: "POST", Path: getTokenPath, Token: token, Body: `{}`}))
	s.html(s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Body: "password=correct+horse",
		Header: form}), 200, "That is done")
	var through atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if a := s.do(call{Method: "POST", Path: getTokenPath, Token: token,
				Body: `{"auth":{"session":"` + session + `"}}`}); a.Status == 200 {
				through.Add(1)
			}
		})
	}
	wg.Wait()
	if through.Load() != 1 {
		t.Errorf("%d requests got through", through.Load())
	}
}

// html fails the test unless the answer is a page that says this.
func (s *site) html(a answer, status int, words string) {
	s.Helper()
	if a.Status != status || !strings.Contains(a.Raw, words) {
		s.Errorf("page is %d %s, want %d with %q", a.Status, a.Raw, status, words)
	}
}

// TestGuessingAtLogins: whoever guesses at alice's logins, from anywhere and also from her own address, does not keep
// her from throwing the thief out. Guessing at the stage with a token is counted by that session.
func TestGuessingAtLogins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	s.server = s.newServer(func(c *Config) { c.RateLimit = Rate{Count: 3, Period: time.Hour} })
	guess := call{Method: "POST", Path: loginPath, Body: loginBody("alice", "wrong", "")}
	for range 3 {
		s.want(s.do(guess), 403, "M_FORBIDDEN")
	}
	s.want(s.do(guess), 429, "M_LIMIT_EXCEEDED")
	s.ok(s.deletePhone(token, passwordStep("alice", password, "")))

	session := s.challenged(s.deletePhone(token, ""))
	wrong := passwordStep("alice", "wrong", session)
	for range 2 {
		s.challenged(s.deletePhone(token, wrong))
	}
	s.want(s.deletePhone(token, wrong), 429, "M_LIMIT_EXCEEDED")
	for range 3 { // and so is a page that is guessed at
		s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
			Body: "password=wrong"})
	}
	s.want(s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
		Body: "password=wrong"}), 429, "M_LIMIT_EXCEEDED")
}
