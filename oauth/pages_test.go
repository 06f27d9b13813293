package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

func (b *browser) signIn(path string, who ...string) answer {
	b.Helper()
	user, secret := "alice", password
	if len(who) > 0 {
		user, secret = who[0], who[1]
	}
	return b.press(path, b.at(path), "user", user, "password", secret, "do", "sign in")
}

func (s *site) says(a answer, status int, words ...string) answer {
	s.Helper()
	for _, word := range words {
		if !strings.Contains(a.body, word) {
			s.Fatalf("the page has no %q: %d %s", word, a.status, a.body)
		}
	}
	if a.status != status {
		s.Fatalf("the page is %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// TestConsent: who is signed in is asked once for a client on a device, and whenever the client wants.
func TestConsent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	b, page := s.browser(), authorizePath(request(client))
	code := s.sentTo(b.signIn(page)).Get("code")

	asked := s.says(b.at(page), 200, "@alice:example.org", "Allow", "app.example.com", "ABCDEFGHIJ")
	if s.sentTo(b.press(page, asked, "do", "allow")).Get("code") == "" {
		t.Error("Allow gives no code")
	}
	if got := s.sentTo(b.press(page, asked, "do", "cancel")); got.Get("error") != "access_denied" {
		t.Errorf("Cancel gives %v", got)
	}
	s.ok(s.redeem(client, code))
	if s.sentTo(b.at(page)).Get("code") == "" {
		t.Error("the client's own device gets no code without a question")
	}
	again := authorizePath(request(client, "prompt", "consent"))
	s.says(b.at(again), 200, "Allow")
	s.says(b.at(authorizePath(request(client, "scope",
		"urn:matrix:client:api:* urn:matrix:client:device:ANOTHERONE"))), 200, "Allow")
	other := s.register(strings.Replace(webClient, `"App"`, `"Other"`, 1))
	s.says(b.at(authorizePath(request(other))), 200, "Allow")
}

// TestConsentOfAnother: what one account was asked is not allowed by another that has signed in since.
func TestConsentOfAnother(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("bob")
	client := s.register(webClient)
	b, page := s.browser(), authorizePath(request(client))
	b.signIn(page)
	asked := b.at(page)
	s.says(b.press(page, asked, "do", "sign out"), 303)
	b.signIn(page, "bob", password)
	s.says(b.press(page, asked, "do", "allow"), 403,
		"You are signed in as @bob:example.org now.", "Allow")
}

// TestForgedAllow: a form that brings no proof, or that of another browser, lets nobody in.
func TestForgedAllow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, page := s.browser(), authorizePath(request(s.register(webClient)))
	b.signIn(page)
	for _, proof := range []string{"", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		s.says(b.press(page, answer{}, "form", proof, "account", "alice", "do", "allow"), 403, notSent, "Allow")
		s.says(b.press("/account?action=org.matrix.account_deactivate", answer{}, "form", proof, "do", "deactivate",
			"password", password), 403, notSent)
	}
	s.says(b.at("/account"), 200, "@alice:example.org")
}

// account makes one with alice's password.
func (s *site) account(name string) {
	s.Helper()
	alice, err := s.db.User(s.Context(), "alice")
	s.must(err)
	s.must(s.db.CreateUser(s.Context(), db.User{Localpart: name, PasswordHash: alice.PasswordHash,
		Created: s.clock.Now()}))
}

// TestBrowserEnds: a browser is signed in until its time is over, it signs out, the password changes, or the account is
// locked or closed.
func TestBrowserEnds(t *testing.T) {
	t.Parallel()
	hash, err := handlers.HashPassword("another password")
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(s *site, b *browser){
		"time":     func(s *site, _ *browser) { s.clock.Step(browserLife) },
		"sign out": func(_ *site, b *browser) { b.press("/account", b.at("/account"), "do", "sign out") },
		"password": func(s *site, _ *browser) {
			_, err := s.db.ChangePassword(s.Context(), db.PasswordChange{Localpart: "alice", Hash: hash})
			s.must(err)
		},
		"lock": func(s *site, _ *browser) { s.must(s.db.LockUser(s.Context(), "alice", s.clock.Now())) },
		"close": func(s *site, _ *browser) {
			_, err := s.db.Deactivate(s.Context(), "alice", s.clock.Now(), false)
			s.must(err)
		},
		"log out everywhere": func(s *site, _ *browser) {
			_, err := s.db.EndSessions(s.Context(), "alice")
			s.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.browser()
			s.says(b.signIn("/account"), 303)
			s.says(b.at("/account"), 200, "@alice:example.org", "this browser")
			end(s, b)
			s.says(b.at("/account"), 200, "Sign in", "User name")
		})
	}
}

// TestBrowserCookie: it is a new one at each sign-in, whoever put one there before, and no script reads it.
func TestBrowserCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.PublicURL = "https://example.org" })
	planted := strings.Repeat("A", 32)
	sign := func() *http.Cookie {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/account",
			strings.NewReader(url.Values{
				"form": {planted}, "user": {"alice"}, "password": {password}, "do": {"sign in"}}.Encode()))
		s.must(err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", "__Host-postern-form="+planted+"; __Host-postern-browser="+planted)
		res, err := s.browser().client.Do(r)
		s.must(err)
		defer res.Body.Close()
		for _, c := range res.Cookies() {
			if c.Name == "__Host-postern-browser" {
				return c
			}
		}
		t.Fatalf("no cookie: %d %v", res.StatusCode, res.Header)
		return nil
	}
	first, second := sign(), sign()
	if first.Value == planted || first.Value == second.Value || len(first.Value) < 32 {
		t.Errorf("%q after %q", second.Value, first.Value)
	}
	if !first.HttpOnly || !first.Secure || first.SameSite != http.SameSiteLaxMode || first.Path != "/" ||
		first.Domain != "" {
		t.Errorf("%+v", first)
	}
}

// TestSSO: a client that knows nothing of OAuth 2.0 gets a login token, once its user says so on the page.
func TestSSO(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const back = "https://old.example.com/app?x=1#/done"
	start := "/_matrix/client/v3/login/sso/redirect?" + url.Values{"redirectUrl": {back}}.Encode()
	b := s.browser()
	lead := b.at(start)
	page := strings.TrimPrefix(lead.header.Get("Location"), s.URL)
	if lead.status != 302 || !strings.HasPrefix(page, handlers.SSOPath+"?") {
		t.Fatalf("%d to %q", lead.status, page)
	}
	s.says(b.at(page), 200, "old.example.com", "Sign in")
	got := b.signIn(page)
	to := got.header.Get("Location")
	token := s.sentTo(got).Get("loginToken")
	if !strings.HasPrefix(to, "https://old.example.com/app?") || s.sentTo(got).Get("x") != "1" ||
		!strings.HasSuffix(to, "#/done") {
		t.Errorf("the client gets %q", to)
	}
	login := func() answer {
		return s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.token","token":"`+token+`"}`)
	}
	if got := s.ok(login()).text("user_id"); got != "@alice:example.org" {
		t.Errorf("logged in as %q", got)
	}
	s.want(login(), 403, "M_FORBIDDEN")

	asked := s.says(b.at(page), 200, "old.example.com", "Allow", "@alice:example.org")
	if s.sentTo(b.press(page, asked, "do", "allow")).Get("loginToken") == "" {
		t.Error("no token for who is signed in")
	}
	if to := b.press(page, asked, "do", "cancel").header.Get("Location"); to != back {
		t.Errorf("Cancel leads to %q", to)
	}
	create := b.at(start + "&action=register").header.Get("Location")
	s.says(s.browser().at(strings.TrimPrefix(create, s.URL)), 200, "Create account")
}

// TestSSONowhere: an address that runs something in the browser, or is none, gets nothing.
func TestSSONowhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, to := range []string{"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)",
		"data:text/html,x",
		"/account", "//evil.example", "https:evil.example", "https://user@evil.example/", "https://evil.example\\@x/",
		"vbscript:x", "x", "https://", "\x01https://x/"} {
		q := url.Values{"redirectUrl": {to}}.Encode()
		b := s.browser()
		s.want(b.at("/_matrix/client/v3/login/sso/redirect?"+q), 400, "M_INVALID_PARAM")
		page := b.at(handlers.SSOPath + "?" + q)
		if page.status != 400 || page.header.Get("Location") != "" {
			t.Errorf("%q: %d to %q", to, page.status, page.header.Get("Location"))
		}
	}
	for _, to := range []string{"element://connect", "io.element.desktop:/vector/webapp/?x=1",
		"http://localhost:7777/sso",
		"http://[::1]:80/"} {
		s.says(s.browser().at("/_matrix/client/v3/login/sso/redirect?"+url.Values{"redirectUrl": {to}}.Encode()), 302)
	}
}

// TestLoginFlows: who knows of OAuth 2.0 sees that it is preferred, and everybody else finds what they know.
func TestLoginFlows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	flows := s.ok(s.get("/_matrix/client/v3/login", "")).body
	for _, want := range []string{`{"type":"m.login.password"}`, `{"oauth_aware_preferred":true,` +
		`"org.matrix.msc3824.delegated_oidc_compatibility":true,"type":"m.login.sso"}`, `{"type":"m.login.token"}`} {
		if !strings.Contains(flows, want) {
			t.Errorf("%s is not in %s", want, flows)
		}
	}
}

// TestAccount: a person sees their devices of every API, and signs one out.
func TestAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	pair := s.ok(s.redeem(client, s.code(client)))
	old := s.ok(s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.password","identifier":{
		"type":"m.id.user","user":"alice"},"password":"`+password+`","device_id":"OLD","initial_device_display_name":"Old <b>"}`))
	b := s.browser()
	b.signIn("/account")
	s.says(b.at("/account"), 200, "Old &lt;b&gt;", "App", "device_id=ABCDEFGHIJ", "this browser")
	s.says(b.at("/account?action=org.matrix.devices_list"), 200, "Old &lt;b&gt;")
	s.says(b.at("/account?action=unheard.of"), 200, "Old &lt;b&gt;")
	view := "/account?action=org.matrix.device_delete&device_id=OLD"
	s.says(b.press(view, s.says(b.at(view), 200, "OLD"), "do", "end"), 200, "signed out")
	s.want(s.whoami(old.text("access_token")), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(pair.text("access_token")))
	s.says(b.at(view), 404)

	s.clock.Step(proofLife)
	view = "/account?action=org.matrix.device_view&device_id=ABCDEFGHIJ"
	page := s.says(b.at(view), 200, `type="password"`)
	s.says(b.press(view, page, "do", "end", "password", "wrong"), 403, "The password is wrong.")
	s.says(b.press(view, page, "do", "end"), 403, "The password is wrong.")
	s.says(b.press(view, page, "do", "end", "password", password), 200, "signed out")
	s.want(s.whoami(pair.text("access_token")), 401, "M_UNKNOWN_TOKEN")
}

// TestDeactivateOnPage: it always takes the password.
func TestDeactivateOnPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, view := s.browser(), "/account?action=org.matrix.account_deactivate"
	b.signIn(view)
	page := s.says(b.at(view), 200, `type="password"`)
	s.says(b.press(view, page, "do", "deactivate"), 403)
	s.says(b.press(view, page, "do", "deactivate", "password", password), 200, "is deactivated")
	s.says(b.at(view), 200, "User name")
	s.says(b.signIn(view), 403)
}

// TestResetOnPage: the keys of who is signed in may be replaced, once they say so; without a homeserver it is not
// offered.
func TestResetOnPage(t *testing.T) {
	t.Parallel()
	var allowed []string
	s := newSite(t, func(c *handlers.Config) {
		c.AllowKeyReset = func(_ context.Context, localpart string) error {
			allowed = append(allowed, localpart)
			return nil
		}
	})
	b, view := s.browser(), "/account?action=org.matrix.cross_signing_reset"
	b.signIn(view)
	page := s.says(b.at(view), 200, "cryptographic identity")
	if len(allowed) != 0 {
		t.Error("to look at the page allows it")
	}
	s.says(b.press(view, page, "do", "reset"), 200, "Your app may go on")
	if len(allowed) != 1 || allowed[0] != "alice" {
		t.Errorf("allowed: %v", allowed)
	}
	s.clock.Step(proofLife + time.Second)
	s.says(b.press(view, b.at(view), "do", "reset"), 403, "password")
	has := func(s *site) bool {
		return strings.Contains(s.ok(s.get("/_matrix/client/v1/auth_metadata", "")).body,
			"org.matrix.cross_signing_reset")
	}
	alone := newSite(t)
	b = alone.browser()
	b.signIn(view)
	alone.says(b.at(view), 404)
	if !has(s) || has(alone) {
		t.Error("the metadata do not say whether it is offered")
	}
}

// TestPagesAreCounted: by their paths, and nothing that a stranger makes up is.
func TestPagesAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	s.ok(b.open(request(s.register(webClient))))
	s.want(b.open(request("unknown")), 400, "")
	s.ok(b.at(handlers.AccountPath))
	b.at("/oauth2/elsewhere")
	metrics := s.get("/metrics", "").body
	for _, line := range []string{
		`postern_requests_total{code="200",operation="/oauth2/authorize"} 1`,
		`postern_requests_total{code="400",operation="/oauth2/authorize"} 1`,
		`postern_requests_total{code="200",operation="/account"} 1`,
		`postern_requests_total{code="404",operation="unrecognized"} 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	if strings.Contains(metrics, "elsewhere") {
		t.Error("a stranger has made a label")
	}
}

// TestResetOfAnother: what a page said of one account happens to no other that has signed in since.
func TestResetOfAnother(t *testing.T) {
	t.Parallel()
	var allowed []string
	s := newSite(t, func(c *handlers.Config) {
		c.AllowKeyReset = func(_ context.Context, localpart string) error {
			allowed = append(allowed, localpart)
			return nil
		}
	})
	s.account("bob")
	b, view := s.browser(), "/account?action=org.matrix.cross_signing_reset"
	b.signIn(view)
	page := b.at(view)
	b.press("/account", b.at("/account"), "do", "sign out")
	b.signIn(view, "bob", password)
	s.says(b.press(view, page, "do", "reset"), 403, "@bob:example.org")
	if len(allowed) != 0 {
		t.Errorf("allowed: %v", allowed)
	}
}

// TestLoginHint: a client that wants somebody else than who is signed in does not get them by one click.
func TestLoginHint(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client, b := s.register(webClient), s.browser()
	b.signIn(authorizePath(request(client)))
	for hint, button := range map[string]string{"mxid:@bob:example.org": "Sign in", "@bob:example.org": "Sign in",
		"mxid:@alice:example.org": "Allow", "mxid:@alice:elsewhere.org": "Allow", "": "Allow"} {
		page := s.says(b.at(authorizePath(request(client, "login_hint", hint))), 200, ">"+button+"</button>")
		if button == "Sign in" && !strings.Contains(page.body, "bob") {
			t.Errorf("%q: the name is not filled in", hint)
		}
	}
}
