package handlers

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern/db"
)

func withApproval(c *Config) { c.Registration = RegistrationApproval }

// awaits holds that an answer says that the account waits, as MSC3866 has it and Synapse says it.
func (s *site) awaits(a answer) {
	s.Helper()
	s.want(a, 403, "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL")
	if a.Text("approval_notice_medium") != "org.matrix.msc3866.none" || !strings.Contains(a.Text("error"), "log in") {
		s.Errorf("it says %s", a.Raw)
	}
}

// TestApproval: an account that waits can do nothing, whatever is asked for; approved, it logs in.
func TestApproval(t *testing.T) {
	t.Parallel()
	s := newSite(t, withApproval)
	for _, body := range []string{registerBody("Carol", dummy), registerBody("dave", dummy+`,"inhibit_login":true`)} {
		s.awaits(s.register(body))
	}
	logins := []call{{Method: "POST", Path: loginPath, Body: loginBody("carol", password, `"device_id":"PHONE"`)},
		{Method: "POST", Path: loginPath, Body: loginBody("@CAROL:example.org", password, "")}}
	for _, login := range logins {
		s.awaits(s.do(login))
	}
	s.want(s.do(call{Method: "POST", Path: draftLoginPath, Body: `{"username":"carol","password":"` + password + `"}`}),
		403, "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL")
	// who does not know the password does not learn that somebody waits
	wrong := s.do(call{Method: "POST", Path: loginPath, Body: loginBody("carol", "wrong", "")})
	unknown := s.do(call{Method: "POST", Path: loginPath, Body: loginBody("nobody", "wrong", "")})
	s.want(wrong, 403, "M_FORBIDDEN")
	if wrong.Raw != unknown.Raw {
		t.Errorf("a wrong password answers %s, an unknown account %s", wrong.Raw, unknown.Raw)
	}
	s.want(s.do(call{Method: "GET", Path: "/_matrix/client/v3/register/available?username=CAROL"}), 400,
		"M_USER_IN_USE")
	s.want(s.register(registerBody("carol", dummy)), 400, "M_USER_IN_USE")
	if n := metric(t, s, "postern_accounts_waiting"); n != 2 {
		t.Errorf("%v wait", n)
	}
	s.must(s.db.ApproveUser(t.Context(), "carol", s.clock.Now()))
	s.must(s.db.RejectUser(t.Context(), "dave"))
	for _, login := range logins {
		s.ok(s.whoami(s.ok(s.do(login)).Text("access_token")))
	}
	s.want(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("dave", password, "")}), 403, "M_FORBIDDEN")
	s.ok(s.do(call{Method: "GET", Path: "/_matrix/client/v3/register/available?username=dave"}))
	if n := metric(t, s, "postern_accounts_waiting"); n != 0 {
		t.Errorf("%v wait", n)
	}
	sessions, err := s.db.Sessions(t.Context(), "")
	if err != nil || len(sessions) != 2 {
		t.Errorf("there are %d sessions, %v", len(sessions), err)
	}
}

func metric(t *testing.T, s *site, name string) (value float64) {
	t.Helper()
	w := httptest.NewRecorder()
	s.server.Metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range strings.Split(w.Body.String(), "\n") {
		if _, err := fmt.Sscanf(line, name+" %g", &value); err == nil {
			return value
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// TestApprovalAnswerLost: who finishes the registration again hears the same, until it is decided.
func TestApprovalAnswerLost(t *testing.T) {
	t.Parallel()
	s := newSite(t, withApproval, func(c *Config) { c.Terms = Terms{URL: "https://example.org/terms", Version: "1"} })
	begun := s.register(registerBody("carol", `"device_id":"PHONE"`))
	if !strings.Contains(begun.Raw,
		`"flows":[{"stages":["m.login.terms"]},{"stages":["m.login.registration_token","m.login.terms"]}]`) {
		t.Errorf("the flows are %s", begun.Raw)
	}
	again := `{"auth":{"type":"m.login.terms","session":"` + s.challenged(begun) + `"}}`
	for range 3 {
		s.awaits(s.register(again))
	}
	users, err := s.db.WaitingUsers(t.Context())
	if err != nil || len(users) != 1 || users[0].Network != "192.0.2.1" {
		t.Errorf("%+v wait, %v", users, err)
	}
	s.must(s.db.ApproveUser(t.Context(), "carol", s.clock.Now()))
	if a := s.register(again); a.Status != 403 || a.Code() != "M_FORBIDDEN" || !strings.Contains(a.Raw, "log in") {
		t.Errorf("after the approval it answers %s", a.Raw)
	}
}

// TestApprovalByInvitation: who was invited does not wait, and an invitation that is not good makes nobody wait.
func TestApprovalByInvitation(t *testing.T) {
	t.Parallel()
	s := newSite(t, withApproval)
	s.must(s.db.AddRegistrationToken(t.Context(),
		db.RegistrationToken{Token: "once", UsesAllowed: 1, Created: s.clock.Now()}))
	invited := `"auth":{"type":"m.login.registration_token","token":"once"}`
	s.ok(s.whoami(s.ok(s.register(registerBody("carol", invited))).Text("access_token")))
	if a := s.register(registerBody("dave", invited)); a.Code() != "M_UNAUTHORIZED" || s.challenged(a) == "" {
		t.Errorf("an invitation that is used up answers %s", a.Raw)
	}
	if n, err := s.db.CountWaiting(t.Context()); n != 0 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
}

// TestApprovalFlood: from one network only so many may wait; nobody is let in, and a decision makes room.
func TestApprovalFlood(t *testing.T) {
	t.Parallel()
	s := newSite(t, withApproval)
	refused := 0
	for i := range 60 {
		if a := s.register(registerBody(fmt.Sprint("u", i), dummy)); a.Code() == "M_FORBIDDEN" {
			if refused++; !strings.Contains(a.Raw, "Too many accounts wait") {
				t.Errorf("it answers %s", a.Raw)
			}
		} else {
			s.awaits(a)
		}
	}
	if n, err := s.db.CountWaiting(t.Context()); n != 60-refused || refused != 10 || err != nil {
		t.Errorf("%d wait, %d were refused, %v", n, refused, err)
	}
	s.must(s.db.RejectUser(t.Context(), "u0"))
	s.awaits(s.register(registerBody("carol", dummy)))
}

// TestApprovalLeavesATrace: the log tells an operator that somebody waits, and does not call it a refusal.
func TestApprovalLeavesATrace(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := newSite(t, withApproval, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&out, nil)) })
	s.awaits(s.register(registerBody("carol", dummy)))
	s.clock.Step(31 * 24 * time.Hour)
	s.server.tidy(t.Context())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `msg="registered, waits for approval" addr=192.0.2.1 `+
		`user=@carol:example.org`) || !strings.Contains(lines[1], "waiting_accounts=1") {
		t.Errorf("the log is\n%s", &out)
	}
}
