package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// act sends a request of an app.
func (s *site) act(method, path, token, body string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.URL+"/_matrix/client/"+path, strings.NewReader(body))
	s.must(err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return s.send(r, http.DefaultClient)
}

// passwordLogin is a login by password, with more fields if there are any.
func (s *site) passwordLogin(user, more string) answer {
	s.Helper()
	return s.act("POST", "v3/login", "", `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"`+user+
		`"},"password":"`+password+`"`+more+`}`)
}

// passwordStep is the stage that an account without a second factor has.
const passwordStep = `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"` +
	password + `"`

// guarded is an operation that asks for a proof, for alice with the devices PHONE, LAPTOP and TABLET, of which LAPTOP
// asks.
type guarded struct {
	method, path, body string
	says               []string // its page
}

var guardedOperations = []guarded{
	{"POST", "v3/account/password", `"new_password":"stolen horse"`,
		[]string{"password of your account", "PHONE", "TABLET"}},
	{"POST", "v3/account/deactivate", `"erase":false`, []string{"closed for good", "PHONE", "TABLET"}},
	{"POST", "v3/account/deactivate", `"erase":true`, []string{"hidden from those"}},
	{"DELETE", "v3/devices/PHONE", ``, []string{"A device is signed out", "PHONE", "Old phone"}},
	{"POST", "v3/delete_devices", `"devices":["PHONE","GONE"]`,
		[]string{"Devices are signed out", "GONE", "no such device"}},
	{"POST", "v1/login/get_token", ``, []string{"One more device"}},
}

func (g guarded) with(s *site, token, auth string) answer {
	s.Helper()
	var fields []string
	if g.body != "" {
		fields = append(fields, g.body)
	}
	if auth != "" {
		fields = append(fields, `"auth":`+auth)
	}
	return s.act(g.method, g.path, token, "{"+strings.Join(fields, ",")+"}")
}

// secured is alice with three devices, one-time codes, and a browser in which she is signed in.
type secured struct {
	*site
	laptop, tablet string // access tokens
	app            app
	recovery       []string
	browser        *browser
}

func newSecured(t *testing.T, change ...func(*handlers.Config)) *secured {
	t.Helper()
	s := &secured{site: newSite(t, append(change, func(c *handlers.Config) { c.LoginTokenTTL = time.Minute })...)}
	s.ok(s.passwordLogin("alice", `,"device_id":"PHONE","initial_device_display_name":"Old phone"`))
	s.laptop = s.ok(s.passwordLogin("alice", `,"device_id":"LAPTOP","initial_device_display_name":"<b>L</b>"`)).
		text("access_token")
	s.tablet = s.ok(s.passwordLogin("alice", `,"device_id":"TABLET"`)).text("access_token")
	s.browser = s.site.browser()
	s.app, s.recovery = s.browser.setUp(s.browser.ownAccount())
	s.clock.Step(codePeriod)
	return s
}

// challenged is the session of a challenge that has one flow.
func (s *site) challenged(a answer, flow string) string {
	s.Helper()
	if a.status != 401 || a.text("session") == "" || !strings.Contains(a.body, `"flows":[{"stages":["`+flow+`"]}]`) {
		s.Fatalf("the answer is no challenge for %s: %d %s", flow, a.status, a.body)
	}
	return a.text("session")
}

func fallback(session string) string {
	return "/_matrix/client/v3/auth/m.login.sso/fallback/web?session=" + session
}

// onStage opens the page that an app opens for the stage, and gives the address that it leads to.
func (b *browser) onStage(session string) string {
	b.Helper()
	led := b.at(fallback(session))
	to := led.header.Get("Location")
	if led.status != 302 || !strings.HasPrefix(to, handlers.StagePath+"?") {
		b.Fatalf("the stage's page is %d to %q: %s", led.status, to, led.body)
	}
	return to
}

// agree presses the button of the page, and opens what that leads to.
func (b *browser) agree(path string, page answer, fields ...string) answer {
	b.Helper()
	pressed := b.press(path, page, append(fields, "do", "confirm")...)
	if to := pressed.header.Get("Location"); pressed.status == http.StatusSeeOther {
		return b.at(to)
	}
	return pressed
}

// signInBoth signs in by the password and a code.
func (b *browser) signInBoth(path, code string) answer {
	b.Helper()
	return b.press(path, b.halfway(path), "code", code, "do", "second")
}

// TestStageOnPage: what asks for a proof takes the password and the second factor, on a page that says what for; the
// app goes on then, once.
func TestStageOnPage(t *testing.T) {
	t.Parallel()
	for _, g := range guardedOperations {
		s := newSecured(t)
		session := s.challenged(g.with(s.site, s.laptop, ""), "m.login.sso")
		alone := g.with(s.site, s.laptop, passwordStep+`,"session":"`+session+`"}`)
		if s.challenged(alone, "m.login.sso") != session || alone.text("errcode") != "M_FORBIDDEN" ||
			!strings.Contains(alone.text("error"), "m.login.sso") ||
			!strings.Contains(alone.text("error"), s.URL+"/account") {
			t.Errorf("%s: the password alone answers %s", g.path, alone.body)
		}
		s.challenged(g.with(s.site, s.laptop, passwordStep+"}"), "m.login.sso")
		early := g.with(s.site, s.laptop, `{"type":"m.login.sso","session":"`+session+`"}`)
		if s.challenged(early, "m.login.sso") != session || early.text("errcode") != "M_FORBIDDEN" ||
			!strings.Contains(early.text("error"), "page of this stage") {
			t.Errorf("%s: before the page it answers %s", g.path, early.body)
		}

		b := s.site.browser()
		path := b.onStage(session)
		s.sentTo(b.signInBoth(path, s.app.code()))
		page := s.says(b.at(path), 200, append(g.says, "@alice:example.org", "LAPTOP", "&lt;b&gt;L&lt;/b&gt;",
			"Have you just asked for this")...)
		if strings.Contains(page.body, "<script") {
			t.Errorf("the page has a script: %s", page.body)
		}
		s.challenged(g.with(s.site, s.laptop, `{"session":"`+session+`"}`), "m.login.sso")
		s.says(b.agree(path, page), 200, "That is done", "authDone")
		s.says(b.at(fallback(session)), 200, "That is done")
		other := g.with(s.site, s.tablet, `{"session":"`+session+`"}`)
		s.want(other, 403, "M_FORBIDDEN")
		s.ok(g.with(s.site, s.laptop, `{"session":"`+session+`"}`))
		if again := g.with(s.site, s.laptop, `{"session":"`+session+`"}`); again.status == 200 {
			t.Errorf("%s: a proof twice answers %s", g.path, again.body)
		}
	}
}

// TestStageInGerman: the deed is in the person's language.
func TestStageInGerman(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	for _, g := range guardedOperations {
		path := s.browser.onStage(s.challenged(g.with(s.site, s.laptop, ""), "m.login.sso"))
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
		s.must(err)
		r.Header.Set("Accept-Language", "de")
		page := s.says(s.send(r, s.browser.client), 200, "Was geschieht", "<dd>")
		if strings.Contains(page.body, g.says[0]) || strings.Contains(page.body, "<dd></dd>") {
			t.Errorf("%s: the page says %s", g.path, page.body)
		}
	}
}

// TestStageAttacks: a stage is completed by its account's owner alone, who has shown a moment ago who they are, on a
// form of the page.
func TestStageAttacks(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	s.account("mallory")
	g := guardedOperations[3]
	begin := func() (session, path string) {
		session = s.challenged(g.with(s.site, s.laptop, ""), "m.login.sso")
		return session, s.browser.onStage(session)
	}
	open := func(name, session string) {
		t.Helper()
		s.challenged(g.with(s.site, s.laptop, `{"session":"`+session+`"}`), "m.login.sso")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	session, path := begin()
	page := s.says(s.browser.at(path), 200, "A device is signed out")

	mallory := s.site.browser()
	s.sentTo(mallory.signIn("/account", "mallory", password))
	theirs := s.says(mallory.at(path), 200, `value="@alice:example.org"`)
	mallory.press(path, theirs, "do", "confirm", "account", "mallory")
	mallory.press(path, theirs, "do", "confirm", "account", "alice")
	s.sentTo(mallory.signIn(path, "mallory", password))
	s.says(mallory.press(path, mallory.at(path), "account", "mallory", "do", "confirm"), 403, "This is about @alice")
	open("mallory's browser", session)

	thief := s.site.browser()
	half := thief.halfway(path)
	thief.press(path, half, "do", "confirm", "account", "alice")
	thief.press(path, half, "do", "allow", "account", "alice")
	open("half signed in", session)

	s.browser.press(path, answer{}, "do", "confirm", "account", "alice")
	s.browser.press(path, answer{}, "do", "confirm", "account", "alice", "form", "AAAA")
	s.browser.press(path, page, "do", "confirm", "account", "mallory")
	s.browser.at(path + "&do=confirm&account=alice&form=" + url.QueryEscape(s.formOf(s.browser)))
	open("forged forms", session)
	s.says(s.browser.press(path, page, "do", "cancel"), 200, "Nothing was done")
	open("cancel", session)
	s.want(s.form(fallback(session), url.Values{"password": {password}}), 400, "M_UNRECOGNIZED")
	s.want(s.get("/_matrix/client/v3/auth/m.login.password/fallback/web?session="+session, ""), 404, "M_NOT_FOUND")
	open("the page of another stage", session)

	s.clock.Step(proofLife)
	s.says(s.browser.press(path, page, "do", "confirm"), 200, "Sign in again")
	open("a stale proof", session)

	s.sentTo(s.browser.signInBoth(path, s.app.code()))
	s.says(s.browser.agree(path, s.browser.at(path)), 200, "That is done")
	hash, err := handlers.HashPassword("another horse")
	s.must(err)
	_, err = s.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "alice", Hash: hash})
	s.must(err)
	changed := g.with(s.site, s.laptop, `{"session":"`+session+`"}`)
	if s.challenged(changed, "m.login.sso") == "" || changed.text("errcode") != "M_FORBIDDEN" {
		t.Errorf("a proof from before the password was changed answers %s", changed.body)
	}
	for _, over := range []string{"", "AAAA", strings.Repeat("x", 300)} {
		s.says(s.browser.at(handlers.StagePath+"?session="+over), 404, "Go back to your app")
	}
	session, path = begin()
	s.ok(s.act("POST", "v3/logout", s.laptop, "{}"))
	s.says(s.browser.at(path), 404, "Go back to your app")
	if s.browser.at(fallback(session)).status != 404 {
		t.Error("the stage outlives the session that asks")
	}
}

// formOf is the proof of a browser's forms.
func (s *site) formOf(b *browser) string {
	at, err := url.Parse(s.URL)
	s.must(err)
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == formCookie {
			return c.Value
		}
	}
	return ""
}

// TestStageChanges: the flows are those of the account as it is: a proof by password from before it had a second factor
// proves nothing, and without one the password is enough again.
func TestStageChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.LoginTokenTTL = time.Minute })
	s.ok(s.passwordLogin("alice", `,"device_id":"PHONE"`))
	laptop := s.ok(s.passwordLogin("alice", `,"device_id":"LAPTOP"`)).text("access_token")
	g := guardedOperations[3]
	session := s.challenged(g.with(s, laptop, ""), "m.login.password")
	s.says(s.form("/_matrix/client/v3/auth/m.login.password/fallback/web?session="+session,
		url.Values{"password": {password}}), 200, "That is done")
	b := s.browser()
	b.setUp(b.ownAccount())
	s.challenged(g.with(s, laptop, `{"session":"`+session+`"}`), "m.login.sso")
	s.challenged(g.with(s, laptop, passwordStep+`,"session":"`+session+`"}`), "m.login.sso")
	_, err := s.db.ClearFactors(t.Context(), "alice")
	s.must(err)
	s.challenged(g.with(s, laptop, ""), "m.login.password")
	s.ok(g.with(s, laptop, passwordStep+"}"))
}
