package handlers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"postern/tokens"
)

// FuzzBody sends anything to everything that reads a body. Whatever comes, the answer is one that the contract
// declares, and never the server's fault.
func FuzzBody(f *testing.F) {
	s := newSite(f)
	refresh := s.loggedIn().text("refresh_token")
	for _, seed := range []string{
		"", "{}", "null", "[]", "\xff", `{"type":`, loginBody("alice", password, `"refresh_token":true`), loginBody("alice", "wrong", ""),
		`{"username":"alice","password":"` + password + `"}`, `{"refresh_token":"` + refresh + `"}`, `{"refresh_token":"\u0000"}`,
		`{"type":"m.login.password","identifier":{"type":"m.id.user","user":"\ud800"},"password":"x","device_id":"\u0000"}`,
		`{"type":"m.login.password","user":"alice","password":"` + password + `","device_id":" ","initial_device_display_name":"\n"}`,
		strings.Repeat("[", 20_000), `{"refresh_token":1e999}`,
	} {
		for op := range byte(4) {
			f.Add(op, []byte(seed))
		}
	}
	paths := []string{loginPath, draftLoginPath, refreshPath, tokenRefreshPath}
	f.Fuzz(func(t *testing.T, op byte, body []byte) {
		s := &site{TB: t, db: s.db, server: s.server, clock: s.clock}
		a := s.do(call{method: "POST", path: paths[int(op)%len(paths)], body: string(body)})
		if a.Status >= 500 {
			t.Errorf("answer is %d %s", a.Status, a.Raw)
		}
	})
}

// FuzzRestricted appends anything to a good token: it may take away, and never breaks the server.
func FuzzRestricted(f *testing.F) {
	s := newSite(f)
	good := s.ok(s.login("")).text("access_token")
	for _, seed := range []string{"method in GET", "path under /", "addr in ::/0", "device_id = X", "time < 1", "time < 99999999999999999999", "a b c", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, caveat string) {
		token, err := tokens.Carry(good, []string{caveat})
		if err != nil {
			t.Skip()
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_matrix/client/v3/logout?access_token="+token, http.NoBody)
		r.Method, r.URL.Path = http.MethodGet, "/_matrix/client/v3/account/whoami"
		w := httptest.NewRecorder()
		s.server.Handler().ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%q: answer is %d %s", caveat, w.Code, w.Body)
		}
	})
}
