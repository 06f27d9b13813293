package homeserver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
	"postern/test/rig/matrixtest"
)

// TestOver: those who wait are told apart by one question, whoever has ended their sessions.
func TestOver(t *testing.T) {
	t.Parallel()
	dsn := dbtest.DSN(t)
	s := newSiteOn(t, dsn, func(c *setup) { c.there = obliging(); c.SessionTTL = time.Hour })
	other := dbtest.Open(t, dsn)
	session := func(device string) string {
		t.Helper()
		a := s.ok(s.login(`"refresh_token":true,"device_id":"` + device + `"`))
		found, err := s.server.SessionOf(t.Context(), a.Text("access_token"))
		s.must(err)
		return found.ID
	}
	over := func(ids ...string) []string {
		t.Helper()
		got, err := s.gate.Over(t.Context(), ids)
		s.must(err)
		return got
	}
	kept, ended, replaced, soft := session("KEPT"), session("ENDED"), session("AGAIN"), session("SOFT")
	all := []string{kept, ended, replaced, soft}
	for range 2_500 { // more than one question's
		all = append(all, kept)
	}
	if got := over(all...); len(got) > 0 {
		t.Errorf("over without a reason: %v", got)
	}
	session("AGAIN")
	_, err := other.EndDevices(t.Context(), "alice", []string{"ENDED"})
	s.must(err)
	gone := db.Session{ID: soft, Localpart: "alice", DeviceID: "SOFT"}
	_, err = SoftenGone(t.Context(), other, gone, s.clock.Now())
	s.must(err)
	for n := 1; n < 7; n++ { // padded or not
		ids := append(slices.Repeat([]string{kept}, n), ended, replaced, soft, "nobody's")
		if got := over(ids...); !slices.Equal(got, ids[n:]) {
			t.Errorf("of %d, %v are over", len(ids), got)
		}
	}
	s.must(other.LockUser(t.Context(), "alice", s.clock.Now()))
	if got := over(kept); len(got) != 1 {
		t.Error("a lock is not seen")
	}
	s.must(other.UnlockUser(t.Context(), "alice"))
	if got := over(kept); len(got) != 0 {
		t.Error("an unlock is not seen")
	}
	s.clock.Step(time.Hour)
	if got := over(kept); len(got) != 1 {
		t.Error("the end is not seen")
	}
}

// TestOverWithoutAKey: who retires a root key ends the sessions on it, but none that the homeserver gave its tokens.
func TestOverWithoutAKey(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	first := s.loggedIn()
	old, err := s.server.SessionOf(t.Context(), first.Text("access_token"))
	s.must(err)
	matrixtest.Import(s, s.db, s.clock.Now(), matrixtest.ImportedPhone("PHONE", s.clock.Now()))
	moved, err := s.server.SessionOf(t.Context(), "syt_access_PHONE")
	s.must(err)
	s.addRootKey(2)
	fresh, err := s.server.SessionOf(t.Context(), s.ok(s.login(`"device_id":"NEW"`)).Text("access_token"))
	s.must(err)
	s.must(s.db.RetireRootKey(t.Context(), 1, s.clock.Now(), true))
	got, err := s.gate.Over(t.Context(), []string{old.ID, moved.ID, fresh.ID})
	if s.must(err); fmt.Sprint(got) != fmt.Sprint([]string{old.ID}) {
		t.Errorf("%v are over of %v", got, []db.Session{old, moved, fresh})
	}
}
