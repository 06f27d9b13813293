package handlers

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/test/rig/matrixtest"
	"postern/tokens"
)

func TestDevices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	s.ok(s.do(call{Method: "PUT", Path: devicePath("PHONE"), Token: token, Body: `{"display_name":"Old phone"}`}))
	s.ok(s.do(call{Method: "PUT", Path: devicePath("PHONE"), Token: token, Body: `{}`}))
	list := s.ok(s.do(call{Method: "GET", Path: devicesPath, Token: token}))
	if devices, _ := list.JSON["devices"].([]any); len(devices) != 2 {
		t.Errorf("devices are %s", list.Raw)
	}
	phone := s.ok(s.do(call{Method: "GET", Path: devicePath("PHONE"), Token: token}))
	if phone.Text("display_name") != "Old phone" || phone.Text("last_seen_ip") != "192.0.2.1" ||
		phone.JSON["last_seen_ts"] != float64(s.clock.Now().UnixMilli()) {
		t.Errorf("the phone is %s", phone.Raw)
	}
	bob := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("bob", password, "")})).Text("access_token")
	s.want(s.do(call{Method: "GET", Path: devicePath("PHONE"), Token: bob}), 404, "M_NOT_FOUND")
	s.want(s.do(call{Method: "PUT", Path: devicePath("PHONE"), Token: bob, Body: `{"display_name":"Mine"}`}), 404,
		"M_NOT_FOUND")
	s.ok(s.do(call{Method: "DELETE", Path: devicePath("PHONE"), Token: bob,
		Body: `{"auth":` + passwordStep("bob", password, "") + `}`}))
	s.ok(s.do(call{Method: "GET", Path: devicePath("PHONE"), Token: token})) // it was not bob's to delete
	odd := s.ok(s.login(`"device_id":"a/b%c d"`))
	s.ok(s.do(call{Method: "GET", Path: devicesPath + "/a%2Fb%25c%20d", Token: odd.Text("access_token")}))
	s.ok(s.do(call{Method: "DELETE", Path: devicePath("LAPTOP"), Token: token, Body: `{"auth":` + byPassword + `}`}))
	s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN") // its own
}

// TestUnknownOfDevices: what is not known of a device is null, which matrix-nio reads; a field that is left out it does
// not, and an empty name is shown as one.
func TestUnknownOfDevices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.ok(s.do(call{Method: "POST", Path: loginPath, From: "@",
		Body: loginBody("alice", password, `"device_id":"PHONE"`)})).Text("access_token")
	idle := matrixtest.ImportedPhone("IDLE", s.clock.Now())
	idle.DisplayName = ""
	matrixtest.Import(s, s.db, s.clock.Now(), idle)
	for _, path := range []string{devicePath("PHONE"), devicePath("IDLE")} {
		a := s.ok(s.do(call{Method: "GET", Path: path, Token: token, From: "@"}))
		want := map[string]any{"device_id": path[len(devicePath("")):], "display_name": nil, "last_seen_ip": nil,
			"last_seen_ts": nil}
		if path == devicePath("PHONE") {
			want["last_seen_ts"] = float64(s.clock.Now().UnixMilli())
		}
		if diff := cmp.Diff(want, a.JSON); diff != "" {
			t.Error(diff)
		}
	}
	s.ok(s.do(call{Method: "PUT", Path: devicePath("PHONE"), Token: token, Body: `{"display_name":"Mine"}`}))
	s.ok(s.do(call{Method: "PUT", Path: devicePath("PHONE"), Token: token, Body: `{"display_name":""}`}))
	if list := s.ok(s.do(call{Method: "GET", Path: devicesPath, Token: token})); strings.Contains(list.Raw, `""`) {
		t.Error(list.Raw)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	change := func(token, fields, was string) answer {
		return s.do(call{Method: "POST", Path: "/_matrix/client/v3/account/password", Token: token,
			Body: `{` + fields + `,"auth":` + passwordStep("alice", was, "") + `}`})
	}
	phone := s.ok(s.login(`"device_id":"PHONE"`)).Text("access_token")
	laptop := s.ok(s.login(`"device_id":"LAPTOP"`)).Text("access_token")
	s.want(change(laptop, `"new_password":"short"`, password), 400, "M_WEAK_PASSWORD")
	s.ok(change(laptop, `"new_password":"battery staple","logout_devices":false`, password))
	s.ok(s.whoami(phone))
	s.ok(change(laptop, `"new_password":"horse battery"`, "battery staple"))
	s.ok(s.whoami(laptop))
	s.want(s.whoami(phone), 401, "M_UNKNOWN_TOKEN")
	s.want(s.login(""), 403, "M_FORBIDDEN")
	s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "horse battery", "")}))
}

func TestDeactivate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.phoneAndLaptop()
	a := s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/v3/account/deactivate", Token: token,
		Body: `{"erase":true,"auth":` + byPassword + `}`}))
	if a.Text("id_server_unbind_result") != "success" {
		t.Errorf("deactivation answers %s", a.Raw)
	}
	s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
	s.want(s.login(""), 403, "M_USER_DEACTIVATED")
}

// TestLocked: a lock is soft, lets people leave, and is answered only to a client that has shown that the account is
// its own.
func TestLocked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	draft := s.draftLogin()
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	for _, a := range []answer{s.whoami(login.Text("access_token")), s.refresh(login.Text("refresh_token")),
		s.login("")} {
		s.want(a, 401, "M_USER_LOCKED")
		if !a.Soft() {
			t.Errorf("a lock answers %s", a.Raw)
		}
	}
	s.want(s.tokenRefresh(draft.Text("refresh_token")), 403, "M_FORBIDDEN")
	s.want(s.do(samples["draftLogin"]), 403, "M_FORBIDDEN")
	s.want(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "wrong", "")}), 403, "M_FORBIDDEN")
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.ok(s.refresh(login.Text("refresh_token")))
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	s.ok(s.logout(draft.Text("access_token")))
	s.want(s.whoami(draft.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
}

func (s *site) loginToken(token string) string {
	s.Helper()
	a := s.ok(s.do(call{Method: "POST", Path: getTokenPath, Token: token, Body: `{"auth":` + byPassword + `}`}))
	if a.JSON["expires_in_ms"] != float64(120_000) {
		s.Errorf("a login token is %s", a.Raw)
	}
	return a.Text("login_token")
}

func (s *site) byToken(token string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: loginPath,
		Body: `{"type":"m.login.token","token":"` + token + `","device_id":"PHONE","refresh_token":true}`})
}

func TestLoginToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	laptop := s.loggedIn().Text("access_token")
	token := s.loginToken(laptop)
	s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
	s.want(s.refresh(token), 401, "M_UNKNOWN_TOKEN")
	phone := s.ok(s.byToken(token))
	if phone.Text("user_id") != "@alice:example.org" || phone.Text("device_id") != "PHONE" {
		t.Errorf("login answers %s", phone.Raw)
	}
	s.ok(s.whoami(phone.Text("access_token")))
	s.want(s.byToken(token), 403, "M_FORBIDDEN")
	s.ok(s.whoami(phone.Text("access_token"))) // and the second try ended nothing

	late := s.loginToken(laptop)
	s.clock.Step(2 * time.Minute)
	s.want(s.byToken(late), 403, "M_FORBIDDEN")
	orphan := s.loginToken(laptop)
	s.ok(s.logout(laptop))
	s.want(s.byToken(orphan), 403, "M_FORBIDDEN")
	for _, bad := range []string{"rubbish", phone.Text("access_token")} {
		s.want(s.byToken(bad), 403, "M_FORBIDDEN")
	}
	s.want(s.byToken(""), 400, "M_MISSING_PARAM")
	restricted, err := tokens.Restrict(s.loginToken(phone.Text("access_token")),
		tokens.Caveat{Key: "addr", Operator: "in", Value: "203.0.113.1"})
	s.must(err)
	s.want(s.byToken(restricted), 403, "M_FORBIDDEN")
}

func TestLoginTokenRace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.loginToken(s.loggedIn().Text("access_token"))
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if s.byToken(token).Status == 200 {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("%d sessions began with one token", got.Load())
	}
}

func TestLoginTokenDisabled(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.LoginTokenTTL = 0 })
	login := s.loggedIn()
	s.want(s.do(call{Method: "POST", Path: getTokenPath, Token: login.Text("access_token"), Body: `{}`}), 400,
		"M_UNRECOGNIZED")
	s.want(s.byToken("x"), 400, "M_UNKNOWN")
	if a := s.ok(s.do(samples["getLoginFlows"])); strings.Contains(a.Raw, "token") {
		t.Errorf("flows are %s", a.Raw)
	}
	if a := s.ok(s.do(sample("getCapabilities", login))); !strings.Contains(a.Raw,
		`"m.get_login_token":{"enabled":false}`) {
		t.Errorf("capabilities are %s", a.Raw)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.PublicURL = "https://matrix.example.org" })
	login := s.loggedIn()
	known := `{"m.homeserver":{"base_url":"https://matrix.example.org"}}`
	if a := s.ok(s.do(samples["getWellknown"])); strings.TrimSpace(a.Raw) != known {
		t.Errorf("well-known is %s", a.Raw)
	}
	if !strings.Contains(login.Raw, known) {
		t.Errorf("login does not tell where the server is: %s", login.Raw)
	}
	if a := s.ok(s.do(sample("getCapabilities", login))); !strings.Contains(a.Raw,
		`"m.change_password":{"enabled":true}`) || !strings.Contains(a.Raw, `"m.get_login_token":{"enabled":true}`) {
		t.Errorf("capabilities are %s", a.Raw)
	}
	s.want(newSite(t).do(samples["getWellknown"]), 404, "M_NOT_FOUND")
	s.want(s.do(samples["getAuthMetadata"]), 404, "M_UNRECOGNIZED")
	s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/unstable/org.matrix.msc2918/refresh",
		Body: `{"refresh_token":"` + login.Text("refresh_token") + `"}`}))
	s.ok(s.do(call{Method: "GET", Path: "/_matrix/client/r0/devices", Token: login.Text("access_token"), Body: `{}`}))
}

// TestFallback completes each stage on its page, and goes on from the client with the session alone.
func TestFallback(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Terms = Terms{URL: "https://example.org/terms?a=b&c=\"d\"", Version: "1"} })
	session := s.challenged(s.register(registerBody("carol", `"inhibit_login":true`)))
	terms := fallbackPath("m.login.terms", session)
	s.html(s.do(call{Method: "GET", Path: terms}), 200, `href="https://example.org/terms?a=b&amp;c=%22d%22"`)
	s.challenged(s.register(`{"auth":{"session":"` + session + `"}}`)) // looking is not agreeing
	s.html(s.do(call{Method: "POST", Path: terms, Header: form}), 200, "onAuthDone")
	s.html(s.do(call{Method: "GET", Path: terms}), 200, "That is done")
	s.ok(s.register(`{"auth":{"session":"` + session + `"}}`))

	token := s.phoneAndLaptop()
	session = s.challenged(s.deletePhone(token, ""))
	page := fallbackPath("m.login.password", session)
	s.html(s.do(call{Method: "GET", Path: page}), 200, `type="password"`)
	s.html(s.do(call{Method: "POST", Path: page, Header: form, Body: "password=wrong"}), 403, "Wrong password.")
	s.html(s.do(call{Method: "POST", Path: page, Header: form, Body: "password=correct+horse"}), 200, "That is done")
	s.ok(s.deletePhone(token, `{"session":"`+session+`"}`))

	s.want(s.do(call{Method: "GET", Path: fallbackPath("m.login.password", "unknown")}), 404, "M_NOT_FOUND")
	s.want(s.do(call{Method: "GET", Path: fallbackPath("m.login.recaptcha", session)}), 404, "M_NOT_FOUND")
	s.want(s.do(call{Method: "GET", Path: strings.TrimSuffix(fallbackPath("m.login.dummy", ""), "?session=")}), 400,
		"M_MISSING_PARAM")
	s.want(s.do(call{Method: "POST", Path: page, Header: form, Body: "password=%zz"}), 400, "M_INVALID_PARAM")
	s.want(s.do(call{Method: "POST", Path: page, Header: form, Body: "password=a;b"}), 400, "M_INVALID_PARAM")
	parts := map[string]string{"Content-Type": "multipart/form-data"}
	s.want(s.do(call{Method: "POST", Path: page, Header: parts, Body: "--x"}), 400, "M_INVALID_PARAM")
	parts["Content-Type"] += "; boundary=x"
	s.want(s.do(call{Method: "POST", Path: page, Header: parts, Body: "--x\r\nno header"}), 400, "M_INVALID_PARAM")
	s.want(s.do(call{Method: "POST", Path: page, Header: parts,
		Body: "--x\r\nContent-Disposition: form-data; name=password\r\n\r\n" + strings.Repeat("x", MaxBody)}), 413,
		"M_TOO_LARGE")
	s.want(s.do(call{Method: "POST", Path: page, Header: form, Body: "password=" + strings.Repeat("x", MaxBody)}), 413,
		"M_TOO_LARGE")
	s.want(s.do(call{Method: "POST", Path: fallbackPath("m.login.dummy", "unknown"), Header: form}), 404, "M_NOT_FOUND")
}

// TestProofGoesStale: a password stage that was completed proves nothing once the password is another one, the session
// has ended or the account is locked.
func TestProofGoesStale(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	laptop, phone := s.phoneAndLaptop(), s.ok(s.login(`"device_id":"TABLET"`)).Text("access_token")
	path := "/_matrix/client/v3/account/password"
	begin := func() string {
		session := s.challenged(s.do(call{Method: "POST", Path: path, Token: laptop,
			Body: `{"new_password":"stolen horse"}`}))
		s.html(s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
			Body: "password=correct+horse"}), 200, "That is done")
		return `{"new_password":"stolen horse","auth":{"session":"` + session + `"}}`
	}
	changed, ended := begin(), begin()
	change := `{"new_password":"battery staple","logout_devices":false,"auth":` + passwordStep("alice", password, "") +
		`}`
	s.ok(s.do(call{Method: "POST", Path: path, Token: phone, Body: change}))
	if a := s.do(call{Method: "POST", Path: path, Token: laptop, Body: changed}); a.Status != 401 ||
		a.Code() != "M_FORBIDDEN" {
		t.Errorf("an older password proves something: %d %s", a.Status, a.Raw)
	}
	s.ok(s.logout(laptop))
	s.want(s.do(call{Method: "POST", Path: path, Token: laptop, Body: ended}), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "battery staple", "")}))
}
