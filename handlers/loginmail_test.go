package handlers

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLoginByEmail: an account is found by its address, in upper or lower case, and an address that nobody has is like
// a wrong password.
func TestLoginByEmail(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 8, Period: time.Hour} }) // needs no mail
	s.addEmail("alice", "alice@example.org")
	by := func(identifier, password string) answer {
		return s.do(call{Method: "POST", Path: loginPath,
			Body: `{"type":"m.login.password",` + identifier + `,"password":"` + password + `"}`})
	}
	email := func(address string) string {
		return `"identifier":{"type":"m.id.thirdparty","medium":"email","address":"` + address + `"}`
	}
	for _, identifier := range []string{email("Alice@EXAMPLE.org"), `"medium":"email","address":"alice@example.org"`} {
		if a := s.ok(by(identifier, password)); a.Text("user_id") != "@alice:example.org" {
			t.Errorf("%s: %s", identifier, a.Raw)
		}
	}
	s.want(by(`"identifier":{"type":"m.id.thirdparty","medium":"msisdn","address":"1"}`, password), 400, "M_UNKNOWN")
	s.want(by(`"identifier":{"type":"m.id.thirdparty","medium":"email"}`, password), 400, "M_MISSING_PARAM")
	wrong, unknown := by(email("alice@example.org"), "x"), by(email("nobody@example.org"), "x")
	s.want(wrong, 403, "M_FORBIDDEN")
	if wrong.Raw != unknown.Raw || wrong.Status != unknown.Status {
		t.Errorf("a wrong password is %s, and an unknown address %s", wrong.Raw, unknown.Raw)
	}
	s.want(by(email("no address"), "x"), 403, "M_FORBIDDEN")
	s.clock.Step(2 * time.Hour)
	for _, address := range []string{"alice@example.org", "nobody@example.org"} {
		for _, written := range []string{"%s", " %s", "%s ", "  %s  "} { // in any of which it is one
			s.want(by(email(fmt.Sprintf(written, address)), "x"), 403, "M_FORBIDDEN")
			s.want(by(email(fmt.Sprintf(written, strings.ToUpper(address))), "x"), 403, "M_FORBIDDEN")
		}
		s.want(by(email(address), "x"), 429, "M_LIMIT_EXCEEDED")
		s.clock.Step(2 * time.Hour)
	}
}
