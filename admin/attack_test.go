package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/db"
	"postern/test/rig/matrixtest"
)

// holds is what is in the database, as far as an operation changes it.
func (s *site) holds() map[string]any {
	s.Helper()
	users, err := s.db.Users(s.Context())
	s.must(err)
	events, err := s.db.Events(s.Context(), "", 1000)
	s.must(err)
	waiting, err := s.db.WaitingUsers(s.Context())
	s.must(err)
	invited, err := s.db.RegistrationTokens(s.Context(), s.clock.Now())
	s.must(err)
	sessions, err := s.db.Sessions(s.Context(), "")
	s.must(err)
	for i := range sessions {
		sessions[i].Seen, sessions[i].Used = db.Seen{}, time.Time{} // a refusal may note a use
	}
	var emails []db.Email
	for _, name := range []string{"alice", "ops"} {
		all, err := s.db.Emails(s.Context(), name)
		s.must(err)
		emails = append(emails, all...)
	}
	return map[string]any{"users": users, "emails": emails, "events": events, "waiting": waiting, "invited": invited,
		"sessions": sessions}
}

// Every operation refuses everybody who has no token for it, and changes nothing.
func TestEveryOperationIsClosed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.furnish()
	s.must(s.db.SetAdmin(t.Context(), "bob", true))
	ended := s.issue("bob", db.ScopeAdmin)
	_, err := s.db.EndSessions(t.Context(), "bob")
	s.must(err)
	demoted := s.issue("bob", db.ScopeAdmin)
	s.must(s.db.SetAdmin(t.Context(), "bob", false))
	s.must(s.db.SetAdmin(t.Context(), "alice", true))
	locked := s.issue("alice", db.ScopeAdmin)
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	elsewhere := func(caveats ...string) string { return s.issue("ops", db.ScopeAdmin, caveats...) }
	for _, test := range []struct {
		name, token string
		status      int
		code        string
	}{
		{"no token", "", 401, "M_MISSING_TOKEN"},
		{"no token of ours", "syt_YWxpY2U_abc_123", 401, "M_UNKNOWN_TOKEN"},
		{"a token that was changed", s.token[:len(s.token)-2] + "AA", 401, "M_UNKNOWN_TOKEN"},
		{"somebody's session", s.login("bob"), 403, "M_FORBIDDEN"},
		{"an administrator's session", s.login("ops"), 403, "M_FORBIDDEN"},
		{"an administrator's bot", s.issue("ops", ""), 403, "M_FORBIDDEN"},
		{"another path", elsewhere("path under /_matrix"), 403, "M_FORBIDDEN"},
		{"another path that begins alike", elsewhere("path under /_postern/admin/v1/a"), 403, "M_FORBIDDEN"},
		{"another method", elsewhere("method in PATCH"), 403, "M_FORBIDDEN"},
		{"another address", elsewhere("addr in 203.0.113.0/24"), 403, "M_FORBIDDEN"},
		{"a token that is over", elsewhere("time < 1"), 401, "M_UNKNOWN_TOKEN"},
		{"a former administrator", demoted, 403, "M_FORBIDDEN"},
		{"an administrator who is locked", locked, 401, "M_USER_LOCKED"},
		{"a token that was ended", ended, 401, "M_UNKNOWN_TOKEN"},
	} {
		before := s.holds()
		each(t, func(id string, c call) {
			c.Token = test.token
			if a := s.send(c); a.Status != test.status || a.Code() != test.code {
				t.Errorf("%s: %s answers %d %s", test.name, id, a.Status, a.Raw)
			}
		})
		if diff := cmp.Diff(before, s.holds()); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

// A token that is narrowed to one request opens that, and of all others none.
func TestNarrowedTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.furnish()
	each(t, func(wanted string, one call) {
		path, _, _ := strings.Cut(one.Path, "?")
		token := s.issue("ops", db.ScopeAdmin, "method in "+one.Method, "path under "+path)
		each(t, func(id string, c call) {
			if id == wanted {
				return
			}
			// Below it, with the same method, lies what the caveats mean to open.
			if p, _, _ := strings.Cut(c.Path, "?"); c.Method == one.Method && strings.HasPrefix(p, path+"/") {
				return
			}
			c.Token = token
			s.send(c).Want(t, 403, "M_FORBIDDEN")
		})
		one.Token = token
		if a := s.send(one); a.Status/100 != 2 && a.Status != 404 {
			t.Errorf("%s is refused: %d %s", wanted, a.Status, a.Raw)
		}
	})
}

// A token for the admin API opens nothing of the client-server API, not even with an administrator's mark.
func TestAdminTokenIsNoClients(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tried := 0
	for path, item := range matrixtest.Contract().Paths.Map() {
		for method, op := range item.Operations() {
			if op.Security == nil || len(*op.Security) == 0 || len((*op.Security)[0]) == 0 {
				continue
			}
			tried++
			path := strings.NewReplacer("{deviceId}", "X").Replace(path)
			matrixtest.Ask(t, s.server.Handler(), call{Method: method, Path: path, Token: s.token,
				Body: `{"devices":["X"],"new_password":"battery staple"}`}).Want(t, 403, "M_FORBIDDEN")
		}
	}
	if tried < 10 {
		t.Errorf("only %d operations were tried", tried)
	}
	if a := s.ask("GET", "/counts", ""); a.Status != 200 {
		t.Errorf("the token does not live: %d %s", a.Status, a.Raw)
	}
	if _, err := s.server.IssueToken(t.Context(), botOf(s, "alice")); err == nil {
		t.Error("a token was made for somebody who is no administrator")
	}
}

// What is not in the contract is not there, however it is spelled, and pages of other origins get nothing.
func TestUnknownRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "", 404}, {"GET", "/", 404}, {"GET", "/nothing", 404}, {"GET", "/accounts/alice/nothing", 404},
		{"GET", "/accounts/", 404}, {"POST", "/counts", 405}, {"PATCH", "/accounts/alice", 405},
		{"GET", "/accounts/alice/lock", 405}, {"GET", "/../v1/counts", 404},
		{"GET", "//counts", 404}, {"GET", "/%63ounts", 404},
	} {
		a := s.send(call{Method: test.method, Path: root + test.path, Token: s.token,
			Header: map[string]string{"Origin": "https://evil.example"}})
		if a.Status != test.status || a.Code() != "M_UNRECOGNIZED" {
			t.Errorf("%s %q: %d %s", test.method, test.path, a.Status, a.Raw)
		}
	}
	for _, method := range []string{http.MethodOptions, http.MethodTrace} {
		s.send(call{Method: method, Path: root + "/accounts", Header: map[string]string{
			"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}})
	}
	s.send(call{Method: "GET", Path: root + "/counts?access_token=" + s.token}).Want(t, 401, "M_MISSING_TOKEN")
	if a := s.send(call{Method: http.MethodHead, Path: root + "/counts", Token: s.token}); a.Status != 200 {
		t.Errorf("HEAD: %d", a.Status)
	}
}

// Texts that no engine stores are nobody's name, wherever they stand, and never the server's failure.
func TestStrangeTexts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.furnish()
	before := s.holds()
	for _, text := range []string{"a%00b", "%00", "%ff", "%C3", "..%2f", "%2e%2e", "a%2Fb", "%40x%3Aother.org"} {
		for _, path := range []string{"/accounts/TEXT", "/accounts/TEXT/sessions", "/accounts/TEXT/factors",
			"/accounts/TEXT/emails",
			"/accounts/bob/emails/TEXT", "/sessions/TEXT", "/invitations/TEXT", "/signups/TEXT"} {
			for _, method := range []string{"GET", "DELETE", "PUT"} {
				if a := s.ask(method, strings.Replace(path, "TEXT", text, 1), ""); a.Status != 404 && a.Status != 405 {
					t.Errorf("%s %s with %s: %d %s", method, path, text, a.Status, a.Raw)
				}
			}
		}
		for _, path := range []string{"/accounts?search=", "/accounts?from=", "/events?account=", "/events?kind=",
			"/sessions?from=", "/events?from="} {
			if a := s.ask("GET", path+text, ""); a.Status >= 500 {
				t.Errorf("%s%s: %d %s", path, text, a.Status, a.Raw)
			}
		}
	}
	for _, body := range []string{`{"localpart":"a\u0000b"}`, `{"localpart":"@x:other.org"}`, `{"localpart":"a b"}`} {
		if a := s.ask("POST", "/accounts", body); a.Status != 400 {
			t.Errorf("%s: %d %s", body, a.Status, a.Raw)
		}
	}
	if diff := cmp.Diff(before, s.holds()); diff != "" {
		t.Errorf("something has changed:\n%s", diff)
	}
}

// A field that the contract does not have is refused by its name, in every body, and nothing is done.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.furnish()
	takes := make(map[string]bool)
	for _, item := range contract.Spec.Paths.Map() {
		for _, op := range item.Operations() {
			takes[op.OperationID] = op.RequestBody != nil
		}
	}
	before, bodies := s.holds(), 0
	each(t, func(id string, c call) {
		if !takes[id] {
			return
		}
		bodies++
		body := map[string]any{}
		if c.Body != "" {
			s.must(json.Unmarshal([]byte(c.Body), &body))
		}
		body["emial"] = "x@example.org"
		text, err := json.Marshal(body)
		s.must(err)
		c.Token, c.Body = s.token, string(text)
		a := s.send(c)
		if a.Want(t, 400, "M_INVALID_PARAM"); !strings.Contains(a.Raw, "emial") {
			t.Errorf("%s: %s", id, a.Raw)
		}
	})
	if diff := cmp.Diff(before, s.holds()); diff != "" || bodies < 6 {
		t.Errorf("%d bodies; something has changed:\n%s", bodies, diff)
	}
}
