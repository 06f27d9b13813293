package homeserver

import (
	"testing"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/fakesynapse"
)

func withApproval(c *setup) { c.Registration = handlers.RegistrationApproval }

// TestApprovalTellsTheHomeserver: it hears nothing of an account that waits, even if it is away while that is decided,
// and has it once it was approved.
func TestApprovalTellsTheHomeserver(t *testing.T) {
	t.Parallel()
	b := newBehind(t, withApproval)
	const waits = "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL"
	b.want(b.register(`,"username":"carol","device_id":"C"`), 403, waits)
	b.want(b.register(`,"username":"dave"`), 403, waits)
	b.want(b.do(call{Method: "POST", Path: loginPath, Body: `{"type":"m.login.password","user":"carol","password":"` +
		password + `"}`}), 403, waits)
	b.tell()
	if b.there.User("carol") != nil || b.there.User("dave") != nil {
		t.Error("it knows who waits")
	}
	b.there.Be(fakesynapse.Away)
	b.must(b.db.ApproveUser(t.Context(), "carol", b.clock.Now()))
	b.must(b.db.RejectUser(t.Context(), "dave"))
	b.there.Be(fakesynapse.Well)
	b.tell()
	if b.there.User("carol") == nil || b.there.User("dave") != nil {
		t.Errorf("it has carol: %v, and dave: %v", b.there.User("carol") != nil, b.there.User("dave") != nil)
	}
	b.ok(b.do(call{Method: "POST", Path: loginPath, Body: `{"type":"m.login.password","user":"carol","password":"` +
		password + `"}`}))
	b.same()
}

// TestServiceWantsAWaitingName: an application service cannot have the homeserver make the user that somebody waits to
// be.
func TestServiceWantsAWaitingName(t *testing.T) {
	t.Parallel()
	s, b := newSiteWithBridges(t)
	_, err := s.db.Register(t.Context(), db.Registration{Localpart: "_irc_carol", Waits: true, At: s.clock.Now()})
	s.must(err)
	for _, name := range []string{"_irc_carol", "_irc_Carol"} {
		s.want(s.serviceRegister(b, ircToken, name, ""), 400, "M_USER_IN_USE")
	}
	s.must(s.db.RejectUser(t.Context(), "_irc_carol"))
	s.ok(s.serviceRegister(b, ircToken, "_irc_carol", ""))
}
