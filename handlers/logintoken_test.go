package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/tokens"
)

// redeemed logs in by a login token that its holder has restricted.
func (s *site) redeemed(text, from, extra string, appended ...tokens.Caveat) answer {
	s.Helper()
	narrow, err := tokens.Restrict(text, appended...)
	s.must(err)
	return s.do(call{Method: "POST", Path: loginPath, From: from,
		Body: `{"type":"m.login.token","token":"` + narrow + `"` + extra + `}`})
}

// TestCarriedFromLoginToken: what a holder appended to a login token restricts the session that it makes, for as long
// as that lives, whether it can refresh or not.
func TestCarriedFromLoginToken(t *testing.T) {
	t.Parallel()
	const home, away = "198.51.100.7:1", "203.0.113.9:1"
	s := newSite(t)
	owner := s.loggedIn().Text("access_token")
	whoami := func(a answer, from string) answer {
		return s.do(call{Method: "GET", Path: "/_matrix/client/v3/account/whoami", From: from,
			Token: a.Text("access_token")})
	}
	addr := tokens.Caveat{Key: "addr", Operator: "in", Value: "198.51.100.0/24"}
	for _, extra := range []string{"", `,"refresh_token":true`} {
		text := s.loginToken(owner)
		s.want(s.redeemed(text, away, extra, addr), 403, "M_FORBIDDEN")
		in := s.ok(s.redeemed(text, home, extra, addr))
		s.ok(whoami(in, home))
		s.want(whoami(in, away), 403, "M_FORBIDDEN")
		if extra == "" {
			continue
		}
		refresh := call{Method: "POST", Path: refreshPath, From: away,
			Body: `{"refresh_token":"` + in.Text("refresh_token") + `"}`}
		s.want(s.do(refresh), 401, "M_UNKNOWN_TOKEN")
		refresh.From = home
		next := s.ok(s.do(refresh))
		s.ok(whoami(next, home))
		s.want(whoami(next, away), 403, "M_FORBIDDEN")
	}

	below := tokens.Caveat{Key: "path", Operator: "under", Value: loginPath}
	s.want(whoami(s.ok(s.redeemed(s.loginToken(owner), home, "", below)), home), 403, "M_FORBIDDEN")

	device := tokens.Caveat{Key: "device_id", Operator: "=", Value: "TABLET"}
	text := s.loginToken(owner)
	s.want(s.redeemed(text, home, "", device), 403, "M_FORBIDDEN")
	s.want(s.redeemed(text, home, `,"device_id":"PHONE"`, device), 403, "M_FORBIDDEN")
	s.ok(whoami(s.ok(s.redeemed(text, home, `,"device_id":"TABLET"`, device)), home))

	soon := tokens.Caveat{Key: "time", Operator: "<", Value: milliseconds(s.clock.Now().Add(time.Minute))}
	in := s.ok(s.redeemed(s.loginToken(owner), home, `,"refresh_token":true`, soon))
	if in.JSON["expires_in_ms"] != float64(60_000) {
		t.Errorf("expires_in_ms is %v although the token dies in a minute", in.JSON["expires_in_ms"])
	}
	s.clock.Step(time.Minute)
	if a := whoami(in, home); a.Status != http.StatusUnauthorized || !a.Soft() {
		t.Errorf("after its time it answers %d %s", a.Status, a.Raw)
	}
	s.ok(whoami(s.ok(s.redeemed(s.loginToken(owner), home, "")), away)) // one that nobody has restricted
}

// TestTooLongLoginToken: one whose caveats no session could carry is refused, and not spent.
func TestTooLongLoginToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	text, err := MintLoginToken(host, s.server.keys.load().Keyring, "alice", ".x", s.clock.Now().Add(time.Minute))
	s.must(err)
	long, n := "", tokens.MaxTokenLength
	for ; long == ""; n-- {
		long, _ = tokens.Restrict(text, tokens.Caveat{Key: "method", Operator: "in",
			Value: "POST," + strings.Repeat("X", n)})
	}
	before := s.accounts()
	s.want(s.redeemed(long, "", ""), 403, "M_FORBIDDEN")
	if s.accounts() != before {
		t.Error("a session has begun")
	}
	s.ok(s.redeemed(text, "", ""))
}
