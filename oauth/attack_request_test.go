package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"postern/handlers"
)

// TestDuplicateParameters: of two values of a parameter nobody chooses one, for a proxy may have chosen the other. RFC
// 6749, sections 3.1 and 3.2.
func TestDuplicateParameters(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	for field := range request(client, "prompt", "consent", "login_hint", "x", "unheard_of", "x") {
		for _, second := range []string{"", "x", callback} {
			q := request(client, "prompt", "consent", "login_hint", "x", "unheard_of", "x")
			q.Add(field, second)
			b := s.browser()
			for _, a := range []answer{b.open(q), b.signIn(authorizePath(q)),
				b.press(authorizePath(q), answer{}, "do", "cancel")} {
				if a.status != 400 || a.header.Get("Location") != "" {
					t.Errorf("%s and %q: %d to %q", field, second, a.status, a.header.Get("Location"))
				}
			}
		}
	}
	code := s.code(client)
	for field := range redemption(client, code) {
		f := redemption(client, code)
		f.Add(field, f.Get(field))
		s.want(s.form(handlers.TokenPath, f), 400, "invalid_request")
	}
	pair := s.ok(s.redeem(client, code)) // nothing was spent
	s.want(s.form(handlers.TokenPath, url.Values{"grant_type": {"refresh_token"}, "client_id": {client},
		"refresh_token": {pair.text("refresh_token"), "x"}}), 400, "invalid_request")
	s.want(s.form(handlers.RevokePath, url.Values{"token": {pair.text("refresh_token"), "x"}}), 400, "invalid_request")
	s.ok(s.refresh(client, pair.text("refresh_token")))
}

// TestParameterPollution: what stands elsewhere than where it belongs is not read: in the query of an endpoint, in the
// body of a page, under a name that some frameworks take for a list.
func TestParameterPollution(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	b, q := s.browser(), request(client)
	page := b.open(q)
	to := b.submit(q, page, "user", "alice", "password", password, "do", "sign in", "redirect_uri",
		"https://evil.example/", "client_id", "other", "state", "theirs", "scope", "x", "code_challenge",
		challengeOf(otherVerifier)).header.Get("Location")
	if !strings.HasPrefix(to, callback+"?") || !strings.Contains(to, "state=s") {
		t.Errorf("what the form says counts: %q", to)
	}
	back, err := url.Parse(to)
	s.must(err)
	code := back.Query().Get("code")
	for _, raw := range []string{"&redirect_uri[]=https://evil.example/", "&redirect_uri%5B0%5D=x", "&Redirect_Uri=x"} {
		s.says(b.at(authorizePath(q)+raw), 200, "Allow")
	}
	for _, raw := range []string{";redirect_uri=https://evil.example/", "&redirect%5Furi=https://evil.example/"} {
		if a := b.at(authorizePath(q) + raw); a.header.Get("Location") != "" {
			t.Errorf("%s leads to %q", raw, a.header.Get("Location"))
		}
	}
	form := redemption(client, code)
	s.want(s.form(handlers.TokenPath+"?"+form.Encode(), url.Values{}), 400, "invalid_request")
	s.want(s.form(handlers.TokenPath+"?code_verifier="+otherVerifier,
		redemption(client, code, "code_verifier", otherVerifier)), 400, "invalid_grant")
	pair := s.ok(s.form(handlers.TokenPath+"?code=x&client_id=other&grant_type=refresh_token", form))
	s.want(s.form(handlers.RevokePath+"?token="+pair.text("access_token"), url.Values{}), 400, "invalid_request")
	s.ok(s.whoami(pair.text("access_token")))
}

// TestOversizedParameters: nothing that is too large is carried on, and nothing breaks.
func TestOversizedParameters(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	for field := range request(client, "login_hint", "x", "prompt", "x", "response_mode", "query", "nonce", "x") {
		q := request(client, field, strings.Repeat("x", 2049))
		b := s.browser()
		for _, a := range []answer{b.open(q), b.signIn(authorizePath(q))} {
			if a.status != 400 || a.header.Get("Location") != "" || len(a.body) > 16<<10 {
				t.Errorf("%s: %d to %q, %d bytes", field, a.status, a.header.Get("Location"), len(a.body))
			}
		}
	}
	b, q := s.browser(), request(client)
	page := b.open(q)
	long := strings.Repeat("x", handlers.MaxBody+1)
	for _, a := range []answer{
		b.submit(q, page, "user", long, "password", password, "do", "sign in"),
		b.submit(q, page, "user", "alice", "password", long, "do", "sign in"),
		b.submit(q, page, "user", "alice", "password", password, "do", "sign in", "x", long),
		b.submit(q, page, "user", "carol", "password", long, "do", "create"),
	} {
		if a.status != 403 || a.header.Get("Location") != "" || len(a.body) > 128<<10 {
			t.Errorf("%d to %q, %d bytes", a.status, a.header.Get("Location"), len(a.body))
		}
	}
	if a := b.at(authorizePath(q) + "&x=" + strings.Repeat("x", 2<<20)); a.status/100 != 4 {
		t.Errorf("an address of two megabytes: %d", a.status)
	}
}

// TestHostHeader: clients and people are led where the operator says, whatever host a request names.
func TestHostHeader(t *testing.T) {
	t.Parallel()
	const evil = "evil.example"
	s := newSite(t, func(c *handlers.Config) { c.PublicURL = "https://matrix.example.org" })
	client := s.register(webClient)
	q := request(client)
	for _, path := range []string{"/_matrix/client/v1/auth_metadata", "/.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server", "/.well-known/matrix/client", authorizePath(q), "/account",
		"/_matrix/client/v3/login/sso/redirect?redirectUrl=https://app.example.com/"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		s.must(err)
		r.Host = evil
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host"} {
			r.Header.Set(name, evil)
		}
		r.Header.Set("Forwarded", "host="+evil+";proto=http")
		r.Header.Set("X-Forwarded-Proto", "http")
		a := s.send(r, s.browser().client)
		text := a.body + a.header.Get("Location") + strings.Join(a.header["Set-Cookie"], " ")
		if a.status >= 400 || strings.Contains(text, evil) || strings.Contains(text, s.URL) ||
			strings.Contains(text, "Domain=") {
			t.Errorf("%s: %d %v %s", path, a.status, a.header, a.body)
		}
		if a.text("issuer") != "" && a.text("issuer") != "https://matrix.example.org/" {
			t.Errorf("%s: the issuer is %q", path, a.text("issuer"))
		}
	}
}
