package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
)

const (
	loginPath      = "/_matrix/client/v3/login"
	draftLoginPath = "/_matrix/client/api/v1/login"
)

func TestLoginFlows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, token := range []string{"", "stale"} {
		a := s.ok(s.do(call{Method: "GET", Path: loginPath, Token: token}))
		if want := `{"flows":[{"type":"m.login.password"},{"get_login_token":true,"type":"m.login.token"}]}`; strings.TrimSpace(a.Raw) != want {
			t.Errorf("flows are %s, want %s", a.Raw, want)
		}
	}
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.db.Deactivate(t.Context(), "bob", s.clock.Now(), false)
	s.must(err)
	tests := []struct {
		name, path, body string
		status           int
		code             string
	}{
		{"no body", loginPath, ``, 400, "M_NOT_JSON"},
		{"not JSON", loginPath, `{"type":`, 400, "M_NOT_JSON"},
		{"two values", loginPath, `{"type":"m.login.password"}{}`, 400, "M_NOT_JSON"},
		{"invalid UTF-8", loginPath, "{\"type\":\"\xff\"}", 400, "M_NOT_JSON"},
		{"an array", loginPath, `[]`, 400, "M_BAD_JSON"},
		{"null", loginPath, `null`, 400, "M_BAD_JSON"},
		{"no type", loginPath, `{}`, 400, "M_MISSING_PARAM"},
		{"wrong type of type", loginPath, `{"type":5}`, 400, "M_BAD_JSON"},
		{"wrong type of identifier", loginPath, `{"type":"m.login.password","identifier":"alice"}`, 400, "M_BAD_JSON"},
		{"wrong type of refresh_token", loginPath, loginBody("alice", password, `"refresh_token":"true"`), 400, "M_BAD_JSON"},
		{"unknown login type", loginPath, `{"type":"m.login.telepathy"}`, 400, "M_UNKNOWN"},
		{"no identifier", loginPath, `{"type":"m.login.password","password":"x"}`, 400, "M_MISSING_PARAM"},
		{"identifier without type", loginPath, `{"type":"m.login.password","identifier":{"user":"alice"},"password":"x"}`, 400, "M_MISSING_PARAM"},
		{"identifier without user", loginPath, `{"type":"m.login.password","identifier":{"type":"m.id.user"},"password":"x"}`, 400, "M_MISSING_PARAM"},
		{"third-party identifier", loginPath, `{"type":"m.login.password","identifier":{"type":"m.id.thirdparty"},"password":"x"}`, 400, "M_MISSING_PARAM"},
		{"no password", loginPath, `{"type":"m.login.password","user":"alice"}`, 400, "M_MISSING_PARAM"},
		{"long device id", loginPath, loginBody("alice", password, `"device_id":"`+strings.Repeat("x", 256)+`"`), 400, "M_INVALID_PARAM"},
		{"a known user's name and more", loginPath, loginBody("alice"+strings.Repeat(" ", 300), password, ""), 403, "M_FORBIDDEN"},
		{"null is left out", loginPath, `{"type":null,"user":"alice"}`, 400, "M_MISSING_PARAM"},
		{"device id with NUL", loginPath, loginBody("alice", password, `"device_id":"a\u0000b"`), 400, "M_INVALID_PARAM"},
		{"names in other letters", loginPath, `{"Type":"m.login.password","USER":"alice","PASSWORD":"x"}`, 400, "M_MISSING_PARAM"},
		{"too large", loginPath, loginBody("alice", strings.Repeat("x", MaxBody), ""), 413, "M_TOO_LARGE"},
		{"wrong password", loginPath, loginBody("alice", "wrong", ""), 403, "M_FORBIDDEN"},
		{"unknown user", loginPath, loginBody("mallory", "wrong", ""), 403, "M_FORBIDDEN"},
		{"another server's user", loginPath, loginBody("@alice:elsewhere.org", password, ""), 403, "M_FORBIDDEN"},
		{"empty user", loginPath, loginBody("", password, ""), 403, "M_FORBIDDEN"},
		{"deactivated", loginPath, loginBody("bob", password, ""), 403, "M_USER_DEACTIVATED"},
		{"deactivated, wrong password", loginPath, loginBody("bob", "wrong", ""), 403, "M_FORBIDDEN"},
		{"draft: no body", draftLoginPath, ``, 400, "M_MISSING_PARAM"},
		{"draft: no password", draftLoginPath, `{"username":"alice"}`, 400, "M_MISSING_PARAM"},
		{"draft: not JSON", draftLoginPath, `username=alice`, 400, "M_NOT_JSON"},
		{"draft: wrong password", draftLoginPath, `{"username":"alice","password":"wrong"}`, 403, "M_FORBIDDEN"},
		{"draft: deactivated", draftLoginPath, `{"username":"bob","password":"` + password + `"}`, 403, "M_USER_DEACTIVATED"},
		{"draft: too large", draftLoginPath, `{"username":"` + strings.Repeat("x", MaxBody) + `"}`, 413, "M_TOO_LARGE"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := s.do(call{Method: "POST", Path: test.path, Body: test.body})
			if a.Status != test.status || a.Code() != test.code {
				t.Errorf("answer is %d %s, want %d %s", a.Status, a.Raw, test.status, test.code)
			}
		})
	}
}

// TestLoginTellsNothing compares the whole answer to a wrong password with that to an unknown user.
func TestLoginTellsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wrong := s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "wrong", "")})
	unknown := s.do(call{Method: "POST", Path: loginPath, Body: loginBody("mallory", "wrong", "")})
	if wrong.Raw != unknown.Raw || wrong.Status != unknown.Status {
		t.Errorf("a wrong password answers %s, an unknown user %s", wrong.Raw, unknown.Raw)
	}
}

// TestDummyHash keeps the work for an unknown user the same as that for a known one.
func TestDummyHash(t *testing.T) {
	t.Parallel()
	params, _, _, err := argon2id.DecodeHash(dummyHash)
	if err != nil {
		t.Fatal(err)
	}
	if *params != *hashing {
		t.Errorf("the dummy hash has %+v, real ones have %+v", *params, *hashing)
	}
}

func TestLoginNames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, user := range []string{"alice", "ALICE", "@alice:example.org", "@Alice:Example.org"} {
		a := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody(user, password, "")}))
		if a.Text("user_id") != "@alice:example.org" {
			t.Errorf("%s logs in as %s", user, a.Text("user_id"))
		}
	}
	s.ok(s.login(`"device_id":null,"initial_device_display_name":null,"refresh_token":null`))
	// The older field, and a Content-Type that lies.
	s.ok(s.do(call{Method: "POST", Path: loginPath,
		Body:   `{"type":"m.login.password","user":"alice","password":"` + password + `"}`,
		Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}))
	// The alias of old clients.
	s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/r0/login", Body: loginBody("alice", password, "")}))
}

func TestLoginAnswers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	plain := s.ok(s.login(""))
	if plain.JSON["refresh_token"] != nil || plain.JSON["expires_in_ms"] != nil {
		t.Errorf("a client that cannot refresh got %s", plain.Raw)
	}
	if len(plain.Text("device_id")) != deviceIDLength {
		t.Errorf("device id is %q", plain.Text("device_id"))
	}
	modern := s.loggedIn()
	if modern.Text("refresh_token") == "" || modern.JSON["expires_in_ms"] != float64(300_000) {
		t.Errorf("a client that can refresh got %s", modern.Raw)
	}
	draft := s.draftLogin()
	if draft.Text("refresh_token") == "" || draft.Text("home_server") != host || draft.JSON["device_id"] != nil {
		t.Errorf("the draft's door answers %s", draft.Raw)
	}
	for _, a := range []answer{plain, modern, draft} {
		s.ok(s.whoami(a.Text("access_token")))
	}
	s.clock.Step(365 * 24 * time.Hour)
	s.ok(s.whoami(plain.Text("access_token")))
}

// TestKnownDevice: a device id that is given is kept, its older tokens die, its name stays.
func TestKnownDevice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.ok(s.login(`"device_id":"PHONE","initial_device_display_name":"Jungle Phone","refresh_token":true`))
	second := s.ok(s.login(`"device_id":"PHONE","initial_device_display_name":"Another","refresh_token":true`))
	if second.Text("device_id") != "PHONE" {
		t.Errorf("device id is %q", second.Text("device_id"))
	}
	s.want(s.whoami(first.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
	s.want(s.refresh(first.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(second.Text("access_token")))
	s.ok(s.login(`"device_id":"PHONE","DEVICE_ID":"` + strings.Repeat("X", 1000) + `"`)) // checked is what counts
	sessions, err := s.db.Sessions(t.Context(), "alice")
	s.must(err)
	if len(sessions) != 1 || sessions[0].DisplayName != "Jungle Phone" {
		t.Errorf("sessions are %+v", sessions)
	}
}

func TestLoginRateLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 3, Period: time.Minute} })
	wrong := func(user, from string) answer {
		return s.do(call{Method: "POST", Path: loginPath, Body: loginBody(user, "wrong", ""), From: from})
	}
	for range 3 {
		s.want(wrong("alice", "192.0.2.1:1000"), 403, "M_FORBIDDEN")
	}
	limited := wrong("bob", "192.0.2.1:1001") // the address, whatever the account
	s.want(limited, 429, "M_LIMIT_EXCEEDED")
	if limited.Header.Get("Retry-After") != "20" || limited.JSON["retry_after_ms"] != float64(20_000) {
		t.Errorf("Retry-After is %q, body %s", limited.Header.Get("Retry-After"), limited.Raw)
	}
	s.want(wrong("alice", "192.0.2.2:1000"), 429, "M_LIMIT_EXCEEDED") // the account, whatever the address
	for range 3 {
		s.want(wrong("nobody", "192.0.2.3:1000"), 403, "M_FORBIDDEN")
	}
	s.want(wrong("nobody", "192.0.2.4:1000"), 429, "M_LIMIT_EXCEEDED") // an unknown account alike
	s.want(s.do(call{Method: "POST", Path: draftLoginPath, Body: `{"username":"alice","password":"x"}`}), 429,
		"M_LIMIT_EXCEEDED")
	s.clock.Step(20 * time.Second)
	s.want(wrong("alice", "192.0.2.5:1000"), 403, "M_FORBIDDEN")
}

func TestDoorsShareEverything(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	draft := s.draftLogin()
	today := s.ok(s.refresh(draft.Text("refresh_token")))
	again := s.ok(s.tokenRefresh(today.Text("refresh_token")))
	s.ok(s.whoami(again.Text("access_token")))
	if a := s.whoami(today.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("after the draft's refresh the old access token answers %d", a.Status)
	}
}
