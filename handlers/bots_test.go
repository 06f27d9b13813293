package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/tokens"
)

// issue makes a token for a bot of alice's, as the account page does.
func (s *site) issue(change func(*Bot), caveats ...string) (Pair, error) {
	s.Helper()
	account, err := s.db.User(s.Context(), "alice")
	s.must(err)
	b := Bot{Account: account, Name: "Bell", Expires: s.clock.Now().Add(24 * time.Hour)}
	for _, text := range caveats {
		caveat, err := tokens.ParseCaveat(text)
		s.must(err)
		b.Caveats = append(b.Caveats, caveat)
	}
	if change != nil {
		change(&b)
	}
	who := &Caller{Addr: netip.MustParseAddr("192.0.2.7"), Agent: "her browser", Now: s.clock.Now()}
	return s.server.IssueToken(WithCaller(s.Context(), who), b)
}

func (s *site) issued(caveats ...string) string {
	s.Helper()
	p, err := s.issue(nil, caveats...)
	s.must(err)
	return p.Access
}

// TestBotsToken: it opens what its restrictions say until its end, has no refresh token, is a device with a name, and
// counts as used by the bot alone.
func TestBotsToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.SessionTTL = time.Hour })
	p, err := s.issue(nil, "method in GET", "path under /_matrix/client/v3/account")
	s.must(err)
	if p.Refresh != "" || p.Session.Refreshable || !p.Expires.Equal(s.clock.Now().Add(24*time.Hour)) {
		t.Errorf("the pair is %+v", p.Session)
	}
	if seen := p.Session.Seen; seen != (db.Seen{}) {
		t.Errorf("it was used before it was handed over: %+v", seen)
	}
	events, err := s.db.Events(s.Context(), "alice", 10)
	s.must(err)
	issued := func(e db.Event) bool {
		return e.Kind == db.EventTokenIssued && e.Addr == "192.0.2.7" && e.Agent == "her browser" &&
			e.Session == p.Session.ID
	}
	if !slices.ContainsFunc(events, issued) {
		t.Errorf("the events are %+v", events)
	}
	s.clock.Step(2 * time.Hour) // longer than a login lasts
	s.ok(s.whoami(p.Access))
	s.want(s.logout(p.Access), 403, "M_FORBIDDEN")
	person := s.loggedIn().Text("access_token")
	devices := s.ok(s.do(call{Method: "GET", Path: "/_matrix/client/v3/devices", Token: person}))
	if !strings.Contains(devices.Raw, `"Bell"`) || !strings.Contains(devices.Raw, p.Session.DeviceID) {
		t.Errorf("devices: %s", devices.Raw)
	}
	s.clock.Step(22 * time.Hour)
	s.want(s.whoami(p.Access), 401, "M_UNKNOWN_TOKEN")
	forever, err := s.issue(func(b *Bot) { b.Expires = time.Time{} })
	s.must(err)
	s.clock.Step(10 * 365 * 24 * time.Hour)
	s.ok(s.whoami(forever.Access))
}

// TestBotsEnd: whatever ends all sessions ends the tokens for bots, a lock waits, and an end counts at once.
func TestBotsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bot, other := s.issued(), s.issued()
	bots := s.ok(s.whoami(other)).Text("device_id")
	s.ok(s.do(call{Method: "DELETE", Path: "/_matrix/client/v3/devices/" + bots, Token: bot,
		Body: `{"auth":{"type":"m.login.password","user":"alice","password":"` + password + `"}}`}))
	s.want(s.whoami(other), 401, "M_UNKNOWN_TOKEN")
	s.must(s.db.LockUser(s.Context(), "alice", s.clock.Now()))
	s.want(s.whoami(bot), 401, "M_USER_LOCKED")
	s.must(s.db.UnlockUser(s.Context(), "alice"))
	s.ok(s.whoami(bot))
	person := s.loggedIn().Text("access_token")
	s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/v3/logout/all", Token: person}))
	s.want(s.whoami(bot), 401, "M_UNKNOWN_TOKEN")

	bot, person = s.issued(), s.loggedIn().Text("access_token")
	s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/v3/account/password", Token: person,
		Body: `{"new_password":"another horse","auth":{"type":"m.login.password","user":"alice","password":"` +
			password + `"}}`}))
	s.want(s.whoami(bot), 401, "M_UNKNOWN_TOKEN")
}

// TestBotsKey: a token that is never refreshed keeps its root key. By force it dies softly.
func TestBotsKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bot := s.issued()
	s.addRootKey(2)
	use, err := s.db.SessionsOnKey(s.Context(), 1, s.clock.Now())
	s.must(err)
	if use.Sessions != 1 || use.Lasting != 1 {
		t.Errorf("key 1 has %+v", use)
	}
	if err := s.db.RetireRootKey(s.Context(), 1, s.clock.Now(), false); !errors.Is(err, db.ErrKeyInUse) {
		t.Errorf("retired: %v", err)
	}
	s.ok(s.whoami(bot))
	s.must(s.db.RetireRootKey(s.Context(), 1, s.clock.Now(), true))
	got := s.whoami(bot)
	s.want(got, 401, "M_UNKNOWN_TOKEN")
	if got.JSON["soft_logout"] != true {
		t.Errorf("got %s", got.Raw)
	}
}

// TestLoginOnBotsDevice: nobody ends a bot's token by the device id of a login, and no token for a bot a login.
func TestLoginOnBotsDevice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bot := s.issued()
	device := s.ok(s.whoami(bot)).Text("device_id")
	s.want(s.login(`"device_id":"`+device+`"`), 400, "M_INVALID_PARAM")
	s.ok(s.whoami(bot))
	phone := s.ok(s.login(`"device_id":"PHONE"`)).Text("access_token")
	if _, err := s.issue(func(b *Bot) { b.DeviceID = "PHONE" }); !errors.Is(err, db.ErrDeviceTaken) {
		t.Errorf("a token on the phone's device: %v", err)
	}
	s.ok(s.whoami(phone))
}

// TestTooLongForAToken: what a token cannot hold starts no session.
func TestTooLongForAToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var caveats []string
	for i := range tokens.MaxCaveats {
		caveats = append(caveats, fmt.Sprintf("path under /%d", i))
	}
	for _, list := range [][]string{caveats, {"path under /" + strings.Repeat("x", tokens.MaxTokenLength)}} {
		if _, err := s.issue(nil, list...); !errors.Is(err, tokens.ErrMalformed) {
			t.Errorf("%d caveats: %v", len(list), err)
		}
	}
	if sessions, err := s.db.Sessions(s.Context(), "alice"); err != nil || len(sessions) != 0 {
		t.Errorf("%v, %v", sessions, err)
	}
}

// TestRestrictedTokenEscalates: a token for one thing opens no other by any spelling, by no header, and makes no other
// token.
func TestRestrictedTokenEscalates(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const v3 = "/_matrix/client/v3/"
	bell := s.issued("method in GET", "path under "+v3+"account")
	s.ok(s.whoami(bell))
	proof := `"auth":{"type":"m.login.password","user":"alice","password":"` + password + `"}`
	for _, c := range []call{
		{Method: "POST", Path: "/_matrix/client/v1/login/get_token", Body: "{" + proof + "}"},
		{Method: "POST", Path: v3 + "account/password", Body: `{"new_password":"another horse",` + proof + `}`},
		{Method: "POST", Path: v3 + "account/deactivate", Body: "{" + proof + "}"},
		{Method: "POST", Path: v3 + "delete_devices", Body: `{"devices":["A"],` + proof + `}`},
		{Method: "DELETE", Path: v3 + "devices/A", Body: "{" + proof + "}"},
		{Method: "PUT", Path: v3 + "devices/A", Body: `{"display_name":"x"}`},
		{Method: "GET", Path: v3 + "devices"},
		{Method: "GET", Path: "/_matrix/client/r0/devices"},
		{Method: "POST", Path: v3 + "logout"},
		{Method: "POST", Path: v3 + "logout/all"},
		{Method: "POST", Path: "/_matrix/client/r0/logout"},
	} {
		c.Token = bell
		s.want(s.do(c), 403, "M_FORBIDDEN")
	}
	s.ok(s.whoami(bell))

	for _, path := range []string{v3 + "account/../devices", v3 + "account/%2E%2E/devices", v3 + "account%2F../devices",
		v3 + "account/..%2Fdevices", "/" + v3 + "devices", v3 + "/devices", v3 + "devices/", v3 + "Account/whoami",
		v3 + "account/whoami/../../devices", v3 + "devices?" + v3 + "account", v3 + "devices;/account",
		v3 + "account/whoami%3F/../devices", v3 + "%64evices", v3 + "devices%00", v3 + "account\\..\\devices"} {
		a := s.do(call{Method: "GET", Path: path, Token: bell})
		if a.Status < 400 || a.Status >= 500 || a.Status == 401 { // with that it would forget its session
			t.Errorf("%s: %d %s", path, a.Status, a.Raw)
		}
	}
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
		"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri"} {
		for _, value := range []string{http.MethodGet, v3 + "account/whoami"} {
			s.want(s.do(call{Method: "POST", Path: v3 + "logout", Token: bell,
				Header: map[string]string{header: value}}), 403, "M_FORBIDDEN")
		}
	}
}

// TestAppendedToBots: its holder can narrow it further, and by nothing that they append widen it.
func TestAppendedToBots(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, first := range []string{s.issued("method in GET"), s.issued()} {
		for _, appended := range []string{"method in GET,POST", "time < 99999999999999", "time > 0",
			"path under /", "addr in 0.0.0.0/0,::/0", "type = access", "gen = 1", "user_id = @alice:example.org"} {
			wider, err := tokens.Carry(first, []string{appended})
			s.must(err)
			s.ok(s.whoami(wider))
		}
		for _, appended := range []string{"user_id = @bob:example.org", "type = refresh", "type = login", "gen = 2",
			"admin = true", "time < 5"} {
			other, err := tokens.Carry(first, []string{appended})
			s.must(err)
			s.want(s.whoami(other), 401, "M_UNKNOWN_TOKEN")
		}
	}
	narrow, err := tokens.Carry(s.issued("method in GET"), []string{"method in GET,POST"})
	s.must(err)
	s.want(s.logout(narrow), 403, "M_FORBIDDEN")
	// What its holder says of its end must not let it leave by a request that it is restricted from.
	over, err := tokens.Carry(s.issued("method in GET"), []string{"time < 5"})
	s.must(err)
	if a := s.logout(over); a.Status == 200 {
		t.Errorf("logged out: %s", a.Raw)
	}
	s.want(s.refresh(s.issued()), 401, "M_UNKNOWN_TOKEN")
	s.want(s.do(call{Method: "POST", Path: "/_matrix/client/v3/login",
		Body: `{"type":"m.login.token","token":"` + s.issued() + `"}`}), 403, "M_FORBIDDEN")
}
