package oauth

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// TestNewDeviceAtEveryAPI: whichever API a new device logs in by, its event is written, and its owner is asked on the
// pages of other browsers.
func TestNewDeviceAtEveryAPI(t *testing.T) {
	t.Parallel()
	legacy := func(s *site) { s.login(onPhone, "NEW", "") }
	for name, logIn := range map[string]func(s *site){
		"legacy": legacy,
		"the draft of 2015": func(s *site) {
			s.ok(s.post("/_matrix/client/api/v1/login", "application/json",
				`{"type":"m.login.password","username":"alice","password":"`+password+`"}`))
		},
		"a code": func(s *site) {
			client := s.register(webClient)
			s.ok(s.redeem(client, s.code(client)))
		},
		"a device's code": func(s *site) {
			d := s.tv()
			s.must(d.decide(s.alice()))
			s.ok(d.poll())
		},
		"a login token": func(s *site) {
			sent := s.sentTo(s.browser().signIn(handlers.SSOPath + "?redirectUrl=https://old.example.com/"))
			token := sent.Get("loginToken")
			s.ok(s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.token","token":"`+token+`"}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.login(onWindows, "FIRST", "")
			b := s.browser()
			s.lacks(b.ownAccount(), "A new device signed in:")
			s.clock.Step(time.Minute)
			logIn(s)
			page := s.says(b.at("/account"), 200, `role="status"`, "A new device signed in:", "from your network",
				"Was that you?", ">That was me</button>")
			s.order(page, "Was that you?", ">Devices</h2>")
			if all, err := s.db.NewDevices(t.Context(), "alice", 10); err != nil || len(all) != 1 {
				t.Errorf("%+v %v", all, err)
			}
			path := action(actionEvents, "")
			if got := b.press(path, page, "do", "dismiss"); got.status != 303 {
				t.Fatalf("dismissed: %d %s", got.status, got.body)
			}
			s.lacks(b.at("/account"), "Was that you?")
			s.says(b.at(path), 200, "A new device signed in")
		})
	}
}

// TestNotices: of many new devices none is lost, whose is gone is said, and nobody is asked in a browser in which they
// have just let a page in.
func TestNotices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.login(onWindows, "FIRST", "")
	b := s.browser()
	b.ownAccount()
	s.clock.Step(time.Minute)
	client := s.register(webClient)
	for i := range noticesAtOnce + 1 { // in this browser
		q := request(client, "scope", fmt.Sprintf("urn:matrix:client:api:* urn:matrix:client:device:PAGE%06d", i))
		s.ok(s.redeem(client, s.sentTo(b.submit(q, b.open(q), "do", "allow")).Get("code")))
	}
	s.lacks(b.at("/account"), "Was that you?")
	other := s.browser()
	s.says(other.ownAccount(), 200, "App", "Was that you?", "There are more after these.")
	for i := range noticesAtOnce + 2 {
		s.clock.Step(time.Minute)
		s.login(onPhone, fmt.Sprint("D", i), fmt.Sprint("Phone ", i))
	}
	s.must(s.db.EndDevice(t.Context(), "alice", "D0"))
	path := action(actionEvents, "")
	page := b.at("/account")
	notice, _, _ := strings.Cut(page.body, ">Devices</h2>")
	for i := range noticesAtOnce + 2 {
		name := fmt.Sprint(">Phone ", i, "<")
		if i == 0 {
			name = "D0</bdi></strong>, from your network"
		}
		if strings.Contains(notice, name) != (i < noticesAtOnce) {
			t.Errorf("%d: %s", i, notice)
		}
	}
	s.order(page, "D0", "signed out since", "device_id=D1", "There are more after these.")
	b.press(path, page, "do", "dismiss")
	page = b.at("/account")
	notice, _, _ = strings.Cut(page.body, ">Devices</h2>")
	for name, there := range map[string]bool{"Phone 4": false, "Phone 5": true, "Phone 6": true} {
		if strings.Contains(notice, name) != there {
			t.Errorf("after that: %s", notice)
		}
	}
	b.press(path, page, "until", "9999999999999999", "do", "dismiss") // nobody dismisses what is to come
	s.lacks(b.at("/account"), "Was that you?")
	s.clock.Step(time.Minute)
	s.login(onPhone, "LAST", "Last")
	s.says(b.at("/account"), 200, "Last", "Was that you?")
}

// TestEvents: what has happened stands in plain words, with when, which device, whence and by what, all of it in pages.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.login(onPhone, "PHONE", "My phone")
	s.clock.Step(24 * time.Hour)
	s.login("nio", "BOT", "")
	s.ok(s.sendAs("nio", "POST", "/_matrix/client/v3/logout", s.login("nio", "BOT", ""), "{}"))
	command := db.By(context.Background(), commandLine{s.clock.Now()})
	s.must(s.db.LockUser(command, "alice", s.clock.Now()))
	s.must(s.db.UnlockUser(command, "alice"))
	s.must(s.db.Record(t.Context(), db.Event{At: s.clock.Now(), Kind: "of_the_future", Localpart: "alice", Agent: "x",
		Addr: "192.0.2.99"}))
	b := s.browser()
	page := s.says(b.ownAccount(), 200, ">Events</h2>", "The account was made", "Something happened: of_the_future",
		"192.0.2.99", "The account was locked", "by whoever runs the server", "A device was signed out", "matrix-nio")
	s.order(page, ">Events</h2>", "A device was signed out", "The account was made", "yesterday ",
		"A new device signed in", "yesterday ", "My phone", "Element X on iOS", "your network", "All events")
	s.lacks(page, "postern user lock")
	s.order(s.German(b, "/account"), ">Ereignisse</h2>", "Ein neues Gerät hat sich angemeldet", "gestern ")

	for i := range 2 * pageOfEvents {
		s.must(s.db.Record(t.Context(), db.Event{At: s.clock.Now().Add(time.Duration(i) * time.Second),
			Kind: fmt.Sprintf("k%d.", i), Localpart: "alice", Agent: "x"}))
	}
	older := regexp.MustCompile(`href="([^"]+)" rel="next"`)
	seen, path := "", action(actionEvents, "")
	for pages := 0; path != ""; pages++ {
		page := s.says(b.at(path), 200, ">Events</h1>")
		seen += page.body
		path = ""
		if next := older.FindStringSubmatch(page.body); next != nil {
			path = html.UnescapeString(next[1])
		}
		if pages > 5 {
			t.Fatal("the pages do not end")
		}
	}
	for i := range 2 * pageOfEvents {
		if n := strings.Count(seen, fmt.Sprintf(": k%d.<", i)); n != 1 {
			t.Errorf("event %d is there %d times", i, n)
		}
	}
	if !strings.Contains(seen, "The account was made") {
		t.Error("the oldest is missing")
	}
	s.lacks(s.says(b.at(action(actionEvents, "")+"&skip=5000"), 200, "There are no older events.",
		`href="?action=events"`, ">Newer</a>"), "Nothing has happened yet.", `rel="next"`)
	for _, odd := range []string{"-1", "x", "99999999", "9223372036854775807"} {
		s.says(b.at(action(actionEvents, "")+"&skip="+odd), 200)
	}
	s.ok(s.whoami(token))
}

// commandLine is an operator at the server.
type commandLine struct{ now time.Time }

func (c commandLine) Seen() db.Seen { return db.Seen{At: c.now, Agent: "postern user lock"} }

// TestNamesInject: what clients call themselves and their devices stays text, on one line, in one direction.
func TestNamesInject(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	evil := "<script>alert(1)</script>\"'><img src=x>\u202egpj.exe\u2066\u2028\x01" + strings.Repeat("A", 200)
	agent := "<svg onload=alert(2)>\"'/1 (\u202e" + strings.Repeat("B", 5000) + ")"
	s.login(onPhone, "FIRST", "")
	s.login(agent, "A<b>\u202e\"'", evil)
	s.login(agent, "B\u2066", "")
	b := s.browser()
	b.ownAccount()
	for _, path := range []string{"/account", viewOf("A<b>\u202e\"'"), viewOf("B\u2066"), action(actionEvents, ""),
		action(actionOthers, "")} {
		page := s.says(b.at(path), 200)
		s.lacks(page, "<script", "<svg", "<img", "<b>", "\u202e", "\u2066", "\u2028", "\x01",
			strings.Repeat("A", 150), strings.Repeat("B", 150))
		for _, line := range page.header {
			if strings.ContainsAny(strings.Join(line, ""), "\r\n") {
				t.Errorf("a header is %q", line)
			}
		}
	}
	s.says(b.at("/account"), 200, "&lt;script&gt;alert(1)&lt;/script&gt;")
	got := b.press(viewOf("A<b>\u202e\"'"), b.at(viewOf("A<b>\u202e\"'")), "name", evil[:60], "do", "rename")
	to, err := url.Parse(got.header.Get("Location"))
	if err != nil || to.Path != handlers.AccountPath || to.Query().Get("device_id") != "A<b>\u202e\"'" {
		t.Errorf("%d to %v, %v", got.status, to, err)
	}
}
