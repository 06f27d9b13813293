package handlers

import (
	"testing"
)

// TestFirstPairNeedsNoDatabase: when a session has begun, its pair is computed from memory: a database that goes away
// in that moment leaves no session which nobody hears of.
func TestFirstPairNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	sessions, err := s.db.Sessions(t.Context(), "alice")
	s.must(err)
	s.must(s.db.Close())
	p, err := s.server.firstPair(t.Context(), sessions[0], nil)
	if err != nil || p.access != login.Text("access_token") || p.refresh != login.Text("refresh_token") {
		t.Errorf("%v: another pair than the login's", err)
	}
}
