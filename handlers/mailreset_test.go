package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/db"
)

// TestResetByEmail: who reads an account's mail chooses another password without the old one, and every session ends
// unless they say otherwise.
func TestResetByEmail(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		s := mailSite(t)
		s.addEmail("alice", "alice@example.org")
		token := s.loggedIn().Text("access_token")
		sid := s.ok(s.askForMail(resetPath+"email/requestToken", "alice@example.org", "s", 1)).Text("sid")
		extra := map[bool]string{true: `,"logout_devices":false`}[keep]
		session := s.challenged(s.changePassword("", s.resetBody("battery staple", extra)))
		step := extra + `,"auth":` + emailStep(sid, "s", session)
		early := s.changePassword("", s.resetBody("battery staple", step))
		if a := early; s.challenged(a) != session || a.Code() != "" {
			t.Errorf("before the link is followed: %s", a.Raw)
		}
		s.follow("alice@example.org")
		s.want(s.changePassword("", s.resetBody("short", step)), 400, "M_WEAK_PASSWORD")
		s.ok(s.changePassword("", s.resetBody("battery staple", step)))
		if keep {
			s.ok(s.whoami(token))
		} else {
			s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
		}
		s.want(s.login(""), 403, "M_FORBIDDEN")
		s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "battery staple", "")}))
		// Twice, and once more after that.
		s.want(s.changePassword("", s.resetBody("battery staple", step)), 403, "M_FORBIDDEN")
		third := s.resetBody("something else", extra+`,"auth":`+emailStep(sid, "s", ""))
		s.want(s.changePassword("", third), 403, "M_FORBIDDEN")
		// Another mail by the same secret has to be followed anew.
		s.clock.Step(time.Second) // it is the later one
		s.ok(s.askForMail(resetPath+"email/requestToken", "alice@example.org", "s", 2))
		if a := s.changePassword("", third); s.challenged(a) == "" || a.Code() != "" {
			t.Errorf("before the second link is followed: %s", a.Raw)
		}
		s.follow("alice@example.org")
		s.ok(s.changePassword("", third))
	}
}

// TestResetOver: a mail is good for the account as it was when it was asked for, and for nothing else.
func TestResetOver(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(s *site){
		"the password was changed": func(s *site) {
			_, err := s.db.ChangePassword(t.Context(),
				db.PasswordChange{Localpart: "alice", Hash: cheapHash(s, "another")})
			s.must(err)
		},
		"the address was removed": func(s *site) { s.must(s.db.RemoveEmail(t.Context(), "alice", "alice@example.org")) },
		"it is another's": func(s *site) {
			s.must(s.db.RemoveEmail(t.Context(), "alice", "alice@example.org"))
			s.addEmail("bob", "alice@example.org")
		},
		"the account was locked": func(s *site) { s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now())) },
		"the account was locked for a while": func(s *site) {
			s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
			s.must(s.db.UnlockUser(t.Context(), "alice"))
		},
		"the account was closed": func(s *site) {
			_, err := s.db.Deactivate(t.Context(), "alice", s.clock.Now(), false)
			s.must(err)
		},
	} {
		s := mailSite(t)
		s.addEmail("alice", "alice@example.org")
		sid := s.ok(s.askForMail(resetPath+"email/requestToken", "alice@example.org", "s", 1)).Text("sid")
		s.follow("alice@example.org")
		change(s)
		a := s.changePassword("", s.resetBody("battery staple", `,"auth":`+emailStep(sid, "s", "")))
		s.want(a, 403, "M_FORBIDDEN")
		a = s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "battery staple", "")})
		if a.Status == 200 {
			t.Errorf("%s: and the new password is good", what)
		}
	}
	s := mailSite(t)
	s.addEmail("alice", "alice@example.org")
	sid := s.ok(s.askForMail(resetPath+"email/requestToken", "alice@example.org", "s", 1)).Text("sid")
	_, links := s.sent("alice@example.org")
	s.clock.Step(validationLife + time.Second)
	u, err := url.Parse(links[0])
	s.must(err)
	ctx := WithCaller(t.Context(), &Caller{Now: s.clock.Now()})
	if _, err := s.server.MailedLink(ctx, u.Query()); !IsStatus(err, 404) {
		t.Errorf("after an hour the link gives %v", err)
	}
	if a := s.changePassword("", s.resetBody("battery staple", `,"auth":`+emailStep(sid, "s", ""))); a.Code() !=
		"M_UNAUTHORIZED" {
		t.Errorf("after an hour: %s", a.Raw)
	}
}

// TestResetInSession: a mail proves a change in a session while the account has the address, and no longer.
func TestResetInSession(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(s *site){
		"":               func(*site) {},
		"it was removed": func(s *site) { s.must(s.db.RemoveEmail(t.Context(), "alice", "old@example.org")) },
		"it is another's": func(s *site) {
			s.must(s.db.RemoveEmail(t.Context(), "alice", "old@example.org"))
			s.addEmail("bob", "old@example.org")
		},
	} {
		s := mailSite(t)
		s.addEmail("alice", "old@example.org")
		s.addEmail("alice", "new@example.org")
		token := s.loggedIn().Text("access_token")
		sid := s.ok(s.askForMail(resetPath+"email/requestToken", "old@example.org", "s", 1)).Text("sid")
		s.follow("old@example.org")
		change(s)
		a := s.changePassword(token, s.resetBody("battery staple", `,"auth":`+emailStep(sid, "s", "")))
		if what == "" {
			s.ok(a)
			continue
		}
		if a.Status != 401 || a.Code() != "M_FORBIDDEN" {
			t.Errorf("%s: it is answered %d %s", what, a.Status, a.Raw)
		}
		s.ok(s.login(""))
	}
}

// TestChangedInTheQueue: while the hash of a new password waits for its turn, the account may be locked, and the
// address removed by which somebody has shown whose it is. Then the password stays.
func TestChangedInTheQueue(t *testing.T) {
	t.Parallel()
	const address = "alice@example.org"
	ways := map[string]func(s *site) func(ctx context.Context) error{
		"a link": func(s *site) func(context.Context) error {
			s.must(s.server.AskRecovery(WithCaller(t.Context(), &Caller{Now: s.clock.Now()}), "alice", "en"))
			_, links := s.sent(address)
			_, text, _ := strings.Cut(links[0], LinkParam+"=")
			return func(ctx context.Context) error {
				_, err := s.server.ResetPassword(ctx, text, "battery staple", true)
				return err
			}
		},
		"a mail that an app asked for": func(s *site) func(context.Context) error {
			return s.resets(address, "")
		},
		"the same in a session": func(s *site) func(context.Context) error {
			return s.resets(address, s.loggedIn().Text("access_token"))
		},
	}
	for way, begin := range ways {
		for what, change := range map[string]func(s *site){
			"the address was removed": func(s *site) { s.must(s.db.RemoveEmail(t.Context(), "alice", address)) },
			"the account was locked":  func(s *site) { s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now())) },
		} {
			s := mailSite(t)
			s.addEmail("alice", address)
			reset := begin(s)
			before, err := s.db.User(t.Context(), "alice")
			s.must(err)
			giveBack, done := s.fill(), make(chan error)
			go func() { done <- reset(WithCaller(t.Context(), &Caller{Now: s.clock.Now()})) }()
			s.untilWaiting(1)
			change(s)
			giveBack()
			if err := <-done; err == nil {
				t.Errorf("%s: %s, and it is good all the same", way, what)
			}
			if now, err := s.db.User(t.Context(), "alice"); err != nil || now.PasswordHash != before.PasswordHash {
				t.Errorf("%s: %s, and the password is another one; %v", way, what, err)
			}
		}
	}
}

// resets prepares a change of alice's password by a mail that an app has asked for.
func (s *site) resets(address, token string) func(context.Context) error {
	sid := s.ok(s.askForMail(resetPath+"email/requestToken", address, "s", 1)).Text("sid")
	s.follow(address)
	return func(context.Context) error {
		a := s.changePassword(token, s.resetBody("battery staple", `,"auth":`+emailStep(sid, "s", "")))
		if a.Status == http.StatusOK {
			return nil
		}
		return errors.New(a.Raw)
	}
}

// TestPurposes: a session is good for what it was asked for. Somebody who has an address of their own shown to register
// resets nobody's password with it, and the mail of one account proves nothing for another.
func TestPurposes(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.addEmail("alice", "alice@example.org")
	s.addEmail("bob", "bob@example.org")
	own := s.ok(s.askForMail(registerPath+"/email/requestToken", "eve@example.org", "s", 1)).Text("sid")
	s.follow("eve@example.org")
	if a := s.changePassword("", s.resetBody("battery staple", `,"auth":`+emailStep(own, "s", ""))); a.Code() !=
		"M_UNAUTHORIZED" {
		t.Errorf("%s", a.Raw)
	}
	of := s.ok(s.askForMail(resetPath+"email/requestToken", "bob@example.org", "s", 1)).Text("sid")
	s.follow("bob@example.org")
	token := s.loggedIn().Text("access_token")
	if a := s.changePassword(token, s.resetBody("battery staple", `,"auth":`+emailStep(of, "s", ""))); a.Code() !=
		"M_FORBIDDEN" || a.Status != 401 {
		t.Errorf("%s", a.Raw)
	}
	mine := s.ok(s.askForMail(resetPath+"email/requestToken", "alice@example.org", "s", 1)).Text("sid")
	s.follow("alice@example.org")
	s.ok(s.changePassword(token, s.resetBody("battery staple", `,"auth":`+emailStep(mine, "s", ""))))
	s.ok(s.whoami(token))
	hashed := strings.Join([]string{validations, string(toRegister), "eve@example.org", "s"}, "\x00")
	for _, id := range []string{own, hashed} {
		text, err := json.Marshal(id)
		s.must(err)
		a := s.do(call{Method: "POST", Path: registerPath,
			Body: registerBody("x", `"auth":{"session":`+string(text)+`}`)})
		s.challenged(a) // what waits of another kind is no session of the authentication
	}
}

// TestResetKeepsSecondFactor: an account with a second factor is let in by it still.
func TestResetKeepsSecondFactor(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.addEmail("alice", "alice@example.org")
	s.addFactor("alice")
	sid := s.ok(s.askForMail(resetPath+"email/requestToken", "alice@example.org", "s", 1)).Text("sid")
	s.follow("alice@example.org")
	s.ok(s.changePassword("", s.resetBody("battery staple", `,"auth":`+emailStep(sid, "s", ""))))
	a := s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "battery staple", "")})
	s.want(a, 403, "M_FORBIDDEN")
	if !strings.Contains(a.Text("error"), "second factor") {
		t.Errorf("login answers %s", a.Raw)
	}
}

// TestMailChangesCapability: a client hears that addresses can be changed where that is so.
func TestMailChangesCapability(t *testing.T) {
	t.Parallel()
	for s, want := range map[*site]bool{newSite(t): false, mailSite(t): true} {
		a := s.ok(s.do(call{Method: "GET", Path: "/_matrix/client/v3/capabilities",
			Token: s.loggedIn().Text("access_token")}))
		if strings.Contains(a.Raw, `"m.3pid_changes":{"enabled":true}`) != want {
			t.Errorf("%v: %s", want, a.Raw)
		}
	}
}
