package handlers

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestRacingPairs: of requests at a time by one client each gets the session, and whether an account has the address is
// told by none of the answers.
func TestRacingPairs(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	for i := range 60 {
		if i%9 == 0 {
			s.addUser(fmt.Sprint("user", i))
		}
		for _, who := range []string{"known", "unknown"} {
			address := fmt.Sprintf("%s%d@example.org", who, i)
			if address[0] == 'k' {
				s.addEmail(fmt.Sprint("user", i/9*9), address)
			}
			path := []string{resetPath, registerPath + "/", contactPath}[i%3] + "email/requestToken"
			var all sync.WaitGroup
			got := make([]answer, 2+i%3)
			for j := range got {
				all.Go(func() { got[j] = s.askForMail(path, address, "s", j+1) })
			}
			all.Wait()
			for _, a := range got {
				if a.Status != 200 || a.Text("sid") == "" || a.Text("sid") != got[0].Text("sid") {
					t.Errorf("%s of %s: %d %s", path, address, a.Status, a.Raw)
				}
			}
			_, links := s.sent(address)
			unknown := i%3 == 0 && address[0] == 'u'
			if len(links) == 0 != unknown || len(slices.Compact(links)) > 1 {
				t.Errorf("%s of %s sends %v", path, address, links)
			}
		}
	}
}

// TestRequestedMailsAreCounted: whoever asks for mails has as few sent as on the pages, known or not, however many
// addresses they make up.
func TestRequestedMailsAreCounted(t *testing.T) {
	t.Parallel()
	s := mailSite(t, func(c *Config) { c.RateLimit = Rate{Count: 30, Period: time.Minute} })
	s.addEmail("alice", "alice@example.org")
	sent := func(path, address string) (n int) {
		for range 20 {
			for i := range 40 {
				if s.askForMail(path+"email/requestToken", fmt.Sprintf(address, i), s.clock.Now().Format("150405"),
					1).Status == 200 {
					n++
				}
			}
			s.clock.Step(time.Minute)
		}
		return n
	}
	for path, address := range map[string]string{contactPath: "victim+%d@example.net",
		resetPath: "alice@example.org%.0d"} {
		if n := sent(path, address); n > 30 {
			t.Errorf("of %s one network has %d sent in 20 minutes", address, n)
		}
		s.clock.Step(time.Hour)
	}
	if n := s.due(MailAppVerify); n > 6 {
		t.Errorf("one mailbox gets %d", n)
	}
}

// TestStrangersMails: the mails that strangers have apps ask for are not those of the page, do not say that the owner
// has forgotten a password, and leave the owner some.
func TestStrangersMails(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.addEmail("alice", "alice@example.org")
	const path = resetPath + "email/requestToken"
	for i := range 8 {
		s.ok(s.askFrom("198.51.100.1", path, "alice@example.org", "stranger", i+1))
	}
	owner := WithCaller(t.Context(), &Caller{Now: s.clock.Now(), Addr: netip.MustParseAddr("192.0.2.9")})
	s.must(s.server.AskRecovery(owner, "alice", "en"))
	s.ok(s.askFrom("192.0.2.9", path, "alice@example.org", "own", 1))
	kinds, _ := s.sent("alice@example.org")
	slices.Sort(kinds)
	if got := fmt.Sprint(kinds); got != "[app_password app_password app_password app_password reset_password]" {
		t.Errorf("alice gets %s", got)
	}
}

// TestAddedOnce: a session is the account's that comes with it first, and is spent with the address that it adds.
func TestAddedOnce(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	first := s.loggedIn().Text("access_token")
	bob := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("bob", password, "")}))
	second := bob.Text("access_token")
	sid := s.ok(s.askForMail(contactPath+"email/requestToken", "a@example.org", "s", 1)).Text("sid")
	s.follow("a@example.org")
	add := func(token, auth string) answer {
		return s.do(call{Method: "POST", Path: addPath, Token: token,
			Body: `{"sid":"` + sid + `","client_secret":"s"` + auth + `}`})
	}
	s.challenged(add(first, ""))
	s.want(add(second, ""), 400, "M_THREEPID_AUTH_FAILED")
	s.ok(add(first, `,"auth":`+byPassword))
	s.must(s.db.RemoveEmail(t.Context(), "alice", "a@example.org"))
	for _, token := range []string{first, second} {
		s.want(add(token, `,"auth":`+byPassword), 400, "M_THREEPID_AUTH_FAILED")
	}
}

// TestFloodOfMails: whoever asks again and again, with whatever secret and from wherever, fills nobody's mailbox, and
// hears nothing of it.
func TestFloodOfMails(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.addEmail("alice", "alice@example.org")
	for i := range 40 {
		from := fmt.Sprint("192.0.2.", i+1)
		s.ok(s.askFrom(from, resetPath+"email/requestToken", "alice@example.org", fmt.Sprint("s", i), 1))
		s.ok(s.askFrom(from, registerPath+"/email/requestToken", "eve@example.org", "s", i+1))
		s.ok(s.askFrom(from, contactPath+"email/requestToken", "ALICE@example.org", fmt.Sprint("s", i), 1))
	}
	for address, most := range map[string]int{"alice@example.org": 10, "eve@example.org": 5} {
		if kinds, _ := s.sent(address); len(kinds) != most {
			t.Errorf("%s gets %d mails, want %d", address, len(kinds), most)
		}
	}
}
