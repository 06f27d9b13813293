package oauth

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/authenticator"
)

// keySite is a site that is found by a domain.
func keySite(t *testing.T, change ...func(*handlers.Config)) *site {
	t.Helper()
	return newSite(t, append(change, func(c *handlers.Config) {
		c.PublicURL = strings.Replace(c.PublicURL, "127.0.0.1", "localhost", 1)
	})...)
}

func (s *site) newKey() *authenticator.Passkey {
	return authenticator.New("localhost", strings.Replace(s.URL, "127.0.0.1", "localhost", 1))
}

var asksForKey = regexp.MustCompile(`data-passkey="([^"]*)"`)

// options is what a page asks the browser for.
func (s *site) options(page answer) string {
	s.Helper()
	found := asksForKey.FindStringSubmatch(page.body)
	if found == nil {
		s.Fatalf("the page asks for no passkey: %d %s", page.status, page.body)
	}
	return html.UnescapeString(found[1])
}

// made is what the browser answers to a page that asks for a new passkey.
func (s *site) made(page answer, k *authenticator.Passkey) string {
	s.Helper()
	answer, err := k.Make(s.options(page))
	s.must(err)
	return answer
}

// shown is what the browser answers to a page that asks for a passkey.
func (s *site) shown(page answer, k *authenticator.Passkey) string {
	s.Helper()
	answer, err := k.Show(s.options(page))
	s.must(err)
	return answer
}

const passkeysPath = handlers.AccountPath + "?action=" + actionPasskeys

// add adds a passkey to the account that is signed in.
func (b *browser) add(k *authenticator.Passkey) answer {
	b.Helper()
	page := b.at(handlers.AccountPath)
	return b.press(passkeysPath, page, "do", "add passkey", "answer", b.made(page, k))
}

// show shows a passkey on a page that was opened.
func (b *browser) show(path string, page answer, k *authenticator.Passkey, fields ...string) answer {
	b.Helper()
	return b.press(path, page, append([]string{"do", "passkey", "answer", b.shown(page, k)}, fields...)...)
}

// withKey gives an account a passkey.
func (s *site) withKey(name string) *authenticator.Passkey {
	s.Helper()
	b, k := s.browser(), s.newKey()
	b.signIn(handlers.AccountPath, name, password)
	s.says(b.add(k), 200, "The passkey is added")
	return k
}

// only is the one passkey of an account.
func (s *site) only(name string) db.Factor {
	s.Helper()
	factors, err := s.db.Factors(s.Context(), name)
	s.must(err)
	for _, f := range factors {
		if f.Kind == db.FactorPasskey {
			return f
		}
	}
	s.Fatal("there is none")
	return db.Factor{}
}

// TestPasskeyAlone: a passkey signs its owner in on the account's page and in an authorization, and says when it was
// used.
func TestPasskeyAlone(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	k := s.withKey("alice")
	b := s.browser()
	s.says(b.show("/account", b.at("/account"), k), http.StatusSeeOther)
	s.says(b.at("/account"), 200, "@alice:example.org", "last used <time")
	client := s.register(webClient)
	q := request(client)
	other := s.browser()
	code := s.sentTo(other.show(authorizePath(q), other.open(q), k)).Get("code")
	s.ok(s.whoami(s.ok(s.redeem(client, code)).text("access_token")))
	if f := s.only("alice"); f.Used.IsZero() || strings.Contains(string(f.Sealed), string(k.ID)) {
		t.Errorf("%+v", f)
	}
}

// TestPasskeySecond: after the password one of the account's passkeys is asked for, which need not verify the user
// again, and nothing else signs in.
func TestPasskeySecond(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	k := s.withKey("alice")
	k.Unverified = true
	b := s.browser()
	page := s.says(b.signIn("/account"), 200, "@alice:example.org", "Use a passkey", "Recovery code")
	if !strings.Contains(s.options(page), s.only("alice").ID) {
		t.Errorf("it asks for %s", s.options(page))
	}
	s.says(b.at("/account"), 200, "User name")
	s.says(b.show("/account", page, k), http.StatusSeeOther)
	s.says(b.at("/account"), 200, "@alice:example.org")
}

// TestFirstPasskey: with the first one come recovery codes, and the browsers in which the password alone was shown are
// signed out; with the next one neither.
func TestFirstPasskey(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	other, b := s.browser(), s.browser()
	other.signIn("/account")
	b.signIn("/account")
	s.says(b.add(s.newKey()), 200, "Recovery codes", "The passkey is added")
	s.says(other.at("/account"), 200, "User name")
	k := s.withKeyIn(b)
	s.says(b.at("/account"), 200, "@alice:example.org")
	other.show("/account", other.at("/account"), k)
	s.says(other.at("/account"), 200, "@alice:example.org")
}

// withKeyIn adds one more.
func (s *site) withKeyIn(b *browser) *authenticator.Passkey {
	k := s.newKey()
	if a := s.says(b.add(k), 200, "The passkey is added"); strings.Contains(a.body, `class="codes"`) {
		s.Fatalf("recovery codes again: %s", a.body)
	}
	return k
}

// TestPasskeyPage: a passkey has a page of its own, where it gets another name and is removed, after a fresh proof.
// With the last one the password alone is enough again.
func TestPasskeyPage(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	k := s.withKey("alice")
	b := s.browser()
	b.show("/account", b.at("/account"), k)
	path := passkeysPath + "&id=" + s.only("alice").ID
	page := s.says(b.at(path), 200, "Name", "Save")
	s.says(b.press(path, page, "do", "rename passkey", "name", " My\u202e <b>key</b>\n "), http.StatusSeeOther)
	s.says(b.at(path+"&saved"), 200, `role="status"`, "Saved.", `value="My &lt;b&gt;key&lt;/b&gt;"`)
	s.says(b.at("/account"), 200, "My &lt;b&gt;key&lt;/b&gt;")
	s.says(b.press(path, page, "do", "rename passkey", "name", " "), 403, "needs a name", `role="alert"`)
	s.says(b.press(path, page, "do", "rename passkey", "name", strings.Repeat("é", 101)), 403, "too long")
	if name := s.only("alice").Name; name != "My <b>key</b>" {
		t.Errorf("the name is %q", name)
	}
	s.clock.Step(6 * time.Minute)
	again := s.says(b.press(path, page, "do", "remove passkey"), 200, "Sign in again", "Use a passkey")
	s.says(b.show(path, again, k), http.StatusSeeOther)
	s.says(b.press(path, b.at(path), "do", "remove passkey"), 200, "The passkey is removed")
	s.says(b.at(path), http.StatusNotFound, "no such passkey")
	s.sentTo(s.browser().signIn("/account"))
	factors, err := s.db.Factors(t.Context(), "alice")
	s.must(err)
	if len(factors) != 0 {
		t.Errorf("left are %v", factors)
	}
}

// TestStalePasskey: who has shown the password too long ago shows it again before they add one.
func TestStalePasskey(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	b, k := s.browser(), s.newKey()
	b.signIn("/account")
	fresh := b.at("/account")
	s.clock.Step(6 * time.Minute)
	stale := s.says(b.at("/account"), 200, "Add a passkey")
	if asksForKey.MatchString(stale.body) {
		t.Error("the page asks for a passkey at once")
	}
	for _, page := range []answer{fresh, stale} {
		a := b.press(passkeysPath, page, "do", "add passkey", "answer", s.made(fresh, k))
		s.says(a, 200, `name="password"`)
		s.says(b.press(passkeysPath, a, "do", "add passkey", "password", "wrong"), 403, "The password is wrong")
		page = s.says(b.press(passkeysPath, a, "do", "add passkey", "password", password), 200, "Add a passkey")
		s.clock.Step(4 * time.Minute)
		s.says(b.press(passkeysPath, page, "do", "add passkey", "answer", s.made(page, k)), 200, "The passkey is added")
		s.must(s.db.RemoveFactor(t.Context(), "alice", s.only("alice").ID))
		s.clock.Step(6 * time.Minute)
	}
}

// TestPasskeyOutlivesProof: a passkey that the browser has made is not lost since the proof has become too old since.
// But nobody is asked for a new one then, and what was asked in one browser is of no use in another.
func TestPasskeyOutlivesProof(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	b, k := s.browser(), s.newKey()
	b.signIn("/account")
	s.clock.Step(4 * time.Minute)
	page := b.at("/account")
	s.clock.Step(4 * time.Minute)
	other := s.browser()
	other.signIn("/account")
	elsewhere, good := s.hidden(other.at("/account"), "state"), s.made(page, k)
	if elsewhere == "" {
		t.Fatal("the other page asks for nothing")
	}
	for name, a := range map[string]answer{
		"a bad one":       b.press(passkeysPath, page, "do", "add passkey", "answer", s.shown(page, k)),
		"another browser": b.press(passkeysPath, page, "do", "add passkey", "answer", good, "state", elsewhere),
		"none":            b.press(passkeysPath, page, "do", "add passkey"),
	} {
		if a.status != 200 || asksForKey.MatchString(a.body) || !strings.Contains(a.body, `name="password"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.says(b.press(passkeysPath, page, "do", "add passkey", "answer", good), 200, "The passkey is added")
	if s.only("alice").Kind != db.FactorPasskey {
		t.Error("it is not there")
	}
}

// TestNoDomain: where browsers make no passkeys the page says so, and no page asks for one.
func TestNoDomain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	for _, a := range []answer{b.at("/account"), b.signIn("/account"), b.at("/account"),
		b.press(passkeysPath, b.at("/account"), "do", "add passkey", "answer", "{}"),
		s.browser().press("/account", s.browser().at("/account"), "do", "passkey", "answer", "{}")} {
		if a.status >= 500 || asksForKey.MatchString(a.body) || strings.Contains(a.body, "<script") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	s.says(b.at("/account"), 200, "a domain name")
}

// TestMostPasskeys: an account has no more than it may, and its owner hears that.
func TestMostPasskeys(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	b := s.browser()
	b.signIn("/account")
	b.add(s.newKey())
	page, more := b.at("/account"), s.newKey()
	for range db.MaxFactors - 1 {
		s.withKeyIn(b)
	}
	s.says(b.at("/account"), 200, "You have as many as you can have")
	s.says(b.press(passkeysPath, page, "do", "add passkey", "answer", s.made(page, more)), 403, "too many")
}

// TestScriptPolicy: the policy of a page that asks for a passkey allows its one script by a hash, and no other page has
// a script or may have one.
func TestScriptPolicy(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	k := s.withKey("alice")
	b, page := s.browser(), authorizePath(request(s.register(webClient)))
	pages := map[string]answer{"sign in": b.at(page), "second": b.signIn(page)}
	b.show("/account", b.at("/account"), k)
	for name, path := range map[string]string{"consent": page, "overview": "/account", "code": handlers.DevicePath,
		"passkey": passkeysPath + "&id=" + s.only("alice").ID} {
		pages[name] = b.at(path)
	}
	for name, a := range pages {
		policy, want := a.header.Get("Content-Security-Policy"), 0
		if asksForKey.MatchString(a.body) {
			want = 1
		}
		if strings.Count(policy, "script-src 'sha256-") != want || strings.Count(policy, "script-src") != want ||
			strings.Count(a.body, "<script>") != want || strings.Contains(policy, "connect-src") {
			t.Errorf("%s: %s %s", name, policy, a.body)
		}
	}
}

// TestPasskeyFirst: where a second factor is asked for a passkey is one, and leads on to what its owner has come for.
func TestPasskeyFirst(t *testing.T) {
	t.Parallel()
	s := keySite(t, func(c *handlers.Config) { c.SecondFactor = handlers.SecondFactorRequired })
	b, path := s.browser(), authorizePath(request(s.register(webClient)))
	page := s.says(b.signIn(path), 200, "Set up a second factor", "Add a passkey")
	to := html.UnescapeString(regexp.MustCompile(`action="([^"]*)" data-passkey`).FindStringSubmatch(page.body)[1])
	added := s.says(b.press(to, page, "do", "add passkey", "answer", s.made(page, s.newKey())), 200, "Recovery codes")
	if !strings.Contains(html.UnescapeString(added.body), `href="`+path+`"`) {
		t.Errorf("it leads on to another page: %s", added.body)
	}
	s.says(b.at(path), 200, "Allow")
}
