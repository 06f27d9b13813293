package oauth

import (
	"net/url"
	"testing"

	"postern/test/rig/process"
)

// TestStaleProofForBots: whoever has an open browser makes and ends no token without the password.
func TestStaleProofForBots(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	token, early := b.issue(), b.at(botsPage)
	device := s.ok(s.whoami(token)).text("device_id")
	s.clock.Step(proofLife)
	s.says(b.press(botsPage, early, wanted()...), 403, "Type your password", `value="Bell"`)
	form := s.says(b.at(botsPage), 200, `type="password"`)
	s.says(b.press(botsPage, form, wanted("password", "")...), 403, "The password is wrong.")
	s.says(b.press(botsPage, form, wanted("password", "wrong")...), 403, "The password is wrong.", `value="Bell"`)
	page := botsPage + "&device_id=" + device
	ask := s.says(b.press(page, b.at(page), "do", "end"), 200, `type="password"`)
	s.says(b.press(page, ask, "do", "end", "password", "wrong"), 403, "The password is wrong.")
	s.ok(s.whoami(token))
	s.says(b.press(page, ask, "do", "end", "password", password), 200, "The token is ended")
	s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
	s.clock.Step(proofLife)
	s.says(b.press(botsPage, b.at(botsPage), wanted("password", password)...), 200, "is created")
	if sessions, err := s.db.Sessions(s.Context(), "alice"); err != nil || len(sessions) != 1 {
		t.Errorf("%d tokens, %v", len(sessions), err)
	}
}

// TestForgedBotForms: no form of another page makes or ends a token, nor one that was made for somebody else; and
// another account's token is as unknown as one that does not exist.
func TestForgedBotForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("bob")
	b, thief := s.browser(), s.browser()
	b.signIn("/account")
	thief.signIn("/account", "bob", password)
	token := b.issue()
	device := s.ok(s.whoami(token)).text("device_id")
	page := botsPage + "&device_id=" + device
	form := b.at(botsPage)
	proof := process.Hidden(form.body).Get("form")
	for name, forged := range map[string][]string{
		"no proof": {"form", ""}, "the thief's": {"form", process.Hidden(thief.at(botsPage).body).Get("form")},
		"for another": {"account", "bob"}, "for nobody": {"account", ""},
	} {
		got := b.press(botsPage, form, wanted(forged...)...)
		if shownToken.MatchString(got.body) {
			t.Errorf("%s: %s", name, got.body)
		}
		b.press(page, form, append(forged, "do", "end")...)
	}
	link := url.Values{"form": {proof}, "account": {"alice"}, "do": {"end"}}.Encode()
	b.at(page + "&" + link)
	b.at(botsPage + "&do=issue&name=x&may=all&" + link)
	s.says(thief.at(page), 404, "no such token")
	s.says(thief.press(page, thief.at(botsPage), "do", "end"), 404)
	s.ok(s.whoami(token))
	// A device of hers cannot be ended as a token, nor be taken by one.
	phone := s.ok(s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.password","identifier":{
		"type":"m.id.user","user":"alice"},"password":"`+password+`","device_id":"PHONEPHONE"}`)).text("access_token")
	s.says(b.press(botsPage+"&device_id=PHONEPHONE", form, "do", "end"), 404)
	s.says(b.press(botsPage, form, wanted("device", "PHONEPHONE")...), 403, "was created before")
	s.says(b.press(botsPage, form, wanted("device", "../x")...), 403)
	s.ok(s.whoami(phone))
}
