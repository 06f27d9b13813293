package oauth

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// TestPage: it says who asks, for what, and for whom, and nobody else can use it.
func TestPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	q := request(client, "login_hint", "mxid:@alice:example.org")
	page := s.browser().open(q)
	for _, text := range []string{"App", "(app.example.com, not verified)", "ABCDEFGHIJ", "Accounts of example.org",
		`value="@alice:example.org"`, `<html lang="en">`} {
		if !strings.Contains(page.body, text) {
			t.Errorf("%s is missing in %s", text, page.body)
		}
	}
	for header, want := range map[string]string{
		"Content-Security-Policy":     "default-src 'none'; style-src 'sha256-",
		"X-Frame-Options":             "DENY",
		"Referrer-Policy":             "no-referrer",
		"Cache-Control":               "no-store",
		"X-Content-Type-Options":      "nosniff",
		"Access-Control-Allow-Origin": "",
	} {
		if got := page.header.Get(header); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s is %q", header, got)
		}
	}
	policy := page.header.Get("Content-Security-Policy")
	for _, part := range []string{"form-action 'self' https:;", "frame-ancestors 'none'",
		"base-uri 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%s is not in %q", part, policy)
		}
	}
	if strings.Contains(page.body, "<script") || strings.Contains(page.body, " style=") ||
		strings.Contains(page.body, "onclick") {
		t.Errorf("there is code in the page: %s", page.body)
	}
	if page.status != 200 || len(page.header["Set-Cookie"]) != 1 ||
		!strings.Contains(page.header["Set-Cookie"][0], "HttpOnly; SameSite=Lax") {
		t.Errorf("%d %v", page.status, page.header["Set-Cookie"])
	}
}

// TestEscapes: what a client says of itself, and what is typed, is text.
func TestEscapes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(strings.Replace(webClient, `"App"`, `"<script>alert(1)</script>\"'&"`, 1))
	b, q := s.browser(), request(client, "login_hint", `"><script>alert(2)</script>`,
		"scope", "urn:matrix:client:api:* urn:matrix:client:device:<b>x")
	page := b.open(q)
	back := b.submit(q, page, "user", `"><script>alert(3)</script>`, "password", "x", "do", "sign in")
	for _, a := range []answer{page, back} {
		if strings.Contains(a.body, "<script") || strings.Contains(a.body, "<b>") {
			t.Errorf("%s", a.body)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, q := s.browser(), request(s.register(webClient))
	page := b.open(q)
	for _, user := range []string{"alice", "nobody"} {
		back := b.submit(q, page, "user", user, "password", "mistyped", "do", "sign in")
		if back.status != 403 || !strings.Contains(back.body, "The user name or the password is wrong.") ||
			!strings.Contains(back.body, `value="`+user+`"`) || strings.Contains(back.body, "mistyped") {
			t.Errorf("%s: %d %s", user, back.status, back.body)
		}
		page = back
	}
	s.sentTo(b.submit(q, page, "user", "@alice:example.org", "password", password, "do", "sign in"))
}

// TestRefusedAccounts: only who knows the password learns why they may not come in.
func TestRefusedAccounts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, q := s.browser(), request(s.register(webClient))
	says := func(password, text string) {
		t.Helper()
		back := b.submit(q, b.open(q), "user", "alice", "password", password, "do", "sign in")
		if back.status != 403 || !strings.Contains(back.body, text) {
			t.Errorf("%d %s, want %s", back.status, back.body, text)
		}
	}
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	says(password, "This account is locked.")
	says("wrong", "The user name or the password is wrong.")
	_, err := s.db.Deactivate(t.Context(), "alice", s.clock.Now(), false)
	s.must(err)
	says("wrong", "The user name or the password is wrong.")
}

func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = rate(t, "5/1m") })
	b, q := s.browser(), request(s.register(webClient))
	page := b.open(q)
	for range 5 {
		page = b.submit(q, page, "user", "alice", "password", "wrong", "do", "sign in")
	}
	back := b.submit(q, page, "user", "alice", "password", password, "do", "sign in")
	if back.status != 403 || !strings.Contains(back.body, "There were too many attempts. Wait 1") {
		t.Errorf("%d %s", back.status, back.body)
	}
}

// TestForgedForms: a form that another page sends has no effect, however it is made up.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	q := request(s.register(webClient))
	mine, theirs := s.browser(), s.browser()
	page, other := mine.open(q), theirs.open(q)
	for name, back := range map[string]answer{
		"without the cookie": s.browser().submit(q, page, "user", "alice", "password", password, "do",
			"sign in"),
		"with another's form":         mine.submit(q, other, "user", "alice", "password", password, "do", "sign in"),
		"with none":                   mine.submit(q, answer{}, "user", "alice", "password", password, "do", "sign in"),
		"with an empty one":           mine.submit(q, page, "form", "", "user", "alice", "password", password),
		"a refusal for somebody else": mine.submit(q, other, "do", "cancel"),
	} {
		if back.status != 403 || back.header.Get("Location") != "" ||
			!strings.Contains(back.body, "send the form once more") {
			t.Errorf("%s: %d %s", name, back.status, back.body)
		}
	}
	s.sentTo(mine.submit(q, page, "user", "alice", "password", password, "do", "sign in"))
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, q := s.browser(), request(s.register(webClient))
	got := s.sentTo(b.submit(q, b.open(q), "do", "cancel"))
	if got.Get("error") != "access_denied" || got.Get("state") != "s" || got.Get("iss") != s.URL+"/" ||
		got.Has("code") {
		t.Errorf("the client gets %v", got)
	}
}

// TestMisdirected: nothing is sent where the client has not registered; a person sees why.
func TestMisdirected(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	for name, q := range map[string]url.Values{
		"an unknown client":      request("unknown"),
		"another redirect URI":   request(client, "redirect_uri", "https://evil.example.org/cb"),
		"one below the client's": request(client, "redirect_uri", callback+"/x"),
		"nothing":                {},
	} {
		for _, a := range []answer{s.browser().open(q), s.browser().submit(q, answer{}, "do", "cancel")} {
			if a.status != 400 || a.header.Get("Location") != "" || !strings.Contains(a.body, "start again") {
				t.Errorf("%s: %d %v %s", name, a.status, a.header, a.body)
			}
		}
	}
}

// TestNoOpenRedirect: anybody may register a client, so this server does not send a person on to it before they have
// done something here. They see what is wrong, and may go back to the app, which hears of it.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	back := func(q url.Values) string {
		t.Helper()
		page := s.browser().open(q)
		link := regexp.MustCompile(`<a href="([^"]+)" rel="noopener noreferrer">Back to app.example.com</a>`).
			FindStringSubmatch(page.body)
		if page.status != 400 || page.header.Get("Location") != "" || link == nil {
			t.Fatalf("%d %v %s", page.status, page.header, page.body)
		}
		return html.UnescapeString(link[1])
	}
	for field, want := range map[string]string{"response_type": "unsupported_response_type", "scope": "invalid_scope",
		"code_challenge": "invalid_request", "code_challenge_method": "invalid_request",
		"response_mode": "invalid_request"} {
		to, err := url.Parse(back(request(client, field, "x")))
		if err != nil || to.Query().Get("error") != want || to.Query().Get("state") != "s" {
			t.Errorf("%s: %v %v", field, to, err)
		}
	}
	if to := back(request(client, "response_mode", "fragment", "scope", "x")); !strings.HasPrefix(to,
		callback+"#error=invalid_scope") {
		t.Errorf("an error goes to %s", to)
	}
}

// TestCreateAccountTwice: the answer was lost, or the button was clicked twice.
func TestCreateAccountTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	b, q := s.browser(), request(client, "prompt", "create")
	page := b.open(q)
	s.sentTo(b.submit(q, page, "user", "carol", "password", password, "do", "create"))
	code := s.sentTo(b.submit(q, page, "user", "carol", "password", password, "do", "create")).Get("code")
	pair := s.ok(s.redeem(client, code))
	if who := s.ok(s.whoami(pair.text("access_token"))); who.text("user_id") != "@carol:example.org" {
		t.Errorf("it is %s", who.body)
	}
}

// TestCreateAccount: by prompt=create, with what the server asks for.
func TestCreateAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) {
		c.Registration = handlers.RegistrationToken
		c.Terms = handlers.Terms{URL: "https://example.org/terms", Version: "1"}
	})
	s.must(s.db.AddRegistrationToken(t.Context(),
		db.RegistrationToken{Token: "invited", UsesAllowed: 1, Created: s.clock.Now()}))
	client := s.register(webClient)
	b, q := s.browser(), request(client, "prompt", "create")
	page := b.open(q)
	if !strings.Contains(page.body, "Registration token") || !strings.Contains(page.body, "https://example.org/terms") {
		t.Errorf("the page is %s", page.body)
	}
	for _, tt := range []struct{ name, password, token, agree, says string }{
		{"alice", "another password", "invited", "yes", "This name is taken."},
		{"Not A Name", password, "invited", "yes", "This name cannot be used."},
		{"carol", "short", "invited", "yes", "it must have at least 8 characters"},
		{"carol", password, "wrong", "yes", "This registration token is not good"},
		{"carol", password, "invited", "", "You have to agree to the terms."},
	} {
		page = b.submit(q, page, "user", tt.name, "password", tt.password, "token", tt.token, "agree", tt.agree, "do",
			"create")
		if page.status != 403 || !strings.Contains(page.body, tt.says) ||
			!strings.Contains(page.body, `value="`+tt.name+`"`) ||
			!strings.Contains(page.body, `value="`+tt.token+`"`) {
			t.Errorf("%+v: %d %s", tt, page.status, page.body)
		}
	}
	code := s.sentTo(b.submit(q, page, "user", "carol", "password", password, "token", "invited", "agree", "yes",
		"do", "create")).Get("code")
	pair := s.ok(s.redeem(client, code))
	if who := s.ok(s.whoami(pair.text("access_token"))); who.text("user_id") != "@carol:example.org" {
		t.Errorf("it is %s", who.body)
	}
	left, err := s.db.RegistrationTokens(t.Context(), s.clock.Now())
	if err != nil || left[0].Used != 1 {
		t.Errorf("the invitation is %+v, %v", left, err)
	}
}

// TestRegistrationClosed: nobody is shown a way that leads nowhere, and the way is closed.
func TestRegistrationClosed(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.Registration = handlers.RegistrationClosed })
	b, q := s.browser(), request(s.register(webClient))
	page := b.open(q)
	if strings.Contains(page.body, "no account") ||
		s.ok(s.get("/_matrix/client/v1/auth_metadata", "")).json["prompt_values_supported"] != nil {
		t.Errorf("the page is %s", page.body)
	}
	back := b.submit(q, page, "user", "carol", "password", password, "do", "create")
	if back.status != 403 || !strings.Contains(back.body, "No accounts can be made here") {
		t.Errorf("%d %s", back.status, back.body)
	}
	if page := b.open(request(q.Get("client_id"), "prompt", "create")); !strings.Contains(page.body, "Sign in") {
		t.Errorf("prompt=create gives %s", page.body)
	}
}

// TestAbandoned: who leaves before agreeing leaves nothing behind.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	for range 20 {
		b, q := s.browser(), request(client)
		b.submit(q, b.open(q), "user", "alice", "password", "wrong", "do", "sign in")
		b.submit(q, b.open(q), "do", "cancel")
		s.clock.Step(time.Hour)
	}
	s.code(client) // and who agrees, but whose client never comes
	for _, table := range []string{"interactions", "sessions", "used_login_tokens"} {
		var rows int
		_, err := s.db.Get(t.Context(), "SELECT COUNT(*) FROM "+table, []any{&rows})
		if s.must(err); rows != 0 {
			t.Errorf("%s has %d rows", table, rows)
		}
	}
}
