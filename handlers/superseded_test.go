package handlers

import (
	"testing"
	"time"

	"postern/tokens"
)

// Two processes share a session, one refreshes, and the other still holds an older access token. Some clients log out
// when that dies before its time.

func TestSupersededUntilItExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.loggedIn()
	newest := first
	for range 3 {
		s.clock.Step(time.Minute)
		newest = s.ok(s.refresh(newest.Text("refresh_token")))
		s.ok(s.whoami(newest.Text("access_token")))
		s.ok(s.whoami(first.Text("access_token")))
	}
	narrow := s.restrict(first.Text("access_token"), "time < 99999999999999")
	s.clock.Step(2 * time.Minute)
	for name, token := range map[string]string{"expired": first.Text("access_token"), "with a later time": narrow} {
		a := s.whoami(token)
		if s.want(a, 401, "M_UNKNOWN_TOKEN"); !a.Soft() {
			t.Errorf("%s: %s", name, a.Raw)
		}
		s.want(s.logout(token), 401, "M_UNKNOWN_TOKEN") // only one of the pair in force may log out when expired
	}
	s.ok(s.whoami(newest.Text("access_token")))
}

// TestSupersededEnds: what ends a session ends its superseded access tokens at once.
func TestSupersededEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *site, older, newer answer){
		"logout":                    func(s *site, _, newer answer) { s.ok(s.logout(newer.Text("access_token"))) },
		"logout with the older one": func(s *site, older, _ answer) { s.ok(s.logout(older.Text("access_token"))) },
		"replay": func(s *site, older, _ answer) {
			s.clock.Step(time.Minute)
			s.want(s.refresh(older.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
		},
		"deactivation": func(s *site, _, _ answer) {
			_, err := s.db.Deactivate(s.Context(), "alice", s.clock.Now(), false)
			s.must(err)
		},
		"password change": func(s *site, _, _ answer) {
			other := s.ok(s.login(``))
			s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/v3/account/password",
				Token: other.Text("access_token"),
				Body:  `{"new_password":"battery staple","auth":` + passwordStep("alice", password, "") + `}`}))
		},
		"refresh at the 2015 draft API": func(s *site, _, newer answer) {
			pair := s.ok(s.tokenRefresh(newer.Text("refresh_token")))
			s.want(s.whoami(newer.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
			next := s.ok(s.refresh(pair.Text("refresh_token"))) // which does not bring those before the draft's back
			s.ok(s.whoami(next.Text("access_token")))
			s.ok(s.whoami(pair.Text("access_token")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			older := s.loggedIn()
			newer := s.ok(s.refresh(older.Text("refresh_token")))
			s.ok(s.whoami(newer.Text("access_token")))
			s.ok(s.whoami(older.Text("access_token")))
			end(s, older, newer)
			s.want(s.whoami(older.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
		})
	}
}

// TestSupersededWhileLocked: a lock is told to the holder of a good token, and passes.
func TestSupersededWhileLocked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	older := s.loggedIn()
	newer := s.ok(s.refresh(older.Text("refresh_token")))
	s.ok(s.whoami(newer.Text("access_token")))
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	s.want(s.whoami(older.Text("access_token")), 401, "M_USER_LOCKED")
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.ok(s.whoami(older.Text("access_token")))
}

// TestSupersededWithoutExpiry: an access token that would be good for ever dies when its successor is used, and a
// holder's own caveat is no expiry of the minter.
func TestSupersededWithoutExpiry(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.AccessTTL = 0 })
	older := s.loggedIn()
	soon, err := tokens.Restrict(older.Text("access_token"),
		tokens.Caveat{Key: "time", Operator: "<", Value: "99999999999999"})
	s.must(err)
	newer := s.ok(s.refresh(older.Text("refresh_token")))
	s.ok(s.whoami(soon))
	s.ok(s.whoami(newer.Text("access_token")))
	for _, token := range []string{older.Text("access_token"), soon} {
		s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
	}
}
