package oauth

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/matrixtest"
	"postern/test/rig/process"
)

// decide sends the form of accounts that wait with several of them chosen.
func (b *browser) decide(page answer, do string, names ...string) answer {
	b.Helper()
	form := process.Hidden(page.body)
	form.Set("do", do)
	form["name"] = names
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.URL+deskAt(deskSignUps),
		strings.NewReader(form.Encode()))
	b.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r, b.client)
}

func withApproval(c *handlers.Config) { c.Registration = handlers.RegistrationApproval }

// ask asks for an account on the pages, which has to wait.
func (s *site) askFor(names ...string) {
	s.Helper()
	for _, name := range names {
		b := s.browser()
		page := b.at(handlers.RegisterPath)
		s.says(b.press(handlers.RegisterPath, page, "user", name, "password", password, "do", "create"), 403,
			"waits for approval")
	}
}

// TestDeskSaysAfterAWhile: what was decided is said however much time there is between a request and what it does.
func TestDeskSaysAfterAWhile(t *testing.T) {
	t.Parallel()
	s := newSite(t, withApproval, func(c *handlers.Config) {
		clock, now := matrixtest.NewClock(), c.Now
		c.Now = func() time.Time {
			clock.Step(5 * time.Millisecond)
			return now().Add(clock.Now().Sub(matrixtest.NewClock().Now()))
		}
	})
	b := s.operate()
	s.askFor("carol")
	b.done(b.decide(b.at(deskAt(deskSignUps)), "approve", "carol"), "Approved:", "@carol:example.org")
}

// TestDeskSignUps: several accounts that wait are approved or rejected at once, whichever API they were asked for by.
// Those that another operator has decided about are named, and the rest is done.
func TestDeskSignUps(t *testing.T) {
	t.Parallel()
	s := newSite(t, withApproval)
	b := s.operate()
	s.says(b.at(deskAt(deskSignUps)), 200, "Nobody waits.")
	s.askFor("carol", "dave", "erin", "frank")
	legacy := s.post("/_matrix/client/v3/register", "application/json",
		`{"username":"grace","password":"`+password+`","auth":{"type":"m.login.dummy"}}`)
	s.want(legacy, 403, handlers.AwaitingApproval)
	page := s.says(b.at(deskAt(deskSignUps)), 200, "@carol:example.org", "@grace:example.org", "127.0.0.1")
	s.says(b.at(handlers.DeskPath), 200, `Sign-ups <span class="tag">5</span>`)
	s.says(b.decide(page, "approve"), 403, "Choose at least one name.")
	said := b.done(b.decide(page, "approve", "carol", "grace"), "Approved:")
	for _, name := range []string{"carol", "grace"} {
		at := html.EscapeString(deskAt(deskPerson, "name", name))
		s.says(said, 200, `<a href="`+at+`"><bdi>@`+name+`:example.org`)
	}
	asks := s.says(b.decide(page, "reject", "dave"), 200, "@dave:example.org", "You cannot undo this.")
	if _, err := s.db.WaitingUser(t.Context(), "dave"); err != nil {
		t.Errorf("rejected before it was meant: %v", err)
	}
	b.done(b.decide(asks, "reject", "dave"), "Rejected", "@dave:example.org")
	seen := s.says(b.at(deskAt(deskEvents)), 200, "<bdi>@dave:example.org", html.EscapeString(deskAt(deskSignUps))+
		`"><bdi>@erin:example.org`, html.EscapeString(deskAt(deskPerson, "name", "carol")))
	s.lacks(seen, html.EscapeString(deskAt(deskPerson, "name", "dave")))
	s.says(b.decide(page, "approve", "dave", "erin", "\x00", "alice"), 403, "@dave:example.org", "@alice:example.org",
		"The others are decided.")
	for _, name := range []string{"carol", "grace", "erin"} {
		s.loginOf(name, onPhone, "PHONE", "")
		draft := s.post("/_matrix/client/api/v1/login", "application/json", `{"username":"`+name+`","password":"`+
			password+`"}`)
		s.ok(draft)
		s.sentTo(s.browser().signIn("/account", name, password))
	}
	if _, err := s.db.User(t.Context(), "dave"); err == nil {
		t.Error("dave has an account")
	}
	waiting, err := s.db.WaitingUsers(t.Context())
	if err != nil || len(waiting) != 1 || waiting[0].Localpart != "frank" {
		t.Errorf("%v wait, %v", waiting, err)
	}
	for _, name := range []string{"carol", "dave"} {
		events, err := s.db.Events(t.Context(), name, 10)
		s.must(err)
		decided := slices.IndexFunc(events, func(e db.Event) bool {
			return e.Kind == db.EventCreated || e.Kind == db.EventRejected
		})
		if decided < 0 || events[decided].Agent != "desk: alice, from 127.0.0.1" {
			t.Errorf("the events of %s are %+v", name, events)
		}
	}
}

var invitationAt = regexp.MustCompile(`<code>(http[^<]+)</code>`)

// TestDeskInvitations: an invitation is made as a link, which makes an account; its uses are shown; and withdrawn it is
// good for nothing. A form that is sent twice makes one.
func TestDeskInvitations(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.Registration = handlers.RegistrationToken })
	b := s.operate()
	at := deskAt(deskInvitations)
	page := s.says(b.at(at), 200, "There are no invitations.")
	s.lacks(page, "--registration")
	for _, typed := range [][2]string{{"", "7"}, {"-1", "7"}, {"1", "x"}, {"1", "100001"}, {"1e3", "1"}} {
		s.says(b.press(at, page, "do", "invite", "uses", typed[0], "days", typed[1]), 403,
			"Type a number from 0 to 100000")
	}
	s.says(b.press(at, page, "do", "invite", "uses", "1", "days", "1", "token", "not a token"), 403)
	var link string
	for range 2 {
		made := b.press(at, page, "do", "invite", "uses", "2", "days", "7")
		s.sentTo(made)
		shown := s.says(b.at(made.header.Get("Location")), 200, "The invitation is made.", "used 0 of 2 times", "good")
		link = html.UnescapeString(invitationAt.FindStringSubmatch(shown.body)[1])
	}
	tokens, err := s.db.RegistrationTokens(t.Context(), s.clock.Now())
	if err != nil || len(tokens) != 1 || !tokens[0].Expires.Equal(s.clock.Now().AddDate(0, 0, 7)) {
		t.Fatalf("there are %+v, %v", tokens, err)
	}
	to, err := url.Parse(link)
	s.must(err)
	guest := s.browser()
	form := s.says(guest.at(to.RequestURI()), 200, "Create account", tokens[0].Token)
	s.sentTo(guest.press(to.RequestURI(), form, "user", "carol", "password", password, "token", tokens[0].Token, "do",
		"create"))
	legacy := s.post("/_matrix/client/v3/register", "application/json", `{"username":"dave","password":"`+password+
		`","auth":{"type":"m.login.registration_token","token":"`+tokens[0].Token+`"}}`)
	s.ok(legacy)
	list := s.says(b.at(at), 200, "used 2 of 2 times", "used up")
	s.lacks(list, ">Withdraw<")

	made := b.press(at, list, "token", "open-day", "do", "invite", "uses", "0", "days", "0")
	list = s.says(b.at(made.header.Get("Location")), 200, "open-day", "used 0 times", "never expires", ">Withdraw<")
	b.done(b.press(at, list, "token", "open-day", "do", "revoke"), "withdrawn")
	s.says(s.browser().at(handlers.RegisterPath+"?token=open-day"), 410)
	b.done(b.press(at, list, "token", "none", "do", "revoke")) // as if it were: it is good for nothing
	events, err := s.db.Events(t.Context(), "", 100)
	s.must(err)
	for _, kind := range []string{db.EventInvited, db.EventInviteRevoked} {
		i := slices.IndexFunc(events, func(e db.Event) bool { return e.Kind == kind })
		if i < 0 || events[i].Agent != "desk: alice, from 127.0.0.1" {
			t.Errorf("%s: %+v", kind, events)
		}
	}
	closed := newSite(t, func(c *handlers.Config) { c.Registration = handlers.RegistrationClosed })
	closed.says(closed.operate().at(at), 200, "--registration")
}
