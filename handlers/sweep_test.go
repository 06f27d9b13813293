package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/test/rig/matrixtest"
	"postern/tokens"
)

// samples is one honest request of every operation, by operation id. A token is filled in where one is asked for.
var samples = map[string]call{
	"draftLogin": {Method: "POST", Path: draftLoginPath,
		Body: `{"username":"alice","password":"` + password + `"}`},
	"tokenRefresh":  {Method: "POST", Path: tokenRefreshPath, Body: `{"refresh_token":"REFRESH"}`},
	"getVersions":   {Method: "GET", Path: "/_matrix/client/versions"},
	"getLoginFlows": {Method: "GET", Path: loginPath, Body: "{}"},
	"login":         {Method: "POST", Path: loginPath, Body: loginBody("alice", password, "")},
	"refresh":       {Method: "POST", Path: refreshPath, Body: `{"refresh_token":"REFRESH"}`},
	"logout":        {Method: "POST", Path: "/_matrix/client/v3/logout"},
	"logout_all":    {Method: "POST", Path: "/_matrix/client/v3/logout/all"},
	"getTokenOwner": {Method: "GET", Path: "/_matrix/client/v3/account/whoami"},
	"register": {Method: "POST", Path: registerPath,
		Body: registerBody("carol", `"auth":{"type":"m.login.dummy"}`)},
	"checkUsernameAvailability": {Method: "GET", Path: registerPath + "/available?username=carol"},
	"registrationTokenValidity": {Method: "GET",
		Path: "/_matrix/client/v1/register/m.login.registration_token/validity?token=x"},
	"getDevices":   {Method: "GET", Path: devicesPath},
	"getDevice":    {Method: "GET", Path: devicesPath + "/PHONE"},
	"updateDevice": {Method: "PUT", Path: devicesPath + "/PHONE", Body: `{"display_name":"x"}`},
	"deleteDevice": {Method: "DELETE", Path: devicesPath + "/PHONE", Body: `{"auth":` + byPassword + `}`},
	"deleteDevices": {Method: "POST", Path: "/_matrix/client/v3/delete_devices",
		Body: `{"devices":["PHONE"],"auth":` + byPassword + `}`},
	"changePassword": {Method: "POST", Path: "/_matrix/client/v3/account/password",
		Body: `{"new_password":"battery staple","auth":` + byPassword + `}`},
	"deactivateAccount": {Method: "POST", Path: "/_matrix/client/v3/account/deactivate",
		Body: `{"auth":` + byPassword + `}`},
	"generateLoginToken": {Method: "POST", Path: getTokenPath, Body: `{"auth":` + byPassword + `}`},
	"authFallback":       {Method: "GET", Path: fallbackPath("m.login.dummy", "SESSION")},
	"completeAuthFallback": {Method: "POST", Path: fallbackPath("m.login.password", "SESSION"),
		Body: "password=correct+horse", Header: form},
	"getPasswordPolicy": {Method: "GET", Path: "/_matrix/client/v3/password_policy"},
	"getCapabilities":   {Method: "GET", Path: "/_matrix/client/v3/capabilities"},
	"getWellknown":      {Method: "GET", Path: "/.well-known/matrix/client"},
	"getAuthMetadata":   {Method: "GET", Path: "/_matrix/client/v1/auth_metadata"},

	"requestTokenToResetPasswordEmail":  {Method: "POST", Path: resetPath + "email/requestToken", Body: toVerify},
	"requestTokenToResetPasswordMSISDN": {Method: "POST", Path: resetPath + "msisdn/requestToken", Body: toVerify},
	"requestTokenToRegisterEmail":       {Method: "POST", Path: registerPath + "/email/requestToken", Body: toVerify},
	"requestTokenToRegisterMSISDN":      {Method: "POST", Path: registerPath + "/msisdn/requestToken", Body: toVerify},
	"requestTokenTo3PIDEmail":           {Method: "POST", Path: contactPath + "email/requestToken", Body: toVerify},
	"requestTokenTo3PIDMSISDN":          {Method: "POST", Path: contactPath + "msisdn/requestToken", Body: toVerify},
	"getAccount3PIDs":                   {Method: "GET", Path: "/_matrix/client/v3/account/3pid"},
	"add3PID": {Method: "POST", Path: contactPath + "add",
		Body: `{"client_secret":"x","sid":"` + sid(toAdd, "new@example.org", "x") + `","auth":` + byPassword + `}`},
	"delete3pidFromAccount": {Method: "POST", Path: contactPath + "delete",
		Body: `{"medium":"email","address":"a@example.org"}`},
}

const (
	registerPath = "/_matrix/client/v3/register"
	devicesPath  = "/_matrix/client/v3/devices"
	getTokenPath = "/_matrix/client/v1/login/get_token"
	resetPath    = "/_matrix/client/v3/account/password/"
	contactPath  = "/_matrix/client/v3/account/3pid/"
	toVerify     = `{"client_secret":"x","send_attempt":1,"email":"alice@example.org"}`
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
	c.Token = login.Text("access_token")
	c.Body = strings.ReplaceAll(c.Body, "REFRESH", login.Text("refresh_token"))
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
		if op.oauth {
			continue // package oauth has tests of its own
		}
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
	narrow, err := tokens.Restrict(login.Text("access_token"),
		tokens.Caveat{Key: "path", Operator: "under", Value: "/nowhere"})
	s.must(err)
	sweep(t, func(op operation, c call) {
		if !op.secured {
			c.Token = "stale" // does no harm
			if a := s.do(c); a.Status == http.StatusUnauthorized && a.Code() != "" && a.Code() != "M_UNKNOWN_TOKEN" ||
				a.Code() == "M_UNKNOWN_TOKEN" && c.Body == "" {
				t.Errorf("%s: a stale header answers %d %s", op.id, a.Status, a.Raw)
			}
			return
		}
		s.want(s.do(c), 401, "M_MISSING_TOKEN")
		c.Token = "rubbish"
		s.want(s.do(c), 401, "M_UNKNOWN_TOKEN")
		c.Token = narrow
		s.want(s.do(c), 403, "M_FORBIDDEN")
	})
	s.ok(s.whoami(login.Text("access_token")))
}

// TestBadBodies sends every operation with a JSON body what it cannot read.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	login := s.loggedIn()
	sweep(t, func(op operation, c call) {
		if op.body == nil {
			return
		}
		c.Token = login.Text("access_token")
		for body, code := range map[string]string{`{"a":`: "M_NOT_JSON", "{\"a\":\"\xff\"}": "M_NOT_JSON",
			`[]`: "M_BAD_JSON", `null`: "M_BAD_JSON"} {
			c.Body = body
			s.want(s.do(c), 400, code)
		}
		c.Body = `{"a":"` + strings.Repeat("x", MaxBody) + `"}`
		s.want(s.do(c), 413, "M_TOO_LARGE")
	})
}

// TestUnavailable takes the database away: every operation that needs it answers 503, which keeps clients logged in,
// and never 401 or 500.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	login := s.loggedIn()
	session := s.challenged(s.do(call{Method: "POST", Path: devicePath("PHONE"),
		Token: login.Text("access_token")}.As("DELETE")))
	s.must(s.db.Close())
	none := map[string]bool{"getVersions": true, "getLoginFlows": true, "getWellknown": true, "getAuthMetadata": true,
		"getPasswordPolicy": true}
	sweep(t, func(op operation, _ call) {
		if strings.HasSuffix(op.id, "MSISDN") {
			return // refused without a look at anything
		}
		c := sample(op.id, login)
		c.Path = strings.ReplaceAll(c.Path, "SESSION", session)
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
	s.want(s.do(call{Method: "GET", Path: "/health"}), http.StatusServiceUnavailable, "M_UNKNOWN")
}

// TestLimited asks every operation that the contract limits until it is refused.
func TestLimited(t *testing.T) {
	t.Parallel()
	sweep(t, func(op operation, c call) {
		if matrixtest.Operation(c.Method, c.Path).Responses.Value("429") == nil {
			return
		}
		s := mailSite(t, func(c *Config) { c.RateLimit = Rate{Count: 4, Period: time.Hour} })
		s.shows(toAdd, "new@example.org", "x")
		login := s.loggedIn()
		c = sample(op.id, login)
		c.Body = strings.ReplaceAll(c.Body, password, "wrong password") // nothing may come of it
		if op.id == "completeAuthFallback" {
			session := s.challenged(s.do(call{Method: "DELETE", Path: devicePath("PHONE"),
				Token: login.Text("access_token")}))
			c.Path, c.Body = strings.ReplaceAll(c.Path, "SESSION", session), "password=wrong"
		}
		limited := false
		for i := 0; i < 6 && !limited; i++ {
			limited = s.do(c).Code() == "M_LIMIT_EXCEEDED"
		}
		if !limited {
			t.Errorf("%s is never limited", op.id)
		}
	})
}

func devicePath(id string) string { return devicesPath + "/" + id }

// challenged is the session of the challenge that the answer must be.
func (s *site) challenged(a answer) string { s.Helper(); return a.Challenged(s) }
