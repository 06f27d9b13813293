package homeserver

import (
	"strings"
	"testing"

	"postern/db"
	"postern/handlers"
)

func (s *site) addFactor(name string) {
	s.Helper()
	s.must(s.db.AddFactor(s.Context(), db.Factor{ID: "of " + name, Localpart: name, Kind: db.FactorCodes,
		Sealed: []byte("x")}, "", nil))
}

// TestServiceLoginWithSecondFactor: an application service logs in its users whatever factors they have, or have to
// have: it is the operator's word. The password opens none of them, and the homeserver hears of no device.
func TestServiceLoginWithSecondFactor(t *testing.T) {
	t.Parallel()
	for _, policy := range []handlers.SecondFactorPolicy{handlers.SecondFactorOptional, handlers.SecondFactorRequired} {
		s, _ := newSiteWithBridges(t, withOAuth, func(c *setup) { c.SecondFactor = policy })
		s.addFactor("bob")
		for _, user := range []string{"_irc_old", "@bob:example.org"} {
			s.ok(s.whoami(s.ok(s.serviceLogin(user, ircToken)).Text("access_token")))
		}
		a := s.do(call{Method: "POST", Path: loginPath, Body: loginBody("bob", password, `"device_id":"X"`)})
		s.want(a, 403, "M_FORBIDDEN")
		if !strings.Contains(a.Text("error"), "m.login.sso") {
			t.Errorf("a login answers %s", a.Raw)
		}
		s.want(s.do(call{Method: "POST", Path: loginPath, Token: ircToken, Body: loginBody("bob", password, "")}), 403,
			"M_FORBIDDEN")
	}
}

// TestCrossSigningWithSecondFactor: the keys of an account with a second factor are replaced by nobody who has shown
// the password alone; without pages the operator's way is named.
func TestCrossSigningWithSecondFactor(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t, withOAuth)
	token := s.loggedIn().Text("access_token")
	s.ok(s.upload(b, token, `{"keys":"first"}`, ""))
	begun := s.challenged(s.upload(b, token, `{"keys":"second"}`, ""))
	s.addFactor("alice")
	for _, auth := range []string{"", passwordStep("alice", password, ""), passwordStep("alice", password, begun),
		`{"type":"m.login.sso","session":"` + begun + `"}`} {
		a := s.upload(b, token, `{"keys":"second"}`, auth)
		if s.challenged(a); !strings.Contains(a.Raw, `"flows":[{"stages":["m.login.sso"]}]`) {
			t.Errorf("with %s the challenge is %s", auth, a.Raw)
		}
	}
	without := newSiteFor(s, func(c *setup) { c.there = b.told() })
	for _, auth := range []string{"", passwordStep("alice", password, "")} {
		a := without.upload(b, token, `{"keys":"second"}`, auth)
		s.want(a, 403, "M_FORBIDDEN")
		if !strings.Contains(a.Text("error"), "postern user factors NAME clear") {
			t.Errorf("with %s it says %s", auth, a.Raw)
		}
	}
	if b.allowed {
		t.Error("a reset was allowed")
	}
}
