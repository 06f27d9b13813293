package handlers

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"postern/tokens"
)

// FuzzBody sends anything to every operation that reads a JSON body. Whatever comes, the answer is one that the
// contract declares, and never the server's fault.
func FuzzBody(f *testing.F) {
	s := newSite(f)
	login := s.loggedIn()
	c, err := readContract()
	s.must(err)
	var calls []call
	for _, op := range c.operations {
		if op.body != nil && !op.oauth {
			calls = append(calls, sample(op.id, login))
		}
	}
	// the corpus names them by number
	slices.SortFunc(calls, func(a, b call) int { return cmp.Compare(a.Path, b.Path) })
	for i, call := range calls {
		for _, seed := range []string{
			// With a wrong password, so that nothing comes of it and the next one finds the account as it was.
			strings.ReplaceAll(call.Body, password, "wrong"),
			"", "{}", "null", "[]", "\xff", `{"type":`, `{"auth":null}`, `{"auth":{"session":"x"}}`,
			`{"refresh_token":"\u0000"}`, `{"refresh_token":1e999}`,
			`{"type":"m.login.password","identifier":{"type":"m.id.user","user":"\ud800"},"password":"x","device_id":"\u0000"}`,
			`{"type":"m.login.token","token":"x"}`, `{"username":"\u0130","auth":{"type":"m.login.dummy"}}`,
			strings.Repeat("[", 20_000),
		} {
			f.Add(byte(i), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, op byte, body []byte) {
		s := &site{TB: t, db: s.db, server: s.server, clock: s.clock}
		call := calls[int(op)%len(calls)]
		call.Body = string(body)
		if a := s.do(call); a.Status >= 500 {
			t.Errorf("%s answers %d %s", call.Path, a.Status, a.Raw)
		}
	})
}

// FuzzRestricted appends anything to a good token: it may take away, and never breaks the server.
func FuzzRestricted(f *testing.F) {
	s := newSite(f)
	good := s.ok(s.login("")).Text("access_token")
	for _, seed := range []string{"method in GET", "path under /", "addr in ::/0", "device_id = X", "time < 1",
		"time < 99999999999999999999", "a b c", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, caveat string) {
		token, err := tokens.Carry(good, []string{caveat})
		if err != nil {
			t.Skip()
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
			"/_matrix/client/v3/logout?access_token="+token, http.NoBody)
		r.Method, r.URL.Path = http.MethodGet, "/_matrix/client/v3/account/whoami"
		w := httptest.NewRecorder()
		s.server.Handler().ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%q: answer is %d %s", caveat, w.Code, w.Body)
		}
	})
}
