package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/tokens"
)

// samples is one honest request of every operation, by operation id. A token is filled in where one is asked for.
var samples = map[string]call{
	"draftLogin": {method: "POST", path: draftLoginPath,
		body: `{"username":"alice","password":"` + password + `"}`},
	"tokenRefresh":  {method: "POST", path: tokenRefreshPath, body: `{"refresh_token":"REFRESH"}`},
	"getVersions":   {method: "GET", path: "/_matrix/client/versions"},
	"getLoginFlows": {method: "GET", path: loginPath, body: "{}"},
	"login":         {method: "POST", path: loginPath, body: loginBody("alice", password, "")},
	"refresh":       {method: "POST", path: refreshPath, body: `{"refresh_token":"REFRESH"}`},
	"logout":        {method: "POST", path: "/_matrix/client/v3/logout"},
	"logout_all":    {method: "POST", path: "/_matrix/client/v3/logout/all"},
	"getTokenOwner": {method: "GET", path: "/_matrix/client/v3/account/whoami"},
	"register": {method: "POST", path: registerPath,
		body: registerBody("carol", `"auth":{"type":"m.login.dummy"}`)},
	"checkUsernameAvailability": {method: "GET", path: registerPath + "/available?username=carol"},
	"registrationTokenValidity": {method: "GET",
		path: "/_matrix/client/v1/register/m.login.registration_token/validity?token=x"},
	"getDevices":   {method: "GET", path: devicesPath},
	"getDevice":    {method: "GET", path: devicesPath + "/PHONE"},
	"updateDevice": {method: "PUT", path: devicesPath + "/PHONE", body: `{"display_name":"x"}`},
	"deleteDevice": {method: "DELETE", path: devicesPath + "/PHONE", body: `{"auth":` + byPassword + `}`},
	"deleteDevices": {method: "POST", path: "/_matrix/client/v3/delete_devices",
		body: `{"devices":["PHONE"],"auth":` + byPassword + `}`},
	"changePassword": {method: "POST", path: "/_matrix/client/v3/account/password",
		body: `{"new_password":"battery staple","auth":` + byPassword + `}`},
	"deactivateAccount": {method: "POST", path: "/_matrix/client/v3/account/deactivate",
		body: `{"auth":` + byPassword + `}`},
	"generateLoginToken": {method: "POST", path: getTokenPath, body: `{"auth":` + byPassword + `}`},
	"authFallback":       {method: "GET", path: fallbackPath("m.login.dummy", "SESSION")},
	"completeAuthFallback": {method: "POST", path: fallbackPath("m.login.password", "SESSION"),
		body: "password=correct+horse", header: form},
	"getCapabilities": {method: "GET", path: "/_matrix/client/v3/capabilities"},
	"getWellknown":    {method: "GET", path: "/.well-known/matrix/client"},
	"getAuthMetadata": {method: "GET", path: "/_matrix/client/v1/auth_metadata"},
}

const (
	registerPath = "/_matrix/client/v3/register"
	devicesPath  = "/_matrix/client/v3/devices"
	getTokenPath = "/_matrix/client/v1/login/get_token"
	byPassword   = `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"` +
		password + `"}`
)

var form = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}

func fallbackPath(stage, session string) string {
	return "/_matrix/client/v3/auth/" + stage + "/fallback/web?session=" + session
}

func registerBody(name, extra string) string {
	return `{"username":"` + name + `","password":"` + password + `",` + extra + `}`
}

// sample fills a sample in with what alice's login gave.
func sample(id string, login answer) call {
	c := samples[id]
	c.token = login.text("access_token")
	c.body = strings.ReplaceAll(c.body, "REFRESH", login.text("refresh_token"))
	return c
}

// sweep calls f with every operation of the contract and its sample.
func sweep(t *testing.T, f func(op operation, c call)) {
	t.Helper()
	c, err := readContract()
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range c.operations {
		if _, there := samples[op.id]; !there {
			t.Errorf("there is no sample of %s", op.id)
			continue
		}
		f(op, samples[op.id])
	}
}

// TestSecured asks every secured operation without a token, with a bad one and with one that is restricted to
// something else.
func TestSecured(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	narrow, err := tokens.Restrict(login.text("access_token"),
		tokens.Caveat{Key: "path", Operator: "under", Value: "/nowhere"})
	s.must(err)
	sweep(t, func(op operation, c call) {
		if !op.secured {
			c.token = "stale" // does no harm
			if a := s.do(c); a.Status == http.StatusUnauthorized && a.code() != "" && a.code() != "M_UNKNOWN_TOKEN" ||
				a.code() == "M_UNKNOWN_TOKEN" && c.body == "" {
				t.Errorf("%s: a stale header answers %d %s", op.id, a.Status, a.Raw)
			}
			return
		}
		s.want(s.do(c), 401, "M_MISSING_TOKEN")
		c.token = "rubbish"
		s.want(s.do(c), 401, "M_UNKNOWN_TOKEN")
		c.token = narrow
		s.want(s.do(c), 403, "M_FORBIDDEN")
	})
	s.ok(s.whoami(login.text("access_token")))
}

// TestBadBodies sends every operation with a JSON body what it cannot read.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	sweep(t, func(op operation, c call) {
		if op.body == nil {
			return
		}
		c.token = login.text("access_token")
		for body, code := range map[string]string{`{"a":`: "M_NOT_JSON", "{\"a\":\"\xff\"}": "M_NOT_JSON",
			`[]`: "M_BAD_JSON", `null`: "M_BAD_JSON"} {
			c.body = body
			s.want(s.do(c), 400, code)
		}
		c.body = `{"a":"` + strings.Repeat("x", maxBody) + `"}`
		s.want(s.do(c), 413, "M_TOO_LARGE")
	})
}

// TestUnavailable takes the database away: every operation that needs it answers 503, which keeps clients logged in,
// and never 401 or 500.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	session := s.challenged(s.do(call{method: "POST", path: devicePath("PHONE"),
		token: login.text("access_token")}.as("DELETE")))
	s.must(s.db.Close())
	none := map[string]bool{"getVersions": true, "getLoginFlows": true, "getWellknown": true, "getAuthMetadata": true}
	sweep(t, func(op operation, _ call) {
		c := sample(op.id, login)
		c.path = strings.ReplaceAll(c.path, "SESSION", session)
		a := s.do(c)
		if none[op.id] {
			if a.Status >= 500 {
				t.Errorf("%s answers %d without a database", op.id, a.Status)
			}
			return
		}
		s.want(a, http.StatusServiceUnavailable, "M_UNKNOWN")
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", op.id)
		}
	})
	s.want(s.do(call{method: "GET", path: "/health"}), http.StatusServiceUnavailable, "M_UNKNOWN")
}

// TestLimited asks every operation that the contract limits until it is refused.
func TestLimited(t *testing.T) {
	t.Parallel()
	sweep(t, func(op operation, c call) {
		if theContract.find(c.method, c.path).Responses.Value("429") == nil {
			return
		}
		s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 4, Period: time.Hour} })
		login := s.loggedIn()
		c = sample(op.id, login)
		c.body = strings.ReplaceAll(c.body, password, "wrong password") // nothing may come of it
		if op.id == "completeAuthFallback" {
			session := s.challenged(s.do(call{method: "DELETE", path: devicePath("PHONE"),
				token: login.text("access_token")}))
			c.path, c.body = strings.ReplaceAll(c.path, "SESSION", session), "password=wrong"
		}
		limited := false
		for i := 0; i < 6 && !limited; i++ {
			limited = s.do(c).code() == "M_LIMIT_EXCEEDED"
		}
		if !limited {
			t.Errorf("%s is never limited", op.id)
		}
	})
}

func devicePath(id string) string { return devicesPath + "/" + id }

func (c call) as(method string) call { c.method = method; return c }

// challenged is the session of the challenge that the answer must be.
func (s *site) challenged(a answer) string {
	s.Helper()
	session := a.text("session")
	if a.Status != http.StatusUnauthorized || session == "" || a.JSON["flows"] == nil {
		s.Fatalf("answer is %d %s, want a challenge", a.Status, a.Raw)
	}
	return session
}
