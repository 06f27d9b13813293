package oauth

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

const emailsPath = handlers.EmailsPage

// addEmail asks for a link for an address.
func (b *browser) addEmail(address string, more ...string) answer {
	b.Helper()
	return b.press(emailsPath, b.at(emailsPath), append([]string{"address", address, "do", "add email"}, more...)...)
}

// bind opens a link, and says that the address is theirs.
func (b *browser) bind(path string) answer {
	b.Helper()
	return b.press(path, b.at(path), "do", "bind email")
}

func (s *site) addresses(localpart string) (all []string) {
	s.Helper()
	emails, err := s.db.Emails(s.Context(), localpart)
	s.must(err)
	for _, e := range emails {
		all = append(all, e.Address)
	}
	return all
}

// TestAddEmail: an address is the account's once its owner has opened the link that was sent there, in whatever browser
// they are signed in; it is listed, and can be removed. All of that is in the events.
func TestAddEmail(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	b := s.browser()
	s.says(b.ownAccount(), 200, ">Mail addresses</h2>", "Add a mail address")
	s.says(b.addEmail("Alice@Example.com"), 200, "Check your mail")
	mail := s.mail()
	if mail.Kind != handlers.MailVerify || mail.Target != "mailto:"+aliceMail || mail.Localpart != "alice" ||
		mail.Language != "en" || !mail.Expires.Equal(s.clock.Now().Add(24*time.Hour)) {
		t.Errorf("the mail is %+v", mail)
	}
	other := s.browser()
	s.says(other.at(mail.path), 200, "Sign in")
	s.sentTo(other.signIn(mail.path))
	s.says(other.at(mail.path), 200, "Go on only if it is yours", aliceMail, "@alice:example.org")
	if got := s.addresses("alice"); got != nil {
		t.Fatalf("to look at the link adds %v", got)
	}
	s.clock.Step(23 * time.Hour)
	s.says(other.bind(mail.path), 200, "is added")
	s.says(b.at("/account"), 200, aliceMail, "added", "Remove this address")

	s.says(b.addEmail(aliceMail, "password", password), 403, "yours already")
	page := action(actionEmails, "") + "&address=" + aliceMail
	s.clock.Step(proofLife)
	asked := s.says(b.at(page), 200, aliceMail, "Password")
	s.says(b.press(page, asked, "password", "wrong", "do", "remove"), 403, "The password is wrong")
	s.says(b.press(page, asked, "do", "remove"), 403, "The password is wrong")
	s.says(b.press(page, asked, "password", password, "do", "remove"), 200, "is removed")
	s.says(b.at(page), 404, "no such mail address")
	s.lacks(b.at("/account"), aliceMail)
	events := s.events("alice")
	for _, kind := range []string{db.EventEmailAdded, db.EventEmailRemoved} {
		if !slices.Contains(events, kind) {
			t.Errorf("no %s in %v", kind, events)
		}
	}
	// The link was good once: it does not stand for the proof to add the address again.
	s.says(b.bind(mail.path), 410, "not good, or no longer")
	german := s.browser().German()
	german.signIn("/account")
	s.says(german.at(emailsPath), 200, "Mailadresse hinzufügen")
	s.says(german.at("/account"), 200, ">Mailadressen</h2>")
}

// TestAddEmailNeedsProof: whoever has found an open browser adds no address, since it would open the account for good.
func TestAddEmailNeedsProof(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	b := s.browser()
	b.ownAccount()
	s.clock.Step(proofLife)
	s.says(b.at(emailsPath), 200, `type="password"`)
	s.says(b.addEmail(aliceMail), 403, "The password is wrong")
	s.says(b.addEmail(aliceMail, "password", "wrong"), 403, "The password is wrong", `value="`+aliceMail)
	if all := s.mails(); len(all) != 0 {
		t.Fatalf("mails are sent: %v", all)
	}
	s.says(b.addEmail(aliceMail, "password", password), 200, "Check your mail")

	b.setUp(b.at("/account"))
	s.clock.Step(proofLife)
	s.says(b.at(emailsPath), 200, "Sign in again")
	s.says(b.press(emailsPath, b.at("/account"), "address", "b@example.com", "password", password, "do", "add email"),
		403, "It is a while since you signed in")
	if all := s.mails(); len(all) != 1 {
		t.Errorf("mails are sent: %v", all)
	}
}

// TestEmailPages: what is not offered, wrong or too much is said.
func TestEmailPages(t *testing.T) {
	t.Parallel()
	without := newSite(t)
	b := without.browser()
	without.lacks(b.ownAccount(), "Mail addresses")
	without.says(b.at(emailsPath), 404, "not offered")
	without.has("alice", aliceMail)
	without.lacks(without.says(b.at("/account"), 200, "Mail addresses", aliceMail), "Add a mail address")

	s := mailSite(t)
	b = s.browser()
	b.ownAccount()
	for _, wrong := range []string{"", "alice", "a@b@c", "Alice <a@example.com>"} {
		s.says(b.addEmail(wrong), 403, "not a mail address")
	}
	s.account("bob")
	s.has("bob", "bob@example.com")
	s.says(b.at(emailsPath+"&address=bob@example.com"), 404, "no such mail address")
	s.says(b.press(emailsPath+"&address=bob@example.com", b.at("/account"), "do", "remove"), 404, "no such mail")
	for i := range db.MaxEmails {
		s.has("alice", fmt.Sprintf("a%d@example.com", i))
	}
	s.says(b.addEmail(aliceMail), 403, "as many addresses as it may have")
	if len(s.mails()) != 0 || len(s.addresses("bob")) != 1 {
		t.Error("something was done all the same")
	}
}

// TestBindAtOnce: a link that is used many times at once adds its address once, and each sees that it is added.
func TestBindAtOnce(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	b := s.browser()
	b.ownAccount()
	b.addEmail(aliceMail)
	path := s.mail().path
	page := b.at(path)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if a := b.press(path, page, "do", "bind email"); a.status != 200 || !strings.Contains(a.body, "is added") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	added := slices.DeleteFunc(s.events("alice"), func(kind string) bool { return kind != db.EventEmailAdded })
	if got := s.addresses("alice"); len(got) != 1 || len(added) != 1 {
		t.Errorf("the addresses are %v, added %d times", got, len(added))
	}
}

// TestRegisterWithEmail: whoever makes an account may name an address, and is sent a link; one who waits for approval
// and has not opened it can use it once they are approved, as any other.
func TestRegisterWithEmail(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	b := s.browser()
	create := []string{"user", "carol", "password", newPassword, "email", "Carol@example.com", "do", "create"}
	page := s.says(b.at(handlers.RegisterPath), 200, "Mail address (may be left empty)")
	s.says(b.press(handlers.RegisterPath, page, "user", "carol", "password", newPassword, "email", "carol", "do",
		"create"), 403, "not a mail address", `value="carol"`)
	s.sentTo(b.press(handlers.RegisterPath, page, create...))
	mail := s.mail()
	if mail.Target != "mailto:carol@example.com" || mail.Localpart != "carol" || s.addresses("carol") != nil {
		t.Errorf("the mail is %+v", mail)
	}
	s.says(b.bind(mail.path), 200, "is added")
	none := s.browser()
	s.sentTo(none.press(handlers.RegisterPath, none.at(handlers.RegisterPath), "user", "dan", "password", newPassword,
		"email", "", "do", "create"))
	if len(s.mails()) != 1 {
		t.Error("a mail goes to nobody")
	}

	s = mailSite(t, func(c *handlers.Config) { c.Registration = handlers.RegistrationApproval })
	b = s.browser()
	s.says(b.press(handlers.RegisterPath, b.at(handlers.RegisterPath), create...), 403, "waits for approval")
	mail = s.mail()
	s.must(s.db.ApproveUser(t.Context(), "carol", s.clock.Now()))
	s.sentTo(b.signIn(mail.path, "carol", newPassword))
	s.says(b.bind(mail.path), 200, "is added")

	s = newSite(t)
	s.lacks(s.ok(s.browser().at(handlers.RegisterPath)), "Mail address")
}
