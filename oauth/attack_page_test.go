package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"postern/handlers"
	"postern/test/rig/process"
)

// everyPage opens every kind of page and error page, and every redirect between them.
func everyPage(s *site) map[string]answer {
	client := s.register(webClient)
	q := request(client)
	stranger, owner := s.browser(), s.browser()
	page := authorizePath(q)
	pages := map[string]answer{
		"sign in":         stranger.at(page),
		"create":          stranger.at(authorizePath(request(client, "prompt", "create"))),
		"misdirected":     stranger.at(authorizePath(request("unknown"))),
		"refused request": stranger.at(authorizePath(request(client, "scope", "x"))),
		"wrong password":  stranger.signIn(page, "alice", "wrong"),
		"forged":          stranger.press(page, answer{}, "do", "allow"),
		"signed in":       owner.signIn(page),
		"consent":         owner.at(page),
		"refusal":         owner.press(page, owner.at(page), "do", "cancel"),
		"sso sign in":     stranger.at(handlers.SSOPath + "?redirectUrl=https://old.example.com/"),
		"sso misdirected": stranger.at(handlers.SSOPath + "?redirectUrl=javascript:x"),
		"sso consent":     owner.at(handlers.SSOPath + "?redirectUrl=https://old.example.com/"),
		"account":         owner.at("/account"),
		"invited":         stranger.at(handlers.RegisterPath + "?token=x"),
		"welcome":         owner.at(handlers.RegisterPath + "?made"),
		"user code":       owner.at(handlers.DevicePath),
		"wrong user code": owner.press(handlers.DevicePath, owner.at(handlers.DevicePath), "code", "x", "do", "continue"),
		"connect sign in": stranger.at(handlers.DevicePath + "?code=BCDF-GHJK"),
		"device":          owner.at("/account?action=org.matrix.device_view&device_id=NONE"),
		"deactivate":      owner.at("/account?action=org.matrix.account_deactivate"),
		"reset":           owner.at("/account?action=org.matrix.cross_signing_reset"),
		"account signed":  stranger.signIn("/account"),
		"new bot":         owner.at(botsPage),
		"no bot":          owner.at(botsPage + "&device_id=NONE"),
		"wrong bot":       owner.press(botsPage, owner.at(botsPage), wanted("name", "")...),
		"bot preview":     owner.press(botsPage, owner.at(botsPage), wanted("do", "preview")...),
		"bot made":        owner.press(botsPage, owner.at(botsPage), wanted("device", "BELLBELLBE")...),
		"bot":             owner.at(botsPage + "&device_id=BELLBELLBE"),
		"recover":         stranger.at(handlers.RecoverPath),
		"choose":          stranger.at(s.resetLink("alice")),
		"chosen badly":    stranger.choose(s.resetLink("alice"), "x"),
		"link over":       stranger.at(handlers.RecoverPath + "?link=x"),
		"emails":          owner.at(emailsPath),
		"no email":        owner.at(emailsPath + "&address=x"),
		"email link over": owner.at(emailsPath + "&link=x"),
	}
	waits := &tv{site: s, client: s.register(tvClient)}
	waits.user = s.ok(s.ask(waits.client)).text("user_code")
	pages["connect"] = owner.press(handlers.DevicePath, owner.at(handlers.DevicePath), "code", waits.user, "do",
		"continue")
	pages["connected"] = owner.press(handlers.DevicePath, pages["connect"], "do", "allow")
	pages["no desk"] = owner.at(handlers.DeskPath)
	s.must(s.db.SetAdmin(s.Context(), "alice", true))
	for action := range deskPages {
		pages["desk "+action] = owner.at(deskAt(action, "name", "alice"))
	}
	s.must(s.db.Close())
	pages["away"] = stranger.at(page)
	return pages
}

// TestClickjacking: no page is shown in another one's frame, where a person would press what they do not see. RFC 9700,
// section 4.16.
func TestClickjacking(t *testing.T) {
	t.Parallel()
	for name, a := range everyPage(newSite(t)) {
		if a.status == http.StatusSeeOther {
			continue
		}
		policy := a.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || a.header.Get("X-Frame-Options") != "DENY" ||
			!strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "base-uri 'none'") ||
			strings.Contains(policy, "unsafe-inline") || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", name, a.status, a.header)
		}
	}
}

// TestCodeInReferrer: where a person goes from here nobody learns the address, in which a code or a request may stand;
// and no cache keeps a page. RFC 9700, section 4.2.4.
func TestCodeInReferrer(t *testing.T) {
	t.Parallel()
	for name, a := range everyPage(newSite(t)) {
		if a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", name, a.status, a.header)
		}
		if strings.Contains(a.body, "src=") || strings.Contains(a.body, "<link") {
			t.Errorf("%s loads something from elsewhere: %s", name, a.body)
		}
	}
}

// TestForeignScript: a script of another origin reads no page, not even what may be asked of it; the endpoints of
// clients it reads.
func TestForeignScript(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	ask := func(method, path string) answer {
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
		s.must(err)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		return s.send(r, s.browser().client)
	}
	for _, path := range append([]string{authorizePath(request(client))}, handlers.PagePaths...) {
		for _, method := range []string{"OPTIONS", "GET", "POST", "PUT", "HEAD"} {
			for name := range ask(method, path).header {
				if strings.HasPrefix(name, "Access-Control-Allow") {
					t.Errorf("%s %s has %s", method, path, name)
				}
			}
		}
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/registration"} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			if a := ask(method, path); a.header.Get("Access-Control-Allow-Origin") != "*" ||
				a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s: %v", method, path, a.header)
			}
		}
	}
	for name, a := range everyPage(s) {
		if a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", name, a.header)
		}
	}
}

// TestForgedConsent: whoever is signed in lets nobody in by a form, a link or a script of another page.
func TestForgedConsent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	q := request(s.register(webClient))
	page := authorizePath(q)
	owner, thief := s.browser(), s.browser()
	owner.signIn(page)
	mine := owner.at(page)
	theirs := process.Hidden(thief.at(page).body).Get("form")
	post := func(path, contentType, body string, cookies bool) answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
		s.must(err)
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Origin", "https://evil.example")
		if cookies {
			return s.send(r, owner.client)
		}
		return s.send(r, s.browser().client)
	}
	const form = "application/x-www-form-urlencoded"
	proof := process.Hidden(mine.body).Get("form")
	for name, a := range map[string]answer{
		"no proof":                post(page, form, "do=allow&account=alice", true),
		"an empty one":            post(page, form, "do=allow&account=alice&form=", true),
		"the thief's":             post(page, form, "do=allow&account=alice&form="+theirs, true),
		"two":                     post(page, form, "do=allow&account=alice&form="+theirs+"&form="+proof, true),
		"without cookies":         post(page, form, "do=allow&account=alice&form="+proof, false), // SameSite=Lax
		"in the address":          post(page+"&do=allow&account=alice&form="+proof, form, "", true),
		"by a link":               owner.at(page + "&do=allow&account=alice&form=" + proof),
		"as text":                 post(page, "text/plain", "do=allow&account=alice&form="+proof, true),
		"as JSON":                 post(page, "application/json", `{"do":"allow","form":"`+proof+`"}`, true),
		"for another account":     owner.press(page, mine, "do", "allow", "account", "bob"),
		"for no account":          owner.press(page, mine, "do", "allow", "account", ""),
		"a button that is not it": owner.press(page, mine, "do", "Allow"),
		"no button":               owner.press(page, mine),
	} {
		if a.header.Get("Location") != "" || a.status >= 500 {
			t.Errorf("%s: %d to %q", name, a.status, a.header.Get("Location"))
		}
	}
	s.sentTo(owner.press(page, mine, "do", "allow"))
}

// TestLoginCSRF: no page signs a person in to the attacker's account, whose messages they would write then. RFC 6819,
// section 4.4.1.8.
func TestLoginCSRF(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("mallory")
	page := authorizePath(request(s.register(webClient)))
	victim, mallory := s.browser(), s.browser()
	victim.at(page)
	theirs := mallory.at(page)
	for name, a := range map[string]answer{
		"no proof":  victim.press(page, answer{}, "user", "mallory", "password", password, "do", "sign in"),
		"her proof": victim.press(page, theirs, "user", "mallory", "password", password, "do", "sign in"),
		"register":  victim.press(page, theirs, "user", "mallory2", "password", password, "do", "create"),
	} {
		cookies := strings.Join(a.header["Set-Cookie"], " ")
		if a.header.Get("Location") != "" || strings.Contains(cookies, browserCookie) {
			t.Errorf("%s: %d %v", name, a.status, a.header)
		}
	}
	s.says(victim.at("/account"), 200, "User name")
}

// TestSessionFixation: a cookie that an attacker has put into a browser is not the one after its owner has signed in,
// even if it is that of a browser in which the attacker is signed in.
func TestSessionFixation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("mallory")
	page := authorizePath(request(s.register(webClient)))
	victim, mallory := s.browser(), s.browser()
	mallory.signIn(page, "mallory", password)
	at, err := url.Parse(s.URL)
	s.must(err)
	value := func(b *browser) string {
		for _, c := range b.client.Jar.Cookies(at) {
			if c.Name == browserCookie {
				return c.Value
			}
		}
		return ""
	}
	planted := value(mallory)
	victim.client.Jar.SetCookies(at, []*http.Cookie{{Name: browserCookie, Value: planted, Path: "/"}})
	s.says(victim.at(page), 200, "@mallory:example.org") // it says who is signed in
	s.sentTo(victim.signIn(page))
	if after := value(victim); after == "" || after == planted {
		t.Errorf("the cookie after signing in is %q, the planted one was %q", after, planted)
	}
	s.says(victim.at("/account"), 200, "@alice:example.org")
	if got := mallory.at("/account"); strings.Contains(got.body, "@alice:example.org") {
		t.Errorf("the attacker's browser shows %s", got.body)
	}
}

// TestOpenRedirect: whatever a request says, and whatever its reader does, nothing but a registered address is in a
// Location header.
func TestOpenRedirect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	const app = "app.example.com"
	for _, to := range []string{"", "/", "//evil.example", "https://evil.example/cb", "https://" + app, callback + "/",
		callback + "?", callback + "#", callback + "#x", callback + "/../..", callback + "%2f", callback + "?x=1",
		callback + "\\", callback + ";x", "https://" + app + ".evil.example/cb", "https://" + app + "@evil.example/cb",
		"https://evil.example\\@" + app + "/cb", "https://" + app + "\\@evil.example/cb", "https:\\\\" + app + "/cb",
		"https:/" + app + "/cb", "https://" + app + ":443/cb", "https://APP.example.com/cb", "HTTPS://" + app + "/cb",
		"http://" + app + "/cb", " " + callback, callback + " ", "\t" + callback, callback + "\n", callback + "\x00",
		callback + "\r\nLocation: https://evil.example",
		"https://аpp.example.com/cb", "https://" + app + "./cb", "https://%61pp.example.com/cb", "https://[::1]/cb",
		"javascript:alert(1)//" + callback, "data:text/html," + callback, "com.example.app:/cb", "http://127.0.0.1/cb"} {
		q := request(client, "redirect_uri", to)
		b := s.browser()
		for name, a := range map[string]answer{"link": b.open(q), "sign in": b.signIn(authorizePath(q)),
			"cancel": b.press(authorizePath(q), answer{}, "do", "cancel"),
			"create": b.at(authorizePath(q) + "&prompt=create")} {
			if a.status != 400 || a.header.Get("Location") != "" || strings.Contains(a.body, "<a href") {
				t.Errorf("%q, %s: %d to %q %s", to, name, a.status, a.header.Get("Location"), a.body)
			}
		}
	}
	b := s.browser()
	for _, path := range []string{"/account?//evil.example", "/account?action=https://evil.example",
		"/account?\\evil.example"} {
		if to := b.signIn(path).header.Get("Location"); !strings.HasPrefix(to, "/account?") {
			t.Errorf("%q leads to %q", path, to)
		}
		b.press("/account", b.at("/account"), "do", "sign out")
	}
}
