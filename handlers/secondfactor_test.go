package handlers

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"testing"

	"postern/db"
)

// addFactor gives an account one-time codes.
func (s *site) addFactor(name string) {
	s.Helper()
	s.must(addFactor(s.Context(), s.db, name))
}

func addFactor(ctx context.Context, d *db.DB, name string) error {
	return d.AddFactor(ctx, db.Factor{ID: rand.Text(), Localpart: name, Kind: db.FactorCodes, Sealed: []byte("x")}, "",
		nil)
}

// passwordLogins are a login by password at each API.
func passwordLogins(password string) map[string]call {
	return map[string]call{
		"current": {Method: "POST", Path: loginPath, Body: loginBody("alice", password, "")},
		"device":  {Method: "POST", Path: loginPath, Body: loginBody("alice", password, `"device_id":"PHONE"`)},
		"r0": {Method: "POST", Path: "/_matrix/client/r0/login",
			Body: loginBody("@alice:example.org", password, "")},
		"old": {Method: "POST", Path: loginPath,
			Body: `{"type":"m.login.password","user":"ALICE","password":"` + password + `"}`},
		"draft": {Method: "POST", Path: draftLoginPath, Body: `{"username":"alice","password":"` + password + `"}`},
	}
}

// operatorsWay is what is said where there is no page to sign in at.
const operatorsWay = "postern user factors NAME clear"

// TestSecondFactorAtLogin: the password of an account with a second factor lets nobody in at any API, and the message
// names the way. A wrong one is refused as ever: nothing tells that there is a second factor.
func TestSecondFactorAtLogin(t *testing.T) {
	t.Parallel()
	s, log := traced(t)
	phone := s.ok(s.login(`"device_id":"PHONE","refresh_token":true`))
	s.addFactor("alice")
	for name, login := range passwordLogins(password) {
		a := s.do(login)
		s.want(a, 403, "M_FORBIDDEN")
		if !strings.Contains(a.Text("error"), operatorsWay) {
			t.Errorf("%s says %q", name, a.Text("error"))
		}
	}
	for name, login := range passwordLogins("wrong") {
		a := s.do(login)
		s.want(a, 403, "M_FORBIDDEN")
		login.Body = strings.ReplaceAll(strings.ReplaceAll(login.Body, "alice", "nobody"), "ALICE", "nobody")
		if nobody := s.do(login); nobody.Raw != a.Raw {
			t.Errorf("%s: a wrong password answers %s, and an account that does not exist %s", name, a.Raw, nobody.Raw)
		}
	}
	if sessions, err := s.db.Sessions(t.Context(), "alice"); err != nil || len(sessions) != 1 {
		t.Errorf("sessions are %v, %v", sessions, err)
	}
	s.ok(s.whoami(phone.Text("access_token")))
	s.ok(s.refresh(phone.Text("refresh_token")))
	said := lines(t, log.String())
	for _, line := range said[1:6] {
		if !strings.HasPrefix(line, "second factor needed: addr=192.0.2.1 errcode=M_FORBIDDEN user=") {
			t.Errorf("the log says %s", line)
		}
	}
	metrics := s.do(call{Method: "GET", Path: "/metrics"}).Raw
	for _, line := range []string{`postern_logins_total{result="second_factor"} 5`,
		`postern_logins_total{result="refused"} 10`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// TestSecondFactorCounts: a right password is counted as any attempt, so that nobody has more guesses than before.
func TestSecondFactorCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 2, Period: 3600e9} })
	s.addFactor("alice")
	s.want(s.login(""), 403, "M_FORBIDDEN")
	s.want(s.login(""), 403, "M_FORBIDDEN")
	s.want(s.login(""), 429, "M_LIMIT_EXCEEDED")
}

// meanwhile is a peer that does something between the check of a password and the session.
type meanwhile struct {
	alone
	do func()
}

func (m meanwhile) StartSession(ctx context.Context, l db.Login, fresh bool) (db.Session, error) {
	m.do()
	return m.alone.StartSession(ctx, l, fresh)
}

// TestSecondFactorAddedMeanwhile: a password that was compared before the account had a second factor starts no session
// after that.
func TestSecondFactorAddedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, login := range passwordLogins(password) {
		s := newSite(t)
		s.server = s.newServer(func(c *Config) {
			c.Peer = meanwhile{alone{s.db}, sync.OnceFunc(func() { s.addFactor("alice") })}
		})
		a := s.do(login)
		s.want(a, 403, "M_FORBIDDEN")
		if !strings.Contains(a.Text("error"), operatorsWay) {
			t.Errorf("%s says %q", name, a.Text("error"))
		}
		if sessions, err := s.db.Sessions(t.Context(), "alice"); err != nil || len(sessions) != 0 {
			t.Errorf("%s: sessions are %v, %v", name, sessions, err)
		}
	}
}

// TestSecondFactorRace: of many who log in while a second factor is added, each has a session from before, or is
// refused.
func TestSecondFactorRace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const racers = 64
	var all sync.WaitGroup
	var won sync.Map
	for i := range racers {
		all.Go(func() {
			if i == racers/2 {
				s.addFactor("alice")
				before, err := s.db.Sessions(t.Context(), "alice")
				s.must(err)
				won.Store("before", len(before))
				return
			}
			a := s.do(passwordLogins(password)[[]string{"current", "draft", "r0", "old"}[i%4]])
			if a.Status == http.StatusOK {
				won.Store(i, true)
			} else if a.Status != http.StatusForbidden || !strings.Contains(a.Raw, operatorsWay) {
				t.Errorf("a racer gets %d %s", a.Status, a.Raw)
			}
		})
	}
	all.Wait()
	before, _ := won.LoadAndDelete("before")
	in := 0
	won.Range(func(any, any) bool { in++; return true })
	sessions, err := s.db.Sessions(t.Context(), "alice")
	if err != nil || len(sessions) != before || in != before {
		t.Errorf("%d racers are in, %d sessions were there with the second factor, and %d are now; %v", in, before,
			len(sessions), err)
	}
}

// TestSecondFactorWithoutPages: where there is no page to sign in at, nothing is proven by the password alone either,
// and the operator's way is named.
func TestSecondFactorWithoutPages(t *testing.T) {
	t.Parallel()
	for _, g := range guardedOperations {
		if g.path == addPath {
			continue // without pages no mail has a link
		}
		s := newSite(t)
		laptop, _ := s.threeDevices()
		session := s.challenged(s.do(g.with(laptop, g.body)))
		s.onPage(session)
		s.addFactor("alice")
		for _, body := range []string{g.body, withAuth(g.body, passwordStep("alice", password, "")),
			withAuth(g.body, passwordStep("alice", password, session)), withAuth(g.body, `{"session":"`+session+`"}`)} {
			a := s.do(g.with(laptop, body))
			s.want(a, 403, "M_FORBIDDEN")
			if !strings.Contains(a.Text("error"), operatorsWay) {
				t.Errorf("%s %s says %q", g.method, g.path, a.Text("error"))
			}
		}
		s.ok(s.whoami(laptop))
		_, err := s.db.ClearFactors(t.Context(), "alice")
		s.must(err)
		s.ok(s.do(g.with(laptop, withAuth(g.body, passwordStep("alice", password, "")))))
	}
}

// TestSecondFactorOnFallbackPage: the page of the password's stage says it too, if the second factor came since.
func TestSecondFactorOnFallbackPage(t *testing.T) {
	t.Parallel()
	s, log := traced(t)
	laptop, _ := s.threeDevices()
	session := s.challenged(s.deletePhone(laptop, ""))
	s.addFactor("alice")
	complete := func(password string) answer {
		return s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
			Body: "password=" + password})
	}
	s.html(complete("wrong"), 403, "Wrong password.")
	s.html(complete("correct+horse"), 403, operatorsWay)
	if said := lines(t, log.String()); !strings.HasPrefix(said[len(said)-1], "second factor needed: ") {
		t.Errorf("the log says %s", said)
	}
	s.html(s.do(call{Method: "GET", Path: fallbackPath("m.login.sso", session)}), 404, "no such authentication session")
}

// TestSecondFactorRequired: where the operator asks for a second factor, the password of an account that has none is
// not enough either, of all or of administrators; what has begun goes on.
func TestSecondFactorRequired(t *testing.T) {
	t.Parallel()
	for policy, refused := range map[SecondFactorPolicy][]string{SecondFactorOptional: nil, "": nil,
		SecondFactorAdmins: {"alice"}, SecondFactorRequired: {"alice", "bob"}} {
		s := newSite(t)
		s.must(s.db.Write(t.Context(), func(t *db.Tx) error {
			return t.Exec(`UPDATE users SET admin = TRUE WHERE localpart = 'alice'`)
		}))
		tablet := s.ok(s.login(`"device_id":"TABLET","refresh_token":true`))
		s.server = s.newServer(func(c *Config) { c.SecondFactor = policy })
		for _, name := range []string{"alice", "bob"} {
			for at, login := range passwordLogins(password) {
				login.Body = strings.ReplaceAll(strings.ReplaceAll(login.Body, "alice", name), "ALICE", name)
				a := s.do(login)
				if want := !strings.Contains(strings.Join(refused, " "), name); want != (a.Status == 200) ||
					!want && !strings.Contains(a.Text("error"), "has to have a second factor") {
					t.Errorf("%q, %s, %s: %d %s", policy, name, at, a.Status, a.Raw)
				}
			}
		}
		s.ok(s.whoami(tablet.Text("access_token")))
		s.ok(s.refresh(tablet.Text("refresh_token")))
		if a := s.register(registerBody("carol", `"auth":{"type":"m.login.dummy"}`)); policy == SecondFactorRequired {
			s.want(a, 403, "M_FORBIDDEN")
			s.ok(s.register(registerBody("carol", `"auth":{"type":"m.login.dummy"},"inhibit_login":true`)))
		} else {
			s.ok(a)
		}
	}
}

// TestFactorThief: whoever has stolen an access token, and even the password, changes no factor by any operation, and
// none that asks for a proof is carried out.
func TestFactorThief(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	sweep(t, func(op operation, _ call) {
		_, err := s.db.ClearFactors(t.Context(), "alice")
		s.must(err)
		login := s.loggedIn()
		s.addFactor("alice")
		before, err := s.db.Factors(t.Context(), "alice")
		s.must(err)
		for _, body := range []string{"", password, "wrong"} {
			c := sample(op.id, login)
			c.Body = strings.ReplaceAll(c.Body, password, body)
			if a := s.do(c); a.Status == 200 && strings.Contains(c.Body, "m.login.password") {
				t.Errorf("%s answers %s", op.id, a.Raw)
			}
		}
		after, err := s.db.Factors(t.Context(), "alice")
		if err != nil || len(after) != len(before) || after[0].ID != before[0].ID {
			t.Errorf("%s: the factors are %v, %v", op.id, after, err)
		}
	})
}

// pages is a server with pages that nobody looks at: package oauth has those, and tests them.
type pages struct{ noOAuth }

func (pages) Pages() http.Handler { return http.NotFoundHandler() }

// TestStageSSO: where there are pages, what asks for a proof leads to one. The app goes on once its user has agreed
// there.
func TestStageSSO(t *testing.T) {
	t.Parallel()
	for _, g := range guardedOperations {
		s := mailSite(t)
		laptop, tablet := s.threeDevices()
		s.addFactor("alice")
		alone := s.do(g.with(laptop, withAuth(g.body, passwordStep("alice", password, ""))))
		session := s.challenged(alone)
		if alone.Code() != "M_FORBIDDEN" || !strings.Contains(alone.Text("error"), "https://example.org/account") ||
			!strings.Contains(alone.Raw, `"flows":[{"stages":["m.login.sso"]}]`) {
			t.Errorf("%s %s: the password alone answers %s", g.method, g.path, alone.Raw)
		}
		led := s.do(call{Method: "GET", Path: fallbackPath("m.login.sso", session)})
		if led.Status != 302 || led.Header.Get("Location") != StagePath+"?session="+session {
			t.Errorf("the stage leads to %d %v", led.Status, led.Header)
		}
		s.want(s.do(call{Method: "POST", Path: fallbackPath("m.login.sso", session), Header: form, Body: "password=x"}),
			400, "M_UNRECOGNIZED")
		ctx := WithCaller(t.Context(), &Caller{Now: s.clock.Now()})
		stage, err := s.server.StageOnPage(ctx, session)
		s.must(err)
		account, err := s.db.User(t.Context(), stage.Localpart)
		s.must(err)
		s.must(stage.Complete(ctx, account))
		s.must(stage.Complete(ctx, account)) // the button was pressed twice
		s.html(s.do(call{Method: "GET", Path: fallbackPath("m.login.sso", session)}), 200, "That is done")
		auth := `{"session":"` + session + `"}`
		s.want(s.do(g.with(tablet, withAuth(g.body, auth))), 403, "M_FORBIDDEN")
		s.ok(s.do(g.with(laptop, withAuth(g.body, auth))))
	}
}
