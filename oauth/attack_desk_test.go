package oauth

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/process"
	"postern/tokens"
)

// ruled is a site with accounts that an attacker of the desk would change: bob, who has a device and a factor, carol,
// who waits, and an invitation.
func ruled(t *testing.T) *site {
	t.Helper()
	s := newSite(t, withApproval)
	s.account("bob")
	s.loginOf("bob", onPhone, "BOBSPHONE", "Bob's phone")
	s.must(s.db.AddFactor(t.Context(), db.Factor{ID: "f", Localpart: "bob", Kind: db.FactorCodes, Sealed: []byte("x"),
		Created: s.clock.Now()}, "", nil))
	s.must(handlers.GiveAddress(t.Context(), s.db, "bob", "bob@example.org", s.clock.Now()))
	s.askFor("carol", "erin")
	s.must(s.db.AddRegistrationToken(t.Context(), db.RegistrationToken{Token: "INVITATION", UsesAllowed: 1,
		Created: s.clock.Now()}))
	s.account("mallory")
	return s
}

// standing is all that the desk can change.
func (s *site) standing() string {
	s.Helper()
	users, err := s.db.Users(s.Context())
	s.must(err)
	sessions, err := s.db.Sessions(s.Context(), "bob")
	s.must(err)
	waiting, err := s.db.WaitingUsers(s.Context())
	s.must(err)
	invitations, err := s.db.RegistrationTokens(s.Context(), s.clock.Now())
	s.must(err)
	factors, err := s.db.Factors(s.Context(), "bob")
	s.must(err)
	emails, err := s.db.Emails(s.Context(), "bob")
	s.must(err)
	links, err := s.db.EventPage(s.Context(), db.EventFilter{Kinds: []string{db.EventResetLink}}, db.Event{}, 100)
	s.must(err)
	return fmt.Sprintf("%+v %d %+v %+v %+v %+v %d", users, len(sessions), waiting, invitations, factors, emails,
		len(links))
}

// everyDeed are the buttons of an account's page.
func everyDeed() []string {
	all := []string{linkDeed.Do, giveDeed.Do}
	for _, deed := range personDeeds {
		all = append(all, deed.Ask.Do)
	}
	return all
}

// deskForms are an address and the fields of every form of the desk.
func deskForms() map[string][]string {
	all := map[string][]string{
		deskAt(deskNew):         {"do", "add", "name", "eve", "by", "password", "password", password},
		deskAt(deskSignUps):     {"do", "approve", "name", "carol"},
		deskAt(deskInvitations): {"do", "invite", "uses", "0", "days", "0", "token", "EVES"},

		deskAt(deskQueues): {"do", "retry"},

		deskAt(deskSignUps, "x", "1"):     {"do", "reject", "meant", "yes", "name", "erin"},
		deskAt(deskInvitations, "x", "1"): {"do", "revoke", "token", "INVITATION"},
	}
	for _, do := range everyDeed() {
		all[deskAt(deskPerson, "name", "bob", "device_id", "BOBSPHONE", "x", do)] = []string{"do", do, "meant", "yes",
			"address", map[bool]string{true: "eve@example.org", false: "bob@example.org"}[do == giveDeed.Do]}
	}
	return all
}

// secrets are words that only the desk shows.
var secrets = []string{"@bob:", "BOBSPHONE", "carol", "erin", "INVITATION", handlers.RecoverPath + "?",
	"<nav"}

// TestDeskByNormalUser: whoever is no administrator reads that there is no such page, whatever they ask of the desk,
// and changes nothing. So does one from whom that was taken away a moment ago.
func TestDeskByNormalUser(t *testing.T) {
	t.Parallel()
	s := ruled(t)
	normal, former := s.browser(), s.operate()
	s.sentTo(normal.signIn("/account", "mallory", password))
	s.must(s.db.SetAdmin(t.Context(), "alice", false))
	before := s.standing()
	for who, b := range map[string]*browser{"a normal user": normal, "a former administrator": former} {
		page := b.at("/account")
		s.lacks(page, handlers.DeskPath)
		nothing := s.says(b.at(handlers.DeskPath), 404, "There is no such page.")
		s.lacks(nothing, secrets...)
		for action := range deskPages {
			if got := b.at(deskAt(action, "name", "bob")); got.status != 404 || got.body != nothing.body {
				t.Errorf("%s reads %q: %d %s", who, action, got.status, got.body)
			}
		}
		for at, fields := range deskForms() {
			if got := b.press(at, page, fields...); got.status != 404 || got.body != nothing.body {
				t.Errorf("%s sends %v to %s: %d %s", who, fields, at, got.status, got.body)
			}
		}
	}
	if after := s.standing(); after != before {
		t.Errorf("it was %s\nit is %s", before, after)
	}
}

// TestDeskByStranger: somebody who is not signed in, a token of an administrator's, whatever it opens, and a request
// that brings the browser's cookie under another name get the page to sign in, and change nothing.
func TestDeskByStranger(t *testing.T) {
	t.Parallel()
	s := ruled(t)
	b := s.operate()
	full := s.login(onWindows, "ADMINS", "")
	claims, err := tokens.ParseCaveat("path under " + handlers.DeskPath)
	s.must(err)
	narrow, err := tokens.Restrict(full, claims)
	s.must(err)
	page := b.at(personAt("bob"))
	before := s.standing()
	for name, token := range map[string]string{"nobody": "", "a token": full, "a restricted token": narrow} {
		send := func(method, at string, fields ...string) answer {
			t.Helper()
			r := s.browser().filled(at, page, fields...)
			r.Method = method
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
				r.URL.RawQuery += "&access_token=" + token
			}
			return s.send(r, s.browser().client)
		}
		for action := range deskPages {
			s.lacks(s.says(send(http.MethodGet, deskAt(action, "name", "bob")), 200, "User name"), secrets...)
		}
		for at, fields := range deskForms() {
			got := send(http.MethodPost, at, fields...)
			if got.status != 403 || !strings.Contains(got.body, "User name") {
				t.Errorf("%s sends %v: %d %s", name, fields, got.status, got.body)
			}
			s.lacks(got, secrets...)
		}
	}
	if after := s.standing(); after != before {
		t.Errorf("it was %s\nit is %s", before, after)
	}
}

// TestDeskForged: whatever another page makes an administrator's browser send changes nothing, whether the password was
// shown a moment ago or not; nor does a link.
func TestDeskForged(t *testing.T) {
	t.Parallel()
	s := ruled(t)
	b, thief := s.operate(), s.browser()
	s.sentTo(thief.signIn("/account", "mallory", password))
	page := b.at(personAt("bob"))
	proof, theirs := process.Hidden(page.body).Get("form"), process.Hidden(thief.at("/account").body).Get("form")
	before := s.standing()
	for at, fields := range deskForms() {
		plain := b.filled(at, page, append(fields, "form", proof)...)
		plain.Header.Set("Content-Type", "text/plain")
		in := b.filled(at, page, fields...)
		in.URL.RawQuery += "&form=" + proof + "&account=alice&do=" + strings.ReplaceAll(fields[1], " ", "+")
		in.Method, in.Body, in.ContentLength = http.MethodGet, nil, 0
		for name, r := range map[string]*http.Request{
			"no proof":           b.filled(at, answer{}, append(fields, "account", "alice")...),
			"an empty one":       b.filled(at, page, append(fields, "form", "")...),
			"the thief's":        b.filled(at, page, append(fields, "form", theirs)...),
			"of nobody's":        b.filled(at, page, append(fields, "account", "")...),
			"of another account": b.filled(at, page, append(fields, "account", "mallory")...),
			"another button":     b.filled(at, page, append(fields, "do", strings.ToUpper(fields[1]))...),
			"as text":            plain,
			"by a link":          in,
		} {
			if got := s.send(r, b.client); got.status >= 500 || got.status == http.StatusSeeOther {
				t.Errorf("%s, %s: %d to %q", at, name, got.status, got.header.Get("Location"))
			}
		}
		if after := s.standing(); after != before {
			t.Fatalf("%s: it was %s\nit is %s", at, before, after)
		}
	}
	s.says(b.press(personAt("bob"), page, "do", linkDeed.Do, "meant", "yes"), 200, handlers.RecoverPath+"?")
	b.done(b.press(personAt("bob"), page, "do", giveDeed.Do, "meant", "yes", "address", "eve@example.org"))
	for at, fields := range deskForms() { // they were good but for that
		s.must(s.db.Reactivate(t.Context(), "bob")) // one that is closed can have no mail address
		got := b.press(at, page, fields...)
		if fields[1] == linkDeed.Do || fields[1] == giveDeed.Do { // which a deactivated account cannot have
			continue
		}
		if to := got.header.Get("Location"); to == "" || strings.Contains(b.at(to).body, `class="wrong"`) {
			t.Errorf("%s: %d to %q: %s", at, got.status, to, got.body)
		}
	}
}

// TestDeskOpenBrowser: whoever finds an administrator's browser open does nothing to anybody's account by it without
// the password; and with a second factor, not without that.
func TestDeskOpenBrowser(t *testing.T) {
	t.Parallel()
	s := ruled(t)
	b := s.operate()
	page := b.at(personAt("bob"))
	s.clock.Step(proofLife)
	before := s.standing()
	send := func(says string) {
		t.Helper()
		for at, fields := range deskForms() {
			if fields[0] != "do" || !strings.Contains(at, deskPerson+"&") {
				continue // it opens nobody's account
			}
			for _, secret := range []string{"", "wrong"} {
				got := b.press(at, page, append(fields, "password", secret)...)
				if got.status == http.StatusSeeOther || !strings.Contains(got.body, says) {
					t.Errorf("%v: %d %s", fields, got.status, got.body)
				}
			}
		}
		if after := s.standing(); after != before {
			t.Fatalf("it was %s\nit is %s", before, after)
		}
	}
	send(`type="password"`)
	s.must(s.db.AddFactor(t.Context(), db.Factor{ID: "a", Localpart: "alice", Kind: db.FactorCodes, Sealed: []byte("x"),
		Created: s.clock.Now()}, b.id(), nil))
	s.clock.Step(time.Hour)
	before = s.standing()
	send("Sign in again")
}

// id is the browser's, as the database has it.
func (b *browser) id() string {
	b.Helper()
	all, err := b.db.Browsers(b.Context(), "alice")
	b.must(err)
	if len(all) != 1 {
		b.Fatalf("alice has %d browsers", len(all))
	}
	return all[0].ID
}

// TestDeskOwnAccount: no administrator shuts themselves out at the desk, so one is always left.
func TestDeskOwnAccount(t *testing.T) {
	t.Parallel()
	s := ruled(t)
	b := s.operate()
	page := s.says(b.at(personAt("alice")), 200, "This is your own account.")
	before := s.standing()
	for _, do := range everyDeed() {
		s.lacks(page, `value="`+do+`"`)
		s.says(b.press(personAt("alice"), page, "do", do, "meant", "yes"), 403, "This is your own account.")
	}
	if after := s.standing(); after != before {
		t.Errorf("it was %s\nit is %s", before, after)
	}
}

// TestDeskShowsTextAsText: what strangers have written, names of devices, what clients say of themselves, errors of
// other servers, is text on the pages of whoever runs the server.
func TestDeskShowsTextAsText(t *testing.T) {
	t.Parallel()
	s := ruled(t)
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>` + "\u202e"
	s.loginOf("mallory", evil, "EVIL<b>", evil)
	s.must(s.db.Record(t.Context(), db.Event{At: s.clock.Now(), Kind: evil, Localpart: "<i>", DeviceID: evil,
		Agent: evil, Addr: evil}))
	s.must(s.db.Record(t.Context(), db.Event{At: s.clock.Now(), Kind: "k", Localpart: "mallory", Agent: evil}))
	s.must(s.db.Deliver(t.Context(), db.Delivery{ID: "1", Target: "mailto:" + evil, Created: s.clock.Now(),
		Expires: s.clock.Now().Add(time.Hour)}))
	b := s.operate()
	for _, at := range []string{handlers.DeskPath, deskAt(deskPeople, "q", evil), personAt("mallory"),
		deskAt(deskEvents),
		deskAt(deskEvents, "name", evil, "kind", evil, "from", evil), deskAt(deskQueues), deskAt(deskSignUps),
		deskAt(deskInvitations, "made", evil, "after", evil), personAt(evil), deskAt(evil), deskAt("", "done", evil)} {
		got := b.at(at)
		s.lacks(got, "<script", "<img", "<b>", "<i>", "onerror=alert(1)>\"", "\u202e")
		if got.status != 200 && got.status != 404 {
			t.Errorf("%s: %d", at, got.status)
		}
	}
	s.says(b.at(personAt("mallory")), 200, "&lt;script&gt;")
}

// TestApprovedAfterRevoked: whoever comes by an invitation that is withdrawn meanwhile does not come in by it, at any
// API: they may ask as anybody, and wait. When an operator approves them they have an account, and nothing of the
// invitation is used.
func TestApprovedAfterRevoked(t *testing.T) {
	t.Parallel()
	s := newSite(t, withApproval, func(c *handlers.Config) {
		c.Terms = handlers.Terms{URL: "https://example.org/terms", Version: "1"}
	})
	b := s.operate()
	s.must(s.db.AddRegistrationToken(t.Context(), db.RegistrationToken{Token: "GONE", UsesAllowed: 5,
		Created: s.clock.Now()}))
	// each has shown the invitation while it was good, and goes on afterwards
	onPage := s.browser()
	link := handlers.RegisterPath + "?token=GONE"
	form := s.says(onPage.at(link), 200, "Create account", "GONE")
	register := func(body string) answer {
		t.Helper()
		return s.post("/_matrix/client/v3/register", "application/json", body)
	}
	session := register(`{"username":"dave","password":"` + password + `"}`).text("session")
	shown := register(`{"auth":{"type":"m.login.registration_token","token":"GONE","session":"` + session + `"}}`)
	if shown.status != 401 || !strings.Contains(shown.body, `"completed":["m.login.registration_token"]`) {
		t.Fatalf("the invitation is not taken: %s", shown.body)
	}
	invitations := s.says(b.at(deskAt(deskInvitations)), 200, "being used: 1")
	b.done(b.press(deskAt(deskInvitations), invitations, "token", "GONE", "do", "revoke"), "withdrawn")

	fields := []string{"user", "carol", "password", password, "agree", "yes", "do", "create"}
	s.says(onPage.press(link, form, append(fields, "token", "GONE")...), 403, "registration token is not good")
	terms := `{"auth":{"type":"m.login.terms","session":"` + session + `"}}`
	over := register(terms)
	if over.status != 401 && over.status != 403 || over.text("access_token") != "" {
		t.Errorf("with an invitation that is withdrawn: %d %s", over.status, over.body)
	}
	s.says(onPage.press(link, form, append(fields, "token", "")...), 403, "waits for approval")
	if over.status == 401 {
		s.want(register(terms), 403, handlers.AwaitingApproval)
	}
	for _, name := range []string{"carol", "dave"} {
		if _, err := s.db.User(t.Context(), name); err == nil {
			t.Fatalf("%s has an account already", name)
		}
	}
	b.done(b.decide(b.at(deskAt(deskSignUps)), "approve", "carol", "dave"), "Approved:", "Nobody waits.")
	for _, name := range []string{"carol", "dave"} {
		s.loginOf(name, onPhone, "PHONE", "")
	}
	s.lacks(s.says(b.at(deskAt(deskInvitations)), 200, "withdrawn", "used 0 of 5 times"), "being used", ">Withdraw<")
	s.want(register(`{"username":"erin","password":"`+password+
		`","auth":{"type":"m.login.registration_token","token":"GONE"}}`), 401, "M_UNAUTHORIZED")
}
