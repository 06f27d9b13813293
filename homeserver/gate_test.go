package homeserver

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/test/rig/matrixtest"
	"postern/tokens"
)

// exchange sends a token on its way to the homeserver.
func (s *site) exchange(method, path, token string) (sent string, ours, ok bool, refusal answer) {
	s.Helper()
	r, w := httptest.NewRequestWithContext(s.Context(), method, "/", nil), httptest.NewRecorder()
	pass, err := s.gate.Exchange(r, path, token)
	if sent, ours, ok = pass.Token, err != nil || pass.Session != "", err == nil; !ok {
		s.gate.Refuse(w, r, token, err)
	}
	if pass.Trusted != (ok && ours) {
		s.Errorf("trusted: %v", pass.Trusted)
	}
	refusal = answer{Status: w.Code, Header: w.Header(), Raw: w.Body.String()}
	if !ok {
		s.must(json.Unmarshal(w.Body.Bytes(), &refusal.JSON))
		if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Cache-Control") != "no-store" {
			s.Errorf("a web client cannot read the refusal: %v", w.Header())
		}
	}
	return sent, ours, ok, refusal
}

const syncPath = "/_matrix/client/v3/sync"

func (s *site) restricted(token string, caveats ...string) string {
	s.Helper()
	for _, text := range caveats {
		caveat, err := tokens.ParseCaveat(text)
		s.must(err)
		token, err = tokens.Restrict(token, caveat)
		s.must(err)
	}
	return token
}

// TestExchange: what passes is the session's own plain token, of its present generation.
func TestExchange(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	pair := s.loggedIn()
	first := pair.Text("access_token")
	for _, token := range []string{first, s.restricted(first, "method in GET", "path under "+syncPath)} {
		if sent, ours, ok, _ := s.exchange("GET", syncPath, token); !ok || !ours || sent != first {
			t.Errorf("%v %v: %s passes for %s", ok, ours, sent, token)
		}
	}
	if sent, ours, ok, _ := s.exchange("GET", syncPath, "syt_bridge"); !ok || ours || sent != "syt_bridge" {
		t.Errorf("%v %v: a bridge's token passes as %s", ok, ours, sent)
	}
	second := s.ok(s.refresh(pair.Text("refresh_token"))).Text("access_token")
	// the predecessor stays good until the client uses its successor, which the homeserver's seeing it is not
	for range 2 {
		if sent, _, ok, _ := s.exchange("GET", syncPath, first); !ok || sent != second {
			t.Errorf("%v: the predecessor passes as %s, want %s", ok, sent, second)
		}
		s.active(second)
	}
	if sent, _, ok, _ := s.exchange("GET", syncPath, second); !ok || sent != second {
		t.Errorf("%v: the successor passes as %s", ok, sent)
	}
	s.ok(s.whoami(second))
	if sent, _, ok, _ := s.exchange("GET", syncPath, first); !ok || sent != second {
		t.Errorf("%v: a superseded token that has not expired passes as %s, want %s", ok, sent, second)
	}
	s.clock.Step(5 * time.Minute)
	_, _, ok, refusal := s.exchange("GET", syncPath, first)
	if s.want(refusal, 401, "M_UNKNOWN_TOKEN"); ok || !refusal.Soft() {
		t.Errorf("an expired Token: %s", refusal.Raw)
	}
}

// TestExchangeImported: a token that came from the homeserver goes there as it is, and is judged here all the same.
func TestExchangeImported(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	s.must(s.db.SetAdmin(t.Context(), "alice", true))
	matrixtest.Import(s, s.db, s.clock.Now(), matrixtest.ImportedPhone("PHONE", s.clock.Now()))
	const token = "syt_access_PHONE"
	if sent, ours, ok, _ := s.exchange("GET", syncPath, token); !ok || !ours || sent != token {
		t.Errorf("%v %v: it passes as %s", ok, ours, sent)
	}
	if a := s.active(token); !strings.HasSuffix(a.Text("scope"), "admin:*") {
		t.Errorf("the session lacks the mark: %s", a.Raw)
	}
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	_, _, _, refusal := s.exchange("GET", syncPath, token)
	s.want(refusal, 401, "M_USER_LOCKED")
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.clock.Step(5 * time.Minute)
	_, _, _, refusal = s.exchange("GET", syncPath, token)
	if s.want(refusal, 401, "M_UNKNOWN_TOKEN"); !refusal.Soft() {
		t.Errorf("the client does not hear that it may refresh: %s", refusal.Raw)
	}
	// Its session ends: it is still not one that the homeserver may judge, who remembers it.
	_, err := s.db.EndSessions(t.Context(), "alice")
	s.must(err)
	for range 2 {
		_, ours, ok, refusal := s.exchange("GET", syncPath, token)
		if s.want(refusal, 401, "M_UNKNOWN_TOKEN"); ok || !ours || refusal.Soft() {
			t.Errorf("%v %v: the token of an ended session: %s", ok, ours, refusal.Raw)
		}
	}
}

// TestExchangeAdmin: what the homeserver remembers of a token ends when the account's mark changes, and its admin API
// is open only to those who have it.
func TestExchangeAdmin(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	const users = "/_synapse/admin/v2/users"
	matrixtest.Import(s, s.db, s.clock.Now(), matrixtest.ImportedPhone("PHONE", s.clock.Now()))
	own, moved := s.ok(s.login(`"device_id":"OWN"`)).Text("access_token"), "syt_access_PHONE"
	for _, admin := range []bool{false, true, false, true} {
		s.must(s.db.SetAdmin(t.Context(), "alice", admin))
		for _, token := range []string{own, moved} {
			_, _, ok, refusal := s.exchange("GET", users, token)
			if ok != admin || !ok && (refusal.Status != 403 || refusal.Code() != "M_FORBIDDEN") {
				t.Errorf("marked %v: the admin API is open: %v, %s", admin, ok, refusal.Raw)
			}
			sent, _, ok, _ := s.exchange("GET", syncPath, token)
			if !ok || (sent != token) != (admin && token == own) {
				t.Errorf("marked %v: %s passes as %s", admin, token, sent)
			}
			if scope := s.active(sent).Text("scope"); strings.HasSuffix(scope, "admin:*") != admin {
				t.Errorf("marked %v: the scope is %s", admin, scope)
			}
		}
	}
}

// TestExchangeRefuses: a client behind the front hears what an operation of ours would say.
func TestExchangeRefuses(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	pair := s.loggedIn()
	token := pair.Text("access_token")
	refused := func(why, token, code string, status int, soft bool) {
		t.Helper()
		_, _, ok, refusal := s.exchange("GET", syncPath, token)
		if s.want(refusal, status, code); ok || refusal.Soft() != soft {
			t.Errorf("%s: %d %s", why, refusal.Status, refusal.Raw)
		}
	}
	refused("a refresh token", pair.Text("refresh_token"), "M_UNKNOWN_TOKEN", 401, true)
	refused("another method", s.restricted(token, "method in PUT"), "M_FORBIDDEN", 403, false)
	refused("another path", s.restricted(token, "path under /_matrix/client/v3/rooms"), "M_FORBIDDEN", 403, false)
	refused("another address", s.restricted(token, "addr in 198.51.100.1"), "M_FORBIDDEN", 403, false)
	refused("a forgery", token[:len(token)-4]+"AAAA", "M_UNKNOWN_TOKEN", 401, false)
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	refused("locked", token, "M_USER_LOCKED", 401, true)
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.clock.Step(5 * time.Minute)
	refused("expired", token, "M_UNKNOWN_TOKEN", 401, true)
	token = s.replayed(pair)
	refused("replayed", token, "M_UNKNOWN_TOKEN", 401, true)
	token = s.loggedIn().Text("access_token")
	s.ok(s.logout(token))
	refused("logged out", token, "M_UNKNOWN_TOKEN", 401, false)
}

// replayed has the refresh token of a pair shown again long after its successor was used, and gives the successor's
// access token.
func (s *site) replayed(pair answer) string {
	s.Helper()
	token := s.ok(s.refresh(pair.Text("refresh_token"))).Text("access_token")
	s.ok(s.whoami(token))
	s.clock.Step(time.Minute)
	s.want(s.refresh(pair.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
	return token
}

// TestRestrictedPaths: a `path` caveat speaks of today's names, and an older one opens no less and no more.
func TestRestrictedPaths(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	token := s.loggedIn().Text("access_token")
	for _, c := range []struct {
		under, path string
		opens       bool
	}{
		{syncPath, "/_matrix/client/v3/sync", true},
		{syncPath, "/_matrix/client/r0/sync", true},
		{syncPath, "/_matrix/client/v3/sync/x", true},
		{syncPath, "/_matrix/client/v1/sync", false},
		{syncPath, "/_matrix/client/unstable/sync", false},
		{syncPath, "/_matrix/client/v3/syncs", false},
		{syncPath, "/_matrix/client/v3/sync/../rooms", false},
		{syncPath, "/_matrix/client/v3/sync/%2e%2e/rooms", false},
		{syncPath, "/_matrix/client/v3/sync%2F..%2Frooms", false},
		{syncPath, "/_matrix/client/v3//sync", false},
		{syncPath, "//_matrix/client/v3/sync", false},
		{syncPath, `/_matrix/client/v3/sync%2F"`, false},
		{syncPath, "/_matrix/client/r0/rooms", false},
		{"/_matrix/client/r0/sync", "/_matrix/client/r0/sync", true},
		{"/_matrix/client/r0/sync", "/_matrix/client/v3/sync", false},
		{"/_matrix/client/unstable/org.matrix.msc1", "/_matrix/client/unstable/org.matrix.msc1/x", true},
		{"/_matrix/client/v3", "/_matrix/client/unstable/org.matrix.msc1/x", false},
		{"/_matrix/client/v3/rooms/!a:b", "/_matrix/client/v3/rooms/!a%3Ab/messages", true},
		{"/_matrix/client/v3/rooms/!a:b", "/_matrix/client/v3/rooms/!a%3Ab%2Fmessages", false},
	} {
		_, _, ok, refusal := s.exchange("GET", c.path, s.restricted(token, "path under "+c.under))
		if ok != c.opens || !ok && refusal.Status != 403 {
			t.Errorf("a token for %s opens %s: %v %s", c.under, c.path, ok, refusal.Raw)
		}
	}
}

// TestOddEscapes: a `path` caveat of our own operations is judged on the path that is routed, too.
func TestOddEscapes(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	token := s.restricted(s.loggedIn().Text("access_token"), "path under "+devicesPath+"/A")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + devicesPath +
		"/A%2FB\" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n")))
	s.must(err)
	w := httptest.NewRecorder()
	if s.server.Handler().ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("a token for the device A asks for another: %d %s", w.Code, w.Body)
	}
}

// TestEnded: a long poll that outlives its session delivers nothing; one that merely outlives its token does.
func TestEnded(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	token := s.loggedIn().Text("access_token")
	ended := func() (bool, *httptest.ResponseRecorder) {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		err := s.gate.Ended(r, token)
		if err != nil {
			s.gate.Refuse(w, r, token, err)
		}
		return err != nil, w
	}
	s.clock.Step(time.Hour)
	if over, w := ended(); over || w.Body.Len() > 0 {
		t.Errorf("an expired token ends a poll: %s", w.Body)
	}
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	if over, w := ended(); !over || !strings.Contains(w.Body.String(), "M_USER_LOCKED") {
		t.Errorf("%v: a locked user's poll goes on: %s", over, w.Body)
	}
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.ok(s.logout(token))
	if over, w := ended(); !over || w.Code != 401 || !strings.Contains(w.Body.String(), "M_UNKNOWN_TOKEN") {
		t.Errorf("%v: a poll outlives its session: %s", over, w.Body)
	}
	token = s.replayed(s.loggedIn())
	if over, w := ended(); !over || !strings.Contains(w.Body.String(), `"soft_logout":true`) {
		t.Errorf("%v: a poll outlives a replay: %s", over, w.Body)
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t, func(c *setup) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.1.2.3/32")}
	})
	for _, c := range [][]string{ // peer, X-Forwarded-For, X-Forwarded-Proto, address, scheme
		{"192.0.2.1:5", "", "", "192.0.2.1", "http"},
		{"192.0.2.1:5", "203.0.113.9", "https", "192.0.2.1", "http"},
		{"127.0.0.1:5", "203.0.113.9", "https", "203.0.113.9", "https"},
		{"127.0.0.1:5", "1.1.1.1, 203.0.113.9, 10.1.2.3", "HTTPS", "203.0.113.9", "https"},
		{"127.0.0.1:5", "203.0.113.9", "gopher", "203.0.113.9", "http"},
		{"127.0.0.1:5", "", "", "127.0.0.1", "http"},
		{"[::1]:5", "203.0.113.9", "https", "::1", "http"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = c[0]
		for i, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto"} {
			if c[1+i] != "" {
				r.Header.Set(name, c[1+i])
			}
		}
		if addr, scheme := s.gate.Client(r); addr != c[3] || scheme != c[4] {
			t.Errorf("%q is %s by %s", c, addr, scheme)
		}
	}
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	for path, want := range map[string]string{
		"/_matrix/client/v3/login":                                  "/_matrix/client/v3/login",
		"/_matrix/client/r0/login":                                  "/_matrix/client/v3/login",
		"/_matrix/client/unstable/login":                            "/_matrix/client/v3/login",
		"/_matrix/client/api/v1/login":                              "/_matrix/client/api/v1/login",
		"/_matrix/client/api/v1/logout":                             "/_matrix/client/v3/logout",
		"/_matrix/client/v3/tokenrefresh":                           "/_matrix/client/api/v1/tokenrefresh",
		"/_matrix/client/v1/refresh":                                "/_matrix/client/v3/refresh",
		"/_matrix/client/unstable/org.matrix.msc2918/refresh":       "/_matrix/client/v3/refresh",
		"/_matrix/client/v3/login/get_token":                        "/_matrix/client/v1/login/get_token",
		"/_matrix/client/r0/devices/a%2Fb":                          "/_matrix/client/v3/devices/a%2Fb",
		"/_matrix/client/v1/auth/m.login.terms/fallback/web":        "/_matrix/client/v3/auth/m.login.terms/fallback/web",
		"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata": "/_matrix/client/v1/auth_metadata",
		"/_matrix/client/unstable/org.matrix.msc2965/auth_issuer":   "/_matrix/client/v1/auth_metadata",
		"/_matrix/client/v3/auth_metadata":                          "/_matrix/client/v1/auth_metadata",
		"/_matrix/client/v1/auth_issuer":                            "/_matrix/client/v1/auth_metadata",
		"/_matrix/client/r0/sync":                                   "/_matrix/client/v3/sync",
		"/_matrix/client/v1/media/config":                           "/_matrix/client/v1/media/config",
		"/_matrix/client/unstable/org.matrix.msc3575/sync":          "/_matrix/client/unstable/org.matrix.msc3575/sync",
		"/_matrix/client/v3/devices/":                               "/_matrix/client/v3/devices/",
		"/_matrix/client/v3/%6Cogin":                                "/_matrix/client/v3/%6Cogin",
	} {
		if got := s.gate.name(path); got != want {
			t.Errorf("%s is called %s, want %s", path, got, want)
		}
	}
	for name, want := range map[string]bool{
		"/_matrix/client/v3/login": true, "/_matrix/client/v1/auth_metadata": true,
		"/_matrix/client/v3/devices/X": true, "/health": true, "/metrics": false,
		"/_matrix/client/v3/account/password/email/requestToken": true,
		"/_matrix/client/v3/register/msisdn/requestToken":        true,
		"/_matrix/client/v3/account/3pid/email/requestToken":     true,
		"/_matrix/client/v3/account/3pid/add":                    true, "/_matrix/client/v3/account/3pid": true,
		"/_matrix/client/versions": false, "/_matrix/client/v3/capabilities": false,
		"/.well-known/matrix/client": false, "/_matrix/client/v3/sync": false,
		"/_matrix/client/v3/devices/X/y": false, "/.well-known/matrix/server": false, "/": false, "": false,
	} {
		if got := s.gate.answers(name); got != want {
			t.Errorf("%s is Postern's: %v, want %v", name, got, want)
		}
	}
	if public := newSiteBefore(t, func(c *setup) { c.PublicURL = "https://example.org" }); !public.gate.answers(
		"/.well-known/matrix/client") {
		t.Error("the homeserver tells where clients find Postern")
	}
}

func TestAmend(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	amend := func(text string, edit func(map[string]json.RawMessage)) string {
		var object map[string]json.RawMessage
		s.must(json.Unmarshal([]byte(text), &object))
		edit(object)
		out, err := json.Marshal(object)
		s.must(err)
		return string(out)
	}
	const own = `"m.3pid_changes":{"enabled":false},"m.change_password":{"enabled":true},"m.get_login_token":{"enabled":true}`
	for text, want := range map[string]string{
		`{"capabilities":{"m.change_password":{"enabled":false},"m.room_versions":{"default":"11"}}}`: `{"capabilities":{` + own + `,"m.room_versions":{"default":"11"}}}`,
		`{}`:                  `{"capabilities":{` + own + `}}`,
		`{"capabilities":[]}`: `{"capabilities":{` + own + `}}`,
	} {
		if got := amend(text, s.gate.editCapabilities); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
	if got := amend(`{"m.homeserver":{},"org.matrix.msc2965.authentication":{"issuer":"x"}}`,
		editWellKnown); got != `{"m.homeserver":{}}` {
		t.Errorf("the well-known file becomes %s", got)
	}
}
