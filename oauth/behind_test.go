package oauth

import (
	"testing"
	"time"

	"postern/db/dbtest"
)

// TestBehind: a client whose session the database has forgotten parts of goes on. One whose session is lost altogether
// hears that the grant is over, and at the Matrix API that it keeps its device. A newer token revokes too.
func TestBehind(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	pair := s.ok(s.redeem(client, s.code(client)))
	first := pair
	for range 3 {
		s.clock.Step(time.Minute)
		pair = s.ok(s.refresh(client, pair.text("refresh_token")))
	}
	dbtest.Forget(t, s.db)
	again := s.ok(s.refresh(client, pair.text("refresh_token")))
	s.ok(s.whoami(again.text("access_token")))
	s.clock.Step(time.Minute) // longer than the leeway
	dbtest.Forget(t, s.db)
	s.ok(s.whoami(again.text("access_token")))
	s.clock.Step(time.Minute)
	s.want(s.refresh(client, first.text("refresh_token")), 400, "invalid_grant") // a replay

	lost := s.ok(s.redeem(client, s.code(client)))
	dbtest.Lose(t, s.db)
	s.want(s.refresh(client, lost.text("refresh_token")), 400, "invalid_grant")
	if a := s.want(s.whoami(lost.text("access_token")), 401, "M_UNKNOWN_TOKEN"); a.json["soft_logout"] != true {
		t.Errorf("%+v", a.json)
	}

	for _, kind := range []string{"access_token", "refresh_token"} {
		old := s.ok(s.redeem(client, s.code(client)))
		newer := s.ok(s.refresh(client, old.text("refresh_token")))
		dbtest.Forget(t, s.db)
		s.ok(s.revoke(newer.text(kind), client))
		for _, pair := range []answer{old, newer} {
			if a := s.want(s.whoami(pair.text("access_token")), 401, "M_UNKNOWN_TOKEN"); a.json["soft_logout"] == true {
				t.Errorf("revoked by a newer %s: %+v", kind, a.json)
			}
			s.want(s.refresh(client, pair.text("refresh_token")), 400, "invalid_grant")
		}
	}
}
