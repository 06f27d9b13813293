package oauth

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// operate makes alice an administrator, who has just signed in at the desk.
func (s *site) operate() *browser {
	s.Helper()
	s.must(s.db.SetAdmin(s.Context(), "alice", true))
	b := s.browser()
	b.sentTo(b.signIn(handlers.DeskPath))
	return b
}

func personAt(name string) string { return deskAt(deskPerson, "name", name) }

// done presses a button at the desk, and follows to the page that says that it is done.
func (b *browser) done(a answer, words ...string) answer {
	b.Helper()
	b.sentTo(a)
	return b.says(b.at(a.header.Get("Location")), 200, append([]string{`role="status"`}, words...)...)
}

var listedAccount = regexp.MustCompile(`<a class="title"[^>]*><bdi>@([^:]+):`)

// TestDeskPeople: accounts are found by a part of their names and by their state, a page at a time.
func TestDeskPeople(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.operate()
	for i := range pageOfDesk + 5 {
		s.account(fmt.Sprintf("u%03d", i))
	}
	s.must(s.db.LockUser(t.Context(), "u007", s.clock.Now()))
	_, err := s.db.Deactivate(t.Context(), "u008", s.clock.Now(), false)
	s.must(err)
	first := s.says(b.at(deskAt(deskPeople)), 200, "@alice:example.org", "administrator", "@u000:example.org", "locked",
		"deactivated", ">Next page<")
	s.lacks(first, "@u054:", ">First page<")
	next := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(first.body)
	second := s.says(b.at(html.UnescapeString(next[1])), 200, "@u054:example.org", ">First page<")
	s.lacks(second, "@u000:", ">Next page<")
	for query, want := range map[string][]string{
		"q=U05":                  {"u050", "u051", "u052", "u053", "u054"},
		"q=%40u053:example.org":  {"u053"},
		"q=%25":                  nil,
		"q=u00&state=locked":     {"u007"},
		"state=deactivated":      {"u008"},
		"state=admin":            {"alice"},
		"q=u001&state=nonsense":  {"u001"},
		"q=nobody":               nil,
		"q=u05&after=u052":       {"u053", "u054"},
		"q=%00%ff&state=%00&a=b": nil,
	} {
		page := s.says(b.at(deskAt(deskPeople)+"&"+query), 200)
		var found []string
		for _, m := range listedAccount.FindAllStringSubmatch(page.body, -1) {
			found = append(found, m[1])
		}
		if query == "q=%00%ff&state=%00&a=b" {
			continue // it is answered
		}
		if !slices.Equal(found, want) {
			t.Errorf("%s finds %v, want %v", query, found, want)
		}
	}
	s.order(s.German(b, deskAt(deskPeople)), ">Personen</h1>", "Verwaltungsrechte", "gesperrt")
}

// TestDeskAdd: an account is added by name and password, and logs in.
func TestDeskAdd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.operate()
	at := deskAt(deskNew)
	page := s.says(b.at(at), 200, "Add an account")
	for _, tt := range []struct{ name, password, says string }{
		{"alice", password, "This name is taken."}, {"ALICE", password, "This name is taken."},
		{"not a name", password, "This name cannot be used."},
		{"@bob:elsewhere.org", password, "This name cannot be used."},
		{"bob", "short", "at least 8 characters"}, {"bob", "", "at least 8 characters"},
	} {
		s.says(b.press(at, page, "do", "add", "name", tt.name, "by", "password", "password",
			tt.password), 403, tt.says)
	}
	added := b.press(at, page, "do", "add", "name", "@Bob:example.org", "by", "password", "password", password)
	b.done(added, "The account is added.", "@bob:example.org", "active")
	s.says(b.press(at, page, "do", "add", "name", "bob", "by", "link"), 403, "This name is taken.")
	s.loginOf("bob", onPhone, "PHONE", "")
	events, err := s.db.EventPage(t.Context(), db.EventFilter{Localpart: "bob", Kinds: []string{db.EventCreated}},
		db.Event{}, 2)
	s.must(err)
	if made := events[0]; len(events) != 1 || made.Agent != "desk: alice, from 127.0.0.1" || made.Addr != "" {
		t.Errorf("the event is %+v", made)
	}
}

// TestDeskDeeds: each button of an account's page does what the command does, for somebody who has shown lately that it
// is them; the event says which operator it was, and its owner reads that whoever runs the server did it.
func TestDeskDeeds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.operate()
	s.account("bob")
	at := personAt("bob")
	user := func() db.User {
		t.Helper()
		u, err := s.db.User(t.Context(), "bob")
		s.must(err)
		return u
	}
	for _, tt := range []struct {
		do, says, event string
		holds           func() bool
	}{
		{"lock", "The account is locked.", db.EventLocked, func() bool { return !user().Locked.IsZero() }},
		{"unlock", "The account is unlocked.", db.EventUnlocked, func() bool { return user().Locked.IsZero() }},
		{"make", "The account is an administrator.", db.EventAdminOn, func() bool { return user().Admin }},
		{"unmake", "The account is not an administrator any more.", db.EventAdminOff, func() bool { return !user().Admin }},
		{"deactivate", "The account is deactivated.", db.EventDeactivated,
			func() bool { return !user().Deactivated.IsZero() }},
		{"reactivate", "The account is open again.", db.EventReactivated,
			func() bool { return user().Deactivated.IsZero() }},
		{"erase", "The account is deactivated.", db.EventDeactivated,
			func() bool { return !user().Deactivated.IsZero() }},
	} {
		page := s.says(b.at(at), 200, `value="`+tt.do+`"`)
		s.says(b.at(at+"&do="+tt.do+"&meant=yes"), 200)
		if s.clock.Step(proofLife); tt.holds() {
			t.Fatalf("%s is so already", tt.do)
		}
		asks := s.says(b.press(at, page, "do", tt.do), 200, `type="password"`, "@bob:example.org", `href="`+
			html.EscapeString(at)+`"`)
		s.says(b.press(at, asks, "do", tt.do, "password", "wrong"), 403, "The password is wrong.")
		s.says(b.press(at, asks, "do", tt.do, "meant", "yes"), 200, `type="password"`)
		if tt.holds() {
			t.Fatalf("%s was done without a proof", tt.do)
		}
		b.done(b.press(at, asks, "do", tt.do, "password", password), tt.says)
		events, err := s.db.Events(t.Context(), "bob", 5)
		s.must(err)
		at := slices.IndexFunc(events, func(e db.Event) bool { return e.Kind == tt.event })
		if !tt.holds() || at < 0 || events[at].Agent != "desk: alice, from 127.0.0.1" || events[at].Addr != "" {
			t.Errorf("%s: %t %+v", tt.do, tt.holds(), events)
		}
	}
	s.must(s.db.Reactivate(t.Context(), "bob"))
	own := s.browser()
	s.sentTo(own.signIn("/account", "bob", password))
	history := s.says(own.at(action(actionEvents, "")), 200, "by whoever runs the server", "The account was locked")
	s.lacks(history, "desk: ")
	s.says(b.at(at), 200, "desk: alice, from 127.0.0.1")
}

var madeLink = regexp.MustCompile(`<textarea id="token"[^>]*>([^<]+)</textarea>`)

// linked is the address of the link that a page shows, on this server.
func (s *site) linked(a answer, words ...string) string {
	s.Helper()
	found := madeLink.FindStringSubmatch(s.says(a, 200, words...).body)
	if found == nil || !strings.HasPrefix(found[1], s.URL+handlers.RecoverPath+"?"+handlers.LinkParam) {
		s.Fatalf("the page shows no link: %s", a.body)
	}
	return strings.TrimPrefix(html.UnescapeString(found[1]), s.URL)
}

// TestDeskLinks: a link is shown once with which an account's owner chooses a password, for an account that is there or
// with one that is added. There is none for an account that nobody can sign in to.
func TestDeskLinks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.operate()
	s.account("bob")
	page := s.says(b.at(personAt("bob")), 200, `value="link"`)
	s.clock.Step(proofLife)
	ask := s.says(b.press(personAt("bob"), page, "do", "link"), 200, "can choose a new password", `type="password"`)
	s.lacks(s.says(b.press(personAt("bob"), ask, "do", "link", "password", "wrong"), 403), handlers.RecoverPath+"?")
	link := s.linked(b.press(personAt("bob"), ask, "do", "link", "password", password), "@bob:example.org",
		s.clock.Now().Add(handlers.OperatorLinkLife).UTC().Format("2006-01-02 15:04 UTC"))
	s.lacks(b.at(personAt("bob")), handlers.RecoverPath+"?")
	s.ok(s.browser().choose(link, "another horse"))
	s.sentTo(s.browser().signIn("/account", "bob", "another horse"))
	s.says(s.browser().at(link), 410)
	events, err := s.db.EventPage(t.Context(), db.EventFilter{Kinds: []string{db.EventResetLink}}, db.Event{}, 5)
	if err != nil || len(events) != 1 || events[0].Localpart != "bob" ||
		events[0].Agent != "desk: alice, from 127.0.0.1" {
		t.Errorf("the events are %+v, %v", events, err)
	}
	added := s.linked(b.press(deskAt(deskNew), b.at(deskAt(deskNew)), "do", "add", "name", "carol", "by", "link",
		"password", "ignored"), "@carol:example.org")
	s.ok(s.browser().choose(added, "a third horse"))
	s.sentTo(s.browser().signIn("/account", "carol", "a third horse"))
	s.must(s.db.LockUser(t.Context(), "bob", s.clock.Now()))
	s.lacks(b.at(personAt("bob")), `value="link"`)
	s.says(b.press(personAt("bob"), page, "do", "link", "meant", "yes"), 403, "nobody can sign in to it",
		"once the account is unlocked")
}

// TestDeskSessions: an account's devices, bots and browsers are listed, one is signed out, and all.
func TestDeskSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.operate()
	s.account("bob")
	phone, laptop := s.loginOf("bob", onPhone, "PHONE", "Bob's phone"), s.loginOf("bob", onWindows, "LAPTOP", "")
	own := s.browser()
	s.sentTo(own.signIn("/account", "bob", password))
	page := s.says(b.at(personAt("bob")), 200, "Bob&#39;s phone", "LAPTOP", "Firefox on Windows", "sessions: 2",
		"127.0.0.1", ">Sign out everywhere<")
	s.lacks(page, "this browser", "your network")
	end := deskAt(deskPerson, "name", "bob", "device_id", "PHONE")
	if !strings.Contains(page.body, `action="`+html.EscapeString(end)+`"`) {
		t.Errorf("no form leads to %s: %s", end, page.body)
	}
	ask := s.says(b.press(end, page, "do", "end"), 200, "@bob:example.org", "it is removed")
	b.done(b.press(end, ask, "do", "end"), "The device is signed out.")
	s.want(s.whoami(phone), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.whoami(laptop))
	b.done(b.press(end, ask, "do", "end"), "The device is signed out.") // sent twice
	ask = s.says(b.press(personAt("bob"), page, "do", "end all"), 200, "All devices")
	b.done(b.press(personAt("bob"), ask, "do", "end all"), "signed out everywhere")
	s.want(s.whoami(laptop), 401, "M_UNKNOWN_TOKEN")
	s.says(own.at("/account"), 200, "User name")
	s.says(b.at(personAt("bob")), 200, "No device is signed in.", "No browser is signed in.")
}

// TestDeskFactors: the factors of somebody who has lost them are removed, and the password alone lets them in.
func TestDeskFactors(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.operate()
	s.account("bob")
	s.must(s.db.AddFactor(t.Context(), db.Factor{ID: "f", Localpart: "bob", Kind: db.FactorCodes, Sealed: []byte("x"),
		Created: s.clock.Now()}, "", []db.Factor{{ID: "r", Localpart: "bob", Kind: db.FactorRecovery,
		Sealed: []byte("x"), Created: s.clock.Now()}}))
	page := s.says(b.at(personAt("bob")), 200, "One-time codes", "Recovery codes left: 1.", "second factor")
	ask := s.says(b.press(personAt("bob"), page, "do", "clear"), 200, "stolen the password")
	b.done(b.press(personAt("bob"), ask, "do", "clear"), "The second factors are removed.",
		"The account has no second factor.")
	s.loginOf("bob", onPhone, "PHONE", "")
	if kinds := s.events("bob"); !slices.Contains(kinds, db.EventFactorsCleared) {
		t.Errorf("the events are %v", kinds)
	}
}

// TestDeskEvents: events are looked for by account, kind and day, a page at a time.
func TestDeskEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("bob")
	s.loginOf("bob", onPhone, "PHONE", "")
	s.clock.Step(48 * time.Hour)
	b := s.operate()
	s.login(onWindows, "LAPTOP", "")
	all := s.says(b.at(deskAt(deskEvents)), 200, "@bob:example.org", "@alice:example.org", "A new device signed in",
		"A session began", "The account was made")
	s.lacks(all, "signed in again")
	s.order(all, "LAPTOP", "PHONE")
	of := s.says(b.at(deskAt(deskEvents, "name", "@BOB:example.org")), 200, "PHONE")
	s.lacks(of, "LAPTOP")
	made := s.says(b.at(deskAt(deskEvents, "kind", db.EventCreated)), 200, "@bob:example.org", "selected")
	s.lacks(made, "LAPTOP", "PHONE")
	today := s.clock.Now().UTC().Format(time.DateOnly)
	since := s.says(b.at(deskAt(deskEvents, "from", today)), 200, "LAPTOP", `value="`+today+`"`)
	s.lacks(since, "PHONE")
	until := s.says(b.at(deskAt(deskEvents, "until", s.clock.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly))), 200,
		"PHONE")
	s.lacks(until, "LAPTOP")
	for _, none := range []string{"nobody", "@bob:elsewhere.org", "@bob", "@", strings.Repeat("b", 300)} {
		s.lacks(s.says(b.at(deskAt(deskEvents, "name", none)), 200, "No event fits."), "LAPTOP", "PHONE")
	}
	s.says(b.at(deskAt(deskEvents, "name", "\x00\xff", "kind", "\x00", "from", "x", "at", "x")), 200)
	for i := range pageOfDesk + 3 {
		s.must(s.db.Record(t.Context(), db.Event{At: s.clock.Now(), Kind: fmt.Sprintf("odd%02d.", i), Localpart: "bob",
			Agent: "x", Addr: "192.0.2.1"}))
	}
	path, seen := deskAt(deskEvents, "name", "bob"), 0
	for path != "" {
		page := s.says(b.at(path), 200)
		seen += strings.Count(page.body, "Something happened: odd")
		path = ""
		if next := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(page.body); next != nil {
			path = html.UnescapeString(next[1])
		}
	}
	if seen != pageOfDesk+3 {
		t.Errorf("the pages have %d of %d events", seen, pageOfDesk+3)
	}
}

// TestDeskNumbers: the first page counts what there is, draws what happened by day, which outlives the process, and
// what this process has counted.
func TestDeskNumbers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("bob")
	s.loginOf("bob", onPhone, "PHONE", "")
	s.clock.Step(24 * time.Hour)
	b := s.operate()
	s.login(onPhone, "A", "")
	s.login(onPhone, "B", "")
	s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.password","user":"bob","password":"x"}`)
	page := s.says(b.at(handlers.DeskPath), 200, ">Accounts</a></dt><dd>2</dd>", ">Sessions</dt><dd>3</dd>",
		">Administrators</a></dt><dd>1</dd>", "<svg", "Logins a day", "3 in all, at most 2")
	day := func(back int) string { return s.clock.Now().UTC().AddDate(0, 0, -back).Format(time.DateOnly) }
	s.order(page, "Logins a day", `<tr><th scope="row">`+day(1)+`</th><td>1</td>`, `<tr><th scope="row">`+day(0)+
		`</th><td>2</td>`, "New accounts a day", "Refused logins an hour", "1 in all, at most 1")
	if n := strings.Count(page.body, `<th scope="row">`+day(plotDays-1)); n != 4 {
		t.Errorf("the first day stands %d times: %s", n, page.body)
	}
	s.lacks(page, "style=", "<script")
	s.order(s.German(b, handlers.DeskPath), ">Verwaltung</h1>", "Anmeldungen am Tag", "insgesamt 3, höchstens 2")
}

// TestDeskLink: the account page leads to the desk, for administrators alone.
func TestDeskLink(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	s.lacks(b.ownAccount(), handlers.DeskPath)
	s.must(s.db.SetAdmin(t.Context(), "alice", true))
	s.says(b.at("/account"), 200, `href="`+handlers.DeskPath+`"`)
}
