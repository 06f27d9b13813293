package oauth

import (
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// TestLostRedemption: the answer to a redemption was lost, or a button was clicked twice: everybody gets one pair.
func TestLostRedemption(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	code := s.code(client)
	var wait sync.WaitGroup
	bodies := make([]string, 16)
	for i := range bodies {
		wait.Go(func() { bodies[i] = s.redeem(client, code).body })
	}
	wait.Wait()
	for _, body := range bodies {
		if body != bodies[0] || !strings.Contains(body, "access_token") {
			t.Fatalf("sixteen redemptions give\n%s", strings.Join(bodies, "\n"))
		}
	}
	s.clock.Step(20 * time.Second)
	again := s.ok(s.redeem(client, code))
	if again.json["expires_in"] != float64(280) || !strings.Contains(bodies[0], again.text("access_token")) {
		t.Errorf("within the time it is %s", again.body)
	}
	s.ok(s.whoami(again.text("access_token")))
	s.want(s.redeem(client, code), 400, "invalid_grant") // a token of the pair was used
	if a := s.whoami(again.text("access_token")); a.json["soft_logout"] != true {
		t.Errorf("the session goes on: %s", a.body)
	}
	s.want(s.refresh(client, again.text("refresh_token")), 400, "invalid_grant")
	events, err := s.db.Events(t.Context(), "alice", 1)
	if err != nil || len(events) != 1 || events[0].Kind != db.EventCodeReplay || events[0].DeviceID != "ABCDEFGHIJ" {
		t.Errorf("the newest event is %+v, %v", events, err)
	}
}

// TestSecondUses: each of them is refused, and ends the session.
func TestSecondUses(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(s *site, client, code string) answer{
		"too late": func(s *site, client, code string) answer {
			s.clock.Step(21 * time.Second)
			return s.redeem(client, code)
		},
		"another verifier": func(s *site, client, code string) answer {
			return s.redeem(client, code, "code_verifier", strings.Repeat("x", 43))
		},
		"another client": func(s *site, client, code string) answer { return s.redeem("other", code) },
		"another redirect URI": func(s *site, client, code string) answer {
			return s.redeem(client, code, "redirect_uri", callback+"2")
		},
		"after a refresh": func(s *site, client, code string) answer {
			s.ok(s.refresh(client, s.ok(s.redeem(client, code)).text("refresh_token")))
			return s.redeem(client, code)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			client := s.register(webClient)
			code := s.code(client)
			pair := s.ok(s.redeem(client, code))
			s.want(second(s, client, code), 400, "invalid_grant")
			if a := s.whoami(pair.text("access_token")); a.status != 401 || a.json["soft_logout"] != true {
				t.Errorf("the session goes on: %s", a.body)
			}
		})
	}
}

// TestCodesThatAreNoGood start nothing, and spend nothing.
func TestCodesThatAreNoGood(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	code := s.code(client)
	for name, a := range map[string]answer{
		"another verifier":     s.redeem(client, code, "code_verifier", strings.Repeat("x", 43)),
		"no verifier":          s.redeem(client, code, "code_verifier", ""),
		"another client":       s.redeem("other", code),
		"another redirect URI": s.redeem(client, code, "redirect_uri", callback+"/"),
		"a letter more":        s.redeem(client, code+"A"),
		"a letter less":        s.redeem(client, code[1:]),
		"none":                 s.redeem(client, ""),
		"a prolonged one":      s.redeem(client, code[:24]+"zzzzzzzzzz"+code[34:]),
	} {
		if a.status != 400 || a.text("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.ok(s.redeem(client, code))
	late := s.code(client)
	s.clock.Step(2 * time.Minute)
	s.want(s.redeem(client, late), 400, "invalid_grant")
}

// TestAccountChanged: what its owner agreed to is void when the account is another's by then.
func TestAccountChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *site){
		"deactivated": func(s *site) {
			_, err := s.db.Deactivate(s.Context(), "alice", s.clock.Now(), false)
			s.must(err)
		},
		"another password": func(s *site) {
			hash, err := handlers.HashPassword("battery staple")
			s.must(err)
			s.must(s.db.Rehash(s.Context(), "alice", s.hash(), hash))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			client := s.register(webClient)
			code := s.code(client)
			change(s)
			s.want(s.redeem(client, code), 400, "invalid_grant")
		})
	}
}

// TestLockPasses: a lock is no reason to give up: neither a code that was not redeemed yet is lost by it, nor one whose
// answer was lost.
func TestLockPasses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	code := s.code(client)
	locked := func() {
		t.Helper()
		s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
		if a := s.redeem(client, code); a.status != 503 || a.body != "" || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %q %v", a.status, a.body, a.header)
		}
		s.must(s.db.UnlockUser(t.Context(), "alice"))
	}
	locked()
	first := s.ok(s.redeem(client, code))
	locked()
	if second := s.ok(s.redeem(client, code)); second.body != first.body {
		t.Errorf("after the lock the pair is %s, not %s", second.body, first.body)
	}
	s.ok(s.whoami(first.text("access_token")))
}

// TestOldCode: long after its time a code says nothing of a theft: it may lie in a browser's history.
func TestOldCode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	code := s.code(client)
	pair := s.ok(s.redeem(client, code))
	s.clock.Step(time.Hour)
	next := s.ok(s.refresh(client, pair.text("refresh_token")))
	s.want(s.redeem("anybody", code, "code_verifier", ""), 400, "invalid_grant")
	s.want(s.redeem(client, code), 400, "invalid_grant")
	s.ok(s.whoami(next.text("access_token")))
}

func (s *site) hash() string {
	user, err := s.db.User(s.Context(), "alice")
	s.must(err)
	return user.PasswordHash
}
