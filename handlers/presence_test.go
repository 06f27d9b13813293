package handlers

import (
	"html"
	"slices"
	"strings"
	"testing"
)

// guarded is an operation that asks for the password, with two bodies that mean different things.
type guarded struct {
	method, path, body, other string
	says                      []string // the page, besides the account and the device that asks
	hides                     []string
}

const passwordPath = "/_matrix/client/v3/account/password"

// guardedOperations are all that there are in the contract, for alice with the devices PHONE, LAPTOP and TABLET, of
// which LAPTOP asks.
var guardedOperations = []guarded{
	{"POST", passwordPath, `{"new_password":"stolen horse"}`, `{"new_password":"other horses"}`,
		[]string{"The password of the account is replaced", "PHONE", "Old phone", "TABLET"}, nil},
	{"POST", passwordPath, `{"new_password":"stolen horse","logout_devices":false}`,
		`{"new_password":"stolen horse"}`,
		[]string{"The password of the account is replaced"}, []string{"Logged out", "PHONE"}},
	{"POST", "/_matrix/client/v3/account/deactivate", `{}`, `{"erase":true}`,
		[]string{"closed for good", "PHONE", "TABLET", "Logged out"}, []string{"hidden from those"}},
	{"POST", "/_matrix/client/v3/account/deactivate", `{"erase":true}`, `{}`,
		[]string{"closed for good", "hidden from those"}, nil},
	{"DELETE", devicesPath + "/PHONE", ``, ``, []string{"logged out and deleted", "Old phone", "PHONE"},
		[]string{"TABLET"}},
	{"POST", "/_matrix/client/v3/delete_devices", `{"devices":["PHONE","GONE"]}`, `{"devices":["LAPTOP","PHONE"]}`,
		[]string{"logged out and deleted", "PHONE", "GONE", "no such device"}, []string{"TABLET"}},
	{"POST", getTokenPath, `{}`, ``, []string{"One more device is logged in"}, []string{"Logged out", "PHONE"}},
	{"POST", addPath, `{"client_secret":"x","sid":"` + sid(toAdd, "new@example.org", "x") + `"}`,
		`{"client_secret":"x","sid":"` + sid(toAdd, "other@example.org", "x") + `"}`,
		[]string{"address new@example.org is added"}, []string{"Logged out", "other@"}},
}

// threeDevices logs alice in and gives the tokens of LAPTOP and TABLET.
func (s *site) threeDevices() (laptop, tablet string) {
	s.Helper()
	if s.server.linksByMail() {
		s.shows(toAdd, "new@example.org", "x")
		s.shows(toAdd, "other@example.org", "x")
	}
	s.ok(s.login(`"device_id":"PHONE","initial_device_display_name":"Old phone"`))
	laptop = s.ok(s.login(`"device_id":"LAPTOP","initial_device_display_name":"<b>Laptop</b>"`)).Text("access_token")
	return laptop, s.ok(s.login(`"device_id":"TABLET"`)).Text("access_token")
}

// withAuth is a body with a step of user-interactive authentication.
func withAuth(body, auth string) string {
	if body == "" || body == "{}" {
		return `{"auth":` + auth + `}`
	}
	return `{"auth":` + auth + `,` + body[1:]
}

func (g guarded) with(token, body string) call {
	return call{Method: g.method, Path: g.path, Token: token, Body: body}
}

// onPage completes the password stage on its page.
func (s *site) onPage(session string) {
	s.Helper()
	s.html(s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
		Body: "password=correct+horse"}), 200, "That is done")
}

// TestPageTells: whoever is sent the address of a page learns whose account it is about, what happens, to which
// devices, and which one asks, before they type a password.
func TestPageTells(t *testing.T) {
	t.Parallel()
	for _, g := range guardedOperations {
		s := mailSite(t)
		laptop, _ := s.threeDevices()
		session := s.challenged(s.do(g.with(laptop, g.body)))
		shown := s.do(call{Method: "GET", Path: fallbackPath("m.login.password", session)})
		about, _, _ := strings.Cut(shown.Raw, "Asked for by")
		for _, words := range append(g.says, "@alice:example.org") {
			if !strings.Contains(about, words) {
				t.Errorf("%s %s %s: the page does not say %q:\n%s", g.method, g.path, g.body, words, shown.Raw)
			}
		}
		for _, words := range g.hides {
			if strings.Contains(about, words) {
				t.Errorf("%s %s %s: the page says %q:\n%s", g.method, g.path, g.body, words, shown.Raw)
			}
		}
		seen := "last seen " + s.clock.Now().UTC().Format("2006-01-02 15:04:05") + " UTC, from 192.0.2.1"
		for _, words := range []string{"&lt;b&gt;Laptop&lt;/b&gt;", "LAPTOP", seen, "do not enter your\n"} {
			if !strings.Contains(shown.Raw, words) {
				t.Errorf("%s %s: the page does not say %q:\n%s", g.method, g.path, words, shown.Raw)
			}
		}
		// A page that was wrong says it all again.
		again := s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
			Body: "password=wrong"})
		s.html(again, 403, "Wrong password.")
		s.html(again, 403, html.EscapeString("<b>Laptop</b>"))
	}
}

// TestPageOfRegistration: a registration has no device that asks, but a name and a server.
func TestPageOfRegistration(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Registration = RegistrationToken })
	for body, want := range map[string]string{
		registerBody("Carol", `"inhibit_login":true`): "@carol:example.org",
		`{"password":"` + password + `"}`:             "a name that the server makes up",
	} {
		page := s.do(call{Method: "GET",
			Path: fallbackPath("m.login.registration_token", s.challenged(s.register(body)))})
		s.html(page, 200, want)
		s.html(page, 200, "The account is made on example.org.")
		if strings.Contains(page.Raw, "Asked for by") {
			t.Errorf("a registration is asked for by a device:\n%s", page.Raw)
		}
	}
}

// TestPageHidesNothing: what a thief calls a device, or a device id, cannot turn, hide or flood the words around it.
func TestPageHidesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.ok(s.login(`"device_id":"PHONE","initial_device_display_name":"\u202eEVIL\u0007` +
		strings.Repeat(`x\n`, 80) + `"`)).Text("access_token")
	session := s.challenged(s.do(call{Method: "DELETE", Path: devicePath("X\u2066"), Token: token}))
	page := s.do(call{Method: "GET", Path: fallbackPath("m.login.password", session)})
	for _, words := range []string{`\u202eEVIL\a`, `X\u2066`, `x\nx\n`, "…"} {
		s.html(page, 200, words)
	}
	if strings.ContainsAny(page.Raw, "\u202e\u2066\a") || strings.Contains(page.Raw, strings.Repeat(`x\n`, 50)) {
		t.Errorf("the page is\n%q", page.Raw)
	}
}

// TestProofIsBound: what was proved on a page is good for the login that began it and for its body. Another body asks
// for a proof of its own, and what was proved stays good for the first.
func TestProofIsBound(t *testing.T) {
	t.Parallel()
	for _, g := range guardedOperations {
		s := mailSite(t)
		laptop, tablet := s.threeDevices()
		session := s.challenged(s.do(g.with(laptop, g.body)))
		s.onPage(session)
		auth := `{"session":"` + session + `"}`
		s.want(s.do(g.with(tablet, withAuth(g.body, auth))), 403, "M_FORBIDDEN")
		s.want(s.do(g.with(tablet, withAuth(g.body, passwordStep("alice", password, session)))), 403, "M_FORBIDDEN")
		if g.other != "" {
			if s.challenged(s.do(g.with(laptop, withAuth(g.other, auth)))) == session {
				t.Errorf("%s %s: another body goes on with what was proved", g.method, g.path)
			}
			wrong := s.do(g.with(laptop, withAuth(g.other, passwordStep("alice", "wrong", session))))
			if s.challenged(wrong) == session || wrong.Code() != "M_FORBIDDEN" {
				t.Errorf("%s %s: another body and a wrong password answer %s", g.method, g.path, wrong.Raw)
			}
		}
		s.ok(s.do(call{Method: "GET", Path: devicePath("PHONE"), Token: tablet}))
		// Written in another order and with other spaces it is the same body.
		s.ok(s.do(g.with(laptop, strings.Replace(withAuth(g.body, auth), ":", " :\n", -1))))
	}
}

// TestPasswordWithAnotherBody: a request that brings the password itself may have another body than the one that began.
func TestPasswordWithAnotherBody(t *testing.T) {
	t.Parallel()
	for _, g := range guardedOperations {
		s := mailSite(t)
		laptop, _ := s.threeDevices()
		session := s.challenged(s.do(g.with(laptop, g.body)))
		s.ok(s.do(g.with(laptop, withAuth(g.other, passwordStep("alice", password, session)))))
	}
}

// TestPageOfOneWhoLeft: a page whose asking session is over asks nobody for a password.
func TestPageOfOneWhoLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	laptop, _ := s.threeDevices()
	session := s.challenged(s.do(call{Method: "DELETE", Path: devicePath("PHONE"), Token: laptop}))
	path := fallbackPath("m.login.password", session)
	s.html(s.do(call{Method: "GET", Path: path}), 200, "LAPTOP")
	s.ok(s.logout(laptop))
	s.want(s.do(call{Method: "GET", Path: path}), 404, "M_NOT_FOUND")
	s.want(s.do(call{Method: "POST", Path: path, Header: form, Body: "password=correct+horse"}), 404, "M_NOT_FOUND")
}

// TestGuardedOperationsAreAll: every operation whose honest request brings a password is in the table above.
func TestGuardedOperationsAreAll(t *testing.T) {
	t.Parallel()
	for id, c := range samples {
		same := func(g guarded) bool { return g.method == c.Method && g.path == c.Path }
		if strings.Contains(c.Body, `"auth":`+byPassword) && !slices.ContainsFunc(guardedOperations, same) {
			t.Errorf("%s asks for the password and is not tested", id)
		}
	}
}
