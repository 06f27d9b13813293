package oauth

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/imported"
	"postern/test/rig/matrixtest"
	"postern/test/rig/safe"
)

// The second factor under attack: by who knows the password, by who has an access token, by who has an open browser,
// and by who has one step of two.

// everyLogin are the ways to log in by password and nothing else.
func (s *site) everyLogin(user string) map[string]answer {
	s.Helper()
	draft := `{"username":"` + user + `","password":"` + password + `"}`
	return map[string]answer{
		"current":      s.passwordLogin(user, ""),
		"known device": s.passwordLogin(user, `,"device_id":"PHONE","refresh_token":true`),
		"r0": s.post("/_matrix/client/r0/login", "application/json",
			`{"type":"m.login.password","user":"@`+user+`:example.org","password":"`+password+`"}`),
		"older": s.post("/_matrix/client/v3/login", "application/json",
			`{"type":"m.login.password","user":"`+user+`","password":"`+password+`"}`),
		"2015": s.post("/_matrix/client/api/v1/login", "application/json", draft),
	}
}

// TestPasswordAloneEverywhere: a password login goes around the second factor at none of the three APIs, and each names
// the way; the way leads in.
func TestPasswordAloneEverywhere(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	client := s.register(webClient)
	sso := handlers.SSOPath + "?redirectUrl=" + url.QueryEscape("https://app.example.com/cb")
	for name, a := range s.everyLogin("alice") {
		s.want(a, 403, "M_FORBIDDEN")
		for _, word := range []string{"second factor", "m.login.sso", s.URL + "/account"} {
			if !strings.Contains(a.text("error"), word) {
				t.Errorf("%s: the message says %q, and not %q", name, a.text("error"), word)
			}
		}
	}
	for _, path := range []string{authorizePath(request(client)), sso, handlers.DevicePath, handlers.AccountPath} {
		b := s.site.browser()
		half := b.halfway(path)
		if half.header.Get("Location") != "" ||
			strings.Contains(strings.Join(half.header["Set-Cookie"], " "), browserCookie) {
			t.Errorf("%s: the password gives %v", path, half.header)
		}
		for _, do := range []string{"allow", "continue", "confirm", "set up", "remove", "recovery", "deactivate", "end",
			"reset", ""} {
			got := b.press(path, half, "do", do, "account", "alice", "password", password, "code", s.app.code())
			if got.header.Get("Location") != "" || strings.Contains(got.body, "@alice:example.org</strong>") {
				t.Errorf("%s, %q: half signed in gives %d %s", path, do, got.status, got.body)
			}
		}
	}
	sessions, err := s.db.Sessions(t.Context(), "alice")
	if err != nil || len(sessions) != 3 {
		t.Fatalf("the sessions are %v, %v", sessions, err)
	}

	b := s.site.browser()
	got := s.sentTo(b.signInBoth(sso, s.app.code()))
	s.ok(s.post("/_matrix/client/v3/login", "application/json",
		`{"type":"m.login.token","token":"`+got.Get("loginToken")+`"}`))
	q := request(client)
	page := s.says(b.open(q), 200, "Allow")
	s.ok(s.redeem(client, s.sentTo(b.submit(q, page, "do", "allow")).Get("code")))
	waits := s.tv()
	page = b.press(handlers.DevicePath, b.at(handlers.DevicePath), "code", waits.user, "do", "continue")
	s.says(b.press(handlers.DevicePath, page, "do", "allow"), 200, "connected")
	s.ok(waits.poll())
}

// TestWhatGoesOn: what has begun before the second factor goes on, at every API, imported or not; and an operator's
// word and another session's are enough.
func TestWhatGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.LoginTokenTTL = time.Minute; c.Foreign = imported.Tokens(c.DB, host) })
	const given, twice = "syt_YWxpY2U_abcdefghijklmnopqrst_0a1B2c", "syr_YWxpY2U_abcdefghijklmnopqrst_0a1B2c"
	phone := matrixtest.ImportedPhone("x", s.clock.Now())
	phone.DeviceID, phone.Session = "OLD", "OLDSESSION"
	phone.Tokens = append(phone.Tokens[:0], matrixtest.ImportedToken(given, false, time.Time{}),
		matrixtest.ImportedToken(twice, true, time.Time{}))
	matrixtest.Import(t, s.db, s.clock.Now(), phone)
	client := s.register(webClient)
	granted := s.ok(s.redeem(client, s.code(client)))
	legacy := s.ok(s.passwordLogin("alice", `,"refresh_token":true`))
	draft := s.ok(s.post("/_matrix/client/api/v1/login", "application/json",
		`{"username":"alice","password":"`+password+`"}`))
	b := s.browser()
	b.setUp(b.ownAccount())
	s.clock.Step(codePeriod)

	for name, token := range map[string]string{"granted": granted.text("access_token"),
		"legacy": legacy.text("access_token"), "draft": draft.text("access_token"), "imported": given} {
		if a := s.whoami(token); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.ok(s.refresh(client, granted.text("refresh_token")))
	for _, token := range []string{legacy.text("refresh_token"), twice} {
		s.ok(s.act("POST", "v3/refresh", "", `{"refresh_token":"`+token+`"}`))
	}
	s.ok(s.post("/_matrix/client/api/v1/tokenrefresh", "application/json",
		`{"refresh_token":"`+draft.text("refresh_token")+`"}`))

	ring, err := handlers.ReadKeyring(t.Context(), s.db, s.server.Master)
	s.must(err)
	link, err := handlers.MintLoginToken(host, ring, "alice", ".operator", s.clock.Now().Add(time.Minute))
	s.must(err)
	in := s.ok(s.act("POST", "v3/login", "", `{"type":"m.login.token","token":"`+link+`","device_id":"NEW"}`))
	get := guarded{"POST", "v1/login/get_token", ``, nil}
	session := s.challenged(get.with(s, in.text("access_token"), ""), "m.login.sso")
	path := b.onStage(session)
	b.agree(path, b.at(path))
	made := s.ok(get.with(s, in.text("access_token"), `{"session":"`+session+`"}`)).text("login_token")
	s.ok(s.act("POST", "v3/login", "", `{"type":"m.login.token","token":"`+made+`"}`))
}

// TestAgreedBeforeTheFactor: what somebody has agreed to before there was a second factor, and nobody has redeemed yet,
// is good for nothing: the password alone was shown for it.
func TestAgreedBeforeTheFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	code := s.code(client)
	b := s.browser()
	page := b.ownAccount()
	waits := s.tv()
	found := b.press(handlers.DevicePath, b.at(handlers.DevicePath), "code", waits.user, "do", "continue")
	s.says(b.press(handlers.DevicePath, found, "do", "allow"), 200, "connected")
	b.setUp(page)
	s.want(s.redeem(client, code), 400, "invalid_grant")
	s.want(waits.poll(), 400, "invalid_grant")
	if sessions, err := s.db.Sessions(t.Context(), "alice"); err != nil || len(sessions) != 0 {
		t.Errorf("the sessions are %v, %v", sessions, err)
	}
}

// TestFactorsByTokenOnly: no page and no operation of OAuth 2.0 takes an access token for a signed-in browser. (Package
// handlers asks the other operations.)
func TestFactorsByTokenOnly(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	before, err := s.db.Factors(t.Context(), "alice")
	s.must(err)
	thief := s.site.browser()
	proof := s.formOf(thief)
	if proof == "" {
		thief.at(handlers.AccountPath)
		proof = s.formOf(thief)
	}
	for _, action := range []string{actionCodes, actionPasskeys, actionRecovery, actionPassword, actionDeactivate, ""} {
		for _, do := range []string{"set up", "confirm", "remove", "recovery", "rename", "add", "save", "deactivate",
			"second", "sign in", ""} {
			for _, path := range append([]string{"/account?action=" + action}, handlers.PagePaths...) {
				form := url.Values{"form": {proof}, "account": {"alice"}, "do": {do}, "access_token": {s.laptop}}
				r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+path, strings.NewReader(form.Encode()))
				s.must(err)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Authorization", "Bearer "+s.laptop)
				if a := s.send(r, thief.client); strings.Contains(a.body, "@alice:example.org</strong>") {
					t.Errorf("%s, %q: a token opens %s", path, do, a.body)
				}
			}
		}
	}
	after, err := s.db.Factors(t.Context(), "alice")
	if err != nil || len(after) != len(before) {
		t.Errorf("the factors are %v, %v", after, err)
	}
}

// TestHalfOfAnother: what the first step gives is good for its own browser and its own account, and signs in once for
// each code.
func TestHalfOfAnother(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	s.account("mallory")
	malloryAt := s.site.browser()
	malloryAt.sentTo(malloryAt.signIn("/account", "mallory", password))
	theirApp, _ := malloryAt.setUp(malloryAt.at("/account"))
	s.clock.Step(codePeriod)
	const path = handlers.AccountPath
	victim, thief := s.site.browser(), s.site.browser()
	half := victim.halfway(path)
	thief.at(path)
	stolen := answer{body: strings.Replace(half.body, s.formOf(victim), s.formOf(thief), 1)}
	for name, a := range map[string]answer{
		"in another browser":     thief.press(path, stolen, "code", s.app.code(), "do", "second"),
		"with another's code":    victim.press(path, half, "code", theirApp.code(), "do", "second"),
		"without a code":         victim.press(path, half, "code", "", "do", "second"),
		"with a password's form": victim.press(path, half, "code", password, "do", "sign in"),
	} {
		cookies := strings.Join(a.header["Set-Cookie"], " ")
		if a.status != http.StatusForbidden || strings.Contains(cookies, browserCookie) {
			t.Errorf("a half %s: %d %s", name, a.status, a.body)
		}
	}
	code := s.app.code()
	s.sentTo(victim.press(path, half, "code", code, "do", "second"))
	victim.press(path, victim.at(path), "do", "sign out")
	if a := victim.press(path, half, "code", code, "do", "second"); a.status != http.StatusForbidden {
		t.Errorf("both once more: %d %s", a.status, a.body)
	}
	if victim.signedInAt(path) {
		t.Error("a form that was sent once signs in again")
	}
}

// TestFixationWithFactor: no cookie of before the second step is worth anything after it, nor does the first step take
// away a browser that is signed in.
func TestFixationWithFactor(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	at, err := url.Parse(s.URL)
	s.must(err)
	cookie := func(b *browser) string {
		for _, c := range b.client.Jar.Cookies(at) {
			if c.Name == browserCookie {
				return c.Value
			}
		}
		return ""
	}
	victim, planted := s.site.browser(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	victim.client.Jar.SetCookies(at, []*http.Cookie{{Name: browserCookie, Value: planted, Path: "/"}})
	half := victim.halfway(handlers.AccountPath)
	if cookie(victim) != planted || victim.signedInAt(handlers.AccountPath) {
		t.Error("the first step makes a cookie")
	}
	s.sentTo(victim.press(handlers.AccountPath, half, "code", s.app.code(), "do", "second"))
	first := cookie(victim)
	if first == planted || !victim.signedInAt(handlers.AccountPath) {
		t.Errorf("the cookie after the second step is %q", first)
	}
	s.clock.Step(codePeriod)
	s.sentTo(victim.press(handlers.AccountPath, half, "code", s.app.code(), "do", "second"))
	old := s.site.browser()
	old.client.Jar.SetCookies(at, []*http.Cookie{{Name: browserCookie, Value: first, Path: "/"}})
	if cookie(victim) == first || old.signedInAt(handlers.AccountPath) {
		t.Error("the cookie of before signing in again is still good")
	}
}

// TestSecondPageTellsNothing: the page of the second step appears after the right password alone. A wrong one gets the
// same page whether the account has a second factor, has none, or does not exist.
func TestSecondPageTellsNothing(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	s.account("bob")
	pages := make(map[string]string)
	for _, name := range []string{"alice", "bob", "nobody"} {
		b := s.site.browser()
		wrong := b.signIn(handlers.AccountPath, name, "wrong horse")
		if wrong.status != 403 || strings.Contains(wrong.body, `name="half"`) {
			t.Errorf("%s: a wrong password answers %d %s", name, wrong.status, wrong.body)
		}
		pages[name] = strings.ReplaceAll(strings.ReplaceAll(wrong.body, s.formOf(b), ""), name, "")
	}
	if pages["alice"] != pages["bob"] || pages["alice"] != pages["nobody"] {
		t.Errorf("the pages differ: %s", pages)
	}
}

// TestSecondStepLeavesATrace: a wrong code is a failed login in the log, which fail2ban reads, and in the metrics; a
// right password before it is none.
func TestSecondStepLeavesATrace(t *testing.T) {
	t.Parallel()
	var log safe.Buffer
	s := newSecured(t, func(c *handlers.Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	b := s.site.browser()
	half := b.halfway(handlers.AccountPath)
	if got := log.String(); strings.Contains(got, "failed") {
		t.Errorf("the first step is logged as %s", got)
	}
	b.press(handlers.AccountPath, half, "code", "000000", "do", "second")
	line := `"msg":"login failed","addr":"127.0.0.1","errcode":"M_FORBIDDEN","user":"alice","why":"Wrong second factor."`
	if strings.Count(log.String(), line) != 1 || strings.Contains(log.String(), "000000") {
		t.Errorf("the log says %s", log.String())
	}
	s.sentTo(b.press(handlers.AccountPath, half, "code", s.app.code(), "do", "second"))
	if strings.Count(log.String(), "failed") != 1 {
		t.Errorf("a right code is logged as %s", log.String())
	}
	metrics := s.get("/metrics", "").body
	for _, want := range []string{`postern_logins_total{result="refused"} 1`, `postern_logins_total{result="ok"} 5`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestFactorRaces: of those who sign in on the pages while a second factor is added, none is in afterwards by the
// password alone. (Package handlers has the other logins race.)
func TestFactorRaces(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := handlers.SSOPath + "?redirectUrl=" + url.QueryEscape("https://app.example.com/cb")
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			if i == 6 {
				s.must(s.db.AddFactor(t.Context(), db.Factor{ID: "x", Localpart: "alice", Kind: db.FactorCodes,
					Sealed: []byte("x")}, "", nil))
			}
			if a := s.browser().signIn(path); a.status >= 500 {
				t.Errorf("a racer gets %d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	if browsers, err := s.db.Browsers(t.Context(), "alice"); err != nil || len(browsers) != 0 {
		t.Errorf("browsers are signed in by the password alone: %v, %v", browsers, err)
	}
}
