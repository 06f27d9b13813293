package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

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
	deaf   error // of Provision alone
	fails  int   // so many requests after the next fail
}

// newSiteWithWard makes a site with the administrator alice, and gives a token of hers.
func newSiteWithWard(t *testing.T, change ...func(*setup)) (*site, *ward, string) {
	t.Helper()
	h := &ward{users: map[string]bool{"alice": true, "bob": true}}
	s := newSite(t, append([]func(*setup){func(c *setup) { c.there = h.told() }}, change...)...)
	s.must(s.db.SetAdmin(t.Context(), "alice", true))
	return s, h, s.ok(s.login(`"device_id":"DESK"`)).Text("access_token")
}

func (h *ward) told() Config {
	return Config{
		RegistrationSecret: adminSecret,
		Provision: func(_ context.Context, name, _, _ string) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.away == nil && h.deaf == nil {
				h.users[name] = true
			}
			return errors.Join(h.away, h.deaf)
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
	return 200, `{"name":"@` + name + `:example.org","admin":false,
		"threepids":[{"medium":"email","address":"old@example.org"}]}`
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

// TestAdminAPIIsForAdministrators: an account that is not an administrator, or whose token is not good for the request,
// is refused before anything is done or asked, by every call that asks for a token.
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

// TestAdminAPINotesUse: a token that was shown to the admin API alone counts as used: the one before it is over then.
func TestAdminAPINotesUse(t *testing.T) {
	t.Parallel()
	s, h, _ := newSiteWithWard(t, func(c *setup) { c.RefreshLeeway = 0 })
	first := s.ok(s.login(`"device_id":"PHONE","refresh_token":true`))
	second := s.ok(s.refresh(first.Text("refresh_token")))
	s.ok(s.refresh(first.Text("refresh_token"))) // its answer may have been lost
	s.ok(s.admin(h, second.Text("access_token"), "GET", "v1/registration_tokens", ""))
	s.want(s.refresh(first.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
}

// TestAdminAPIFollowsTheMark: an account that is no longer an administrator, or is locked, is refused with the next
// request.
func TestAdminAPIFollowsTheMark(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	list := func() answer { return s.admin(h, alice, "GET", "v1/registration_tokens", "") }
	s.ok(list())
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	s.want(list(), 401, "M_USER_LOCKED")
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.ok(list())
	s.must(s.db.SetAdmin(t.Context(), "alice", false))
	s.want(list(), 403, "M_FORBIDDEN")
	only := s.restricted(alice, "path under /_synapse/admin/v1/registration_tokens")
	s.must(s.db.SetAdmin(t.Context(), "alice", true))
	s.ok(s.admin(h, only, "POST", "v1/registration_tokens/new", `{}`))
	s.want(s.admin(h, only, "POST", "v1/reset_password/@bob:example.org", `{"new_password":"a long password"}`), 403,
		"M_FORBIDDEN")
}
