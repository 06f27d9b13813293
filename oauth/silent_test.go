package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"postern/db"
	"postern/handlers"
)

const notSent = `role="alert">Please send the form once more.`

// TestNothingSilent: whatever form does nothing, since it is not ours any more or of another account, the page that
// comes says so, and the same form of that page does it.
func TestNothingSilent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("bob")
	s.login(onPhone, "PHONE", "")
	bell, err := s.db.StartSession(t.Context(), db.Login{ID: "bell", Localpart: "alice", KeyID: 1, Bot: true,
		PasswordHash: s.alice().PasswordHash, DeviceID: "BELL", At: s.clock.Now()})
	s.must(err)
	b := s.browser()
	page := b.ownAccount()
	at, err := url.Parse(s.URL)
	s.must(err)
	for path, do := range map[string]string{"/account": "", action(actionPassword, ""): "save",
		action(actionPasskeys, ""): "add passkey", action(actionCodes, ""): "set up",
		action(actionRecovery, ""): "new", action(actionTokens, ""): "issue",
		action(actionTokens, bell.DeviceID): "end", viewOf("PHONE"): "end",
		action(actionEndDevice, "PHONE"): "rename", action(actionOthers, ""): "others",
		action(actionEvents, ""):     "dismiss",
		action(actionDeactivate, ""): "deactivate", handlers.DevicePath: "continue",
		handlers.SSOPath + "?redirectUrl=https://old.example.com/": "allow"} {
		// The browser was closed and opened again: what it keeps for as long as it is open is gone.
		b.client.Jar.SetCookies(at, []*http.Cookie{{Name: formCookie, Path: "/", MaxAge: -1}})
		fields := []string{"do", do, "current", password, "new", newPassword, "name", "Name", "password", password}
		got := s.says(b.press(path, page, fields...), 403, notSent)
		if n := strings.Count(got.body, `role="alert"`); n != 1 {
			t.Errorf("%s %s: %d alerts in %s", path, do, n, got.body)
		}
		r := b.filled(path, page, append(fields, "form", "x")...)
		r.Header.Set("Accept-Language", "de")
		s.says(s.send(r, b.client), 403, `role="alert">Bitte senden Sie das Formular noch einmal ab.`)
		s.says(b.press(path, b.at("/account"), append(fields, "account", "bob")...), 403,
			`role="alert">You are signed in as @alice:example.org now.`)
	}
	s.opens(password, true)
	path := action(actionPassword, "")
	page = s.says(b.press(path, page, "form", "x"), 403)
	s.says(b.press(path, page, "do", "save", "current", password, "new", newPassword), 200, "Your password is changed")
}
