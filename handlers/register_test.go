package handlers

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/db"
)

const dummy = `"auth":{"type":"m.login.dummy"}`

func (s *site) register(body string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: registerPath, Body: body})
}

func TestRegister(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.ok(s.register(registerBody("Carol",
		dummy+`,"device_id":"PHONE","initial_device_display_name":"Phone","refresh_token":true`)))
	if a.Text("user_id") != "@carol:example.org" || a.Text("device_id") != "PHONE" || a.Text("home_server") != host ||
		a.JSON["expires_in_ms"] != float64(300_000) {
		t.Errorf("registration answers %s", a.Raw)
	}
	s.ok(s.whoami(a.Text("access_token")))
	s.ok(s.refresh(a.Text("refresh_token")))
	s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("carol", password, "")}))
	plain := s.ok(s.register(registerBody("dave", dummy)))
	if plain.JSON["refresh_token"] != nil || plain.JSON["expires_in_ms"] != nil {
		t.Errorf("who cannot refresh gets %s", plain.Raw)
	}
	quiet := s.ok(s.register(registerBody("erin", dummy+`,"inhibit_login":true`)))
	if quiet.JSON["access_token"] != nil || quiet.JSON["device_id"] != nil {
		t.Errorf("an inhibited login answers %s", quiet.Raw)
	}
	nameless := s.ok(s.register(`{"password":"` + password + `",` + dummy + `}`))
	if len(nameless.Text("user_id")) != len("@:example.org")+madeUpLength ||
		nameless.Text("user_id") != strings.ToLower(nameless.Text("user_id")) {
		t.Errorf("the name that was made up is %s", nameless.Text("user_id"))
	}
	if strings.TrimSpace(s.register(`{}`).Raw) == "" {
		t.Error("an empty body answers nothing")
	}
}

func TestRegisterRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.db.Deactivate(t.Context(), "bob", s.clock.Now(), false)
	s.must(err)
	tests := []struct {
		name, body string
		status     int
		code       string
	}{
		{"taken", registerBody("alice", dummy), 400, "M_USER_IN_USE"},
		{"taken, other letters", registerBody("ALICE", dummy), 400, "M_USER_IN_USE"},
		{"deactivated", registerBody("bob", dummy), 400, "M_USER_IN_USE"},
		{"before any stage", `{"username":"alice"}`, 400, "M_USER_IN_USE"},
		{"grammar", registerBody("a b", dummy), 400, "M_INVALID_USERNAME"},
		{"grammar, a whole user id", registerBody("@carol:example.org", dummy), 400, "M_INVALID_USERNAME"},
		{"empty", registerBody("", dummy), 400, "M_INVALID_USERNAME"},
		{"long", registerBody(strings.Repeat("x", 250), dummy), 400, "M_INVALID_USERNAME"},
		{"weak", `{"username":"carol","password":"short",` + dummy + `}`, 400, "M_WEAK_PASSWORD"},
		{"no password", `{"username":"carol",` + dummy + `}`, 400, "M_MISSING_PARAM"},
		{"long device id", registerBody("carol", dummy+`,"device_id":"`+strings.Repeat("x", 256)+`"`), 400, "M_INVALID_PARAM"},
		{"a stage that is not asked for", registerBody("carol", `"auth":{"type":"m.login.registration_token","token":"x"}`), 400, "M_UNRECOGNIZED"},
	}
	for _, test := range tests {
		a := s.register(test.body)
		if a.Status != test.status || a.Code() != test.code {
			t.Errorf("%s: %d %s, want %d %s", test.name, a.Status, a.Raw, test.status, test.code)
		}
	}
	s.addUser("Dora") // moved in with a capital letter
	s.want(s.register(registerBody("dora", dummy)), 400, "M_USER_IN_USE")
	s.want(s.do(call{Method: "POST", Path: registerPath + "?kind=guest", Body: `{}`}), 403, "M_GUEST_ACCESS_FORBIDDEN")
	s.want(s.do(call{Method: "POST", Path: registerPath + "?kind=bot", Body: `{}`}), 400, "M_INVALID_PARAM")
	closed := newSite(t, func(c *Config) { c.Registration = "" })
	for _, id := range []string{"register", "checkUsernameAvailability", "registrationTokenValidity"} {
		closed.want(closed.do(samples[id]), 403, "M_FORBIDDEN")
	}
}

// TestRegisterRemembers: what came with the first request need not be repeated.
func TestRegisterRemembers(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Terms = Terms{URL: "https://example.org/terms", Version: "2"} })
	begun := s.register(registerBody("carol", `"device_id":"PHONE","refresh_token":true`))
	session := s.challenged(begun)
	if !strings.Contains(begun.Raw, `"stages":["m.login.terms"]`) ||
		!strings.Contains(begun.Raw, "https://example.org/terms") {
		t.Errorf("the challenge is %s", begun.Raw)
	}
	done := s.ok(s.register(`{"auth":{"type":"m.login.terms","session":"` + session + `"}}`))
	if done.Text("user_id") != "@carol:example.org" || done.Text("device_id") != "PHONE" ||
		done.Text("refresh_token") == "" {
		t.Errorf("registration answers %s", done.Raw)
	}
	// The answer was lost; finishing again gives the same account on the same device.
	again := s.ok(s.register(`{"auth":{"type":"m.login.terms","session":"` + session + `"}}`))
	if again.Text("user_id") != done.Text("user_id") || again.Text("device_id") != "PHONE" {
		t.Errorf("finishing again answers %s", again.Raw)
	}
	s.ok(s.whoami(again.Text("access_token")))
	users, err := s.db.Users(t.Context())
	s.must(err)
	if len(users) != 3 {
		t.Errorf("there are %d accounts", len(users))
	}
}

// TestRegisterByToken: several stages, and a use that is reserved while the registration runs.
func TestRegisterByToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.Registration, c.Terms = RegistrationToken, Terms{URL: "https://example.org/terms", Version: "1"}
	})
	s.must(s.db.AddRegistrationToken(t.Context(),
		db.RegistrationToken{Token: "once", UsesAllowed: 1, Created: s.clock.Now()}))
	valid := func(token string) any {
		return s.ok(s.do(call{Method: "GET",
			Path: "/_matrix/client/v1/register/m.login.registration_token/validity?token=" + token})).JSON["valid"]
	}
	step := func(session, rest string) answer {
		return s.register(`{"auth":{"session":"` + session + `",` + rest + `}}`)
	}
	if valid("once") != true || valid("never") != false {
		t.Error("validity is wrong before")
	}
	carol := s.challenged(s.register(registerBody("carol", `"inhibit_login":true`)))
	dave := s.challenged(s.register(registerBody("dave", `"inhibit_login":true`)))
	if a := step(carol, `"type":"m.login.registration_token","token":"never"`); s.challenged(a) != carol ||
		a.Code() != "M_UNAUTHORIZED" {
		t.Errorf("an unknown token answers %s", a.Raw)
	}
	s.want(step(carol, `"type":"m.login.registration_token"`), 400, "M_MISSING_PARAM")
	if a := step(carol, `"type":"m.login.registration_token","token":"once"`); s.challenged(a) != carol ||
		!strings.Contains(a.Raw, `"completed":["m.login.registration_token"]`) || a.Code() != "" {
		t.Errorf("the first stage answers %s", a.Raw)
	}
	if valid("once") != false {
		t.Error("a reserved token is still said to be valid")
	}
	if a := step(dave, `"type":"m.login.registration_token","token":"once"`); a.Code() != "M_UNAUTHORIZED" {
		t.Errorf("the last use was given twice: %s", a.Raw)
	}
	s.ok(step(carol, `"type":"m.login.terms"`))
	if a := step(dave, `"type":"m.login.registration_token","token":"once"`); a.Code() != "M_UNAUTHORIZED" {
		t.Errorf("a token that is used up answers %s", a.Raw)
	}
	list, err := s.db.RegistrationTokens(t.Context(), s.clock.Now())
	s.must(err)
	if len(list) != 1 || list[0].Used != 1 || list[0].Reserved != 0 {
		t.Errorf("tokens are %+v", list)
	}
}

// TestReservationLapses: who gives up keeps nobody waiting for ever.
func TestReservationLapses(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.Registration, c.Terms = RegistrationToken,
			Terms{URL: "https://example.org/terms"}
	})
	s.must(s.db.AddRegistrationToken(t.Context(),
		db.RegistrationToken{Token: "once", UsesAllowed: 1, Created: s.clock.Now()}))
	once := `"auth":{"type":"m.login.registration_token","token":"once"}`
	s.challenged(s.register(registerBody("carol", once)))
	if a := s.register(registerBody("dave", once)); a.Code() != "M_UNAUTHORIZED" {
		t.Errorf("a reserved token answers %s", a.Raw)
	}
	s.clock.Step(interactionLife + time.Second)
	if a := s.register(registerBody("dave", once)); a.Code() != "" {
		t.Errorf("a reservation that lapsed answers %s", a.Raw)
	}
}

// TestRegisterRace: many people want one name, and one gets it.
func TestRegisterRace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if a := s.register(registerBody("carol", dummy)); a.Status == 200 {
				got.Add(1)
			} else {
				s.want(a, 400, "M_USER_IN_USE")
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("%d got the name", got.Load())
	}
}

func TestAvailable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	available := func(query string) answer {
		return s.do(call{Method: "GET",
			Path: registerPath + "/available" + query})
	}
	if a := s.ok(available("?username=carol")); a.JSON["available"] != true {
		t.Errorf("a free name answers %s", a.Raw)
	}
	s.want(available("?username=Alice"), 400, "M_USER_IN_USE")
	s.want(available("?username=a%20b"), 400, "M_INVALID_USERNAME")
	s.want(available(""), 400, "M_MISSING_PARAM")
	s.want(s.do(call{Method: "GET", Path: "/_matrix/client/v1/register/m.login.registration_token/validity"}), 400,
		"M_MISSING_PARAM")
}

// TestRegisterAgain: finishing again computes the same pair, until it is used; a registration is no second password.
func TestRegisterAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	session := s.challenged(s.register(registerBody("carol", `"refresh_token":true`)))
	finish := `{"auth":{"type":"m.login.dummy","session":"` + session + `"}}`
	first, again := s.ok(s.register(finish)), s.ok(s.register(finish))
	if first.Text("access_token") != again.Text("access_token") ||
		first.Text("refresh_token") != again.Text("refresh_token") {
		t.Error("finishing again gives another pair")
	}
	s.must(s.db.LockUser(t.Context(), "carol", s.clock.Now()))
	s.want(s.register(finish), 401, "M_USER_LOCKED")
	s.must(s.db.UnlockUser(t.Context(), "carol"))
	s.ok(s.whoami(first.Text("access_token")))
	s.want(s.register(finish), 403, "M_FORBIDDEN")
	s.ok(s.logout(first.Text("access_token")))
	s.want(s.register(finish), 403, "M_FORBIDDEN")
}

// TestGuessingIsCounted: an interaction that is open is no way to guess at invitations and names for nothing.
func TestGuessingIsCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.Registration, c.RateLimit = RegistrationToken, Rate{Count: 10, Period: time.Hour}
	})
	session := s.challenged(s.register(`{}`))
	limited := func(c call) bool {
		for range 12 {
			if s.do(c).Code() == "M_LIMIT_EXCEEDED" {
				return true
			}
		}
		return false
	}
	guess := `{"auth":{"type":"m.login.registration_token","token":"guess","session":"` + session + `"}}`
	if !limited(call{Method: "POST", Path: registerPath, Body: guess, From: "192.0.2.7:1"}) {
		t.Error("invitations can be guessed at will")
	}
	if !limited(call{Method: "POST", Path: fallbackPath("m.login.registration_token", session), Header: form,
		Body: "token=guess", From: "192.0.2.8:1"}) {
		t.Error("invitations can be guessed on the page at will")
	}
}

// TestRevokedMeanwhile: who held a use of an invitation that was revoked may go on with another one.
func TestRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.Registration, c.Terms = RegistrationToken,
			Terms{URL: "https://example.org/terms"}
	})
	for _, token := range []string{"first", "second"} {
		s.must(s.db.AddRegistrationToken(t.Context(),
			db.RegistrationToken{Token: token, UsesAllowed: 1, Created: s.clock.Now()}))
	}
	session := s.challenged(s.register(registerBody("carol", `"inhibit_login":true`)))
	step := func(rest string) answer { return s.register(`{"auth":{"session":"` + session + `",` + rest + `}}`) }
	s.challenged(step(`"type":"m.login.registration_token","token":"first"`))
	s.must(s.db.RevokeRegistrationToken(t.Context(), "first", s.clock.Now()))
	if a := step(`"type":"m.login.terms"`); a.Code() != "M_UNAUTHORIZED" {
		t.Errorf("a revoked invitation answers %s", a.Raw)
	}
	s.ok(step(`"type":"m.login.registration_token","token":"second"`))
}

// TestRegisterAcrossRestart: a registration goes on after a restart of the server, but not past what the server asks
// for by then.
func TestRegisterAcrossRestart(t *testing.T) {
	t.Parallel()
	terms := Terms{URL: "https://example.org/terms", Version: "1"}
	begin := func(s *site) string {
		return s.challenged(s.register(registerBody("carol", `"device_id":"PHONE"`)))
	}
	finish := func(s *site, session, stage string) answer {
		return s.register(`{"auth":{"type":"` + stage + `","session":"` + session + `"}}`)
	}
	s := newSite(t, func(c *Config) { c.Terms = terms })
	session := begin(s)
	s.server = s.newServer(func(c *Config) { c.Terms = terms })
	s.ok(finish(s, session, stageTerms))
	s.server = s.newServer() // an answer that was lost is given again, whatever is asked for by now
	s.ok(finish(s, session, stageTerms))

	s = newSite(t)
	session = begin(s)
	s.server = s.newServer(func(c *Config) { c.Registration, c.Terms = RegistrationToken, terms })
	if a := finish(s, session, stageDummy); a.Status == 200 {
		t.Errorf("nobody asked for the invitation: %s", a.Raw)
	}
	if a := finish(s, session, stageTerms); a.Text("session") == session || !strings.Contains(a.Raw, stageToken) {
		t.Errorf("it does not begin anew: %s", a.Raw)
	}
}
