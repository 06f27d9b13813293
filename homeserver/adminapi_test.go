package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/homeserver/adminapi"
	"postern/homeserver/synapse"
)

const adminSecret = "a secret that makes accounts"

// ward is a homeserver for tests of the admin API: it knows users, answers PUT v2/users as Synapse does that leaves
// accounts to us, and keeps what came. A real Synapse has the last word in test/homeserver/front.
type ward struct {
	mu     sync.Mutex
	users  map[string]bool
	bodies []string
	away   error
	fails  int // so many requests after the next fail
}

// newSiteWithWard makes a site with the administrator alice, and gives a token of hers.
func newSiteWithWard(t *testing.T, change ...func(*setup)) (*site, *ward, string) {
	t.Helper()
	h := &ward{users: map[string]bool{"alice": true, "bob": true}}
	s := newSite(t, append([]func(*setup){func(c *setup) { c.there = h.told() }}, change...)...)
	s.must(SetAdmin(t.Context(), s.db, "alice", true))
	return s, h, s.ok(s.login(`"device_id":"DESK"`)).Text("access_token")
}

func (h *ward) told() Config {
	return Config{
		RegistrationSecret: adminSecret,
		Provision: func(_ context.Context, name, _, _ string) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.away == nil {
				h.users[name] = true
			}
			return h.away
		},
		Available: func(_ context.Context, name string) (string, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.users[name] {
				return "M_USER_IN_USE", h.away
			}
			return "", h.away
		},
		User: func(_ context.Context, name string) (synapse.User, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.away == nil && !h.users[name] {
				return synapse.User{}, synapse.ErrNotFound
			}
			return synapse.User{}, h.away
		},
		HasDevice: func(context.Context, string, string, string) (bool, error) { return false, nil },
	}
}

// ServeHTTP answers what is sent on.
func (h *ward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	raw, _ := io.ReadAll(r.Body)
	h.bodies = append(h.bodies, string(raw))
	w.Header().Set("Content-Type", "application/json")
	status, answer := h.answer(r, raw)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (h *ward) answer(r *http.Request, raw []byte) (int, string) {
	if h.fails > 0 && len(h.bodies) > 1 {
		h.fails--
		return 502, `{"errcode":"M_UNKNOWN"}`
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return 400, `{"errcode":"M_NOT_JSON"}`
	}
	path := strings.Split(r.URL.Path, "/")
	name, _, _ := strings.Cut(strings.TrimPrefix(path[5], "@"), ":")
	switch {
	case body["user_type"] == "clown":
		return 400, `{"errcode":"M_UNKNOWN","error":"Invalid user type"}`
	case !h.users[name] && path[4] == "users":
		return 403, `{"errcode":"M_FORBIDDEN","error":"User creation via the Admin API is not available"}`
	case !h.users[name]:
		return 404, `{"errcode":"M_NOT_FOUND","error":"User not found"}`
	}
	return 200, `{"name":"@` + name + `:example.org","admin":false,"displayname":null}`
}

// asked is how many requests came.
func (h *ward) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.bodies)
}

func (h *ward) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// admin makes a request of the admin API.
func (s *site) admin(h *ward, token, method, path, body string) answer {
	s.Helper()
	plain, _, _ := strings.Cut(path, "?")
	op := s.gate.Operation(method, adminapi.Prefix+plain, token)
	handler := op.Handler
	if op.Amend != nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { op.Amend(w, r, h) })
	}
	if handler == nil {
		s.Fatalf("%s %s just passes", method, path)
	}
	return s.ask(handler, call{Method: method, Path: adminapi.Prefix + path, Token: token, Body: body})
}

// TestAdminAPIIsForAdministrators: whoever is none, or whose token is not good for the request, is refused before
// anything is done or asked, by every call that asks for a token.
func TestAdminAPIIsForAdministrators(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	bob := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("bob", password, `"refresh_token":true`)}))
	over := s.ok(s.login(`"device_id":"OVER"`)).Text("access_token")
	s.ok(s.logout(over))
	for _, c := range adminapi.Calls {
		if c.Path == "v1/register" || c.Kind == adminapi.Corrected { // those that the front checks
			continue
		}
		path := strings.ReplaceAll(c.Path, "users/*", "users/@bob:example.org")
		path = strings.ReplaceAll(path, "*", "@bob:example.org")
		for why, try := range map[string]struct {
			token, code string
			status      int
		}{
			"nobody":             {"", "M_MISSING_TOKEN", 401},
			"a forgery":          {alice[:len(alice)-4] + "AAAA", "M_UNKNOWN_TOKEN", 401},
			"a normal user":      {bob.Text("access_token"), "M_FORBIDDEN", 403},
			"a refresh token":    {bob.Text("refresh_token"), "M_UNKNOWN_TOKEN", 401},
			"a session over":     {over, "M_UNKNOWN_TOKEN", 401},
			"for another method": {s.restricted(alice, "method in PATCH"), "M_FORBIDDEN", 403},
			"for another path":   {s.restricted(alice, "path under /_synapse/admin/v1/rooms"), "M_FORBIDDEN", 403},
			"past its time":      {s.restricted(alice, "time < 1"), "M_UNKNOWN_TOKEN", 401},
			"from elsewhere":     {s.restricted(alice, "addr in 198.51.100.1"), "M_FORBIDDEN", 403},
		} {
			body := `{"password":"a long password","new_password":"a long password","admin":true}`
			if a := s.admin(h, try.token, c.Method, path, body); a.Status != try.status || a.Code() != try.code {
				t.Errorf("%s: %s %s is answered %d %s", why, c.Method, c.Path, a.Status, a.Raw)
			}
		}
	}
	if n := h.asked(); n != 0 {
		t.Errorf("the homeserver was asked %d times", n)
	}
	if u, err := s.db.User(t.Context(), "bob"); err != nil || u.Admin || !u.Deactivated.IsZero() {
		t.Errorf("bob: %+v, %v", u, err)
	}
	s.ok(s.whoami(bob.Text("access_token")))
}

// TestAdminAPIFollowsTheMark: an administrator who is one no more, or is locked, is refused with the next request.
func TestAdminAPIFollowsTheMark(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	list := func() answer { return s.admin(h, alice, "GET", "v1/registration_tokens", "") }
	s.ok(list())
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	s.want(list(), 401, "M_USER_LOCKED")
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.ok(list())
	s.must(SetAdmin(t.Context(), s.db, "alice", false))
	s.want(list(), 403, "M_FORBIDDEN")
	only := s.restricted(alice, "path under /_synapse/admin/v1/registration_tokens")
	s.must(SetAdmin(t.Context(), s.db, "alice", true))
	s.ok(s.admin(h, only, "POST", "v1/registration_tokens/new", `{}`))
	s.want(s.admin(h, only, "POST", "v1/reset_password/@bob:example.org", `{"new_password":"a long password"}`), 403,
		"M_FORBIDDEN")
}

// TestAdminMakesUsers: an account is made with all that is asked for, and the homeserver never sees a password, however
// the field is spelled.
func TestAdminMakesUsers(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	put := func(name, body string) answer {
		return s.admin(h, alice, "PUT", "v2/users/%40"+name+"%3Aexample.org", body)
	}
	a := put("carol", `{"p\u0061ssword":"a long password","displayname":"Carol","admin":true,"locked":false}`)
	if a.Status != 201 || a.JSON["admin"] != true || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("made: %d %s %v", a.Status, a.Raw, a.Header)
	}
	if u, err := s.db.User(t.Context(), "carol"); err != nil || !u.Admin {
		t.Errorf("%+v, %v", u, err)
	}
	login := call{Method: "POST", Path: loginPath, Body: loginBody("carol", "a long password", "")}
	carol := s.ok(s.do(login)).Text("access_token")
	s.ok(s.admin(h, carol, "GET", "v1/users/@carol:example.org/admin", ""))
	if a = put("carol", `{"displayname":"C"}`); a.Status != 200 || a.JSON["admin"] != true {
		t.Errorf("again: %d %s", a.Status, a.Raw)
	}
	if a = put("nopass", `{}`); a.Status != 201 {
		t.Errorf("without a password: %d %s", a.Status, a.Raw)
	}
	for _, body := range h.bodies {
		if strings.Contains(body, "long password") {
			t.Errorf("the homeserver got %s", body)
		}
	}
	s.ok(put("carol", `{"password":"another long password","logout_devices":false}`))
	s.ok(s.whoami(carol))
	s.ok(put("carol", `{"password":"a third long password"}`))
	s.want(s.whoami(carol), 401, "M_UNKNOWN_TOKEN")
	s.ok(put("alice", `{"password":"a long password of hers","admin":true}`))
	s.ok(s.whoami(alice)) // whoever changes their own password stays
}

// TestAdminPutRefused: what is refused, by whichever server, changes nothing at either.
func TestAdminPutRefused(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	before := s.userRows()
	for _, try := range []struct {
		user, body, code string
		status, asked    int
	}{
		{"@bob:other.org", `{}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org%2Fadmin", `{}`, "M_UNKNOWN", 400, 0},
		{"@bob:EXAMPLE.org", `{}`, "M_UNKNOWN", 400, 0},
		{"bob", `{}`, "M_INVALID_PARAM", 400, 0},
		{"@bob", `{}`, "M_INVALID_PARAM", 400, 0},
		{"@bob:example.org", `[]`, "M_BAD_JSON", 400, 0},
		{"@bob:example.org", `{`, "M_NOT_JSON", 400, 0},
		{"@bob:example.org", `{"admin":"false"}`, "M_BAD_JSON", 400, 0},
		{"@bob:example.org", `{"password":7}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org", `{"password":""}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org", `{"password":"x"}`, "M_WEAK_PASSWORD", 400, 0},
		{"@bob:example.org", `{"password":"` + strings.Repeat("x", 513) + `"}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org", `{"logout_devices":1}`, "M_UNKNOWN", 400, 0},
		{"@alice:example.org", `{"admin":false,"displayname":"x"}`, "M_UNKNOWN", 400, 0},
		{"@bob:example.org", `{"user_type":"clown","password":"a long password","admin":true}`, "M_UNKNOWN", 400, 1},
		{"@new:example.org", `{"user_type":"clown","password":"a long password"}`, "M_UNKNOWN", 400, 1},
		{"@BOB:example.org", `{"password":"a long password"}`, "M_INVALID_USERNAME", 400, 1},
		{"@NEW:example.org", `{"password":"a long password"}`, "M_INVALID_USERNAME", 400, 1},
		{"@:example.org", `{"password":"a long password"}`, "M_INVALID_USERNAME", 400, 1},
		{"@new%00:example.org", `{}`, "M_INVALID_USERNAME", 400, 1},
	} {
		asked := h.asked()
		a := s.admin(h, alice, "PUT", "v2/users/"+try.user, try.body)
		if a.Status != try.status || a.Code() != try.code || h.asked()-asked != try.asked {
			t.Errorf("%s %s: %d %s after %d questions", try.user, try.body, a.Status, a.Raw, h.asked()-asked)
		}
	}
	if after := s.userRows(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// userRows is all that is known of users.
func (s *site) userRows() string {
	s.Helper()
	users, err := s.db.Users(s.Context())
	s.must(err)
	return fmt.Sprintf("%+v", users)
}

// TestAdminMakesUsersWhole: whatever fails in between, there is either no account or a whole one that the homeserver is
// told of, and the same request once more does what is left.
func TestAdminMakesUsersWhole(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	put := func() answer {
		return s.admin(h, alice, "PUT", "v2/users/@carol:example.org",
			`{"password":"a long password","admin":true,"displayname":"Carol"}`)
	}
	h.set(func() { h.away = errTestAway })
	if a := put(); a.Status != 503 {
		t.Errorf("away: %d %s", a.Status, a.Raw)
	}
	if _, err := s.db.User(t.Context(), "carol"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("there is an account: %v", err)
	}
	h.set(func() { h.away, h.fails = nil, 1; h.bodies = nil })
	if a := put(); a.Status != 502 {
		t.Errorf("away for the second part: %d %s", a.Status, a.Raw)
	}
	if u, err := s.db.User(t.Context(), "carol"); err != nil || !u.Admin {
		t.Errorf("%+v, %v", u, err)
	}
	a := s.ok(put())
	if a.JSON["admin"] != true || !strings.Contains(h.bodies[len(h.bodies)-1], "Carol") {
		t.Errorf("%s, %v", a.Raw, h.bodies)
	}
	s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("carol", "a long password", "")}))
}

// TestAdminDemotes: nobody takes the mark away from themselves, so there is always one who has it.
func TestAdminDemotes(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	set := func(user, body string) answer { return s.admin(h, alice, "PUT", "v1/users/"+user+"/admin", body) }
	is := func(user string) any {
		return s.ok(s.admin(h, alice, "GET", "v1/users/"+user+"/admin", "")).JSON["admin"]
	}
	for _, body := range []string{`{"admin":false}`, `{"admin":true,"admin":false}`} {
		if a := set("@alice:example.org", body); a.Status != 400 || a.Text("error") != "You may not demote yourself." {
			t.Errorf("%s: %d %s", body, a.Status, a.Raw)
		}
	}
	s.want(set("@bob:example.org", `{}`), 400, "M_MISSING_PARAM")
	s.want(set("@bob:example.org", `{"admin":"false"}`), 400, "M_BAD_JSON")
	s.want(set("@bob:example.org", `{"admin":null}`), 400, "M_BAD_JSON")
	s.want(set("@bob:other.org", `{"admin":true}`), 400, "M_UNKNOWN")
	s.want(set("@nobody:example.org", `{"admin":true}`), 404, "M_NOT_FOUND")
	s.ok(set("@bob:example.org", `{"admin":true}`))
	if is("@alice:example.org") != true || is("@bob:example.org") != true || is("@nobody:example.org") != false {
		t.Error("the marks are wrong")
	}
	s.ok(set("@bob:example.org", `{"admin":false}`))
	if is("@bob:example.org") != false {
		t.Error("the mark stays")
	}
}

// TestAdminLogsIn: the token is a session that ends when it is to, and says nothing of the administrator's own.
func TestAdminLogsIn(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	login := func(user, body string) answer { return s.admin(h, alice, "POST", "v1/users/"+user+"/login", body) }
	soon := s.clock.Now().Add(time.Minute).UnixMilli()
	token := s.ok(login("@bob:example.org", fmt.Sprintf(`{"valid_until_ms":%d}`, soon))).Text("access_token")
	endless := s.ok(login("@bob:example.org", ``)).Text("access_token")
	if who := s.ok(s.whoami(token)); who.Text("user_id") != "@bob:example.org" {
		t.Errorf("%s", who.Raw)
	}
	s.want(s.admin(h, token, "GET", "v1/registration_tokens", ""), 403, "M_FORBIDDEN")
	s.clock.Step(2 * time.Minute)
	s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(endless))
	s.ok(s.logout(endless))
	s.want(login("@alice:example.org", `{}`), 400, "M_UNKNOWN")
	s.want(login("@nobody:example.org", `{}`), 404, "M_NOT_FOUND")
	s.want(login("@bob:other.org", `{}`), 400, "M_UNKNOWN")
	s.want(login("@bob:example.org", `{"valid_until_ms":"x"}`), 400, "M_UNKNOWN")
	s.want(login("@bob:example.org", `{"valid_until_ms":1}`), 400, "M_INVALID_PARAM")
	s.must(s.db.LockUser(t.Context(), "bob", s.clock.Now()))
	s.want(login("@bob:example.org", `{}`), 403, "M_FORBIDDEN") // a 401 would be of the administrator's own token
	s.must(s.db.UnlockUser(t.Context(), "bob"))
	_, err := s.db.Deactivate(t.Context(), "bob", s.clock.Now(), false)
	s.must(err)
	s.want(login("@bob:example.org", `{}`), 403, "M_FORBIDDEN")
}
