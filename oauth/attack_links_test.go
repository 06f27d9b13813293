package oauth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/process"
)

// TestLinkIsOver: once the password has changed, in whatever way, or the account or the address is not what it was, a
// link is good for nothing, and says no more than any other that is not good.
func TestLinkIsOver(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *site, b *browser){
		"the password was changed on the page": func(s *site, b *browser) {
			s.says(b.save(b.ownAccount(), password, newPassword), 200, "is changed")
		},
		"an operator has changed it": func(s *site, _ *browser) {
			hash, err := handlers.HashPassword(newPassword)
			s.must(err)
			_, err = s.db.ChangePassword(s.Context(), db.PasswordChange{Localpart: "alice", Hash: hash})
			s.must(err)
		},
		"another link was used": func(s *site, b *browser) { s.ok(b.choose(s.resetLink("alice"), newPassword)) },
		"it was used":           func(s *site, b *browser) { s.ok(b.choose(s.mail().path, newPassword)) },
		"its time is over":      func(s *site, _ *browser) { s.clock.Step(handlers.MailedLinkLife) },
		"the account is locked": func(s *site, _ *browser) {
			s.must(s.db.LockUser(s.Context(), "alice", s.clock.Now()))
		},
		"the account is deactivated": func(s *site, _ *browser) {
			_, err := s.db.Deactivate(s.Context(), "alice", s.clock.Now(), false)
			s.must(err)
		},
		"the account was locked for a while": func(s *site, _ *browser) {
			s.must(s.db.LockUser(s.Context(), "alice", s.clock.Now()))
			s.must(s.db.UnlockUser(s.Context(), "alice"))
		},
		"the account was deactivated for a while": func(s *site, _ *browser) {
			_, err := s.db.Deactivate(s.Context(), "alice", s.clock.Now(), false)
			s.must(err)
			s.must(s.db.Reactivate(s.Context(), "alice"))
			s.has("alice", aliceMail)
		},
		"the address was removed": func(s *site, _ *browser) {
			s.must(s.db.RemoveEmail(s.Context(), "alice", aliceMail))
		},
		"the address is another account's": func(s *site, _ *browser) {
			s.must(s.db.RemoveEmail(s.Context(), "alice", aliceMail))
			s.account("bob")
			s.has("bob", aliceMail)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mailSite(t)
			s.has("alice", aliceMail)
			s.browser().forget("alice")
			link := s.mail().path
			thief := s.browser()
			page := s.says(thief.at(link), 200, "@alice:example.org")
			end(s, s.browser())
			before := s.alice().PasswordHash
			used := thief.press(link, page, "new", "the thief's own", "again", "the thief's own", "do", "choose")
			nonsense := thief.at(handlers.RecoverPath + "?link=x")
			for way, a := range map[string]answer{"used": used, "opened": thief.at(link)} {
				if a.status != http.StatusGone || a.body != nonsense.body {
					t.Errorf("%s it answers %d %s", way, a.status, a.body)
				}
			}
			if s.alice().PasswordHash != before {
				t.Error("the password has changed")
			}
		})
	}
}

// TestLinkAtOnce: of many who use one link at once, each with another password, one has changed it.
func TestLinkAtOnce(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	link := s.resetLink("alice")
	var all sync.WaitGroup
	var won atomic.Int64
	for i := range 8 {
		b := s.browser()
		page := b.at(link)
		all.Go(func() {
			mine := fmt.Sprint("a password of browser ", i)
			switch a := b.press(link, page, "new", mine, "again", mine, "do", "choose"); {
			case a.status == 200:
				won.Add(1)
				s.opens(mine, true)
			case a.status != http.StatusGone:
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	if changed := slices.DeleteFunc(s.events("alice"),
		func(kind string) bool { return kind != db.EventPassword }); won.Load() != 1 || len(changed) != 1 {
		t.Errorf("%d have won, and the password has changed %d times", won.Load(), len(changed))
	}
}

// TestLinkGuessed: nothing that is not just what this server has sealed for this purpose is a link.
func TestLinkGuessed(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	b := s.browser()
	b.ownAccount()
	b.addEmail(aliceMail)
	address, good := s.linkOf(s.mail().path), s.linkOf(s.resetLink("alice"))
	elsewhere := newSite(t)
	sealedCode := s.sealedCode(code{}.agreed(*s.alice()))
	guesses := []string{"x", strings.Repeat("A", len(good)), address, sealedCode, good + "A", good[1:],
		elsewhere.linkOf(elsewhere.resetLink("alice"))}
	for i := range good {
		other := byte('A')
		if good[i] == other {
			other = 'B'
		}
		guesses = append(guesses, good[:i]+string(other)+good[i+1:])
	}
	before := s.alice().PasswordHash
	form := process.Hidden(b.at(handlers.RecoverPath).body).Get("form")
	for _, guess := range guesses {
		path := handlers.RecoverPath + "?link=" + guess
		a := b.press(path, answer{}, "form", form, "new", newPassword, "again", newPassword, "do", "choose")
		if a.status != http.StatusGone {
			t.Fatalf("%q answers %d %s", guess, a.status, a.body)
		}
	}
	for _, guess := range []string{"x", good, sealedCode, address + "A"} {
		path := emailsPath + "&link=" + guess
		if a := b.press(path, b.at("/account"), "do", "bind email"); a.status != http.StatusGone {
			t.Errorf("as a link to an address %q answers %d", guess, a.status)
		}
	}
	if s.alice().PasswordHash != before || s.addresses("alice") != nil {
		t.Error("a guess has changed something")
	}
	s.ok(b.choose(handlers.RecoverPath+"?link="+good, newPassword))
}

// TestLinkLookedAt: whoever only looks at a link, as a mail scanner does, or sends a form from another site, changes
// nothing; and a link signs nobody in.
func TestLinkLookedAt(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	b := s.browser()
	b.ownAccount()
	b.addEmail(aliceMail)
	address, reset := s.mail().path, s.resetLink("alice")
	before := s.alice().PasswordHash
	fields := []string{"new", newPassword, "again", newPassword, "do", "choose"}
	for _, path := range []string{address, reset} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
			s.must(err)
			s.send(r, b.client)
		}
		s.says(b.press(path, answer{}, append(fields, "do", "bind email", "account", "alice")...), 403,
			"send the form once more")
		s.says(b.press(path, answer{}, append(fields, "form", process.Hidden(s.browser().at(path).body).Get("form"),
			"do", "bind email", "account", "alice")...), 403, "send the form once more")
	}
	s.says(s.browser().press(handlers.RecoverPath, answer{}, "user", "alice", "do", "recover"), 403, "once more")
	if s.alice().PasswordHash != before || s.addresses("alice") != nil || len(s.mails()) != 1 {
		t.Fatal("something has changed")
	}
	stranger := s.browser()
	for _, a := range []answer{stranger.at(reset), stranger.choose(reset, newPassword)} {
		for _, c := range a.header.Values("Set-Cookie") {
			if strings.Contains(c, browserCookie) {
				t.Errorf("a link sets %s", c)
			}
		}
	}
	if stranger.in() {
		t.Error("a link signs somebody in")
	}
}

// TestAddressOfAnother: nobody gets an address into their account that somebody else reads, and nobody is led to add an
// address that is not theirs: a link counts for whoever is signed in to the account that has asked for it.
func TestAddressOfAnother(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.account("mallory")
	victim, mallory := s.browser(), s.browser()
	victim.ownAccount()
	mallory.signIn("/account", "mallory", password)
	mallory.addEmail(aliceMail) // the victim's address, for mallory's account
	s.clock.Step(time.Second)
	mallory.addEmail("mallory@example.com") // mallory's own, whose link is sent to the victim
	for _, mail := range s.mails() {
		page := s.says(victim.at(mail.path), 403, "@mallory:example.org has asked for this")
		s.says(victim.press(mail.path, page, "account", "alice", "do", "bind email"), 403, "has asked for this")
		s.says(victim.press(mail.path, page, "account", "mallory", "do", "bind email"), 403, "has asked for this")
		s.says(s.browser().at(mail.path), 200, "User name")
	}
	if s.addresses("alice") != nil || s.addresses("mallory") != nil {
		t.Error("an address was added")
	}
	hash, err := handlers.HashPassword(newPassword)
	s.must(err)
	_, err = s.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "mallory", Hash: hash})
	s.must(err)
	mallory.signIn("/account", "mallory", newPassword)
	s.says(mallory.bind(s.mails()[1].path), 410, "not good") // it was asked for with another password
}
