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

// TestBrowserLeavesTrace: whoever signs in on the pages is in the account's events, by whichever way and in whichever
// browser, once for each time; a new password is no such time, nor is a proof.
func TestBrowserLeavesTrace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := action(actionEvents, "")
	owner, thief := s.browser(), s.browser()
	count := func(want int) answer {
		t.Helper()
		page := s.says(owner.at(path), 200)
		if n := strings.Count(page.body, "A browser signed in to these pages"); n != want {
			t.Fatalf("%d sign-ins are told, want %d: %s", n, want, page.body)
		}
		return page
	}
	owner.ownAccount()
	count(1)
	s.clock.Step(time.Hour)
	at := handlers.SSOPath + "?redirectUrl=https://old.example.com/"
	r := thief.filled(at, thief.at(at), "user", "alice", "password", password, "do", "sign in")
	r.Header.Set("User-Agent", onWindows)
	s.says(s.send(r, thief.client), 303)
	s.order(count(2), "A browser signed in to these pages", "Firefox on Windows", "your network")
	s.order(s.German(owner, path), "Ein Browser hat sich auf diesen Seiten angemeldet", "Firefox unter Windows")
	thief.press(at, thief.at(at), "user", "alice", "password", "wrong", "do", "sign in")
	count(2)
	s.clock.Step(proofLife)
	view := action(actionOthers, "")
	s.says(owner.press(view, owner.at(view), "do", "others", "password", password), 200)
	count(2)
	s.says(owner.save(owner.at("/account"), password, newPassword), 200)
	count(2)
}

// TestTokenEnded: the end of a bot's token is not told as a device's.
func TestTokenEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.ownAccount()
	view, path := action(actionTokens, "BELL"), action(actionEvents, "")
	for _, end := range []func(){
		func() { s.says(b.press(view, b.at(view), "do", "end"), 200) },
		func() { s.says(b.press(action(actionOthers, ""), b.at("/account"), "do", "others"), 200) },
		func() { s.says(b.save(b.at("/account"), password, newPassword, "others", "yes"), 200) },
	} {
		s.clock.Step(time.Second)
		_, err := s.db.StartSession(t.Context(), db.Login{ID: "bell", Localpart: "alice", KeyID: 1, Bot: true,
			PasswordHash: s.alice().PasswordHash, DeviceID: "BELL", At: s.clock.Now()})
		s.must(err)
		s.clock.Step(time.Second)
		before := strings.Count(b.at(path).body, "A token for a bot was ended")
		end()
		page := s.says(b.at(path), 200)
		if n := strings.Count(page.body, "A token for a bot was ended"); n != before+1 {
			t.Errorf("%d ends are told after %d: %s", n, before, page.body)
		}
		s.lacks(page, "A device was signed out")
		s.says(s.German(b, path), 200, "Ein Token für einen Bot wurde beendet")
	}
}
