package handlers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLoginByEmail: an account is found by its address, in upper or lower case, and an address that nobody has is like
// a wrong password.
func TestLoginByEmail(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 8, Period: time.Hour} }) // needs no mail
	s.addEmail("alice", "alice@example.org")
	by := func(identifier, password string) answer {
		return s.do(call{Method: "POST", Path: loginPath,
			Body: `{"type":"m.login.password",` + identifier + `,"password":"` + password + `"}`})
	}
	email := func(address string) string {
		return `"identifier":{"type":"m.id.thirdparty","medium":"email","address":"` + address + `"}`
	}
	for _, identifier := range []string{email("Alice@EXAMPLE.org"), `"medium":"email","address":"alice@example.org"`} {
		if a := s.ok(by(identifier, password)); a.Text("user_id") != "@alice:example.org" {
			t.Errorf("%s: %s", identifier, a.Raw)
		}
	}
	s.want(by(`"identifier":{"type":"m.id.thirdparty","medium":"msisdn","address":"1"}`, password), 400, "M_UNKNOWN")
	s.want(by(`"identifier":{"type":"m.id.thirdparty","medium":"email"}`, password), 400, "M_MISSING_PARAM")
	wrong, unknown := by(email("alice@example.org"), "x"), by(email("nobody@example.org"), "x")
	s.want(wrong, 403, "M_FORBIDDEN")
	if wrong.Raw != unknown.Raw || wrong.Status != unknown.Status {
		t.Errorf("a wrong password is %s, and an unknown address %s", wrong.Raw, unknown.Raw)
	}
	s.want(by(email("no address"), "x"), 403, "M_FORBIDDEN")
	s.clock.Step(2 * time.Hour)
	for _, address := range []string{"alice@example.org", "nobody@example.org"} {
		for _, written := range []string{"%s", " %s", "%s ", "  %s  "} { // in any of which it is one
			s.want(by(email(fmt.Sprintf(written, address)), "x"), 403, "M_FORBIDDEN")
			s.want(by(email(fmt.Sprintf(written, strings.ToUpper(address))), "x"), 403, "M_FORBIDDEN")
		}
		s.want(by(email(address), "x"), 429, "M_LIMIT_EXCEEDED")
		s.clock.Step(2 * time.Hour)
	}
}

// byEmail logs in by a mail address, from an address of its own each time.
func (s *site) byEmail(n *int, address, password, device string) call {
	*n++
	return call{Method: "POST", Path: loginPath, From: fmt.Sprintf("192.0.2.%d:1", *n), Body: fmt.Sprintf(
		`{"type":"m.login.password","identifier":{"type":"m.id.thirdparty","medium":"email","address":%q},`+
			`"password":%q,"device_id":%q}`, address, password, device)}
}

// TestDeviceTellsNoAddress: with the id of a device, which everybody in a room knows, nobody finds out whose a mail
// address is: neither at the limit, nor by where the login waits.
func TestDeviceTellsNoAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, behindProxy, func(c *Config) { c.RateLimit = Rate{Count: 4, Period: time.Hour} })
	s.addEmail("alice", "alice@example.org")
	s.ok(s.login(`"device_id":"PHONE"`))
	n, answers := 0, map[string][]string{}
	for _, address := range []string{"alice@example.org", "nobody@example.org"} {
		for _, device := range []string{"PHONE", "", "PHONE", "X", "PHONE", "PHONE", "", "X"} {
			a := s.do(s.byEmail(&n, address, "wrong", device))
			answers[address] = append(answers[address], fmt.Sprint(a.Status, " ", a.Raw))
		}
	}
	known, unknown := answers["alice@example.org"], answers["nobody@example.org"]
	if !slices.Equal(known, unknown) || !strings.HasPrefix(known[3], "403") || !strings.HasPrefix(known[4], "429") {
		t.Errorf("an account's address is answered\n%s\nand nobody's\n%s", strings.Join(known, "\n"),
			strings.Join(unknown, "\n"))
	}

	s.clock.Step(2 * time.Hour)
	address, giveBack := s.listen(defaultPatience), s.fill()
	defer giveBack()
	s.send(address, s.byEmail(&n, "alice@example.org", password, "PHONE"))
	s.untilWaiting(1)
	q := s.server.hasher.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting[ofStrangers]) != 1 {
		t.Error("a login by a mail address waits with the sessions")
	}
}

// TestNamesShareGuesses: who guesses an account's password by its name and its mail addresses has no more guesses than
// by one of them, whoever asks by another one hears nothing of that, and the owner's devices get in by its name.
func TestNamesShareGuesses(t *testing.T) {
	t.Parallel()
	const limit = 4
	s := newSite(t, behindProxy, func(c *Config) { c.RateLimit = Rate{Count: limit, Period: time.Hour} })
	addresses := []string{"a@example.org", "b@example.org", "c@example.org"}
	for _, address := range addresses {
		s.addEmail("alice", address)
	}
	s.ok(s.login(`"device_id":"PHONE"`))
	s.clock.Step(2 * time.Hour)
	n := 0
	by := map[string]func(word, device string) answer{"name": func(word, device string) answer {
		n++
		return s.do(call{Method: "POST", Path: loginPath, From: fmt.Sprintf("192.0.2.%d:1", n),
			Body: loginBody("alice", word, `"device_id":"`+device+`"`)})
	}}
	for _, address := range addresses {
		by[address] = func(word, device string) answer { return s.do(s.byEmail(&n, address, word, device)) }
	}
	for first, guess := range by {
		var wrong answer
		for range limit {
			wrong = guess("wrong", "")
			s.want(wrong, 403, "M_FORBIDDEN")
		}
		for other, guess := range by {
			if other == first {
				s.want(guess(password, ""), 429, "M_LIMIT_EXCEEDED")
				continue
			}
			if a := guess(password, "X"); a.Status != wrong.Status || a.Raw != wrong.Raw {
				t.Errorf("after %s, %s: the right password is answered %d %s", first, other, a.Status, a.Raw)
			}
		}
		s.ok(by["name"](password, "PHONE"))
		s.clock.Step(2 * time.Hour)
		for other, guess := range by {
			s.ok(guess(password, "NEW"))
			s.must(s.db.EndDevice(s.Context(), "alice", "NEW"))
			if other != first {
				s.ok(by["name"](password, "PHONE"))
				s.clock.Step(2 * time.Hour)
			}
		}
		s.clock.Step(2 * time.Hour)
	}
}

// TestNobodysHash: what a guess is compared with that is one too many is like the account's hash, and no password's.
func TestNobodysHash(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := s.server.hasher
	for _, hash := range []string{cheapHash(t, password), dummyHash, bcryptOf(t, password, 4),
		SynapseHash + bcryptOf(t, password, 4)} {
		other := nobodys(hash)
		s.must(CheckHash(other))
		v, err := h.compared(password, other)
		if err != nil || v.match || other == hash || h.work(other) != h.work(hash) || h.ours(other) != h.ours(hash) {
			t.Errorf("%s becomes %s: %+v, %v", hash, other, v, err)
		}
	}
	for _, hash := range []string{"", NoPassword} {
		if nobodys(hash) != hash {
			t.Errorf("%q becomes %q", hash, nobodys(hash))
		}
	}
}
