package homeserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

func serviceBody(user, extra string) string {
	return `{"type":"m.login.application_service","identifier":{"type":"m.id.user","user":"` + user + `"}` + extra + `}`
}

func (s *site) serviceLogin(user, token string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: loginPath, Token: token, Body: serviceBody(user, `,"device_id":"BRIDGE"`)})
}

func TestServiceLogin(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	if flows := s.ok(s.do(call{Method: "GET", Path: loginPath})); !strings.Contains(flows.Raw, serviceLogin) {
		t.Errorf("flows are %s", flows.Raw)
	}
	b.users["ircbot"] = true
	// One that the homeserver has from before, by localpart and by whole id; the sender; and a person whom a namespace
	// names.
	for _, user := range []string{"_irc_old", "@_irc_old:example.org", "ircbot", "@bob:example.org"} {
		in := s.ok(s.serviceLogin(user, ircToken))
		who := s.ok(s.whoami(in.Text("access_token")))
		if handlers.Spelled(who.Text("user_id"), host) != handlers.Spelled(user, host) ||
			who.Text("device_id") != "BRIDGE" {
			t.Errorf("%s logged in as %s", user, who.Raw)
		}
	}
	// The older way to name the user, and the token in the query.
	s.ok(s.do(call{Method: "POST", Path: loginPath + "?access_token=" + strings.ReplaceAll(ircToken, " ", "+"),
		Body: `{"type":"m.login.application_service","user":"_irc_old"}`}))
	account, err := s.db.User(t.Context(), "_irc_old")
	if s.must(err); account.PasswordHash != handlers.NoPassword {
		t.Errorf("the account has the hash %q", account.PasswordHash)
	}
	s.want(s.do(call{Method: "POST", Path: loginPath, Token: ircToken, Body: loginBody("_irc_old", "!", "")}), 403,
		"M_FORBIDDEN")

	for _, test := range []struct {
		user, token string
		status      int
		code        string
	}{
		{"_irc_old", "", 401, "M_MISSING_TOKEN"},
		{"_irc_old", "stale", 401, "M_UNKNOWN_TOKEN"},
		{"_irc_old", "another", 401, "M_UNKNOWN_TOKEN"}, // the homeserver's own
		{"_irc_old", limitedToken, 400, "M_EXCLUSIVE"},
		{"alice", ircToken, 400, "M_EXCLUSIVE"},
		{"@_irc_old:elsewhere.org", ircToken, 400, "M_EXCLUSIVE"},
		{"", ircToken, 400, "M_EXCLUSIVE"},
		{"_irc_new", ircToken, 403, "M_FORBIDDEN"},
		{"_IRC_old", ircToken, 400, "M_EXCLUSIVE"}, // as it is spelled
	} {
		s.want(s.serviceLogin(test.user, test.token), test.status, test.code)
	}
	s.want(s.do(call{Method: "POST", Path: loginPath, Token: ircToken, Body: `{"type":"m.login.application_service"}`}),
		400, "M_MISSING_PARAM")

	b.set(func() { b.away = errTestAway; b.users["_irc_other"] = true })
	s.want(s.serviceLogin("_irc_other", ircToken), 503, "M_UNKNOWN")
	if _, err := s.db.User(t.Context(), "_irc_other"); err == nil {
		t.Error("an account was made of what nobody knows")
	}
	b.set(func() { b.away = nil })
	s.ok(s.serviceLogin("_irc_other", ircToken))
}

// TestServiceLoginOfTheLocked: an application service's token opens no account that is closed.
func TestServiceLoginOfTheLocked(t *testing.T) {
	t.Parallel()
	s, _ := newSiteWithBridges(t)
	s.ok(s.serviceLogin("_irc_old", ircToken))
	s.must(s.db.LockUser(t.Context(), "_irc_old", s.clock.Now()))
	s.want(s.serviceLogin("_irc_old", ircToken), 401, "M_USER_LOCKED")
	_, err := s.db.Deactivate(t.Context(), "_irc_old", s.clock.Now(), false)
	s.must(err)
	s.want(s.serviceLogin("_irc_old", ircToken), 403, "M_USER_DEACTIVATED")
}

// TestServiceLimits: a service that is trusted has none, another one by account, and who guesses by address.
func TestServiceLimits(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t, func(c *setup) { c.RateLimit = handlers.Rate{Count: 2, Period: time.Minute} })
	b.users["_limited_one"], b.users["_limited_two"] = true, true
	for range 5 {
		s.ok(s.serviceLogin("_irc_old", ircToken))
	}
	for _, user := range []string{"_limited_one", "_limited_one", "_limited_two"} {
		s.ok(s.serviceLogin(user, limitedToken))
	}
	s.want(s.serviceLogin("_limited_one", limitedToken), 429, "M_LIMIT_EXCEEDED")
	s.want(s.serviceLogin("_irc_old", "a"), 401, "M_UNKNOWN_TOKEN")
	s.want(s.serviceLogin("_irc_old", "b"), 401, "M_UNKNOWN_TOKEN")
	s.want(s.serviceLogin("_irc_old", "c"), 429, "M_LIMIT_EXCEEDED")
	s.ok(s.serviceLogin("_irc_old", ircToken))
}

// TestServiceDeletes: a device that a service deletes at the homeserver by its own token is gone here too, and nobody
// else's.
func TestServiceDeletes(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	b.users["ircbot"] = true
	old, bot := s.ok(s.serviceLogin("_irc_old", ircToken)).Text("access_token"),
		s.ok(s.serviceLogin("ircbot", ircToken)).Text("access_token")
	remove := func(query, token string) answer {
		return s.amended(b, call{Method: "DELETE", Path: devicesBelow + "BRIDGE" + query, Token: token, Body: `{}`})
	}
	b.set(func() { b.away = errTestAway })
	w := httptest.NewRecorder() // 502 is the front's, and not in the contract
	r := httptest.NewRequestWithContext(t.Context(), "DELETE", devicesBelow+"BRIDGE", strings.NewReader(`{}`))
	r.Header.Set("Authorization", "Bearer "+ircToken)
	s.gate.amendments["DELETE "+devicesBelow](w, r, b)
	s.ok(s.whoami(bot))
	b.set(func() { b.away = nil })
	s.want(remove("?user_id=@ircbot:"+host, old), 401, "") // a session of a user's asks for the password, as ever
	s.ok(remove("?user_id=@_irc_old:"+host, ircToken))
	s.want(s.whoami(old), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(bot))
	s.ok(remove("", ircToken)) // as itself
	s.want(s.whoami(bot), 401, "M_UNKNOWN_TOKEN")
}

// TestNoServices: without any there is no such login, whatever is shown.
func TestNoServices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.want(s.serviceLogin("alice", ircToken), 400, "M_UNKNOWN")
	s.want(s.serviceLogin("alice", ""), 400, "M_UNKNOWN")
	if s.gate.isService("") || len(s.gate.amendments) != 3 { // those of cross-signing keys
		t.Error("something is amended for services that are not there")
	}
}

// TestStrangeServiceNames: a name that no database stores is refused before the homeserver makes a user of it.
func TestStrangeServiceNames(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	const name = `_irc_ze\u0000d`
	s.want(s.serviceLogin(name, ircToken), 403, "M_FORBIDDEN")
	before := b.last()
	s.want(s.serviceRegister(b, ircToken, name, ""), 400, "M_INVALID_PARAM")
	if b.last() != before {
		t.Errorf("the homeserver was asked: %s", b.last())
	}
	for _, token := range []string{"%00", "%ff", ircToken + "%00"} {
		if a := s.introspect("Bearer "+sharedSecret, "token="+token); a.Status != 200 || a.JSON["active"] != false {
			t.Errorf("%s: %d %s", token, a.Status, a.Raw)
		}
	}
}

// TestExclusiveNames: people cannot have a name that is an application service's.
func TestExclusiveNames(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	for _, name := range []string{"_irc_carol", "_IRC_carol", "ircbot", "_limited_x"} {
		s.want(s.do(call{Method: "GET", Path: "/_matrix/client/v3/register/available?username=" + name}), 400,
			"M_EXCLUSIVE")
		s.want(s.amended(b, call{Method: "POST", Path: registerPath,
			Body: `{"username":"` + name + `","password":"` + password + `"}`}), 400, "M_EXCLUSIVE")
	}
	s.ok(s.do(call{Method: "GET", Path: "/_matrix/client/v3/register/available?username=carol"}))
	if b.last() != "" {
		t.Errorf("the homeserver was asked: %s", b.last())
	}
}

func (s *site) serviceRegister(b *backdrop, token, name, extra string) answer {
	s.Helper()
	return s.amended(b, call{Method: "POST", Path: registerPath, Token: token,
		Body: `{"type":"m.login.application_service","username":"` + name + `"` + extra + `}`})
}

func TestServiceRegister(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	in := s.ok(s.serviceRegister(b, ircToken, "_irc_new",
		`,"device_id":"X","initial_device_display_name":"the bridge","refresh_token":true,"odd" : 1.50e2,"inhibit_login":false`))
	if want := `{"type":"m.login.application_service","username":"_irc_new","device_id":"X","initial_device_display_name":"the bridge","refresh_token":true,"odd" : 1.50e2,"inhibit_login":true}`; b.last() != want {
		t.Errorf("the homeserver got %s, want %s", b.last(), want)
	}
	if in.Text("user_id") != "@_irc_new:example.org" || in.Text("device_id") != "X" || in.Text("refresh_token") == "" {
		t.Errorf("%s", in.Raw)
	}
	s.ok(s.whoami(in.Text("access_token")))
	device := s.ok(s.do(call{Method: "GET", Path: devicesPath + "/" + ("X"), Token: in.Text("access_token")}))
	if device.Text("display_name") != "the bridge" {
		t.Errorf("%s", device.Raw)
	}
	// Without a login the homeserver's answer goes through, and the name is known here.
	out := s.ok(s.serviceRegister(b, ircToken, "_irc_Quiet", `,"inhibit_login":true`))
	if out.Text("access_token") != "" || out.Header.Get("From") == "" {
		t.Errorf("%s", out.Raw)
	}
	account, err := s.db.User(t.Context(), "_irc_Quiet")
	if s.must(err); account.PasswordHash != handlers.NoPassword {
		t.Errorf("%+v", account)
	}
	s.ok(s.serviceLogin("_irc_Quiet", ircToken))
}

func TestServiceRegisterRefusals(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	s.want(s.serviceRegister(b, ircToken, "_irc_old", ""), 400, "M_USER_IN_USE")   // the homeserver says
	s.want(s.serviceRegister(b, ircToken, "someone_else", ""), 400, "M_EXCLUSIVE") // the homeserver says
	// a person here, of whom it does not know
	s.want(s.serviceRegister(b, ircToken, "bob", ""), 400, "M_USER_IN_USE")
	s.want(s.serviceRegister(b, "", "_irc_x", ""), 401, "M_MISSING_TOKEN")      //
	s.want(s.serviceRegister(b, "stale", "_irc_x", ""), 401, "M_UNKNOWN_TOKEN") //
	s.want(s.serviceRegister(b, ircToken, "_irc_x", `,"device_id":5`), 400, "M_BAD_JSON")
	if _, err := s.db.User(t.Context(), "_irc_old"); err != db.ErrNotFound {
		t.Errorf("what the homeserver refused has an account: %v", err)
	}
	b.set(func() { b.away = errTestAway })
	w := httptest.NewRecorder() // 502 is the front's, and not in the contract
	r := httptest.NewRequestWithContext(t.Context(), "POST", registerPath,
		strings.NewReader(`{"type":"m.login.application_service","username":"_irc_x"}`))
	r.Header.Set("Authorization", "Bearer "+ircToken)
	s.gate.amendments["POST "+registerPath](w, r, b)
	if w.Code != http.StatusBadGateway {
		t.Errorf("a homeserver that is away answers %d", w.Code)
	}
}

// TestPersonsRegister: any other registration is this server's own, to the byte.
func TestPersonsRegister(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	for _, test := range []struct {
		body   string
		status int
		code   string
	}{
		{`{"username":"carol"`, 400, "M_NOT_JSON"}, {"", 400, "M_NOT_JSON"}, {`[]`, 400, "M_BAD_JSON"}, {"{\"type\":\"\xff\"}", 400, "M_NOT_JSON"},
		{`{"type":"m.login.application_service "}` + strings.Repeat(" ", handlers.MaxBody), 413, "M_TOO_LARGE"},
		{`{"type":5,"username":"alice"}`, 400, "M_USER_IN_USE"},
		{`{"type":"m.login.password","username":"alice"}`, 400, "M_USER_IN_USE"},
	} {
		s.want(s.amended(b, call{Method: "POST", Path: registerPath, Body: test.body}), test.status, test.code)
	}
	begun := s.amended(b, call{Method: "POST", Path: registerPath,
		Body: `{"username":"carol","password":"` + password + `"}`})
	in := s.ok(s.amended(b, call{Method: "POST", Path: registerPath,
		Body: `{"auth":{"type":"m.login.dummy","session":"` + s.challenged(begun) + `"}}`}))
	s.ok(s.whoami(in.Text("access_token")))
	if b.last() != "" {
		t.Errorf("the homeserver was asked: %s", b.last())
	}
}

// TestThrough: what an application service asks is the homeserver's, but for a login.
func TestThrough(t *testing.T) {
	t.Parallel()
	s, _ := newSiteWithBridges(t)
	token := s.loggedIn().Text("access_token")
	for _, test := range []struct {
		method, path, token string
		want                bool
	}{
		{"GET", "/_matrix/client/v3/account/whoami", ircToken, true},
		{"GET", "/_matrix/client/v3/account/whoami", token, false},
		{"GET", "/_matrix/client/v3/account/whoami", "", false},
		{"GET", "/_matrix/client/v3/account/whoami", "another", false},
		{"POST", loginPath, ircToken, false},
		{"GET", loginPath, ircToken, false},
		{"GET", "/_matrix/client/v1/auth_metadata", ircToken, false},
		{"POST", "/_matrix/client/v3/refresh", ircToken, false},
		{"GET", "/_matrix/client/v3/auth/m.login.terms/fallback/web", ircToken, false},
		{"GET", "/_matrix/client/v3/register/available", ircToken, false},
		{"DELETE", "/_matrix/client/v3/devices/X", ircToken, true},
		{"PATCH", loginPath, ircToken, true}, // nobody's
		{"POST", registerPath, ircToken, true},
		{"PUT", "/_matrix/client/v3/devices/X", limitedToken, true},
	} {
		if got := s.gate.passes(test.method, test.path, test.token); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
