package handlers

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"postern/tokens"
)

// TestJudgeSaysWhatTheServerDoes: Judge admits what the server admits and refuses with the same code. Both look at a
// token in the same way, whatever the operation, except that an expired token and a locked account may still log out.
// So one operation is tried with tokens in every state, and every other that asks for a token with an expired one.
func TestJudgeSaysWhatTheServerDoes(t *testing.T) {
	t.Parallel()
	states := map[string]func(s *site, token string) string{
		"good":       func(_ *site, token string) string { return token },
		"restricted": func(s *site, token string) string { return s.restrict(token, "method in GET") },
		"elsewhere":  func(s *site, token string) string { return s.restrict(token, "addr in 203.0.113.0/24") },
		"unknown":    func(s *site, token string) string { return s.restrict(token, "colour = red") },
		"expired":    func(s *site, token string) string { s.clock.Step(time.Hour); return token },
		"locked": func(s *site, token string) string {
			s.must(s.db.LockUser(s.Context(), "alice", s.clock.Now()))
			return token
		},
		"left":   func(s *site, token string) string { s.ok(s.logout(token)); return token },
		"forged": func(_ *site, token string) string { return token[:len(token)-4] + "AAAA" },
	}
	sweep(t, func(op operation, c call) {
		if !op.secured {
			return
		}
		for name, change := range states {
			leaves := name == "locked" && expiredMay[op.goName()]
			if op.id != "getTokenOwner" && name != "expired" && !leaves {
				continue
			}
			// of its own, so that its database is closed at its end
			t.Run(op.id+" "+name, func(t *testing.T) {
				s := newSite(t)
				login := s.ok(s.login(`"refresh_token":true,"device_id":"PHONE"`))
				c := sample(op.id, login)
				c.Token = change(s, c.Token)
				at, err := url.Parse(c.Path)
				s.must(err)
				// Judged first: it must not change what the server then finds.
				_, err = s.server.Judge(t.Context(), c.Token, tokens.Access, tokens.Request{
					Method: c.Method, Path: at.EscapedPath(), Addr: netip.MustParseAddr("192.0.2.1"),
				})
				s.agree(op.id+" "+name, s.do(c), err)
			})
		}
	})
}

// agree fails unless a refusal of Judge's is the server's. Beyond the token an operation has reasons of its own.
func (s *site) agree(what string, a answer, err error) {
	s.Helper()
	var refused *Error
	switch errors.As(err, &refused) {
	case true:
		if a.Status != refused.Status || a.Code() != refused.Code || a.Text("error") != refused.Message {
			s.Errorf("%s: the server answers %d %s, Judge says %d %v", what, a.Status, a.Raw, refused.Status, err)
		}
	default:
		if err != nil || a.Code() == "M_UNKNOWN_TOKEN" || a.Code() == "M_USER_LOCKED" ||
			a.Status == http.StatusForbidden {
			s.Errorf("%s: the server answers %d %s, Judge says %v", what, a.Status, a.Raw, err)
		}
	}
}

func (s *site) restrict(token, caveat string) string {
	s.Helper()
	parsed, err := tokens.ParseCaveat(caveat)
	s.must(err)
	narrower, err := tokens.Restrict(token, parsed)
	s.must(err)
	return narrower
}

// TestJudgeLeavesNoTrace: looking at a new token does not count as its first use, which would end the old refresh
// token.
func TestJudgeLeavesNoTrace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.loggedIn()
	second := s.ok(s.refresh(first.Text("refresh_token")))
	request := tokens.Request{Method: "GET", Path: "/_matrix/client/r0/account/whoami"}
	claims, err := s.server.Judge(t.Context(),
		s.restrict(second.Text("access_token"), "path under /_matrix/client/v3/account"), tokens.Access, request)
	if err != nil || claims.UserID != "@alice:"+host {
		t.Fatalf("the new token: %+v, %v", claims, err)
	}
	if _, err := s.server.Judge(t.Context(), second.Text("refresh_token"), tokens.Refresh, request); err != nil {
		t.Errorf("the new refresh token: %v", err)
	}
	var caveat *tokens.CaveatError
	if _, err := s.server.Judge(t.Context(), second.Text("refresh_token"), tokens.Access, request); !errors.As(err,
		&caveat) || caveat.Caveat != "type = refresh" {
		t.Errorf("a refresh token as an access token: %v", err)
	}
	s.clock.Step(time.Minute) // longer than the leeway
	s.ok(s.refresh(first.Text("refresh_token")))
	s.ok(s.whoami(second.Text("access_token")))
	s.clock.Step(time.Minute)
	s.want(s.refresh(first.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
}
