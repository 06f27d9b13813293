package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

// mailSite is a site that sends mail. Nothing sends what waits, so that it can be read.
func mailSite(t testing.TB, change ...func(*handlers.Config)) *site {
	t.Helper()
	return newSite(t, append([]func(*handlers.Config){func(c *handlers.Config) { c.MailWaits = func() {} }},
		change...)...)
}

const aliceMail = "alice@example.com"

// has gives an account an address.
func (s *site) has(localpart, address string) {
	s.Helper()
	s.must(handlers.GiveAddress(s.Context(), s.db, localpart, address, s.clock.Now()))
}

// posted is a mail that waits, with the page that it leads to.
type posted struct {
	db.Delivery
	path string
}

func (s *site) mails() (all []posted) {
	s.Helper()
	waiting, err := s.db.Deliveries(s.Context(), time.Time{}, 1000)
	s.must(err)
	for _, v := range waiting {
		var values map[string]string
		row := db.Interaction{ID: v.ID, Expires: v.Expires, Sealed: v.Sealed}
		if !s.server.Sealer().Unseal(row, &values, "a mail") || !strings.HasPrefix(values["link"], s.URL+"/") {
			s.Fatalf("the mail %+v says %v", v, values)
		}
		all = append(all, posted{v, strings.TrimPrefix(values["link"], s.URL)})
	}
	return all
}

// mail is the only one that waits.
func (s *site) mail() posted {
	s.Helper()
	all := s.mails()
	if len(all) != 1 {
		s.Fatalf("%d mails wait: %v", len(all), all)
	}
	return all[0]
}

// forget asks for a link as somebody does who has forgotten the password.
func (b *browser) forget(user string) answer {
	b.Helper()
	return b.press(handlers.RecoverPath, b.at(handlers.RecoverPath), "user", user, "do", "recover")
}

// choose uses a link.
func (b *browser) choose(path, password string, more ...string) answer {
	b.Helper()
	return b.press(path, b.at(path), append([]string{"new", password, "again", password, "do", "choose"}, more...)...)
}

// resetLink is a link of the operator's, as the path of its page.
func (s *site) resetLink(localpart string) string {
	s.Helper()
	account, err := s.db.User(s.Context(), localpart)
	s.must(err)
	made, err := s.server.ResetLink(s.Context(), account, time.Hour)
	s.must(err)
	return strings.TrimPrefix(made, s.URL)
}

// TestForgottenPassword: whoever has forgotten the password asks by a name or by an address, opens the link in whatever
// browser, chooses another password, and signs in with that. Devices stay signed in; browsers do not.
func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"@Alice:example.org", " ALICE@example.com "} {
		t.Run(typed, func(t *testing.T) {
			t.Parallel()
			s := mailSite(t)
			s.has("alice", aliceMail)
			device := s.ok(s.device("PHONE", password)).text("access_token")
			owner := s.browser()
			owner.signIn("/account")
			b := s.browser()
			s.says(b.at("/account"), 200, `<a href="/recover">Forgotten your password?</a>`)
			s.says(b.forget(typed), 200, "Check your mail", "30 minutes")
			mail := s.mail()
			if mail.Kind != handlers.MailReset || mail.Target != "mailto:"+aliceMail || mail.Localpart != "alice" ||
				!mail.Expires.Equal(s.clock.Now().Add(30*time.Minute)) ||
				strings.Contains(string(mail.Sealed), "link") {
				t.Errorf("the mail is %+v", mail)
			}
			other := s.browser()
			s.says(other.at(mail.path), 200, "@alice:example.org", "Sign out all devices", "At least 8 characters")
			s.says(other.choose(mail.path, newPassword), 200, "You have a new password", "devices stay signed in")
			s.opens(password, false)
			s.opens(newPassword, true)
			s.ok(s.whoami(device))
			if owner.in() || other.in() {
				t.Error("a browser is signed in")
			}
		})
	}
}

// TestChooseAndSignOut: with the box ticked every device is signed out.
func TestChooseAndSignOut(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	device := s.ok(s.device("PHONE", password)).text("access_token")
	s.says(s.browser().choose(s.resetLink("alice"), newPassword, "others", "yes"), 200, "All devices")
	s.want(s.whoami(device), 401, "M_UNKNOWN_TOKEN")
	s.opens(newPassword, true)
}

// TestChooseAgain: a password that cannot be taken costs nothing: the link is good still.
func TestChooseAgain(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	b, link := s.browser(), s.resetLink("alice")
	s.says(b.choose(link, newPassword, "again", "another one"), 403, "not the same", "@alice:example.org")
	s.says(b.choose(link, "short"), 403, "at least 8 characters")
	s.lacks(s.says(b.choose(link, "short", "others", "yes"), 403, `value="yes" aria-describedby="others-hint" checked`),
		`value="short"`)
	s.opens(password, true)
	s.says(b.choose(link, newPassword), 200, "new password")
}

// TestChooseKeepsFactor: a link takes no second factor away, and is none.
func TestChooseKeepsFactor(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.has("alice", aliceMail)
	b := s.browser()
	app, _ := b.setUp(b.ownAccount())
	s.browser().forget(aliceMail)
	link := s.mails()[len(s.mails())-1].path
	thief := s.browser()
	s.says(thief.at(link), 200, "second factor stays")
	s.says(thief.choose(link, newPassword), 200, "new password")
	page := s.says(thief.signIn("/account", "alice", newPassword), 200, "One more step")
	if thief.in() {
		t.Fatal("the password alone lets them in")
	}
	s.clock.Step(time.Minute)
	thief.press("/account", page, "code", app.code(), "do", "second")
	if !thief.in() {
		t.Error("the second factor does not let its owner in")
	}
}

// TestChooseSignedIn: a link works in a browser in which somebody else is signed in, says so, and signs nobody in or
// out but whose password it is.
func TestChooseSignedIn(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.account("bob")
	bob, alice := s.browser(), s.browser()
	bob.signIn("/account", "bob", password)
	alice.signIn("/account")
	link := s.resetLink("alice")
	s.says(bob.at(link), 200, "<bdi>@alice:example.org</bdi>", "In this browser @bob:example.org is signed in")
	s.lacks(alice.at(link), "In this browser")
	s.says(bob.choose(link, newPassword), 200, "new password")
	s.says(bob.at("/account"), 200, "@bob:example.org")
	if alice.in() {
		t.Error("a browser of the account is signed in still")
	}
}

// TestOperatorsLink: without mail the pages say whom to ask, and what the operator makes works.
func TestOperatorsLink(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	s.lacks(s.says(b.at("/account"), 200, "Ask whoever runs the server for a link"), `href="/recover"`)
	page := s.says(b.at(handlers.RecoverPath), 200, "Ask whoever runs the server")
	s.lacks(page, `name="user"`)
	s.says(b.press(handlers.RecoverPath, page, "user", "alice", "do", "recover"), 403, "Ask whoever runs the server")
	link := s.resetLink("alice")
	if events := s.events("alice"); events[0] != db.EventResetLink {
		t.Errorf("the events are %v", events)
	}
	s.clock.Step(time.Hour)
	s.says(b.at(link), 410, "not good, or no longer", "Ask whoever runs the server")
	s.says(b.choose(s.resetLink("alice"), newPassword), 200, "new password")
	s.opens(newPassword, true)
	german := s.browser().German()
	s.says(german.at(s.resetLink("alice")), 200, "Ein neues Passwort wählen")
	s.says(german.at("/account"), 200, "Passwort vergessen?")

	account := *s.alice()
	account.Locked = s.clock.Now()
	if _, err := s.server.ResetLink(t.Context(), account, time.Hour); handlers.AsError(err).Code != "M_USER_LOCKED" {
		t.Errorf("for a locked account: %v", err)
	}
	account.Locked, account.Deactivated = time.Time{}, s.clock.Now()
	if _, err := s.server.ResetLink(t.Context(), account,
		time.Hour); handlers.AsError(err).Code != "M_USER_DEACTIVATED" {
		t.Errorf("for a deactivated account: %v", err)
	}
}

// events are the kinds of what happened to an account, the newest first.
func (s *site) events(localpart string) (kinds []string) {
	s.Helper()
	all, err := s.db.Events(s.Context(), localpart, 100)
	s.must(err)
	for _, e := range all {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// TestRecoverLanguage: a mail is in the language that the address's owner reads, or else in that of the page.
func TestRecoverLanguage(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.account("bob")
	s.has("bob", "bob@example.com")
	s.must(s.db.AddEmail(t.Context(), db.Email{Address: aliceMail, Localpart: "alice", Validated: s.clock.Now(),
		Added: s.clock.Now(), Language: "de"}))
	for browser, want := range map[*browser][2]string{s.browser(): {"de", "en"}, s.browser().German(): {"de", "de"}} {
		for i, user := range []string{"alice", "bob"} {
			before := len(s.mails())
			if a := browser.forget(user); a.status != http.StatusOK {
				t.Fatal(a.body)
			}
			s.clock.Step(time.Millisecond)
			if all := s.mails(); len(all) != before+1 || all[before].Language != want[i] {
				t.Errorf("%s gets %+v, want it in %s", user, all[before:], want[i])
			}
		}
	}
}

// TestRecoverAddresses: an account with several addresses gets the mail at the one that was typed or, by its name, at
// its first one.
func TestRecoverAddresses(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.has("alice", "zoe@example.com")
	s.clock.Step(time.Minute)
	s.has("alice", aliceMail)
	b := s.browser()
	b.forget("alice")
	if got := s.mail().Target; got != "mailto:zoe@example.com" {
		t.Errorf("by the name it goes to %s", got)
	}
	s.clock.Step(time.Second)
	b.forget(aliceMail)
	if got := s.mails()[1].Target; got != "mailto:"+aliceMail {
		t.Errorf("by the address it goes to %s", got)
	}
}

// linkOf is the sealed text of a link.
func (s *site) linkOf(path string) string {
	s.Helper()
	u, err := url.Parse(path)
	s.must(err)
	return u.Query().Get(handlers.LinkParam)
}
