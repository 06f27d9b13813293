package handlers

import (
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
	"postern/tokens"
)

// TestBehind: whatever a client shows first after its session went back from generation 4 to 1, and at which API, it is
// good for what it was good for, and the client goes on.
func TestBehind(t *testing.T) {
	t.Parallel()
	first := map[string]func(s *site, p [4]answer){
		"the newest access token": func(s *site, p [4]answer) { s.ok(s.whoami(p[3].Text("access_token"))) },
		"an older access token":   func(s *site, p [4]answer) { s.ok(s.whoami(p[2].Text("access_token"))) },
		"the first access token":  func(s *site, p [4]answer) { s.ok(s.whoami(p[0].Text("access_token"))) },
		"an expired access token": func(s *site, p [4]answer) {
			s.clock.Step(time.Hour)
			if a := s.whoami(p[3].Text("access_token")); !a.Soft() || a.Code() != "M_UNKNOWN_TOKEN" {
				s.Errorf("%s", a.Raw)
			}
		},
		"the newest refresh token": func(s *site, p [4]answer) { s.ok(s.refresh(p[3].Text("refresh_token"))) },
		"the one before, whose answer was lost": func(s *site, p [4]answer) {
			again := s.ok(s.refresh(p[2].Text("refresh_token")))
			if again.Text("refresh_token") != p[3].Text("refresh_token") {
				s.Error("there are two refresh tokens of one generation")
			}
		},
		"the newest at the 2015 draft": func(s *site, p [4]answer) {
			s.ok(s.whoami(s.ok(s.tokenRefresh(p[3].Text("refresh_token"))).Text("access_token")))
			s.want(s.tokenRefresh(p[3].Text("refresh_token")), 403, "M_FORBIDDEN")
		},
		"both at once": func(s *site, p [4]answer) {
			a, b := s.ok(s.refresh(p[3].Text("refresh_token"))), s.ok(s.refresh(p[2].Text("refresh_token")))
			if a.Text("refresh_token") != b.Text("refresh_token") {
				s.Error("two processes of a client have got two pairs")
			}
		},
	}
	for name, show := range first {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			var pairs [4]answer
			pairs[0] = s.loggedIn()
			for i := range 3 {
				s.clock.Step(time.Minute)
				pairs[i+1] = s.ok(s.refresh(pairs[i].Text("refresh_token")))
			}
			s.clock.Step(time.Second)
			dbtest.Forget(s, s.db)
			show(s, pairs)
			if name == "the newest at the 2015 draft" {
				return
			}
			s.clock.Step(time.Second)
			s.ok(s.whoami(s.ok(s.refresh(pairs[3].Text("refresh_token"))).Text("access_token")))
			page := s.do(call{Method: "GET", Path: "/metrics"})
			if !strings.Contains(page.Raw, "postern_caught_up_total ") ||
				strings.Contains(page.Raw, "postern_caught_up_total 0") {
				t.Errorf("metrics: %s", page.Raw)
			}
		})
	}
}

// TestBehindKnowsBetter: a lock, a soft logout and a logout that the database still knows count.
func TestBehindKnowsBetter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.ok(s.refresh(s.loggedIn().Text("refresh_token")))
	dbtest.Forget(s, s.db)
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	s.want(s.whoami(p.Text("access_token")), 401, "M_USER_LOCKED")
	s.want(s.refresh(p.Text("refresh_token")), 401, "M_USER_LOCKED")
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.ok(s.whoami(p.Text("access_token")))
	s.ok(s.logout(p.Text("access_token")))
	if a := s.whoami(p.Text("access_token")); a.Soft() || a.Code() != "M_UNKNOWN_TOKEN" {
		t.Errorf("after a logout: %s", a.Raw)
	}

	p = s.ok(s.refresh(s.loggedIn().Text("refresh_token")))
	dbtest.Forget(s, s.db)
	token, err := tokens.Decode(p.Text("access_token"))
	s.must(err)
	s.must(s.db.Write(t.Context(), func(t *db.Tx) error {
		_, err := t.Soften(db.Event{Kind: db.EventReplay, Session: token.Session()})
		return err
	}))
	for _, a := range []answer{s.whoami(p.Text("access_token")), s.refresh(p.Text("refresh_token"))} {
		if s.want(a, 401, "M_UNKNOWN_TOKEN"); !a.Soft() {
			t.Errorf("after a soft logout: %s", a.Raw)
		}
	}
}

// TestLostSession: the client of a session that has no row keeps its keys unless it is known to have ended, or is older
// than such things are kept for, and whether its tokens are newer than the row was.
func TestLostSession(t *testing.T) {
	t.Parallel()
	softly := func(s *site, p answer, want bool) {
		s.Helper()
		for _, a := range []answer{s.whoami(p.Text("access_token")), s.refresh(p.Text("refresh_token"))} {
			if s.want(a, 401, "M_UNKNOWN_TOKEN"); a.Soft() != want {
				s.Errorf("soft logout %v: %s", !want, a.Raw)
			}
		}
	}
	for name, test := range map[string]struct {
		end  func(s *site, p answer)
		soft bool
	}{
		"lost":       {func(s *site, _ answer) { dbtest.Lose(s, s.db) }, true},
		"logged out": {func(s *site, p answer) { s.ok(s.logout(p.Text("access_token"))) }, false},
		"another password": {func(s *site, _ answer) {
			u, err := s.db.User(s.Context(), "alice")
			s.must(err)
			_, err = s.db.ChangePassword(s.Context(), db.PasswordChange{Localpart: "alice", OldHash: u.PasswordHash,
				Hash: cheapHash(s, "another one"), EndOthers: true})
			s.must(err)
		}, false},
		"replaced, and that one logged out": {func(s *site, _ answer) {
			s.ok(s.logout(s.ok(s.login(`"device_id":"PHONE"`)).Text("access_token")))
		}, false},
		"lost long ago": {func(s *site, _ answer) { dbtest.Lose(s, s.db); s.clock.Step(31 * 24 * time.Hour) }, false},
		"logged out, and tidied up": {func(s *site, p answer) {
			s.ok(s.logout(p.Text("access_token")))
			s.clock.Step(31 * 24 * time.Hour)
			s.server.tidy(s.Context())
		}, false},
		"lost with the key that it was begun with": {func(s *site, _ answer) {
			dbtest.Lose(s, s.db)
			s.must(s.db.Write(s.Context(), func(t *db.Tx) error { return t.Exec(`DELETE FROM root_keys`) }))
			s.addRootKey(2)
			s.server = s.newServer()
		}, true},
		"back to before its key was made": {func(s *site, _ answer) {
			s.must(s.db.Write(s.Context(), func(t *db.Tx) error { return t.Exec(`DELETE FROM root_keys`) }))
			s.addRootKey(2)
			s.server = s.newServer()
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			p := s.ok(s.login(`"refresh_token":true,"device_id":"PHONE"`))
			newer := s.ok(s.refresh(p.Text("refresh_token")))
			dbtest.Forget(s, s.db)
			test.end(s, p)
			softly(s, p, test.soft)
			softly(s, newer, test.soft)
		})
	}
}

// TestKeysGoBack: a running server whose database has forgotten a root key, and has got another one since, goes on with
// what the database has, and answers tokens of the forgotten one softly.
func TestKeysGoBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.loggedIn()
	s.addRootKey(20)
	after := s.ok(s.refresh(before.Text("refresh_token")))
	s.ok(s.whoami(after.Text("access_token")))
	s.must(s.db.Write(t.Context(), func(t *db.Tx) error { return t.Exec(`DELETE FROM root_keys WHERE id = 20`) }))
	dbtest.Forget(s, s.db)
	if s.db.Epoch() != 0 { // SQLite notices the commits of others alone; this one stands for them
		s.must(s.db.AddRootKey(t.Context(), db.RootKey{ID: 19, Created: s.clock.Now(), Retired: s.clock.Now()}))
	}
	if a := s.whoami(after.Text("access_token")); !a.Soft() {
		t.Errorf("a token of a forgotten key: %s", a.Raw)
	}
	s.addRootKey(21)
	pair := s.ok(s.refresh(before.Text("refresh_token")))
	token, err := tokens.Decode(pair.Text("access_token"))
	if s.must(err); token.KeyID() != 21 {
		t.Errorf("key %d mints", token.KeyID())
	}
	if a := s.whoami(after.Text("access_token")); !a.Soft() {
		t.Errorf("a token of a forgotten key: %s", a.Raw)
	}
}

// TestBehindByDeadToken: a token that is good for nothing has no session catch up, so it makes no old one good.
func TestBehindByDeadToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	pairs := []answer{s.loggedIn()}
	for i := range 6 {
		s.clock.Step(time.Minute)
		pairs = append(pairs, s.ok(s.refresh(pairs[i].Text("refresh_token"))))
	}
	dbtest.Forget(t, s.db)
	narrow, err := tokens.Restrict(pairs[6].Text("access_token"), tokens.Caveat{Key: "path", Operator: "under",
		Value: "/nowhere"})
	s.must(err)
	s.want(s.whoami(narrow), 403, "M_FORBIDDEN")
	s.clock.Step(time.Hour)
	s.want(s.whoami(pairs[6].Text("access_token")), 401, "M_UNKNOWN_TOKEN")
	if session, err := s.server.SessionOf(t.Context(), narrow); err != nil || !session.CaughtUp.IsZero() {
		t.Errorf("%+v, %v", session, err)
	}
	s.ok(s.refresh(pairs[3].Text("refresh_token"))) // which nobody knows to be old,
	s.ok(s.refresh(pairs[6].Text("refresh_token"))) // until the newest comes
	s.clock.Step(time.Minute)
	s.want(s.refresh(pairs[3].Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
}

// TestLostAmidARequest: what is noticed in the midst of a request is judged as at its beginning.
func TestLostAmidARequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	session, err := s.server.SessionOf(t.Context(), s.loggedIn().Text("access_token"))
	s.must(err)
	dbtest.Lose(t, s.db)
	ctx := WithCaller(t.Context(), &Caller{Session: session, Now: s.clock.Now()})
	for _, err := range []error{s.server.stillProven(ctx, nil, session), s.server.ended(ctx, db.ErrNotFound)} {
		if e := AsError(err); e.Status != 401 || !e.SoftLogout {
			t.Errorf("%+v", e)
		}
	}
}

// TestRingOfItsEpoch: keys that were read are never taken for those of another epoch.
func TestRingOfItsEpoch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before, err := s.db.Fresh(t.Context())
	s.must(err)
	s.addRootKey(2)
	ring, err := s.server.keys.asOf(t.Context(), before+1000)
	s.must(err)
	if now, err := s.db.Fresh(t.Context()); err != nil || ring.epoch != now || now == before {
		t.Errorf("the ring is of %d, the database at %d: %v", ring.epoch, now, err)
	}
}
