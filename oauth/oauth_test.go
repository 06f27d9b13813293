package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/tokens"
)

// TestLogin is the whole way: a client registers, a person signs in, the client refreshes and logs out.
func TestLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	pair := s.ok(s.redeem(client, s.code(client)))
	if pair.text("token_type") != "Bearer" || pair.json["expires_in"] != float64(300) ||
		pair.text("scope") != "urn:matrix:client:api:* urn:matrix:client:device:ABCDEFGHIJ" ||
		pair.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the pair is %s", pair.body)
	}
	who := s.ok(s.whoami(pair.text("access_token")))
	if who.text("user_id") != "@alice:example.org" || who.text("device_id") != "ABCDEFGHIJ" {
		t.Errorf("the session is %s", who.body)
	}
	next := s.ok(s.refresh(client, pair.text("refresh_token")))
	s.ok(s.whoami(next.text("access_token")))
	s.ok(s.whoami(pair.text("access_token"))) // until it expires: the client may be two processes
	if a := s.ok(s.revoke(next.text("refresh_token"), client)); a.body != "{}\n" {
		t.Errorf("revocation answers %q", a.body)
	}
	s.want(s.whoami(next.text("access_token")), 401, "M_UNKNOWN_TOKEN")
	s.want(s.refresh(client, next.text("refresh_token")), 400, "invalid_grant")
	s.ok(s.revoke(next.text("refresh_token"), client))
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := ""
	for _, path := range []string{"/_matrix/client/v1/auth_metadata", "/.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server", "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata"} {
		a := s.ok(s.get(path, ""))
		if a.text("issuer") != s.URL+"/" || !strings.HasPrefix(a.header.Get("Cache-Control"), "public") ||
			a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v %s", path, a.header, a.body)
		}
		if first == "" {
			first = a.body
		}
		if a.body != first {
			t.Errorf("%s differs: %s", path, a.body)
		}
	}
	issuer := "/_matrix/client/unstable/org.matrix.msc2965/auth_issuer"
	if a := s.ok(s.get(issuer, "")); a.body != `{"issuer":"`+s.URL+"/\"}\n" ||
		s.ok(s.get(strings.TrimPrefix(a.text("issuer"), s.URL)+".well-known/openid-configuration", "")).body != first {
		t.Errorf("%s is %s, which leads nowhere", issuer, a.body)
	}
	var m map[string]any
	s.must(json.Unmarshal([]byte(first), &m))
	for _, field := range []string{"authorization_endpoint", "token_endpoint", "revocation_endpoint",
		"registration_endpoint", "device_authorization_endpoint"} {
		if !strings.HasPrefix(m[field].(string), s.URL+"/oauth2/") {
			t.Errorf("%s is %v", field, m[field])
		}
	}
}

// TestOff: without the API nothing of it is there.
func TestOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.OAuth = nil })
	for _, path := range []string{"/oauth2/registration", "/oauth2/token", "/oauth2/revoke", "/oauth2/authorize",
		"/oauth2/device_authorization"} {
		s.want(s.post(path, "application/json", "{"), 404, "M_UNRECOGNIZED")
	}
	for _, path := range []string{"/_matrix/client/v1/auth_metadata", "/.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server", "/_matrix/client/v3/login/sso/redirect",
		"/_matrix/client/unstable/org.matrix.msc2965/auth_issuer", "/oauth2/authorize",
		"/oauth2/sso", "/oauth2/device", "/account"} {
		s.want(s.get(path, ""), 404, "M_UNRECOGNIZED")
	}
}

// TestRegistrationIsFree: the same metadata are the same row, however often they come.
func TestRegistrationIsFree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if one, two := s.register(webClient), s.register(webClient); one != two {
		t.Errorf("%s and %s", one, two)
	}
	a := s.post("/oauth2/registration", "application/json", `{"client_uri":"https://app.example.com",
		"redirect_uris":["https://evil.example.org/"]}`)
	if s.want(a, 400, "invalid_redirect_uri"); !strings.Contains(a.text("error_description"), "redirect_uris[0]") {
		t.Errorf("the refusal is %s", a.body)
	}
	s.want(s.post("/oauth2/registration", "application/json", `{"redirect_uris":1}`), 400, "invalid_client_metadata")
	s.want(s.post("/oauth2/registration", "application/json", `{`), 400, "invalid_client_metadata")
}

// TestOneAPI: a refresh token is good at the API, and for the client, that gave it, and nothing ends by mistake.
func TestOneAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	pair := s.ok(s.redeem(client, s.code(client)))
	s.want(s.refresh("other", pair.text("refresh_token")), 400, "invalid_grant")
	s.want(s.post("/_matrix/client/v3/refresh", "application/json",
		`{"refresh_token":"`+pair.text("refresh_token")+`"}`), 401, "M_UNKNOWN_TOKEN")
	s.want(s.post("/_matrix/client/api/v1/tokenrefresh", "application/json",
		`{"refresh_token":"`+pair.text("refresh_token")+`"}`), 403, "M_FORBIDDEN")
	legacy := s.ok(s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.password","refresh_token":true,
		"identifier":{"type":"m.id.user","user":"alice"},"password":"`+password+`"}`))
	s.want(s.refresh(client, legacy.text("refresh_token")), 400, "invalid_grant")
	s.ok(s.refresh(client, pair.text("refresh_token")))
	s.ok(s.post("/_matrix/client/v3/refresh", "application/json",
		`{"refresh_token":"`+legacy.text("refresh_token")+`"}`))
}

// TestKnownDevice: a login on a device that the user has replaces its session.
func TestKnownDevice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	old := s.ok(s.redeem(client, s.code(client)))
	s.ok(s.redeem(client, s.code(client)))
	if a := s.want(s.whoami(old.text("access_token")), 401, "M_UNKNOWN_TOKEN"); a.json["soft_logout"] != true {
		t.Errorf("the device lives, and its other process is to drop its keys: %s", a.body)
	}
	sessions, err := s.db.Sessions(t.Context(), "alice")
	if err != nil || len(sessions) != 1 || sessions[0].DisplayName != "App" || sessions[0].ClientID != client {
		t.Errorf("the sessions are %+v, %v", sessions, err)
	}
}

// TestWhatPasses: a client ends its session for any error that it can read, so what passes has none.
func TestWhatPasses(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = rate(t, "5/1m") })
	client := s.register(webClient)
	pair := s.ok(s.redeem(client, s.code(client)))
	quiet := func(a answer) {
		t.Helper()
		if a.status != 503 || a.body != "" || a.header.Get("Retry-After") == "" {
			t.Fatalf("answer is %d %q %v", a.status, a.body, a.header)
		}
	}
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	quiet(s.refresh(client, pair.text("refresh_token")))
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	for range 10 {
		if a := s.refresh(client, pair.text("refresh_token")); a.status != 200 {
			quiet(a)
			s.clock.Step(time.Hour)
			s.ok(s.refresh(client, pair.text("refresh_token")))
			return
		}
	}
	t.Error("there is no limit")
}

func TestTokenRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for body, code := range map[string]string{
		"":                                     "invalid_request",
		"grant_type=password":                  "unsupported_grant_type",
		"grant_type=authorization_code":        "invalid_request",
		"grant_type=refresh_token&client_id=x": "invalid_request",
		"grant_type=refresh_token&client_id=x&refresh_token=y":              "invalid_grant",
		"grant_type=refresh_token&client_id=x&client_id=x&refresh_token=y":  "invalid_request",
		"grant_type=refresh_token&client_id=x&refresh_token=y&grant_type=x": "invalid_request",
		"grant_type=%zz": "invalid_request",
	} {
		s.want(s.post("/oauth2/token", "application/x-www-form-urlencoded", body), 400, code)
	}
	s.want(s.post("/oauth2/token?grant_type=refresh_token&client_id=x&refresh_token=y",
		"application/x-www-form-urlencoded", ""), 400, "invalid_request")
	s.want(s.post("/oauth2/token", "application/json", `{"grant_type":"refresh_token"}`), 400, "invalid_request")
	s.want(s.post("/oauth2/revoke", "application/x-www-form-urlencoded", ""), 400, "invalid_request")
	s.ok(s.revoke("nonsense", ""))
	s.want(s.get("/oauth2/token", ""), 405, "M_UNRECOGNIZED")
}

// TestCrossOrigin: clients in a browser call from their own origin.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/oauth2/token", "/oauth2/registration", "/oauth2/revoke"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.URL+path, nil)
		s.must(err)
		a := s.send(r, http.DefaultClient)
		if a.status/100 != 2 || a.header.Get("Access-Control-Allow-Origin") != "*" ||
			!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Content-Type") {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

func rate(t *testing.T, text string) handlers.Rate {
	t.Helper()
	r, err := handlers.ParseRate(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTooLarge: a body beyond the limit is refused in OAuth's words.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	large := strings.Repeat("x", handlers.MaxBody+1)
	s.want(s.post("/oauth2/registration", "application/json", `{"client_name":"`+large+`"}`), 413, "invalid_request")
	s.want(s.post("/oauth2/token", "application/x-www-form-urlencoded", "code="+large), 413, "invalid_request")
	s.want(s.post("/oauth2/revoke", "application/x-www-form-urlencoded", "token="+large), 413, "invalid_request")
}

// TestAway: while the database is away nothing is said that a client could take for the end of its session.
func TestAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	b, q := s.browser(), request(client)
	page := b.open(q)
	code := s.code(client)
	pair := s.ok(s.redeem(client, s.code(client)))
	waits := s.tv()
	s.must(s.db.Close())
	for name, a := range map[string]answer{
		"registration": s.post("/oauth2/registration", "application/json", webClient),
		"redemption":   s.redeem(client, code),
		"refresh":      s.refresh(client, pair.text("refresh_token")),
		"revocation":   s.revoke(pair.text("access_token"), client),
		"a device":     s.ask(waits.client),
		"its poll":     waits.poll(),
	} {
		if a.status != 503 || a.body != "" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %q %v", name, a.status, a.body, a.header)
		}
	}
	for name, a := range map[string]answer{
		"the page": b.open(q),
		"the form": b.submit(q, page, "user", "alice", "password", password, "do", "sign in"),
	} {
		if a.status != 503 || !strings.Contains(a.body, "cannot answer at the moment") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.ok(s.get("/_matrix/client/v1/auth_metadata", ""))
}

// TestRegistrationLimit: one address cannot register without end.
func TestRegistrationLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = rate(t, "5/1m") })
	for range 5 {
		s.register(webClient)
	}
	a := s.post("/oauth2/registration", "application/json", webClient)
	if s.want(a, 429, "temporarily_unavailable"); a.header.Get("Retry-After") == "" {
		t.Errorf("%v", a.header)
	}
}

// TestStrangeTexts: what PostgreSQL cannot store is the client's fault, on both engines.
func TestStrangeTexts(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.Registration = handlers.RegistrationToken })
	client := s.register(webClient)
	b, q := s.browser(), request(client)
	page := b.open(q)
	for _, text := range []string{"a\x00b", "\xff"} {
		for _, a := range []answer{
			b.open(request(text)), b.open(request(client, "redirect_uri", text)),
			b.open(request(client, "scope", text)),
			b.submit(q, page, "user", text, "password", password, "do", "sign in"),
			b.submit(q, page, "user", "alice", "password", text, "do", "sign in"),
			b.submit(q, page, "user", text, "password", password, "token", text, "do", "create"),
			b.submit(q, page, "user", "carol", "password", password, "token", text, "do", "create"),
			s.redeem(text, text), s.refresh(text, text), s.revoke(text, text),
		} {
			if a.status >= 500 {
				t.Errorf("%q: %d %s", text, a.status, a.body)
			}
		}
	}
}

// TestFailedRegistrationKeepsTheInvitation: whoever could not be registered tries again with the same one.
func TestFailedRegistrationKeepsTheInvitation(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.Registration = handlers.RegistrationToken })
	s.must(s.db.AddRegistrationToken(t.Context(), db.RegistrationToken{Token: "invited", UsesAllowed: 1,
		Created: s.clock.Now()}))
	b, q := s.browser(), request(s.register(webClient), "prompt", "create")
	page := b.open(q)
	r := b.filled(authorizePath(q), page, "user", "carol", "password", password, "token", "invited", "do", "create")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond) // the person leaves
	defer cancel()
	if res, err := b.client.Do(r.WithContext(ctx)); err == nil {
		res.Body.Close()
	}
	s.sentTo(b.submit(q, page, "user", "carol", "password", password, "token", "invited", "do", "create"))
}

// TestRestrictedRefresh: a refresh token that its holder has restricted to other requests ends nothing.
func TestRestrictedRefresh(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	pair := s.ok(s.redeem(client, s.code(client)))
	narrow, err := tokens.Restrict(pair.text("refresh_token"),
		tokens.Caveat{Key: "addr", Operator: "in", Value: "192.0.2.0/24"})
	s.must(err)
	s.want(s.refresh(client, narrow), 400, "invalid_request")
	s.ok(s.refresh(client, pair.text("refresh_token")))
}
