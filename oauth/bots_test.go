package oauth

import (
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

const botsPage = "/account?action=tokens"

var shownToken = regexp.MustCompile(`<textarea id="token"[^>]*>([A-Za-z0-9_-]+)</textarea>`)

// wanted are the fields of a token's form, with others if there are any.
func wanted(change ...string) []string {
	return append([]string{"name", "Bell", "may", "all", "room", "", "caveats", "", "from", "", "until", "",
		"do", "issue"}, change...)
}

// issue makes a token on the page and gives it.
func (b *browser) issue(change ...string) string {
	b.Helper()
	made := b.says(b.press(botsPage, b.at(botsPage), wanted(change...)...), 200, "is created")
	found := shownToken.FindStringSubmatch(made.body)
	if found == nil {
		b.Fatalf("the page shows no token: %s", made.body)
	}
	return found[1]
}

// opened makes a request with a token.
func (s *site) opened(method, path, token string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.URL+path, nil)
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	return s.send(r, http.DefaultClient)
}

// TestAdminTokensOnPage: an administrator sees of a token for the admin API what it is for.
func TestAdminTokensOnPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.must(s.db.SetAdmin(t.Context(), "alice", true))
	account, err := s.db.User(t.Context(), "alice")
	s.must(err)
	caveats, err := ParseCaveats([]string{"method in GET,HEAD", "path under /_matrix", "addr in 192.0.2.1"},
		s.clock.Now())
	s.must(err)
	_, err = s.server.IssueToken(handlers.WithCaller(t.Context(), &handlers.Caller{Now: s.clock.Now()}),
		handlers.Bot{Account: account, Name: "Ops", Scope: db.ScopeAdmin, Caveats: caveats})
	s.must(err)
	b := s.browser()
	b.signIn("/account")
	s.says(b.at("/account"), 200, ">Ops</bdi></a>", "Administering the accounts of this server, and nothing else",
		"path under /_matrix", "addr in 192.0.2.1")
}

// TestBotsOnPage: a person makes a token, sees it once, finds it again by name with what it opens and when it was used,
// and ends it.
func TestBotsOnPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	s.says(b.at("/account"), 200, ">Tokens for bots</h2>", ">Create a token</button>")
	token := b.issue("may", "own", "caveats", "method in GET\r\n\r\npath under /_matrix/client/v3/account", "until",
		s.clock.Now().AddDate(0, 0, 1).Format(time.DateOnly))
	list := s.says(b.at("/account"), 200, ">Bell</bdi></a>", "method in GET", "not used yet",
		"ends on "+s.clock.Now().AddDate(0, 0, 1).Format(time.DateOnly)+"<", ">End this token<")
	if strings.Contains(list.body, token[:40]) {
		t.Error("the token is shown again")
	}
	s.says(list, 200, "No device is signed in.", "Sign out all others")
	s.ok(s.whoami(token))
	s.want(s.opened(http.MethodPost, "/_matrix/client/v3/logout", token), 403, "M_FORBIDDEN")
	s.says(b.at("/account"), 200, "last used <time")
	device := s.ok(s.whoami(token)).text("device_id")
	to := b.at("/account?action=org.matrix.device_view&device_id=" + device).header.Get("Location")
	if to != botsPage+"&device_id="+device {
		t.Errorf("an app that leads to the device leads to %q", to)
	}
	s.says(b.at("/account?action=others"), 200, "<dt>Devices</dt><dd>0</dd>", "<dt>Tokens for bots</dt><dd>1</dd>")
	page := botsPage + "&device_id=" + device
	s.says(b.press(page, s.says(b.at(page), 200, "Bell"), "do", "end"), 200, "The token is ended")
	s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
	s.says(b.at(page), 404, "no such token")

	s.clock.Step(48 * time.Hour)
	b.signIn("/account")
	token = b.issue()
	s.clock.Step(10 * 365 * 24 * time.Hour)
	s.ok(s.whoami(token)) // it never ends
}

// TestReadyMadeBots: each answer of the form makes a token that opens what the preview says, and the list says the same
// in plain words.
func TestReadyMadeBots(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	const room = "!r$%_x:example.org"
	for may, words := range map[string]string{mayAll: "Everything that an app may do", mayRead: "May only read",
		mayRoom: "May only send to the room " + room, maySend: "May only send messages"} {
		fields := []string{"may", may, "room", room, "name", "Bot that " + may, "from", "192.0.2.0/24, ::1"}
		form := b.at(botsPage)
		preview := s.says(b.press(botsPage, form, wanted(append(fields, "do", "preview")...)...), 200,
			"What the token opens", "<dd>192.0.2.0/24,::1</dd>", `value="Bot that `+may+`"`)
		listed := s.says(b.press(botsPage, preview, wanted(fields...)...), 200, "Bot that "+may)
		if shownToken.FindString(listed.body) == "" {
			t.Fatalf("%s: %s", may, listed.body)
		}
		s.says(b.at("/account"), 200, words, "only from 192.0.2.0/24,::1")
		lines := readyMade(may, strings.ReplaceAll(room, "%", "%25"))
		caveats, err := ParseCaveats(lines, s.clock.Now())
		s.must(err)
		open, _, _ := strings.Cut(html.UnescapeString(preview.body), "It may not")
		for _, x := range Opens(caveats) {
			if x.Open != strings.Contains(open, ">"+x.Words()+" <code") {
				t.Errorf("%s, %s: %t\n%s", may, x.Words(), x.Open, open)
			}
		}
	}
	sessions, err := s.db.Sessions(s.Context(), "alice")
	s.must(err)
	if len(sessions) != 4 {
		t.Errorf("there are %d tokens, and previews make none", len(sessions))
	}
}

// TestOpens: what the ready-made restrictions open, and what they do not.
func TestOpens(t *testing.T) {
	t.Parallel()
	everything := "mayWhoami maySync mayHistory mayDownload maySendThere maySendElsewhere mayUpload mayRedact mayState " +
		"mayInvite mayJoin mayProfile maySignOut"
	read := "mayWhoami maySync mayHistory mayDownload"
	lines := map[string][]string{"r0": {"path under /_matrix/client/r0"}} // a homeserver knows the paths so, too
	for _, may := range []string{mayAll, mayRead, mayRoom, maySend} {
		lines[may] = readyMade(may, "!r:example.org")
	}
	for may, want := range map[string]string{mayAll: everything, mayRead: read,
		// a redaction can be sent as an event
		mayRoom: "maySendThere mayRedact", maySend: "maySendThere maySendElsewhere mayRedact",
		"r0": strings.NewReplacer(" mayDownload", "", " mayUpload", "").Replace(everything)} {
		caveats, err := ParseCaveats(lines[may], time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var open []string
		for _, x := range Opens(caveats) {
			if x.Open {
				open = append(open, x.Text)
			}
		}
		if got := strings.Join(open, " "); got != want {
			t.Errorf("%s opens %s, want %s", may, got, want)
		}
	}
}

// TestBotFormKeepsWhatWasTyped: whatever is wrong, the page says what, and nothing that was typed is lost.
func TestBotFormKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	form := b.at(botsPage)
	for words, fields := range map[string][]string{
		"needs a name":              {"name", " "},
		"characters that can be":    {"name", strings.Repeat("é", 101)},
		"that can be seen":          {"name", "a\u202eb"},
		"Choose what":               {"may", "nothing"},
		"no room id":                {"may", "room", "room", "#room:example.org"},
		"address that begins with":  {"may", "room", "room", "!a/../b:example.org"},
		"at least one restriction":  {"may", "own", "caveats", " \r\n "},
		"Line 2 is no restriction":  {"may", "own", "caveats", "method in GET\r\nroom = x"},
		"Line 1 is no restriction":  {"may", "own", "caveats", "user_id = @bob:example.org"},
		"could ever hold: method":   {"may", "own", "caveats", "method in get"},
		"could ever hold: time":     {"may", "own", "caveats", "time < 5"},
		"could ever hold: device":   {"may", "own", "caveats", "device_id = A"},
		"could ever hold: path":     {"may", "own", "caveats", "path under /a/../b"},
		"Line 21 is no restriction": {"may", "own", "caveats", strings.Repeat("method in GET\n", 21)},
		"That is no address":        {"from", "192.0.2"},
		"still to come":             {"until", "2001-01-01"},
		"day that is still":         {"until", "tomorrow"},
	} {
		got := s.says(b.press(botsPage, form, wanted(append([]string{"name", "Kept", "from", "::1"}, fields...)...)...),
			403, words)
		if fields[0] != "name" && !strings.Contains(got.body, `value="Kept"`) {
			t.Errorf("%s: the name is lost: %s", words, got.body)
		}
		if fields[0] != "from" && !strings.Contains(got.body, `value="::1"`) {
			t.Errorf("%s: the address is lost: %s", words, got.body)
		}
	}
	if sessions, err := s.db.Sessions(s.Context(), "alice"); err != nil || len(sessions) != 0 {
		t.Errorf("%v, %v", sessions, err)
	}
}

// TestBotAndSessionTTL: where sessions have to end, tokens that people make do.
func TestBotAndSessionTTL(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.SessionTTL = 36 * time.Hour })
	b := s.browser()
	b.signIn("/account")
	form := b.at(botsPage)
	latest := s.clock.Now().Add(36 * time.Hour)
	for _, until := range []string{"", latest.AddDate(0, 0, 1).Format(time.DateOnly)} {
		s.says(b.press(botsPage, form, wanted("until", until)...), 403, "")
	}
	token := b.issue("until", latest.Format(time.DateOnly))
	s.clock.Step(36*time.Hour - time.Second)
	s.ok(s.whoami(token))
	s.clock.Step(time.Second)
	s.want(s.whoami(token), 401, "M_UNKNOWN_TOKEN")
}

// TestBotTwice: a form that is sent twice makes one token and shows it both times, but not once it was used, nor later.
func TestBotTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	form := b.at(botsPage)
	send := func(change ...string) answer { return b.press(botsPage, form, wanted(change...)...) }
	first := shownToken.FindString(send().body)
	if second := shownToken.FindString(send().body); first == "" || first != second {
		t.Errorf("%s and %s", first, second)
	}
	for _, change := range [][]string{{"name", "Another"}, {"may", "read"}, {"may", "room", "room", "!r:example.org"},
		{"from", "192.0.2.1"}, {"until", s.clock.Now().AddDate(0, 0, 9).Format(time.DateOnly)}} {
		s.says(send(change...), 403, "was created before") // not the wider one
	}
	s.clock.Step(again + time.Second)
	s.says(send(), 403, "was created before")
	form = b.at(botsPage)
	used := shownToken.FindStringSubmatch(send().body)[1]
	s.ok(s.whoami(used))
	s.says(send(), 403, "was created before")
	if sessions, err := s.db.Sessions(s.Context(), "alice"); err != nil || len(sessions) != 2 {
		t.Errorf("%d tokens, %v", len(sessions), err)
	}
}

// TestBotNames: a name cannot be markup, a header, a line of a log, or another direction of writing.
func TestBotNames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	for _, name := range []string{"a\r\nSet-Cookie: x=y", "a\x00b", "a\x1b[2Jb", "\u200b", "a\u2028b"} {
		got := s.says(b.press(botsPage, b.at(botsPage), wanted("name", name)...), 403, "needs a name")
		if got.header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %v", name, got.header)
		}
	}
	b.issue("name", `<script>alert(1)</script>"'&`)
	if page := b.at("/account"); strings.Contains(page.body, "<script") ||
		!strings.Contains(page.body, "&lt;script&gt;") {
		t.Errorf("the page has %s", page.body)
	}
}

// TestTooManyBotsOnPage: beyond the bound the page says what to do.
func TestTooManyBotsOnPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	account, err := s.db.User(s.Context(), "alice")
	s.must(err)
	ctx := handlers.WithCaller(s.Context(), &handlers.Caller{Now: s.clock.Now()})
	for i := range 100 {
		_, err := s.server.IssueToken(ctx, handlers.Bot{Account: account, Name: fmt.Sprint(i)})
		s.must(err)
	}
	s.says(b.press(botsPage, b.at(botsPage), wanted()...), 403, "as many tokens as", `value="Bell"`)
	s.says(b.at("/account"), 200, ">99</bdi></a>")
}

// TestLoginByOAuthOnBotsDevice: a client that asks for the device of a bot's token is refused, for now: its code is not
// spent, and the bot goes on.
func TestLoginByOAuthOnBotsDevice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	token := b.issue()
	device := s.ok(s.whoami(token)).text("device_id")
	client := s.register(webClient)
	code := s.code(client, "scope", "urn:matrix:client:api:* urn:matrix:client:device:"+device)
	s.want(s.redeem(client, code), 400, "invalid_request")
	s.ok(s.whoami(token))
	s.must(s.db.EndDevice(s.Context(), "alice", device))
	s.ok(s.redeem(client, code))
}

// TestBotsTokenAtOAuth: a restricted token ends and makes no session by the OAuth 2.0 API.
func TestBotsTokenAtOAuth(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	client := s.register(webClient)
	token := b.issue("may", "read")
	s.want(s.revoke(token, client), 400, "invalid_request")
	s.want(s.refresh(client, token), 400, "invalid_grant")
	s.want(s.redeem(client, token), 400, "invalid_grant")
	s.ok(s.whoami(token))
	for _, path := range []string{"/account", "/oauth2/device", botsPage} {
		s.says(s.get(path, token), 200, "User name") // it is no browser that is signed in
	}
	all := b.issue()
	s.ok(s.revoke(all, client))
	s.want(s.whoami(all), 401, "M_UNKNOWN_TOKEN")
}

// TestBotFromElsewhere: a token for one address opens nothing from another.
func TestBotFromElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.signIn("/account")
	s.ok(s.whoami(b.issue("from", "127.0.0.1,::1")))
	s.want(s.whoami(b.issue("from", "192.0.2.0/24")), 403, "M_FORBIDDEN")
}

// TestKindOf: the list says of hand-written caveats what they are, and of others no more than they hold.
func TestKindOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                   mayAll,
		"addr in ::1":        mayAll,
		"method in GET,HEAD": mayOwn,
		"method in GET,HEAD\npath under /_matrix\naddr in ::1":                                     mayRead,
		"method in PUT\npath under /_matrix/client/v3/rooms/!r:x/send":                             mayRoom,
		"method in PUT\npath under /_matrix/client/v3/rooms/!r:x/send\npath under /_matrix":        mayOwn,
		"method in PUT,POST\npath under /_matrix/client/v3/rooms/!r:x/send":                        mayOwn,
		"method in PUT\npath under /_matrix/client/v3/rooms/*/send":                                maySend,
		"method in PUT\npath under /_matrix/client/v3/rooms/*/send\naddr in ::1\naddr in 10.0.0.1": mayOwn,
	} {
		if got, _, _ := kindOf(slices.DeleteFunc(strings.Split(text, "\n"),
			func(s string) bool { return s == "" })); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestBotsWithSecondFactor: a token needs no second factor to be used, and its owner shows one to make or end it: the
// password alone, or an open browser, is not enough.
func TestBotsWithSecondFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.setUp(b.ownAccount())
	token, early := b.issue(), b.at(botsPage)
	s.want(s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.password","identifier":{
		"type":"m.id.user","user":"alice"},"password":"`+password+`"}`), 403, "M_FORBIDDEN")
	device := s.ok(s.whoami(token)).text("device_id")
	s.clock.Step(proofLife)
	page := botsPage + "&device_id=" + device
	s.says(b.at(botsPage), 200, "Sign in again")
	s.says(b.press(botsPage, early, wanted("password", password)...), 403, "second tab", `value="Bell"`)
	s.says(b.press(page, early, "do", "end", "password", password), 200, "Sign in again")
	s.ok(s.whoami(token))
	sessions, err := s.db.Sessions(s.Context(), "alice")
	s.must(err)
	if len(sessions) != 1 {
		t.Errorf("there are %d tokens", len(sessions))
	}
}
