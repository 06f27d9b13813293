package oauth

import (
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

const carolMail = "carol@example.com"

// askWith asks for an account that waits, with an address, and gives the page of the link that is mailed there.
func (s *site) askWith(name, address string) string {
	s.Helper()
	b := s.browser()
	s.says(b.press(handlers.RegisterPath, b.at(handlers.RegisterPath), "user", name, "password", newPassword, "email",
		address, "do", "create"), 403, "waits for approval", "open the link within a day")
	return s.mailedTo(strings.ToLower(address))
}

func (b *browser) confirm(path string) answer {
	b.Helper()
	return b.press(path, b.at(path), "do", "confirm")
}

// waitingMail is the address with which an account waits.
func (s *site) waitingMail(name string) db.Email {
	s.Helper()
	u, err := s.db.WaitingUser(s.Context(), name)
	s.must(err)
	return u.Email
}

// TestWaitingEmail: whoever waits shows their address by the link alone, in whatever browser; to open it does nothing.
// The address waits with the account, and belongs to it once it is approved. The link is good for nothing after that.
func TestWaitingEmail(t *testing.T) {
	t.Parallel()
	s := mailSite(t, withApproval)
	path := s.askWith("carol", "Carol@example.com")
	phone := s.browser().German()
	page := s.says(phone.at(path), 200, carolMail, "@carol:example.org", "um das unten genannte Konto gebeten")
	if e := s.waitingMail("carol"); e.Address != "" {
		t.Fatalf("to look at the link shows %+v", e)
	}
	s.says(phone.press(path, page, "do", "confirm", "form", "forged"), 403, carolMail)
	for range 2 {
		s.says(phone.press(path, page, "do", "confirm"), 200, "Bestätigt", "sobald es freigegeben ist")
	}
	if e := s.waitingMail("carol"); e.Address != carolMail || !e.Validated.Equal(s.clock.Now()) || e.Language != "de" {
		t.Errorf("it waits with %+v", e)
	}
	s.says(s.browser().signIn("/account", "carol", newPassword), 403, "You get a mail once that is done")
	s.must(s.db.ApproveUser(t.Context(), "carol", s.clock.Now()))
	if got := s.addresses("carol"); len(got) != 1 || got[0] != carolMail {
		t.Errorf("the account has %v", got)
	}
	s.must(s.db.RemoveEmail(t.Context(), "carol", carolMail))
	owner := s.browser()
	s.sentTo(owner.signIn(path, "carol", newPassword))
	s.says(owner.bind(path), 410, "not good, or no longer")
}

// TestWaitingEmailOver: a link shows the address of the account that has asked for it, and of no other of its name;
// not after its time, and none that is another account's.
func TestWaitingEmailOver(t *testing.T) {
	t.Parallel()
	s := mailSite(t, withApproval)
	s.has("alice", aliceMail)
	b := s.browser()
	first := s.askWith("carol", carolMail)
	page := s.says(b.at(first), 200, "@carol:example.org")
	s.must(s.db.RejectUser(t.Context(), "carol"))
	s.says(b.press(first, page, "do", "confirm"), 403, "Sign in")
	second := s.askWith("carol", "other@example.com")
	s.says(b.at(first), 200, "Sign in")
	s.says(b.press(first, page, "do", "confirm"), 403, "Sign in")
	s.says(b.confirm(s.askWith("dave", aliceMail)), 409, "belongs to another account here")
	s.clock.Step(handlers.AddressLinkLife)
	s.says(b.press(second, page, "do", "confirm"), 403, "Sign in")
	for _, name := range []string{"carol", "dave"} {
		if e := s.waitingMail(name); e.Address != "" {
			t.Errorf("%s waits with %+v", name, e)
		}
	}
}

// TestWaitingEmailRace: a link is confirmed while the account is approved. If it was shown in time the account has the
// address; else its owner signs in, and adds it by the same link.
func TestWaitingEmailRace(t *testing.T) {
	t.Parallel()
	s := mailSite(t, withApproval)
	names := []string{"carol", "dave", "erin", "frank", "grace"}
	for i, name := range names {
		path, b := s.askWith(name, name+"@example.com"), s.browser()
		page := b.at(path)
		var all sync.WaitGroup
		var confirmed answer
		all.Go(func() {
			time.Sleep(time.Duration(i) * time.Millisecond)
			confirmed = b.press(path, page, "do", "confirm")
		})
		all.Go(func() {
			if err := s.db.ApproveUser(t.Context(), name, s.clock.Now()); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if confirmed.status != 200 {
			s.says(confirmed, 403, "Sign in")
			s.sentTo(b.signIn(path, name, newPassword))
			s.says(b.bind(path), 200, "is added")
		}
		if got := s.addresses(name); len(got) != 1 {
			t.Errorf("%s has %v", name, got)
		}
	}
}
