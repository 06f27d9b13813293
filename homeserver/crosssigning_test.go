package homeserver

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"postern/handlers"
	"postern/test/rig/safe"
)

const signingKeysPath = "/_matrix/client/v3/" + signingKeysUpload

// upload sets cross-signing keys.
func (s *site) upload(b *backdrop, token, keys, auth string) answer {
	s.Helper()
	body := `{ "master_key" : ` + keys + `,"self_signing_key":{"n":1.0e2,"big":12345678901234567890}`
	if auth != "" {
		body += ` , "auth": ` + auth
	}
	return s.amended(b, call{Method: "POST", Path: signingKeysPath, Token: token, Body: body + "}"})
}

const sentOn = `{"master_key" : %,"self_signing_key":{"n":1.0e2,"big":12345678901234567890}}`

func TestCrossSigningReset(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	token := s.loggedIn().Text("access_token")
	// First keys, and the same again, need no proof, and leave nothing behind.
	s.ok(s.upload(b, token, `{"keys":"first"}`, ""))
	if want := strings.Replace(sentOn, "%", `{"keys":"first"}`, 1); b.last() != want {
		t.Errorf("the homeserver got %s, want %s", b.last(), want)
	}
	s.ok(s.upload(b, token, `{"keys":"first"}`, "null"))
	// Others do.
	begun := s.upload(b, token, `{"keys":"second"}`, "")
	session := s.challenged(begun)
	if !strings.Contains(begun.Raw, `"stages":["m.login.password"]`) || strings.Contains(begun.Raw, "m.oauth") ||
		begun.Header.Get("From") != "" {
		t.Errorf("the challenge is %s", begun.Raw)
	}
	wrong := s.upload(b, token, `{"keys":"second"}`, passwordStep("alice", "wrong", session))
	if s.challenged(wrong) != session || wrong.Code() != "M_FORBIDDEN" || b.allowed {
		t.Errorf("a wrong password answers %s", wrong.Raw)
	}
	s.challenged(s.upload(b, token, `{"keys":"second"}`, `{"session":"`+session+`"}`))
	done := s.ok(s.upload(b, token, `{"keys":"second"}`, passwordStep("alice", password, session)))
	if want := strings.Replace(sentOn, "%", `{"keys":"second"}`, 1); b.last() != want || done.Header.Get("From") == "" {
		t.Errorf("the homeserver got %s, want %s", b.last(), want)
	}
	// Once, and not with the same session; the proof may come with the first request.
	s.challenged(s.upload(b, token, `{"keys":"third"}`, `{"session":"`+session+`"}`))
	s.ok(s.upload(b, token, `{"keys":"third"}`, passwordStep("alice", password, "")))
}

// TestCrossSigningOnPage: a client of the OAuth 2.0 API sends its user to the account page, whatever proof it brings.
// When the user has agreed there, the same request passes, once.
func TestCrossSigningOnPage(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t, withOAuth)
	token := s.granted("PHONE")
	s.ok(s.upload(b, token, `{"keys":"first"}`, ""))
	s.ok(s.upload(b, token, `{"keys":"first"}`, `{"session":"any"}`))
	const page = `{"url":"https://example.org/account?action=org.matrix.cross_signing_reset"}`
	const want = `"flows":[{"stages":["m.oauth"]},{"stages":["org.matrix.cross_signing_reset"]}],` +
		`"params":{"m.oauth":` + page + `,"org.matrix.cross_signing_reset":` + page + `},"session":"account-page"}`
	for _, auth := range []string{"", `{"session":"account-page"}`, passwordStep("alice", password, "")} {
		a := s.upload(b, token, `{"keys":"second"}`, auth)
		if a.Status != 401 || strings.TrimSpace(a.Raw) != "{"+want || b.allowed || a.Header.Get("From") != "" ||
			a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("with %s the challenge is %d %s", auth, a.Status, a.Raw)
		}
	}
	s.must(s.server.AllowKeyReset(t.Context(), "alice"))
	s.ok(s.upload(b, token, `{"keys":"second"}`, `{"session":"account-page"}`))
	if want := strings.Replace(sentOn, "%", `{"keys":"second"}`, 1); b.last() != want {
		t.Errorf("the homeserver got %s, want %s", b.last(), want)
	}
	s.challenged(s.upload(b, token, `{"keys":"third"}`, `{"session":"account-page"}`))

	// A session of another API still shows the password, and one whose API is not served any more has no page to go to.
	legacy := s.loggedIn().Text("access_token")
	without := newSiteFor(s, func(c *setup) { c.there = b.told() })
	for _, a := range []answer{s.upload(b, legacy, `{"keys":"third"}`, ""),
		without.upload(b, token, `{"keys":"third"}`, "")} {
		if s.challenged(a); !strings.Contains(a.Raw, `"flows":[{"stages":["m.login.password"]}]`) {
			t.Errorf("the challenge is %s", a.Raw)
		}
	}
	b.set(func() { b.away = errTestAway })
	s.want(s.upload(b, token, `{"keys":"third"}`, ""), 502, "M_UNKNOWN")
	if err := s.server.AllowKeyReset(t.Context(), "alice"); !handlers.IsStatus(err, 503) {
		t.Errorf("while the homeserver is away: %v", err)
	}
}

// TestCrossSigningCrossing: a proof is for this operation and this user, and a token must be good.
func TestCrossSigningCrossing(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	token := s.phoneAndLaptop()
	bob := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("bob", password, "")})).Text("access_token")
	s.ok(s.upload(b, token, `{"keys":"first"}`, ""))
	session := s.challenged(s.upload(b, token, `{"keys":"second"}`, ""))
	s.want(s.upload(b, bob, `{"keys":"second"}`, passwordStep("bob", password, session)), 403, "M_FORBIDDEN")
	s.want(s.upload(b, token, `{"keys":"second"}`,
		passwordStep("alice", password, s.challenged(s.deletePhone(token, "")))), 403, "M_FORBIDDEN")
	s.want(s.deletePhone(token, passwordStep("alice", password, session)), 403, "M_FORBIDDEN")
	s.want(s.upload(b, "", `{}`, ""), 401, "M_MISSING_TOKEN")
	s.want(s.upload(b, "stale", `{}`, ""), 401, "M_UNKNOWN_TOKEN")
	s.want(s.upload(b, token, `{}`, `"x"`), 400, "M_BAD_JSON")
	s.want(s.upload(b, token, `{}`, passwordStep("alice", strings.Repeat("x", handlers.MaxBody), "")), 413,
		"M_TOO_LARGE")
	for body, code := range map[string]string{"": "M_NOT_JSON", "{": "M_NOT_JSON", "[]": "M_BAD_JSON",
		"{}{}": "M_NOT_JSON", "{\"a\":\"\xff\"}": "M_NOT_JSON"} {
		a := s.amended(b, call{Method: "POST", Path: signingKeysPath, Token: token, Body: body})
		s.want(a, 400, code)
		if a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("a web client cannot read %s", a.Raw)
		}
	}
	if b.allowed {
		t.Error("a reset was allowed")
	}
	s.ok(s.logout(token))
	s.want(s.upload(b, token, `{"keys":"second"}`, ""), 401, "M_UNKNOWN_TOKEN")
}

// TestCrossSigningProofIsBound: a page says that it is about the keys, and what was proved there replaces them by those
// that the request began with.
func TestCrossSigningProofIsBound(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	token := s.loggedIn().Text("access_token")
	s.ok(s.upload(b, token, `{"keys":"first"}`, ""))
	session := s.challenged(s.upload(b, token, `{"keys":"second"}`, ""))
	path := "/_matrix/client/v3/auth/m.login.password/fallback/web?session=" + session
	page := s.do(call{Method: "GET", Path: path})
	for _, words := range []string{"cross-signing keys are replaced", "@alice:example.org", "Asked for by"} {
		if page.Status != 200 || !strings.Contains(page.Raw, words) {
			t.Errorf("the page does not say %q: %d %s", words, page.Status, page.Raw)
		}
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	if a := s.do(call{Method: "POST", Path: path, Header: form,
		Body: "password=" + strings.ReplaceAll(password, " ", "+")}); a.Status != 200 {
		t.Fatalf("the page answers %d %s", a.Status, a.Raw)
	}
	auth := `{"session":"` + session + `"}`
	if s.challenged(s.upload(b, token, `{"keys":"a thief's"}`, auth)) == session || b.allowed {
		t.Error("other keys go on with what was proved")
	}
	s.ok(s.upload(b, token, `{"keys":"second"}`, auth))
}

// TestCrossSigningAway: while the homeserver is away nothing is lost; the client asks again.
func TestCrossSigningAway(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	token := s.loggedIn().Text("access_token")
	s.ok(s.upload(b, token, `{"keys":"first"}`, ""))
	session := s.challenged(s.upload(b, token, `{"keys":"second"}`, ""))
	b.set(func() { b.away = errTestAway })
	s.want(s.upload(b, token, `{"keys":"second"}`, ""), 502, "M_UNKNOWN")
	s.want(s.upload(b, token, `{"keys":"second"}`, passwordStep("alice", password, session)), 503, "M_UNKNOWN")
	b.set(func() { b.away = nil })
	// the stage stayed done
	s.ok(s.upload(b, token, `{"keys":"second"}`, `{"type":"m.login.password","session":"`+session+`"}`))
}

// TestCrossSigningLimits: it is guessing at a password, like a login.
func TestCrossSigningLimits(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t, func(c *setup) { c.RateLimit = handlers.Rate{Count: 4, Period: time.Minute} })
	token := s.loggedIn().Text("access_token")
	s.ok(s.upload(b, token, `{"keys":"first"}`, ""))
	for range 4 {
		s.challenged(s.upload(b, token, `{"keys":"second"}`, passwordStep("alice", "wrong", "")))
	}
	s.want(s.upload(b, token, `{"keys":"second"}`, passwordStep("alice", "wrong", "")), 429, "M_LIMIT_EXCEEDED")
}

// TestCrossSigningLeavesATrace: a guess that comes through the front is a line of the log like any other.
func TestCrossSigningLeavesATrace(t *testing.T) {
	t.Parallel()
	log := new(safe.Buffer)
	s, b := newSiteWithBridges(t, func(c *setup) { c.Log = slog.New(slog.NewJSONHandler(log, nil)) })
	token := s.loggedIn().Text("access_token")
	s.ok(s.upload(b, token, `{"keys":"first"}`, ""))
	s.challenged(s.upload(b, token, `{"keys":"second"}`, passwordStep("alice", "wrong", "")))
	want := `"msg":"password stage failed","addr":"192.0.2.1","errcode":"M_FORBIDDEN","user":"alice"`
	if n := strings.Count(log.String(), want); n != 1 {
		t.Errorf("%d lines have %s:\n%s", n, want, log)
	}
}

// TestCrossSigningByService: an application service needs no proof, and its token is none of ours.
func TestCrossSigningByService(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	s.ok(s.upload(b, ircToken, `{"keys":"first"}`, ""))
	if !strings.HasPrefix(b.last(), `{ "master_key"`) {
		t.Errorf("it came as %s", b.last())
	}
}
