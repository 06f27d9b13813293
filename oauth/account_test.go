package oauth

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/db"
)

const (
	onWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
	onPhone   = "Element X/1.6.8 (iPhone 15 Pro; iOS 17.5.1; Scale/3.00)"
)

// sendAs sends a request as a client with an agent of its own.
func (s *site) sendAs(agent, method, path, token, body string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.URL+path, strings.NewReader(body))
	s.must(err)
	r.Header.Set("User-Agent", agent)
	r.Header.Set("Content-Type", "application/json")
	if path == "/oauth2/token" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return s.send(r, http.DefaultClient)
}

// login logs alice in by the legacy API, and gives the access token.
func (s *site) login(agent, device, name string) string {
	s.Helper()
	return s.loginOf("alice", agent, device, name)
}

func (s *site) loginOf(user, agent, device, name string) string {
	s.Helper()
	body, err := json.Marshal(map[string]any{"type": "m.login.password", "user": user, "password": password,
		"device_id": device, "initial_device_display_name": name})
	s.must(err)
	return s.ok(s.sendAs(agent, "POST", "/_matrix/client/v3/login", "", string(body))).text("access_token")
}

// order says that words stand on a page one after the other.
func (s *site) order(a answer, words ...string) {
	s.Helper()
	rest := a.body
	for _, word := range words {
		_, after, found := strings.Cut(rest, word)
		if !found {
			s.Fatalf("%q does not follow in %s", word, a.body)
		}
		rest = after
	}
}

func (s *site) lacks(a answer, words ...string) {
	s.Helper()
	for _, word := range words {
		if strings.Contains(a.body, word) {
			s.Fatalf("the page has %q: %s", word, a.body)
		}
	}
}

func viewOf(device string) string { return action(actionDevice, device) }

// TestDeviceList: devices of all APIs are in one list, by names that a person recognises, the one used last first.
func TestDeviceList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.login(onPhone, "PHONE", "")
	s.clock.Step(time.Hour)
	s.ok(s.sendAs("nio", "POST", "/_matrix/client/api/v1/login", "",
		`{"type":"m.login.password","username":"alice","password":"`+password+`"}`))
	s.clock.Step(3 * 24 * time.Hour)
	b, client := s.browser(), s.register(webClient)
	code := s.sentTo(b.signIn(authorizePath(request(client)))).Get("code")
	s.ok(s.sendAs(onWindows, "POST", "/oauth2/token", "", redemption(client, code).Encode()))
	page := s.says(b.at("/account"), 200, ">Devices</h2>", "Sign out all others")
	s.order(page, "App in Firefox on Windows", "this browser", "last used", ">today ", "your network", "matrix-nio",
		">3 days ago</time>", "Element X on iOS", ">3 days ago</time>", ">Signed-in browsers</h2>", "this browser")
	s.order(page, `id="device0"`, "App in Firefox", `aria-describedby="device0">Sign out this device</button>`,
		`id="device1"`, "matrix-nio", `aria-describedby="device1">Sign out this device</button>`)
	if to := b.press(viewOf("PHONE"), page, "do", "view").header.Get("Location"); to != viewOf("PHONE") {
		t.Errorf("the button leads to %q", to)
	}
	if n := strings.Count(page.body, "this browser"); n != 2 {
		t.Errorf("%d are this browser: %s", n, page.body)
	}
	other := s.browser()
	other.signIn("/account")
	if n := strings.Count(other.at("/account").body, "this browser"); n != 1 {
		t.Errorf("in another browser %d are this one", n)
	}
	s.says(b.signIn("/account"), 303) // it knows still what began in it
	s.order(b.at("/account"), "App in Firefox", "this browser", "</ul>")
	s.order(s.German(b, "/account"), "Geräte", "App in Firefox on Windows", "zuletzt benutzt", "vor 3 Tagen",
		"Element X unter iOS")
}

// German opens a page in that language.
func (s *site) German(b *browser, path string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.URL+path, nil)
	s.must(err)
	r.Header.Set("Accept-Language", "de")
	return s.send(r, b.client)
}

// TestRename: a device is called the same on its page, at the API and by its next login, whoever names it.
func TestRename(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.login(onPhone, "PHONE", "Old name")
	b := s.browser()
	b.ownAccount()
	view := viewOf("PHONE")
	s.clock.Step(proofLife) // a name is not worth a proof
	rename := func(name string) answer {
		t.Helper()
		return b.press(view, s.says(b.at(view), 200, `name="name"`, ">Name</label>", ">Save</button>"), "name", name,
			"do", "rename")
	}
	known := func() string {
		t.Helper()
		return s.ok(s.get("/_matrix/client/v3/devices/PHONE", token)).text("display_name")
	}
	for typed, want := range map[string]string{
		"My phone":                            "My phone",
		" a\u202e\r\nX-Evil: 1\x00 <b>":       "a X-Evil: 1 <b>",
		strings.Repeat("é", db.MaxDeviceName): strings.Repeat("é", db.MaxDeviceName),
		"":                                    "",
		"\u200f":                              "",
	} {
		got := rename(typed)
		if to := got.header.Get("Location"); got.status != 303 || !strings.HasPrefix(to, view) {
			t.Fatalf("%q: %d to %s", typed, got.status, to)
		}
		s.says(b.at(got.header.Get("Location")), 200, `role="status"`, "Saved.", `value="`+html.EscapeString(want)+`"`)
		if known() != want {
			t.Errorf("%q: the client hears %q, want %q", typed, known(), want)
		}
	}
	rename("")
	s.says(b.at("/account"), 200, ">Element X on iOS<") // by default
	long := strings.Repeat("x", db.MaxDeviceName+1)
	s.says(rename(long), 403, "too long", "100", long)
	if known() != "" {
		t.Errorf("the long name is taken: %q", known())
	}

	s.ok(s.sendAs("x", "PUT", "/_matrix/client/v3/devices/PHONE", token, `{"display_name":"By the client"}`))
	s.says(b.at(view), 200, `value="By the client"`)
	s.says(b.at("/account"), 200, "By the client")
	token = s.login(onPhone, "PHONE", "Another")
	if known() != "By the client" {
		t.Errorf("after a login it is called %q", known())
	}
	s.says(b.at("/account"), 200, "By the client")
	client := s.register(webClient)
	q := []string{"scope", "urn:matrix:client:api:* urn:matrix:client:device:PHONE"}
	token = s.ok(s.redeem(client, s.code(client, q...))).text("access_token")
	if known() != "By the client" {
		t.Errorf("after a login by OAuth 2.0 it is called %q", known())
	}
}

// TestSignOutOthers: all but this browser, and the devices that are said to be in it, ends, with a proof that is not
// stale, and the page says before how much.
func TestSignOutOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, two := s.login(onPhone, "ONE", ""), s.login(onWindows, "TWO", "")
	bot, err := s.db.StartSession(t.Context(), db.Login{ID: "bot", Localpart: "alice", KeyID: 1, Bot: true,
		PasswordHash: s.alice().PasswordHash, DeviceID: "BOT", DisplayName: "Backup", At: s.clock.Now()})
	s.must(err)
	s.account("bob")
	his := s.loginOf("bob", onPhone, "HIS", "")
	b, other, foreign := s.browser(), s.browser(), s.browser()
	b.ownAccount()
	other.ownAccount()
	foreign.signIn("/account", "bob", password)
	client := s.register(webClient)
	in := func(b *browser, device string) string {
		q := request(client, "scope", "urn:matrix:client:api:* urn:matrix:client:device:"+device)
		return s.ok(s.redeem(client, s.sentTo(b.submit(q, b.open(q), "do", "allow")).Get("code"))).text("refresh_token")
	}
	here, there := in(b, "INTHISONE1"), in(other, "INANOTHER1")
	view := action(actionOthers, "")
	page := s.says(b.at(view), 200, "Sign out all others", "<dt>Devices</dt><dd>3</dd>",
		"<dt>Other browsers</dt><dd>1</dd>", "<dt>Tokens for bots</dt><dd>1</dd>")
	s.lacks(page, `type="password"`)
	s.clock.Step(proofLife)
	s.says(b.at(view), 200, `type="password"`)
	s.says(b.press(view, page, "do", "others"), 403, "password")
	s.says(b.press(view, page, "do", "others", "password", "wrong"), 403, "The password is wrong.")
	s.ok(s.whoami(one))
	s.says(b.press(view, page, "do", "others", "password", password), 200, "All others are signed out")
	for _, token := range []string{one, two} {
		s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
	}
	if _, _, err := s.db.Session(t.Context(), bot.ID); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the bot's token lives: %v", err)
	}
	s.ok(s.refresh(client, here))
	s.want(s.refresh(client, there), 400, "invalid_grant")
	left := s.says(b.at("/account"), 200, "@alice:example.org", "INTHISONE1", "Sign out all others")
	s.order(left, "App", "this browser", "</ul>")
	s.says(b.at(view), 200, "<dt>Devices</dt><dd>0</dd>")
	s.says(other.at("/account"), 200, "User name")
	s.ok(s.whoami(his))
	s.says(foreign.at("/account"), 200, "@bob:example.org")
}

var browserLink = regexp.MustCompile(`href="(/account\?action=browser[^"]+)"`)

// TestSignOutBrowser: one browser signs another one out, by a page of its own.
func TestSignOutBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, other := s.browser(), s.browser()
	b.ownAccount()
	other.ownAccount()
	links := browserLink.FindAllStringSubmatch(b.at("/account").body, -1)
	if len(links) != 1 {
		t.Fatalf("links are %v", links)
	}
	view := html.UnescapeString(links[0][1])
	s.clock.Step(proofLife)
	page := s.says(b.at(view), 200, "Sign out this browser", `type="password"`, "signed in")
	s.says(b.press(view, page, "do", "end"), 403)
	s.says(other.at("/account"), 200, "@alice:example.org")
	s.says(b.press(view, page, "do", "end", "password", password), 200, "The browser is signed out")
	s.says(other.at("/account"), 200, "User name")
	s.says(b.at(view), 404)
	s.says(b.at("/account"), 200, "@alice:example.org")
}

// TestForeign: what is another account's is as unknown as what is not there, and whatever form is sent for it, forged
// or not, changes nothing.
func TestForeign(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("bob")
	his := s.loginOf("bob", onPhone, "HIS", "Bob's phone")
	own := s.login(onPhone, "OWN", "Alice's phone")
	foreign, b := s.browser(), s.browser()
	foreign.signIn("/account", "bob", password)
	second := s.browser()
	second.signIn("/account", "bob", password)
	hisBrowser := html.UnescapeString(browserLink.FindStringSubmatch(foreign.at("/account").body)[1])
	page := b.ownAccount()
	nothing := s.says(b.at(viewOf("NONE")), 404)
	for _, view := range []string{viewOf("HIS"), action(actionEndDevice, "HIS"), action(actionEndSession, "HIS"),
		hisBrowser, action(actionDevice, "\x00\xff"), "/account?action=browser&browser=%00",
		"/account?action=browser"} {
		got := s.says(b.at(view), 404)
		if view == viewOf("HIS") && got.body != nothing.body {
			t.Errorf("another's device is told from none: %s", got.body)
		}
		s.lacks(got, "Bob")
		for _, do := range []string{"end", "rename"} {
			s.says(b.press(view, page, "do", do, "name", "Mine", "password", password), 404)
		}
	}
	// forms that another page has sent, and one of a page that spoke of another account
	for _, proof := range []string{"", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		for view, do := range map[string]string{viewOf("OWN"): "end", action(actionDevice, "OWN"): "rename",
			action(actionOthers, ""): "others", action(actionEvents, ""): "dismiss"} {
			b.press(view, answer{}, "form", proof, "account", "alice", "do", do, "name", "Forged", "until", "9e12")
			b.press(view, page, "form", proof, "account", "alice", "do", do, "name", "Forged")
			b.press(view, page, "account", "bob", "do", do, "name", "Forged")
		}
	}
	s.ok(s.whoami(his))
	s.ok(s.whoami(own))
	s.says(second.at("/account"), 200, "@bob:example.org", "Bob&#39;s phone")
	s.says(b.at("/account"), 200, "Alice&#39;s phone")
}
