package handlers

import (
	"fmt"
	"testing"
	"time"
)

// What is counted is counted where it belongs, so that nobody stops somebody else by failing.

// TestRefreshesAreCountedBySession: an old token of one device, sent again and again, stops no other device of the
// account, and what is no refresh token stops nobody.
func TestRefreshesAreCountedBySession(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 3, Period: time.Minute} })
	phone := s.ok(s.login(`"device_id":"PHONE","refresh_token":true`))
	laptop := s.ok(s.login(`"device_id":"LAPTOP","refresh_token":true`))
	for range 3 {
		s.want(s.refresh(phone.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
	}
	s.ok(s.refresh(phone.Text("refresh_token")))
	for range 5 {
		s.refresh(phone.Text("refresh_token"))
	}
	s.want(s.refresh(phone.Text("refresh_token")), 429, "M_LIMIT_EXCEEDED")
	s.ok(s.refresh(laptop.Text("refresh_token")))
}

// TestStrangersStopNoSession: what others send from the same address, or to the page of a stage, does not keep a
// session from proving who it is.
func TestStrangersStopNoSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 4, Period: time.Minute} })
	s.ok(s.login(`"device_id":"THIEF"`))
	thief := s.ok(s.login(`"device_id":"THIEF"`)).Text("access_token")
	s.clock.Step(time.Minute)
	owner := s.ok(s.login(`"device_id":"OWN"`)).Text("access_token")
	page := func(session, password string) answer {
		return s.do(call{Method: "POST",
			Path:   "/_matrix/client/v3/auth/m.login.password/fallback/web?session=" + session,
			Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
			Body:   "password=" + password})
	}
	for range 10 {
		page("nonsense", "x")
	}
	ask := func(token, auth string) answer {
		return s.do(call{Method: "POST", Path: "/_matrix/client/v3/delete_devices", Token: token,
			Body: fmt.Sprintf(`{"devices":["GONE"],"auth":%s}`, auth)})
	}
	s.ok(ask(owner, passwordStep("alice", password, "")))
	theirs := s.challenged(ask(thief, "{}"))
	s.clock.Step(2 * time.Minute)
	for range 10 {
		page(theirs, "wrong")
	}
	s.ok(ask(owner, passwordStep("alice", password, "")))
}
