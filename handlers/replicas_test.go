package handlers

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
	"postern/tokens"
)

// newReplicas is a site of two replicas on one database, which take turns.
func newReplicas(t *testing.T, change ...func(*Config)) *site {
	t.Helper()
	at := dbtest.DSN(t)
	d := dbtest.Open(t, at)
	s := newSiteOn(t, d, change...)
	second := *s
	second.db = dbtest.Open(t, at)
	s.other, s.turn = second.newServer(change...), new(atomic.Int64)
	return s
}

// many sends the request many times at once, to both replicas in turn.
func (s *site) many(c call) []answer {
	answers := make([]answer, 32)
	var all sync.WaitGroup
	for n := range answers {
		all.Go(func() { answers[n] = s.do(c) })
	}
	all.Wait()
	return answers
}

// through counts the answers that are 200.
func through(answers []answer) (n int) {
	for _, a := range answers {
		if a.Status == http.StatusOK {
			n++
		}
	}
	return n
}

func (s *site) step(session, rest string) answer {
	s.Helper()
	return s.register(`{"auth":{"session":"` + session + `"` + rest + `}}`)
}

// both makes the test's requests begin at the one replica, then at the other.
func both(t *testing.T, s *site, run func(t *testing.T, s *site, name string)) {
	for first := range 2 {
		t.Run(fmt.Sprint("beginning at replica ", first), func(t *testing.T) {
			at := *s
			at.TB, at.turn = t, new(atomic.Int64)
			at.turn.Store(int64(first))
			run(t, &at, fmt.Sprint("carol", first))
		})
	}
}

const invited = `,"type":"m.login.registration_token","token":"many"`

func withInvitation(c *Config) {
	c.Registration, c.Terms = RegistrationToken, Terms{URL: "https://example.org/terms", Version: "1"}
}

// TestReplicasRegister: each request of a registration comes to the other replica than the last, and finishing again
// tells of the same account and computes the same pair.
func TestReplicasRegister(t *testing.T) {
	t.Parallel()
	s := newReplicas(t, withInvitation)
	s.must(s.db.AddRegistrationToken(t.Context(),
		db.RegistrationToken{Token: "many", UsesAllowed: 9, Created: s.clock.Now()}))
	both(t, s, func(t *testing.T, s *site, name string) {
		session := s.challenged(s.register(registerBody(name, `"device_id":"PHONE","refresh_token":true`)))
		if a := s.step(session, `,"type":"m.login.registration_token","token":"none"`); s.challenged(a) != session ||
			a.Code() != "M_UNAUTHORIZED" {
			t.Errorf("a wrong token answers %s", a.Raw)
		}
		if a := s.step(session, invited); s.challenged(a) != session ||
			!strings.Contains(a.Raw, `"completed":["m.login.registration_token"]`) {
			t.Errorf("the first stage answers %s", a.Raw)
		}
		s.html(s.do(call{Method: "GET", Path: fallbackPath("m.login.terms", session)}), 200, "I agree")
		s.html(s.do(call{Method: "POST", Path: fallbackPath("m.login.terms", session), Header: form}), 200,
			"That is done")
		first, again := s.ok(s.step(session, "")), s.ok(s.step(session, ""))
		if first.Text("user_id") != "@"+name+":example.org" || first.Text("device_id") != "PHONE" ||
			first.Raw != again.Raw {
			t.Errorf("registration answers %s, and then %s", first.Raw, again.Raw)
		}
		s.ok(s.whoami(first.Text("access_token")))
		s.ok(s.refresh(again.Text("refresh_token")))
		s.want(s.step(session, ""), 403, "M_FORBIDDEN")
	})
	list, err := s.db.RegistrationTokens(t.Context(), s.clock.Now())
	if err != nil || list[0].Used != 2 || list[0].Reserved != 0 {
		t.Errorf("tokens are %+v, %v", list, err)
	}
}

// TestReplicasPassword: what asks for the password, begun at one replica and done at the other.
func TestReplicasPassword(t *testing.T) {
	t.Parallel()
	s := newReplicas(t)
	both(t, s, func(t *testing.T, s *site, _ string) {
		token := s.phoneAndLaptop()
		finish := func(c call, field string) answer {
			t.Helper()
			c.Token = token
			body := func(auth string) string { return "{" + strings.TrimPrefix(field+auth, ",") + "}" }
			c.Body = body("")
			session := s.challenged(s.do(c))
			c.Body = body(`,"auth":` + passwordStep("alice", "wrong", session))
			if a := s.do(c); s.challenged(a) != session || a.Code() != "M_FORBIDDEN" {
				t.Errorf("a wrong password answers %s", a.Raw)
			}
			c.Body = body(`,"auth":` + passwordStep("alice", password, session))
			done := s.ok(s.do(c))
			if s.challenged(s.do(c.With(body(`,"auth":{"session":"`+session+`"}`)))) == session {
				t.Error("a session that is over goes on")
			}
			return done
		}
		finish(call{Method: "DELETE", Path: devicePath("PHONE")}, "")
		finish(call{Method: "POST", Path: "/_matrix/client/v3/delete_devices"}, `"devices":["PHONE"]`)
		login := finish(call{Method: "POST", Path: getTokenPath}, "").Text("login_token")
		s.ok(s.byToken(login))
		finish(call{Method: "POST", Path: "/_matrix/client/v3/account/password"}, `"new_password":"`+password+`"`)
		s.ok(s.whoami(token))

		session := s.challenged(s.deletePhone(token, ""))
		s.html(s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
			Body: "password=correct+horse"}), 200, "That is done")
		s.ok(s.deletePhone(token, `{"session":"`+session+`"}`))
	})
}

// TestFinishedAtOnce: a registration that is finished many times at once, at every replica, makes one account, also
// when the server makes up its name; a login token is made once.
func TestFinishedAtOnce(t *testing.T) {
	t.Parallel()
	s := newReplicas(t)
	for round := range 4 {
		name := ""
		if round%2 == 0 {
			name = fmt.Sprintf(`"username":"user%d",`, round)
		}
		session := s.challenged(s.register(`{` + name + `"refresh_token":true,"password":"` + password + `"}`))
		finish := call{Method: "POST", Path: registerPath,
			Body: `{"auth":{"type":"m.login.dummy","session":"` + session + `"}}`}
		answers := s.many(finish)
		for _, a := range answers {
			if s.ok(a).Raw != answers[0].Raw {
				t.Fatalf("one is told %s, another %s", answers[0].Raw, a.Raw)
			}
		}
		s.ok(s.whoami(answers[0].Text("access_token")))
		users, err := s.db.Users(t.Context())
		if err != nil || len(users) != 3+round {
			t.Errorf("there are %d accounts, %v", len(users), err)
		}
	}
	token := s.phoneAndLaptop()
	session := s.challenged(s.do(call{Method: "POST", Path: getTokenPath, Token: token, Body: `{}`}))
	s.html(s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Body: "password=correct+horse",
		Header: form}), 200, "That is done")
	if n := through(s.many(call{Method: "POST", Path: getTokenPath, Token: token,
		Body: `{"auth":{"session":"` + session + `"}}`})); n != 1 {
		t.Errorf("%d requests got through", n)
	}
}

// TestLastUseAtOnce: the request that reserves the last use of an invitation and finishes with it comes many times at
// once.
func TestLastUseAtOnce(t *testing.T) {
	t.Parallel()
	s := newReplicas(t, func(c *Config) { c.Registration = RegistrationToken })
	s.must(s.db.AddRegistrationToken(t.Context(),
		db.RegistrationToken{Token: "many", UsesAllowed: 1, Created: s.clock.Now()}))
	session := s.challenged(s.register(registerBody("carol", `"refresh_token":true`)))
	answers := s.many(call{Method: "POST", Path: registerPath,
		Body: `{"auth":{"session":"` + session + `"` + invited + `}}`})
	for _, a := range answers {
		if s.ok(a).Raw != answers[0].Raw {
			t.Fatalf("one is told %s, another %s", answers[0].Raw, a.Raw)
		}
	}
}

// TestStagesAtOnce: stages that are completed at the same moment at two replicas are both complete, and each is tried
// once: a reservation is one, and no try is counted twice.
func TestStagesAtOnce(t *testing.T) {
	t.Parallel()
	s := newReplicas(t, withInvitation)
	s.must(s.db.AddRegistrationToken(t.Context(),
		db.RegistrationToken{Token: "many", UsesAllowed: 99, Created: s.clock.Now()}))
	for round := range 10 {
		session := s.challenged(s.register(registerBody(fmt.Sprint("user", round), `"inhibit_login":true`)))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { s.step(session, invited) })
			all.Go(func() { s.do(call{Method: "POST", Path: fallbackPath("m.login.terms", session), Header: form}) })
		}
		all.Wait()
		s.ok(s.step(session, ""))
	}
	list, err := s.db.RegistrationTokens(t.Context(), s.clock.Now())
	if err != nil || list[0].Used != 10 || list[0].Reserved != 0 {
		t.Errorf("tokens are %+v, %v", list, err)
	}
}

// TestTriesAreCountedOnce, on either engine: who was slower makes its changes again, and not its try.
func TestTriesAreCountedOnce(t *testing.T) {
	t.Parallel()
	const tries = 24
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: tries, Period: time.Hour} })
	token := s.phoneAndLaptop()
	session := s.challenged(s.do(call{Method: "DELETE", Path: devicePath("PHONE"), Token: token}))
	s.clock.Step(time.Minute)
	page := call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
		Body: "password=correct+horse", From: "192.0.2.9:1"}
	var all sync.WaitGroup
	for range tries - 2 { // alice has logged in twice
		all.Go(func() { s.html(s.do(page), 200, "That is done") })
	}
	all.Wait()
}

// TestSealed: who reads the database learns neither what was typed nor what the client goes on by; who writes to it
// gets no further.
func TestSealed(t *testing.T) {
	t.Parallel()
	s := newReplicas(t)
	begin := func() (string, db.Interaction) {
		t.Helper()
		session := s.challenged(s.register(registerBody("carol", `"inhibit_login":true`)))
		row, err := s.db.Interaction(t.Context(), interactionName(session))
		s.must(err)
		return session, row
	}
	refused := func(what, session string) {
		t.Helper()
		for range 2 {
			if s.challenged(s.step(session, "")) == session {
				t.Errorf("%s goes on", what)
			}
			s.want(s.do(call{Method: "GET", Path: fallbackPath("m.login.dummy", session)}), 404, "M_NOT_FOUND")
		}
	}
	session, row := begin()
	for _, secret := range []string{password, "carol", "register", "m.login.dummy", session} {
		if bytes.Contains(row.Sealed, []byte(secret)) || strings.Contains(row.ID, secret) {
			t.Errorf("%q shows", secret)
		}
	}
	if _, err := s.db.Interaction(t.Context(), session); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("found by what the client has: %v", err)
	}
	altered := row
	altered.Sealed = bytes.Clone(row.Sealed)
	altered.Sealed[len(altered.Sealed)/2] ^= 1
	s.must(s.db.SaveInteraction(t.Context(), altered))
	refused("an altered one", session)

	session, row = begin()
	_, stolen := begin()
	stolen.ID = row.ID
	s.must(s.db.SaveInteraction(t.Context(), stolen))
	refused("another one's state", session)

	session, row = begin()
	s.must(s.db.EndInteraction(t.Context(), row.ID))
	prolonged := row
	prolonged.Expires = row.Expires.Add(time.Second)
	s.must(s.db.AddInteraction(t.Context(), prolonged, s.clock.Now(), maxInteractions))
	refused("one that was prolonged", session)

	session, row = begin()
	row.Sealed = []byte(`{"Bound":{"Method":"POST","Path":"register","User":""},"Completed":["m.login.dummy"]}`)
	s.must(s.db.SaveInteraction(t.Context(), row))
	refused("a forged one", session)

	session, _ = begin()
	another, err := tokens.NewMasterKey(rand.Reader)
	s.must(err)
	for _, server := range []*Server{s.server, s.other} {
		server.interactions.master = another
	}
	refused("one of another master key", session)
	fresh, _ := begin()
	s.ok(s.step(fresh, `,"type":"m.login.dummy"`))
}
