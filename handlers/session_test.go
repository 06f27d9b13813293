package handlers

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/tokens"
)

func TestWhoami(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.ok(s.login(`"device_id":"PHONE"`))
	a := s.ok(s.whoami(login.Text("access_token")))
	if want := `{"device_id":"PHONE","is_guest":false,"user_id":"@alice:example.org"}`; strings.TrimSpace(
		a.Raw) != want {
		t.Errorf("whoami is %s, want %s", a.Raw, want)
	}
	inQuery := call{Method: "GET", Path: "/_matrix/client/v3/account/whoami?access_token=" + login.Text("access_token")}
	s.ok(s.do(inQuery))
	s.ok(s.do(call{Method: "GET", Path: "/_matrix/client/r0/account/whoami",
		Header: map[string]string{"Authorization": "bearer " + login.Text("access_token")}}))
	s.want(s.whoami(""), 401, "M_MISSING_TOKEN")
	for _, bad := range []string{"x", "....", login.Text("access_token") + "A", login.Text("access_token")[1:]} {
		if a := s.whoami(bad); a.Code() != "M_UNKNOWN_TOKEN" || a.Soft() {
			t.Errorf("%q answers %s", bad, a.Raw)
		}
	}
}

// TestExpiry: an access token that expired is a soft logout while the session lives, and may still log out.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	s.clock.Step(5 * time.Minute)
	expired := s.whoami(login.Text("access_token"))
	s.want(expired, 401, "M_UNKNOWN_TOKEN")
	if !expired.Soft() {
		t.Errorf("an expired token answers %s", expired.Raw)
	}
	s.ok(s.logout(login.Text("access_token")))
	gone := s.whoami(login.Text("access_token"))
	s.want(gone, 401, "M_UNKNOWN_TOKEN")
	if _, there := gone.JSON["soft_logout"]; there {
		t.Errorf("after logout the answer is %s", gone.Raw)
	}
	s.want(s.refresh(login.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
}

// TestExpiredByHolder: a holder's own bound is meant for logout too.
func TestExpiredByHolder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, extra := range []string{"", `"refresh_token":true`} {
		login := s.ok(s.login(extra))
		short, err := tokens.Restrict(login.Text("access_token"),
			tokens.Caveat{Key: "time", Operator: "<", Value: milliseconds(s.clock.Now().Add(time.Second))})
		s.must(err)
		s.ok(s.whoami(short))
		s.clock.Step(time.Second)
		s.want(s.logout(short), 401, "M_UNKNOWN_TOKEN")
		s.ok(s.whoami(login.Text("access_token")))
	}
}

func TestLegacyTTL(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.AccessTTLLegacy = time.Hour })
	login := s.ok(s.login(""))
	if login.JSON["expires_in_ms"] != float64(3_600_000) {
		t.Errorf("login answers %s", login.Raw)
	}
	s.clock.Step(time.Hour)
	if a := s.whoami(login.Text("access_token")); !a.Soft() {
		t.Errorf("after its life the token answers %s", a.Raw)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	phone, laptop := s.loggedIn(), s.loggedIn()
	bob := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("bob", password, "")}))
	s.ok(s.logout(phone.Text("access_token")))
	s.want(s.logout(phone.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(laptop.Text("access_token")))
	tablet := s.loggedIn()
	all := call{Method: "POST", Path: "/_matrix/client/v3/logout/all", Token: laptop.Text("access_token"),
		Body: "not even JSON"}
	if a := s.ok(s.do(all)); strings.TrimSpace(a.Raw) != "{}" {
		t.Errorf("logout/all answers %s", a.Raw)
	}
	s.want(s.whoami(tablet.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
	s.want(s.do(all), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(bob.Text("access_token")))
	s.want(s.do(call{Method: "POST", Path: "/_matrix/client/v3/logout"}), 401, "M_MISSING_TOKEN")
}

// TestRestricted: a token that a holder narrowed is good for just the requests that its caveats allow.
func TestRestricted(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")} })
	login := s.ok(s.login(`"device_id":"PHONE"`))
	tests := []struct {
		caveat string
		status int
	}{
		{"method in GET,HEAD", 200},
		{"method in POST", 403},
		{"path under /_matrix/client/v3/account", 200},
		{"path under /_matrix/client/v3/account/whoami", 200},
		{"path under /_matrix/client/v3/acc", 403},
		{"path under /_matrix/client/v3/sync", 403},
		{"addr in 192.0.2.0/24,2001:db8::/32", 200},
		{"addr in 198.51.100.0/24", 403},
		{"device_id = PHONE", 200},
		{"device_id = LAPTOP", 401},
		{"type = access", 200},
		{"type = refresh", 401},
		{"user_id = @alice:example.org", 200},
		{"user_id = @bob:example.org", 401},
		{"colour = blue", 401},
		// no request makes these hold
		{"method is GET", 401},
		{"method = GET", 401},
		{"method in GET,", 401},
		{"path = /_matrix/client/v3/account/whoami", 401},
		{"path under account", 401},
		{"addr = 192.0.2.1", 401},
		{"addr in anywhere", 401},
	}
	for _, test := range tests {
		caveat, err := tokens.ParseCaveat(test.caveat)
		s.must(err)
		narrow, err := tokens.Restrict(login.Text("access_token"), caveat)
		s.must(err)
		if a := s.whoami(narrow); a.Status != test.status {
			t.Errorf("%s: whoami answers %d %s, want %d", test.caveat, a.Status, a.Raw, test.status)
		}
		if test.status == 403 {
			continue
		}
	}
	for _, path := range []string{"/_matrix/client/v3/logout", "/_matrix/client/v3/logout/all"} {
		caveat := tokens.Caveat{Key: "method", Operator: "in", Value: "GET"}
		narrow, err := tokens.Restrict(login.Text("access_token"), caveat)
		s.must(err)
		s.want(s.do(call{Method: "POST", Path: path, Token: narrow}), 403, "M_FORBIDDEN")
	}
	s.ok(s.whoami(login.Text("access_token")))
}

// TestForwardedFor: an address is believed only from a trusted proxy, and only the one that it saw itself.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	login := s.ok(s.login(""))
	narrow, err := tokens.Restrict(login.Text("access_token"),
		tokens.Caveat{Key: "addr", Operator: "in", Value: "203.0.113.7,2001:db8::7"})
	s.must(err)
	tests := []struct {
		from, forwarded string
		status          int
	}{
		{"10.1.1.1:1", "203.0.113.7", 200},
		{"10.1.1.1:1", "203.0.113.7, 10.2.2.2", 200},
		{"10.1.1.1:1", "203.0.113.7, 198.51.100.9", 403}, // the client wrote the first itself
		{"198.51.100.9:1", "203.0.113.7", 403},
		{"203.0.113.7:1", "", 200},
		{"10.1.1.1:1", "rubbish", 403},
		// with ports, as Azure's and IIS's proxies write them
		{"10.1.1.1:1", "203.0.113.7:51234", 200},
		{"10.1.1.1:1", "203.0.113.7:51234, 10.2.2.2:443", 200},
		{"10.1.1.1:1", "203.0.113.7:51234,198.51.100.9:1", 403},
		{"10.1.1.1:1", "[2001:db8::7]:443", 200},
		{"10.1.1.1:1", "[2001:db8::7]", 200},
		{"10.1.1.1:1", "2001:db8::7", 200},
		{"10.1.1.1:1", "[2001:db8::8]:443", 403},
		{"10.1.1.1:1", "203.0.113.7:port", 403},
		{"198.51.100.9:1", "203.0.113.7:51234", 403},
	}
	for _, test := range tests {
		a := s.do(call{Method: "GET", Path: "/_matrix/client/v3/account/whoami", Token: narrow, From: test.from,
			Header: map[string]string{"X-Forwarded-For": test.forwarded}})
		if a.Status != test.status {
			t.Errorf("from %s for %q: %d, want %d", test.from, test.forwarded, a.Status, test.status)
		}
	}
}

// TestStrangeForwardedFor: of an entry that is no address the log says so, once.
func TestStrangeForwardedFor(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newSite(t, func(c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	for _, forwarded := range []string{"203.0.113.7:1", "unknown", "_hidden"} {
		s.do(call{Method: "GET", Path: "/_matrix/client/v3/account/whoami", Token: "x", From: "10.1.1.1:1",
			Header: map[string]string{"X-Forwarded-For": forwarded}})
	}
	if n := strings.Count(log.String(), "X-Forwarded-For"); n != 1 || !strings.Contains(log.String(), "entry=unknown") {
		t.Errorf("%d times in\n%s", n, &log)
	}
}

func TestUnrecognized(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []call{
		{Method: "GET", Path: "/"},
		{Method: "GET", Path: "/_matrix/client/v3/sync"},
		{Method: "POST", Path: "/_matrix/client/v3/login/"},
		{Method: "GET", Path: "/_matrix/client/v3/account%2Fwhoami"},
	} {
		s.want(s.do(c), http.StatusNotFound, "M_UNRECOGNIZED")
	}
	for _, c := range []call{
		{Method: "PUT", Path: "/_matrix/client/v3/login"},
		{Method: "GET", Path: "/_matrix/client/v3/logout"},
		{Method: "GET", Path: "/_matrix/client/api/v1/tokenrefresh"},
	} {
		s.want(s.do(c), http.StatusMethodNotAllowed, "M_UNRECOGNIZED")
	}
}

// TestBrowsers: every answer lets web clients in, errors and unknown paths too, and no cache keeps it.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []call{
		{Method: "OPTIONS", Path: loginPath},
		{Method: "OPTIONS", Path: "/nowhere"},
		{Method: "GET", Path: loginPath},
		{Method: "POST", Path: loginPath, Body: "x"},
		{Method: "GET", Path: "/nowhere"},
		{Method: "PUT", Path: loginPath},
	} {
		a := s.do(c)
		if c.Method == "OPTIONS" && (a.Status >= 300 || a.Raw != "") {
			t.Errorf("preflight of %s answers %d %q", c.Path, a.Status, a.Raw)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin":  "*",
			"Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
			"Access-Control-Allow-Headers": "X-Requested-With, Content-Type, Authorization",
			"Cache-Control":                "no-store",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q", c.Method, c.Path, name, got)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ok(s.do(call{Method: "GET", Path: "/_matrix/client/versions", Token: "stale"}))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	s.ok(s.refresh(login.Text("refresh_token")))
	s.want(s.whoami("x"), 401, "M_UNKNOWN_TOKEN")
	a := s.do(call{Method: "GET", Path: "/metrics"})
	for _, want := range []string{
		`postern_requests_total{code="200",operation="login"} 1`,
		`postern_requests_total{code="401",operation="getTokenOwner"} 1`,
		`postern_logins_total{result="ok"} 1`,
		`postern_refreshes_total{result="ok"} 1`,
		`postern_replays_total 0`,
		`postern_hash_queue 0`,
	} {
		if !strings.Contains(a.Raw, want) {
			t.Errorf("metrics lack %s in %s", want, a.Raw)
		}
	}
}

// TestKeys: a rotated key is used at once, a retired one opens nothing at once, whoever changed it.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	old := s.loggedIn()
	s.addRootKey(2)
	s.ok(s.whoami(old.Text("access_token")))
	pair := s.ok(s.refresh(old.Text("refresh_token")))
	token, err := tokens.Decode(pair.Text("access_token"))
	s.must(err)
	if token.KeyID() != 2 {
		t.Errorf("after rotation key %d mints", token.KeyID())
	}
	unmoved := s.loggedIn()
	s.addRootKey(3)
	s.must(s.db.RetireRootKey(t.Context(), 2, s.clock.Now(), true))
	for _, a := range []answer{s.whoami(unmoved.Text("access_token")), s.refresh(unmoved.Text("refresh_token"))} {
		s.want(a, 401, "M_UNKNOWN_TOKEN")
		if !a.Soft() {
			t.Errorf("a retired key takes the device along: %s", a.Raw)
		}
	}
	// The answer of a generation whose key is gone was lost: nobody can hold that pair, so it is minted anew.
	again := s.ok(s.refresh(old.Text("refresh_token")))
	s.want(s.whoami(pair.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(again.Text("access_token")))
}

// TestAccountChangesMeanwhile: what was verified must still be so when the session begins.
func TestAccountChangesMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account, err := s.db.User(t.Context(), "alice")
	s.must(err)
	_, err = s.db.Deactivate(t.Context(), "alice", s.clock.Now(), false)
	s.must(err)
	_, err = s.db.StartSession(t.Context(),
		db.Login{ID: "x", Localpart: "alice", PasswordHash: account.PasswordHash, DeviceID: "X", At: s.clock.Now(),
			KeyID: 1})
	if err == nil {
		t.Error("a session began on a deactivated account")
	}
}

// TestHead: HEAD is answered as GET is, without the body, wherever GET is. RFC 9110, section 9.3.2.
func TestHead(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.PublicURL = "https://example.org" })
	web := httptest.NewServer(s.server.Handler())
	defer web.Close()
	token := s.ok(s.login(`"device_id":"PHONE"`)).Text("access_token")
	ask := func(method, path string) (*http.Response, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, web.URL+path, nil)
		s.must(err)
		r.Header.Set("Authorization", "Bearer "+token)
		a, err := web.Client().Do(r)
		s.must(err)
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		s.must(err)
		return a, string(body)
	}
	for _, path := range []string{"/health", "/metrics", "/_matrix/client/versions", loginPath, devicesPath,
		devicesPath + "/PHONE", devicesPath + "/NONE", "/_matrix/client/r0/account/whoami",
		"/.well-known/matrix/client", fallbackPath("m.login.terms", "none"), "/_matrix/client/v3/logout", "/none"} {
		get, _ := ask("GET", path)
		head, body := ask("HEAD", path)
		if head.StatusCode != get.StatusCode || body != "" ||
			head.Header.Get("Content-Type") != get.Header.Get("Content-Type") ||
			head.Header.Get("Cache-Control") != get.Header.Get("Cache-Control") {
			t.Errorf("HEAD %s: %d %v %q, GET %d %v", path, head.StatusCode, head.Header, body, get.StatusCode,
				get.Header)
		}
	}
	narrow, err := tokens.Restrict(token, tokens.Caveat{Key: "method", Operator: "in", Value: "GET"})
	s.must(err)
	token = narrow
	if a, _ := ask("HEAD", devicesPath); a.StatusCode != 200 {
		t.Errorf("a token for GET: %d", a.StatusCode)
	}
}
