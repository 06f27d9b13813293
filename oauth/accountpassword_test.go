package oauth

import (
	"net/http"
	"strings"
	"testing"

	"postern/db"
	"postern/handlers"
)

const (
	passwordPath = handlers.AccountPath + "?action=" + actionPassword
	newPassword  = "a whale in deep water"
)

// save fills the form of the password in.
func (b *browser) save(page answer, current, wanted string, more ...string) answer {
	b.Helper()
	return b.press(passwordPath, page, append([]string{"current", current, "new", wanted, "do", "save"}, more...)...)
}

// device logs in by the current API, and gives the access token.
func (s *site) device(id, secret string) answer {
	s.Helper()
	return s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.password","identifier":{
		"type":"m.id.user","user":"alice"},"password":"`+secret+`","device_id":"`+id+`"}`)
}

// opens tells whether a password opens the account, at each of the three APIs.
func (s *site) opens(secret string, want bool) {
	s.Helper()
	q := request(s.register(webClient), "scope", "urn:matrix:client:api:* urn:matrix:client:device:OPENSOPENS")
	b := s.browser()
	for api, got := range map[string]bool{
		"the current API": s.device("OPENS", secret).status == http.StatusOK,
		"the 2015 draft API": s.post("/_matrix/client/api/v1/login", "application/json",
			`{"username":"alice","password":"`+secret+`"}`).status == http.StatusOK,
		"the OAuth 2.0 API": b.submit(q, b.open(q), "user", "alice", "password", secret, "do", "sign in").status ==
			http.StatusSeeOther,
	} {
		if got != want {
			s.Errorf("by %s %q opens the account: %v, want %v", api, secret, got, want)
		}
	}
}

// TestPasswordOnPage: with the box ticked, which it is at first, every device is signed out, else none; other browsers
// are in any case, and this one is not. The old password opens nothing any more.
func TestPasswordOnPage(t *testing.T) {
	t.Parallel()
	for name, ticked := range map[string]bool{"ticked": true, "not ticked": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			client := s.register(webClient)
			pair := s.ok(s.redeem(client, s.code(client)))
			old := s.ok(s.device("OLD", password))
			b, other := s.browser(), s.browser()
			other.ownAccount()
			page := s.says(b.ownAccount(), 200, "<h2>Password</h2>", "Current password", "New password",
				`"end-bots" checked`, "Sign out all devices", ">Save</button>", "At least 8 characters.",
				`autocomplete="current-password"`, `autocomplete="new-password"`)
			before := b.browserCookie()
			box := map[bool][]string{true: {"others", "yes"}}[ticked]
			says := map[bool]string{true: "All your devices and other browsers are signed out",
				false: "Your devices stay signed in."}[ticked]
			s.says(b.save(page, password, newPassword, box...), 200, "Your password is changed", says)

			status := map[bool]int{true: 401, false: 200}[ticked]
			for _, token := range []string{pair.text("access_token"), old.text("access_token")} {
				if got := s.whoami(token).status; got != status {
					t.Errorf("a device hears %d, want %d", got, status)
				}
			}
			if !b.signedInAt(handlers.AccountPath) || other.signedInAt(handlers.AccountPath) {
				t.Error("this browser is signed out, or another one is not")
			}
			if browsers, err := s.db.Browsers(t.Context(), "alice"); err != nil || len(browsers) != 1 ||
				b.browserCookie() == before {
				t.Errorf("%d browsers are signed in, this one by the same cookie or another: %v", len(browsers), err)
			}
			events, err := s.db.Events(t.Context(), "alice", 100)
			s.must(err)
			changed := 0
			for _, e := range events {
				if e.Kind == db.EventPassword {
					changed++
				}
			}
			if changed != 1 {
				t.Errorf("%d events tell of a new password", changed)
			}
			s.opens(password, false)
			s.opens(newPassword, true)
		})
	}
}

// browserCookie is what the browser is signed in by.
func (b *browser) browserCookie() string {
	b.Helper()
	r, err := http.NewRequest(http.MethodGet, b.URL, nil)
	b.must(err)
	for _, c := range b.client.Jar.Cookies(r.URL) {
		if c.Name == browserCookie {
			return c.Value
		}
	}
	return ""
}

// TestPasswordNotChanged: whatever is wrong with what was typed is said in the person's language, the box stays as it
// was, and nothing is changed.
func TestPasswordNotChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) {
		c.Passwords.Strength = 3
		c.Passwords.Leaked = func(password string) bool { return password == "a whale in leaked water" }
	})
	b, german := s.browser(), s.browser().German()
	page := s.says(b.ownAccount(), 200, "A few uncommon words are best")
	germanPage := german.ownAccount()
	token := s.ok(s.device("OLD", password)).text("access_token")
	for _, tt := range []struct{ current, wanted, english, inGerman string }{
		{"wrong", newPassword, "The current password is wrong.", "Das aktuelle Passwort ist falsch."},
		{"", newPassword, "The current password is wrong.", "Das aktuelle Passwort ist falsch."},
		{password, "", "at least 8 characters", "mindestens 8 Zeichen"},
		{password, "short", "at least 8 characters", "mindestens 8 Zeichen"},
		{password, "alice1984", "a few uncommon words", "ein paar seltene Wörter"},
		{password, host + "1", "easy to guess", "leicht zu erraten"},
		{password, "a whale in leaked water", "This password is in a list of leaked passwords",
			"Dieses Passwort steht in einer Liste gestohlener Passwörter"},
	} {
		got := s.says(b.save(page, tt.current, tt.wanted, "others", "yes"), 403, "<h1>Password</h1>", tt.english,
			`"end-bots" checked`, "New password")
		if strings.Contains(got.body, newPassword) || strings.Contains(got.body, password) {
			t.Errorf("%+v: a password is on the page: %s", tt, got.body)
		}
		got = s.says(german.save(germanPage, tt.current, tt.wanted), 403, "<h1>Passwort</h1>", tt.inGerman)
		if strings.Contains(got.body, "checked") {
			t.Errorf("%+v: the box is ticked again", tt)
		}
	}
	s.ok(s.whoami(token))
	s.opens(password, true)
	if !b.signedInAt(handlers.AccountPath) || !german.signedInAt(handlers.AccountPath) {
		t.Error("a browser is signed out")
	}
}

// TestPasswordGuesses: the current password is a guess like any. It is counted by the browser, so that who guesses
// there keeps nobody from logging in, and who guesses at logins keeps nobody from changing the password.
func TestPasswordGuesses(t *testing.T) {
	t.Parallel()
	rate, err := handlers.ParseRate("5/1m")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = rate })
	b := s.browser()
	page := b.ownAccount()
	for range 5 {
		s.says(b.save(page, "wrong", newPassword), 403, "The current password is wrong.")
	}
	s.says(b.save(page, password, "short"), 403, "at least 8 characters") // costs none
	s.says(b.save(page, password, newPassword), 403, "There were too many attempts")
	s.want(s.device("OLD", password), 200, "")
	other := s.browser()
	page = other.ownAccount()
	for range 6 {
		s.device("OLD", "wrong")
	}
	s.want(s.device("NEW", password), 429, "M_LIMIT_EXCEEDED")
	s.says(other.save(page, password, newPassword), 200, "Your password is changed")
}

// TestPasswordForged: a form that is not of this browser, or that speaks of another account, changes nothing.
func TestPasswordForged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hash, err := handlers.HashPassword(password) // the same, so that only the form tells them apart
	s.must(err)
	s.must(s.db.CreateUser(t.Context(), db.User{Localpart: "bob", PasswordHash: hash, Created: s.clock.Now()}))
	b, other := s.browser(), s.browser()
	page, foreign := b.ownAccount(), other.ownAccount()
	s.says(b.save(foreign, password, newPassword), 403, "<h1>Password</h1>")
	s.says(b.save(answer{}, password, newPassword), 403, "<h1>Password</h1>")
	s.says(b.save(page, password, newPassword, "account", "bob"), 403, "<h1>Password</h1>", "@alice:"+host)
	b.press(handlers.AccountPath, page, "do", "sign out")
	s.sentTo(b.signIn(handlers.AccountPath, "bob", password))
	s.says(b.save(page, password, newPassword), 403, "<h1>Password</h1>", "@bob:"+host) // of alice, left open
	s.opens(password, true)
	if !other.signedInAt(handlers.AccountPath) {
		t.Error("a browser is signed out")
	}
	got := s.browser().save(page, password, newPassword)
	s.says(got, 403, "User name") // nobody is signed in there
	s.opens(password, true)
}

// TestPasswordAndSecondFactor: with a second factor the password is changed by whoever has shown that lately, and to
// change it is no new proof of it.
func TestPasswordAndSecondFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	app, _ := b.setUp(b.ownAccount())
	page := b.at(handlers.AccountPath)
	s.clock.Step(proofLife - 1)
	s.says(b.save(page, "wrong", newPassword), 403, "The current password is wrong.")
	s.says(b.save(page, password, newPassword), 200, "Your password is changed")
	s.clock.Step(1)
	page = b.at(handlers.AccountPath)
	s.says(b.save(page, newPassword, password), 200, "Sign in again")
	s.says(b.at(passwordPath), 200, "Sign in again")
	step := b.signIn(passwordPath, "alice", newPassword)
	to := b.press(passwordPath, s.says(step, 200, `value="second"`), "code", app.code(), "do", "second")
	if to.header.Get("Location") != passwordPath {
		t.Fatalf("%d to %q: %s", to.status, to.header.Get("Location"), to.body)
	}
	s.says(b.save(s.says(b.at(passwordPath), 200, "<h1>Password</h1>"), newPassword, password), 200, "is changed")
}

// TestNoPassword: the owner of an account without a password, who came in some other way, reads how to get one.
func TestNoPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	page := b.ownAccount()
	// Nothing takes a password away today; this is what it would leave.
	_, err := s.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "alice", Hash: handlers.NoPassword})
	s.must(err)
	cookie := b.browserCookie()
	s.must(s.db.AddBrowser(t.Context(), db.Browser{ID: browserID(cookie), Localpart: "alice", Proved: s.clock.Now(),
		Since: db.Seen{At: s.clock.Now()}, Expires: s.clock.Now().Add(browserLife)}, handlers.NoPassword, false))
	s.says(b.at(handlers.AccountPath), 200, "Your account has no password.")
	s.says(b.save(page, "", newPassword), 403, "The current password is wrong.")
	s.says(b.save(page, handlers.NoPassword, newPassword), 403, "The current password is wrong.")
}
