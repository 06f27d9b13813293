package handlers

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// traced is a site whose log, at the level info, is kept.
func traced(t *testing.T, change ...func(*Config)) (*site, *strings.Builder) {
	t.Helper()
	log := new(strings.Builder) // package slog writes one line at a time
	return newSite(t, append(change, func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(log, nil)) })...), log
}

// lines are what a log says, without the times.
func lines(t *testing.T, log string) (all []string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
		var fields map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		if line == "" {
			continue
		}
		if err := d.Decode(&fields); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, fmt.Sprintf("%v: addr=%v errcode=%v user=%v why=%v", fields["msg"], fields["addr"],
			fields["errcode"], fields["user"], fields["why"]))
	}
	return all
}

// TestTraces: what an attack looks like is one line each, with who, what they typed, and why it was refused; what is no
// attack is none.
func TestTraces(t *testing.T) {
	t.Parallel()
	const (
		wrong = "errcode=M_FORBIDDEN user=%s why=Wrong user name or password."
		stage = "password stage failed: addr=192.0.2.1 errcode=M_FORBIDDEN user=alice why=Wrong password."
	)
	login := func(user, password string) func(s *site) {
		return func(s *site) {
			s.do(call{Method: "POST", Path: loginPath, Body: loginBody(user, password, `"device_id":"X"`)})
		}
	}
	for _, test := range []struct {
		name   string
		change func(*Config)
		do     func(s *site)
		want   []string
	}{
		{"a login", nil, login("alice", password),
			[]string{"login: addr=192.0.2.1 errcode=<nil> user=@alice:example.org why=<nil>"}},
		{"a wrong password", nil, login("Alice", "wrong"),
			[]string{"login failed: addr=192.0.2.1 " + fmt.Sprintf(wrong, "Alice")}},
		{"an unknown account", nil, login("@nobody:example.org", "wrong"),
			[]string{"login failed: addr=192.0.2.1 " + fmt.Sprintf(wrong, "@nobody:example.org")}},
		{"the 2015 draft", nil, func(s *site) {
			s.do(call{Method: "POST", Path: draftLoginPath, Body: `{"username":"alice","password":"wrong"}`})
		}, []string{"login failed: addr=192.0.2.1 " + fmt.Sprintf(wrong, "alice")}},
		{"a right password to a locked account of the 2015 draft", nil, func(s *site) {
			s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
			s.do(samples["draftLogin"])
		}, []string{"login failed: addr=192.0.2.1 errcode=M_USER_LOCKED user=alice why=This account is locked."}},
		{"a login token that is not good", nil, func(s *site) { s.byToken("rubbish") }, []string{
			"login failed: addr=192.0.2.1 errcode=M_FORBIDDEN user= why=The login token is not good, or no longer."}},
		{"a name that turns the line, and is long", nil,
			login(`a\u202e\n\u001b[2J`+strings.Repeat("x", 150), "wrong"), []string{"login failed: addr=192.0.2.1 " +
				fmt.Sprintf(wrong, `a\u202e\n\x1b[2J`+strings.Repeat("x", 91))}},
		{"a rate limit", func(c *Config) { c.RateLimit = Rate{Count: 1, Period: time.Hour} }, func(s *site) {
			login("alice", "wrong")(s)
			login("alice", "wrong")(s)
		}, []string{"login failed: addr=192.0.2.1 " + fmt.Sprintf(wrong, "alice"),
			"rate limited: addr=192.0.2.1 errcode=M_LIMIT_EXCEEDED user=alice why=Too many attempts. " +
				"Wait before you try again."}},
		{"a registration that is closed", func(c *Config) { c.Registration = RegistrationClosed },
			func(s *site) { s.register(registerBody("carol", `"inhibit_login":true`)) }, []string{
				"registration refused: addr=192.0.2.1 errcode=M_FORBIDDEN user=carol why=Registration is closed."}},
		{"a registration token that is not good, from the app and on the page",
			func(c *Config) { c.Registration = RegistrationToken }, func(s *site) {
				session := s.challenged(s.register(registerBody("carol", `"inhibit_login":true`)))
				s.register(`{"auth":{"type":"m.login.registration_token","token":"guess","session":"` + session + `"}}`)
				s.do(call{Method: "POST", Path: fallbackPath("m.login.registration_token", session), Header: form,
					Body: "token=guess"})
			}, []string{
				"registration refused: addr=192.0.2.1 errcode=M_UNAUTHORIZED user=carol " +
					"why=This registration token is not good, or no longer.",
				"registration refused: addr=192.0.2.1 errcode=M_UNAUTHORIZED user=carol " +
					"why=This registration token is not good, or no longer."}},
		{"a registration", nil, func(s *site) { s.do(samples["register"]) },
			[]string{"registered: addr=192.0.2.1 errcode=<nil> user=@carol:example.org why=<nil>"}},
		{"a stage, from the app and on the page", nil, func(s *site) {
			token := s.ok(s.login(`"device_id":"LAPTOP"`)).Text("access_token")
			session := s.challenged(s.deletePhone(token, ""))
			s.deletePhone(token, passwordStep("alice", "wrong", session))
			s.do(call{Method: "POST", Path: fallbackPath("m.login.password", session), Header: form,
				Body: "password=wrong"})
			s.ok(s.deletePhone(token, passwordStep("alice", password, session)))
		}, []string{"login: addr=192.0.2.1 errcode=<nil> user=@alice:example.org why=<nil>", stage, stage}},
		{"a replay", nil, func(s *site) {
			in := s.ok(s.login(`"device_id":"X","refresh_token":true`))
			pair := s.ok(s.refresh(in.Text("refresh_token")))
			s.ok(s.whoami(pair.Text("access_token")))
			s.clock.Step(time.Minute)
			s.refresh(in.Text("refresh_token"))
		}, []string{"login: addr=192.0.2.1 errcode=<nil> user=@alice:example.org why=<nil>",
			"refresh token replayed; the session is logged out softly: addr=192.0.2.1 errcode=<nil> user=<nil> " +
				"why=<nil>"}},
		{"what is not understood, not there, or a token that is not good", nil, func(s *site) {
			s.do(call{Method: "POST", Path: loginPath, Body: `{"type":"m.login.sso"}`})
			s.do(call{Method: "POST", Path: loginPath, Body: `{`})
			s.do(call{Method: "GET", Path: "/nothing"})
			s.whoami("rubbish")
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			change := func(*Config) {}
			if test.change != nil {
				change = test.change
			}
			s, log := traced(t, change)
			test.do(s)
			got := lines(t, log.String())
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("the log says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			for _, secret := range []string{password, "argon2id", "rubbish", "guess"} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log holds %q:\n%s", secret, log)
				}
			}
		})
	}
}

// TestMailsRefused: of mails that are asked for too often one line is written each, and one attempt counted, whichever
// way they are asked for.
func TestMailsRefused(t *testing.T) {
	t.Parallel()
	const line = "rate limited: addr=192.0.2.1 errcode=M_LIMIT_EXCEEDED user=%s why=Too many attempts. Wait before you " +
		"try again."
	s, log := traced(t, withMail, func(c *Config) { c.RateLimit = Rate{Count: 30, Period: time.Minute} })
	session := s.challenged(s.do(call{Method: "POST", Path: registerPath, Body: registerBody("carol", `"auth":{}`)}))
	who := &Caller{Addr: netip.MustParseAddr("192.0.2.1"), Now: s.clock.Now()}
	for s.server.CountMail(WithCaller(t.Context(), who), "") == nil {
	}
	for _, test := range []struct {
		name, user string
		ask        func()
	}{
		{"by a page", "alice", func() {
			if s.server.CountMail(WithCaller(t.Context(), who), "alice") == nil {
				t.Error("a mail is not refused")
			}
		}},
		{"by an app", "", func() {
			s.want(s.askForMail(resetPath+"email/requestToken", "alice@example.org", "s", 1), 429, "M_LIMIT_EXCEEDED")
		}},
		{"by the page of a stage", "carol", func() {
			s.want(s.do(call{Method: "POST", Path: fallbackPath(stageEmail, session), Header: form,
				Body: "email=carol%40example.org"}), 429, "M_LIMIT_EXCEEDED")
		}},
	} {
		log.Reset()
		before := s.refusals()
		test.ask()
		got, want := strings.Join(lines(t, log.String()), "\n"), fmt.Sprintf(line, test.user)
		if n := s.refusals() - before; got != want || n != 1 {
			t.Errorf("%s: %d are counted, want 1, and the log says\n%s\nwant\n%s", test.name, n, got, want)
		}
	}
}

// refusals are the attempts that count for a flood, while the clock stands.
func (s *site) refusals() int {
	each := floodRate.Period / time.Duration(floodRate.Count)
	return int(s.server.flood.arrival[""].Sub(s.clock.Now()) / each)
}

// TestAddressComesFirst: whatever a client is called, the address of a line stands before it, where no client writes.
func TestAddressComesFirst(t *testing.T) {
	t.Parallel()
	s, log := traced(t)
	s.do(call{Method: "POST", Path: loginPath,
		Body: loginBody(`x\",\"msg\":\"login failed\",\"addr\":\"198.51.100.1`, "wrong", "")})
	line := log.String()
	begin := `"msg":"login failed","addr":"192.0.2.1","errcode":"M_FORBIDDEN","user":"x\"`
	if !strings.Contains(line, begin) || strings.Count(line, `"addr":"`) != 1 {
		t.Errorf("the line is %s", line)
	}
}
