package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"postern/handlers"
)

const (
	otherCallback = "https://other.example.net/cb"
	otherVerifier = "another-verifier-of-forty-three-characters-x"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestCodeInjection: a thief who has read a code puts it into a login that they have begun with the same client, whose
// verifier is theirs. RFC 9700, section 4.5.
func TestCodeInjection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	stolen := s.code(client)
	s.want(s.redeem(client, stolen, "code_verifier", otherVerifier), 400, "invalid_grant")
	s.want(s.redeem(client, stolen, "code_verifier", challengeOf(verifier)), 400, "invalid_grant") // from the address
	own := s.ok(s.redeem(client, stolen))
	s.ok(s.whoami(own.text("access_token"))) // what the thief has tried costs its owner nothing
}

// TestCodeSwap: a client cannot redeem another one's code, whatever it says of itself.
func TestCodeSwap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, two := s.register(webClient), s.register(otherClient)
	codeOfOne := s.code(one)
	codeOfTwo := s.code(two, "redirect_uri", otherCallback, "code_challenge", challengeOf(otherVerifier), "scope",
		"urn:matrix:client:api:* urn:matrix:client:device:TWOTWOTWO2")
	for name, a := range map[string]answer{
		"with its own verifier": s.redeem(two, codeOfOne, "redirect_uri", otherCallback, "code_verifier",
			otherVerifier),
		"with its own address":      s.redeem(two, codeOfOne, "redirect_uri", otherCallback),
		"with all but the id":       s.redeem(two, codeOfOne),
		"with the other's id":       s.redeem(one, codeOfTwo),
		"with the other's verifier": s.redeem(one, codeOfTwo, "code_verifier", otherVerifier),
	} {
		if a.status != 400 || a.text("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.ok(s.redeem(one, codeOfOne))
	s.ok(s.redeem(two, codeOfTwo, "redirect_uri", otherCallback, "code_verifier", otherVerifier))
}

// TestPKCEDowngrade: no way leads to a code without a challenge by S256, or to a pair without its verifier. RFC 9700,
// section 4.8.2.
func TestPKCEDowngrade(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	without := func(fields ...string) url.Values {
		q := request(client)
		for _, field := range fields {
			q.Del(field)
		}
		return q
	}
	for name, q := range map[string]url.Values{
		"no challenge":            without("code_challenge"),
		"no method":               without("code_challenge_method"), // RFC 7636 takes that for plain
		"neither":                 without("code_challenge", "code_challenge_method"),
		"plain":                   request(client, "code_challenge_method", "plain", "code_challenge", verifier),
		"the method's name wrong": request(client, "code_challenge_method", "s256"),
		"an empty one":            request(client, "code_challenge", ""),
		"a short one":             request(client, "code_challenge", challengeOf(verifier)[:42]),
		"one with an end":         request(client, "code_challenge", challengeOf(verifier)+"="),
	} {
		b := s.browser()
		for _, a := range []answer{b.open(q), b.signIn(authorizePath(q))} {
			if a.status != 400 || a.header.Get("Location") != "" {
				t.Errorf("%s: %d to %q", name, a.status, a.header.Get("Location"))
			}
		}
	}
	code := s.code(client)
	for _, wrong := range []string{"", "x", verifier[:42], verifier + "x", verifier + " ", verifier + "\n",
		" " + verifier, challengeOf(verifier), strings.ToUpper(verifier), strings.Repeat("x", 43), strings.Repeat("x", 129)} {
		s.want(s.redeem(client, code, "code_verifier", wrong), 400, "invalid_grant")
	}
	none := redemption(client, code)
	none.Del("code_verifier")
	s.want(s.form(handlers.TokenPath, none), 400, "invalid_grant")
	none.Set("code_challenge", challengeOf(verifier))
	s.want(s.form(handlers.TokenPath, none), 400, "invalid_grant")
	s.ok(s.redeem(client, code))
}

// TestMixUp: whatever the client is told, it is told by whom. RFC 9207, section 2.
func TestMixUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	if a := s.ok(s.get("/_matrix/client/v1/auth_metadata", "")); a.text("issuer") != s.URL+"/" ||
		a.json["authorization_response_iss_parameter_supported"] != true {
		t.Errorf("the metadata are %s", a.body)
	}
	back := regexp.MustCompile(`<a href="([^"]+)" rel="noopener noreferrer">Back to`)
	for _, mode := range []string{"query", "fragment"} {
		q := request(client, "response_mode", mode)
		b := s.browser()
		signedIn := b.signIn(authorizePath(q)).header.Get("Location")
		allowed := b.press(authorizePath(q), b.open(q), "do", "allow").header.Get("Location")
		refused := b.press(authorizePath(q), b.open(q), "do", "cancel").header.Get("Location")
		link := back.FindStringSubmatch(b.open(request(client, "response_mode", mode, "scope", "x")).body)
		for name, to := range map[string]string{"code": signedIn, "consent": allowed, "refusal": refused,
			"error": html.UnescapeString(append(link, "", "")[1])} {
			_, answer, _ := strings.Cut(to, map[string]string{"query": "?", "fragment": "#"}[mode])
			if got, err := url.ParseQuery(answer); err != nil || got.Get("iss") != s.URL+"/" || len(got["iss"]) != 1 ||
				got.Get("state") != "s" || got.Has("code") == got.Has("error") {
				t.Errorf("%s in the %s: %q", name, mode, to)
			}
		}
	}
}

// TestRedirectAtToken: the code is redeemed with the address that it was sent to and with no other, not even one to
// which it could have been sent. RFC 6749, section 10.6.
func TestRedirectAtToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(`{"client_uri":"https://app.example.com","application_type":"native","redirect_uris":
		["http://127.0.0.1/cb","http://localhost/cb","com.example.app:/cb"],
		"grant_types":["authorization_code","refresh_token"]}`)
	const sentTo = "http://127.0.0.1:7777/cb"
	code := s.code(client, "redirect_uri", sentTo)
	for _, other := range []string{"", "http://127.0.0.1/cb", "http://127.0.0.1:7778/cb", "http://localhost:7777/cb",
		"com.example.app:/cb", "http://127.0.0.1:7777/cb/", "http://127.0.0.1:7777/cb?", "http://127.0.0.1:7777/cb#x",
		"HTTP://127.0.0.1:7777/cb", "http://127.0.0.1:07777/cb", "http://evil.example/cb"} {
		s.want(s.redeem(client, code, "redirect_uri", other), 400, "invalid_grant")
	}
	s.ok(s.redeem(client, code, "redirect_uri", sentTo))
}
