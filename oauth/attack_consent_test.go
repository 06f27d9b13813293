package oauth

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// TestSilentConsent: nobody is let in without a question but the client that the account has on this very device, and
// that one only at an address of its own in the web.
func TestSilentConsent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("bob")
	client := s.register(webClient)
	alice, bob := s.browser(), s.browser()
	page := authorizePath(request(client))
	s.ok(s.redeem(client, s.sentTo(alice.signIn(page)).Get("code")))
	bob.signIn("/account", "bob", password)
	if s.sentTo(alice.at(page)).Get("code") == "" {
		t.Error("the client's own device gets no code without a question")
	}
	device := "urn:matrix:client:api:* urn:matrix:client:device:"
	for name, q := range map[string]url.Values{
		"another client": request(s.register(strings.Replace(webClient, "App", "Other", 1))),
		"another device": request(client, "scope", device+"OTHERDEVICE"),
		"a longer one":   request(client, "scope", device+"ABCDEFGHIJK"),
		"in lower case":  request(client, "scope", device+"abcdefghij"),
		"asked to ask":   request(client, "prompt", "consent"),
	} {
		if a := alice.at(authorizePath(q)); a.status != 200 || !strings.Contains(a.body, "Allow") {
			t.Errorf("%s: %d to %q %s", name, a.status, a.header.Get("Location"), a.body)
		}
	}
	s.says(bob.at(page), 200, "Allow", "@bob:example.org")
	s.ok(s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.password","identifier":{
		"type":"m.id.user","user":"alice"},"password":"`+password+`","device_id":"ABCDEFGHIJ"}`))
	s.says(alice.at(page), 200, "Allow") // the device is another client's now
}

// TestNativeImpostor: any app on a phone can claim the scheme or the port of another one, and people in one's rooms
// know device ids. So a native client is asked about each time, even on its own device. RFC 8252, section 8.6.
func TestNativeImpostor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(`{"client_uri":"https://app.example.com","application_type":"native","redirect_uris":
		["com.example.app:/cb","http://127.0.0.1/cb"],"grant_types":["authorization_code","refresh_token"]}`)
	for _, to := range []string{"com.example.app:/cb", "http://127.0.0.1:7777/cb"} {
		b, page := s.browser(), authorizePath(request(client, "redirect_uri", to))
		code := s.sentTo(b.signIn(page)).Get("code")
		pair := s.ok(s.redeem(client, code, "redirect_uri", to))
		theirs := authorizePath(request(client, "redirect_uri", to, "code_challenge", challengeOf(otherVerifier)))
		asked := s.says(b.at(theirs), 200, "Allow")
		s.ok(s.whoami(pair.text("access_token")))
		s.sentTo(b.press(theirs, asked, "do", "allow"))
	}
}

// TestStaleBrowser: a page that was opened before its owner signed out, or got a new password, lets nobody in.
func TestStaleBrowser(t *testing.T) {
	t.Parallel()
	hash, err := handlers.HashPassword("another password")
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(s *site, b *browser){
		"signed out": func(_ *site, b *browser) { b.press("/account", b.at("/account"), "do", "sign out") },
		"new password": func(s *site, _ *browser) {
			_, err := s.db.ChangePassword(s.Context(), db.PasswordChange{Localpart: "alice", Hash: hash})
			s.must(err)
		},
		"locked": func(s *site, _ *browser) { s.must(s.db.LockUser(s.Context(), "alice", s.clock.Now())) },
		"over":   func(s *site, _ *browser) { s.clock.Step(browserLife + time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b, page := s.browser(), authorizePath(request(s.register(webClient)))
			b.signIn(page)
			asked := s.says(b.at(page), 200, "Allow")
			stolen := s.browser() // has the cookies, as a thief of the disk would
			at, err := url.Parse(s.URL)
			s.must(err)
			stolen.client.Jar.SetCookies(at, b.client.Jar.Cookies(at))
			end(s, b)
			for _, who := range []*browser{b, stolen} {
				if a := who.press(page, asked, "do", "allow"); a.header.Get("Location") != "" ||
					!strings.Contains(a.body, "User name") {
					t.Errorf("%d to %q %s", a.status, a.header.Get("Location"), a.body)
				}
				s.says(who.at("/account"), 200, "User name")
			}
		})
	}
}

// TestSSOImpostor: clients without OAuth do not register where they wait, so people have to see where they are sent: no
// name that looks like another one, and not the host of an address that only an app of that scheme reads.
func TestSSOImpostor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	open := func(to string) answer {
		return s.browser().at(handlers.SSOPath + "?" + url.Values{"redirectUrl": {to}}.Encode())
	}
	for _, to := range []string{"https://еlement.io/", "https://app.\u202egro.live/", "https://%D0%B5lement.io/",
		"https://app.element.io%E2%80%AE/", "https://app.element.io,evil.example/",
		"https://app.element.io;x.evil.example/", "https://app。element.io/", "https://app.element.io /",
		"https://app.element.io%20.evil.example/",
		"https://evil.example:80\u00a0/", "http://evil.example:99999/"} {
		if a := open(to); a.status != 400 || strings.Contains(a.body, "Sign in") {
			t.Errorf("%q: %d %s", to, a.status, a.body)
		}
	}
	for _, to := range []string{"evil://app.element.io", "evil://app.element.io/cb", "evil:app.element.io"} {
		s.says(open(to), 200, "<dd>evil: ")
	}
	s.says(open("https://xn--lement-q1e.io/cb"), 200, "xn--lement-q1e.io")
	s.says(open("http://[::1]:7777/"), 200, "[::1]:7777")
}
