package oauth

import (
	"html"
	"net/url"
	"strings"
	"testing"

	"postern/db"
	"postern/handlers"
)

// demanding is a site whose operator asks for second factors, of whom the policy says.
func demanding(t *testing.T, policy handlers.SecondFactorPolicy) *site {
	t.Helper()
	return newSite(t, func(c *handlers.Config) { c.SecondFactor = policy })
}

// setUpOnTheWay sets up one-time codes on the page that asks for it, and gives the address that it goes on to.
func (b *browser) setUpOnTheWay(page answer) string {
	b.Helper()
	b.says(page, 200, "Set up a second factor", "@alice:example.org")
	to := actionOf(b.site, page)
	page = b.press(to, page, "do", "set up")
	found := secretShown.FindStringSubmatch(page.body)
	if found == nil {
		b.Fatalf("no secret is shown: %s", page.body)
	}
	page = b.press(actionOf(b.site, page), page, "code", app{b.site, found[1]}.code(), "do", "confirm")
	_, rest, _ := strings.Cut(page.body, `</ul>`)
	_, rest, _ = strings.Cut(rest, `<a href="`)
	next, _, found2 := strings.Cut(rest, `"`)
	if !found2 || len(codesShown.FindAllString(page.body, -1)) != recoveryCodes {
		b.Fatalf("there is nothing to go on to: %d %s", page.status, page.body)
	}
	return html.UnescapeString(next)
}

// actionOf is where the page's form leads.
func actionOf(s *site, page answer) string {
	s.Helper()
	_, rest, _ := strings.Cut(page.body, `action="`)
	to, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(to)
}

// TestSetUpOnTheWay: where a second factor is asked for, somebody who has none sets one up, and then goes on to what
// they have come for.
func TestSetUpOnTheWay(t *testing.T) {
	t.Parallel()
	for name, came := range map[string]func(s *site) (path, goesOn string){
		"client": func(s *site) (string, string) {
			return authorizePath(request(s.register(webClient))), "Let this app in?"
		},
		"login token": func(*site) (string, string) {
			return handlers.SSOPath + "?redirectUrl=" + url.QueryEscape("https://app.example.com/cb?a=b&c=d"),
				"Let this app in?"
		},
		"device": func(s *site) (string, string) {
			return handlers.DevicePath + "?code=" + s.tv().user, "Connect a device"
		},
		"account": func(*site) (string, string) { return handlers.AccountPath, "One-time codes" },
		"an action": func(*site) (string, string) {
			return "/account?action=" + actionDeactivate, "Deactivate your account"
		},
	} {
		s := demanding(t, handlers.SecondFactorRequired)
		path, goesOn := came(s)
		b := s.browser()
		page := b.signIn(path)
		if page.status == 303 {
			page = b.at(page.header.Get("Location"))
		}
		s.says(b.at(path), 200, "Set up a second factor")
		to := b.setUpOnTheWay(page)
		if want, _, _ := strings.Cut(path, "?"); !strings.HasPrefix(to, want) {
			t.Errorf("%s goes on to %q, and not to %q", name, to, path)
		}
		s.says(b.at(to), 200, goesOn)
	}
}

// TestSetUpLater: who signed in a while ago shows the password once more for the set-up.
func TestSetUpLater(t *testing.T) {
	t.Parallel()
	s := demanding(t, handlers.SecondFactorRequired)
	b := s.browser()
	b.signIn(handlers.AccountPath)
	s.clock.Step(proofLife)
	ask := s.says(b.press(codesPath, b.at(handlers.AccountPath), "do", "set up"), 200, `name="password"`)
	s.says(b.press(codesPath, ask, "do", "set up", "password", "wrong"), 403, `name="password"`)
	if shown := b.press(codesPath, ask, "do", "set up", "password", password); !secretShown.MatchString(shown.body) {
		t.Errorf("the password is not enough: %d %s", shown.status, shown.body)
	}
}

// TestSetUpFirst: nothing of the account is shown or done, and no app is let in, before the second factor is set up.
func TestSetUpFirst(t *testing.T) {
	t.Parallel()
	s := demanding(t, handlers.SecondFactorRequired)
	b := s.browser()
	client := s.register(webClient)
	path := authorizePath(request(client))
	b.signIn(path)
	waits := s.tv()
	for _, at := range []string{path, "/account?action=" + actionCodes, "/account?action=org.matrix.devices_list",
		"/account?action=" + actionRecovery, handlers.AccountPath, handlers.DevicePath} {
		page := s.says(b.at(at), 200, "Set up a second factor")
		if strings.Contains(page.body, "Signed-in browsers") {
			t.Errorf("%s shows the account: %s", at, page.body)
		}
		for _, do := range []string{"allow", "continue", "end", "deactivate", "reset", "recovery", "remove", ""} {
			got := b.press(at, page, "do", do, "password", password, "code", waits.user, "user_code", waits.user)
			s.says(got, 200, "Set up a second factor")
		}
	}
	if alice := s.alice(); !alice.Deactivated.IsZero() {
		t.Error("the account is closed")
	}
	for name, a := range s.everyLogin("alice") {
		s.want(a, 403, "M_FORBIDDEN")
		if !strings.Contains(a.text("error"), "has to have a second factor") ||
			!strings.Contains(a.text("error"), s.URL+"/account") {
			t.Errorf("%s says %q", name, a.text("error"))
		}
	}
	s.says(b.press(path, b.at(path), "do", "sign out"), 303)
	s.says(b.at(path), 200, `name="password"`)
}

// TestOnwardIsHere: whoever makes up the address of the set-up leads nobody elsewhere by it.
func TestOnwardIsHere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.ownAccount()
	for _, to := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example",
		"https:/account", "javascript:alert(1)", "//evil.example/account", "https://evil.example/account", "/elsewhere",
		"/account/../x", "account", "http://a@" + s.URL[7:] + "/account", "\t//evil.example", "/account\r\nX: y"} {
		page := b.press("/account?action="+actionCodes+"&then="+url.QueryEscape(to), b.at("/account"), "do", "set up")
		if strings.Contains(page.body, "evil") || strings.Contains(page.body, "elsewhere") ||
			strings.Contains(page.body, "then=") || !strings.Contains(page.body, `<a href="/account">`) {
			t.Errorf("%q: the page leads to %s", to, page.body)
		}
	}
}

// TestDemandOfAdmins: administrators have to have a second factor then, and nobody else.
func TestDemandOfAdmins(t *testing.T) {
	t.Parallel()
	s := demanding(t, handlers.SecondFactorAdmins)
	s.account("root")
	s.must(s.db.Write(t.Context(), func(tx *db.Tx) error {
		return tx.Exec(`UPDATE users SET admin = TRUE WHERE localpart = 'root'`)
	}))
	root, alice := s.browser(), s.browser()
	s.sentTo(root.signIn("/account", "root", password))
	s.says(root.at("/account"), 200, "Set up a second factor")
	s.sentTo(alice.signIn("/account"))
	s.says(alice.at("/account"), 200, "Signed-in browsers")
	s.want(s.passwordLogin("root", ""), 403, "M_FORBIDDEN")
	s.ok(s.passwordLogin("alice", ""))
}

// TestDemandedStage: what asks for a proof asks for the second factor, and for its set-up on the way, where the account
// has none; sessions from before go on.
func TestDemandedStage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ok(s.passwordLogin("alice", `,"device_id":"PHONE"`))
	laptop := s.ok(s.passwordLogin("alice", `,"device_id":"LAPTOP"`)).text("access_token")
	s.server.SecondFactor = handlers.SecondFactorRequired // before anybody asks again
	g := guardedOperations[3]
	s.ok(s.whoami(laptop))
	alone := g.with(s, laptop, passwordStep+"}")
	session := s.challenged(alone, "m.login.sso")
	if !strings.Contains(alone.text("error"), "has to have a second factor") {
		t.Errorf("the message is %q", alone.text("error"))
	}
	b := s.browser()
	path := b.onStage(session)
	s.sentTo(b.signIn(path))
	page := b.at(path)
	b.press(path, page, "do", "confirm")
	s.challenged(g.with(s, laptop, `{"session":"`+session+`"}`), "m.login.sso")
	to := b.setUpOnTheWay(page)
	s.says(b.agree(to, b.at(to)), 200, "That is done")
	s.ok(g.with(s, laptop, `{"session":"`+session+`"}`))
}

// TestDemandedRegistration: an account that is made on the page sets one up before it goes on.
func TestDemandedRegistration(t *testing.T) {
	t.Parallel()
	s := demanding(t, handlers.SecondFactorRequired)
	b := s.browser()
	q := request(s.register(webClient), "prompt", "create")
	page := b.submit(q, b.open(q), "user", "carol", "password", password, "do", "create")
	s.says(page, 200, "Set up a second factor", "@carol:example.org")
	again := b.submit(q, b.open(q), "user", "carol", "password", password, "do", "create")
	s.says(again, 200, "Set up a second factor", "@carol:example.org")
	s.want(s.act("POST", "v3/register", "", `{"username":"dave","password":"`+password+
		`","auth":{"type":"m.login.dummy"}}`), 403, "M_FORBIDDEN")
	s.ok(s.act("POST", "v3/register", "", `{"username":"dave","password":"`+password+
		`","inhibit_login":true,"auth":{"type":"m.login.dummy"}}`))
}
