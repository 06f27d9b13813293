package oauth

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/process"
	"postern/test/rig/safe"
)

// did is what somebody can learn of a request, and what the server has done for it.
type did struct {
	status         int
	body, headers  string
	writes, queued int64
}

// watch sends a request, and tells what was done.
func (s *site) watch(send func() answer) did {
	s.Helper()
	writes, queued := s.committed()+1, s.count("deliveries") // with the one of committed
	a := send()
	written := s.committed()
	names := make([]string, 0, len(a.header))
	for name := range a.header {
		names = append(names, name)
	}
	slices.Sort(names)
	body := a.body
	for _, proof := range process.Hidden(a.body)["form"] {
		body = strings.ReplaceAll(body, proof, "PROOF")
	}
	return did{a.status, body, strings.Join(names, " "), written - writes, s.count("deliveries") - queued}
}

// committed counts the transactions before its own. They are counted once they are answered, and before the next one.
func (s *site) committed() (n int64) {
	s.Helper()
	s.must(s.db.Write(s.Context(), func(t *db.Tx) error {
		t.AfterCommit(func() { n = s.writes.Load() })
		return nil
	}))
	return n
}

func (s *site) count(table string) (n int64) {
	s.Helper()
	_, err := s.db.Get(s.Context(), "SELECT COUNT(*) FROM "+table, []any{&n})
	s.must(err)
	return n
}

// TestRecoverTellsNobody: whether an account is known, has an address, is locked or closed, or has had too many mails,
// the answer is the same, and so is what the server does for it: as many writes, of as many rows. What it reads is two
// rows in any case, and it hashes nothing.
func TestRecoverTellsNobody(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	for _, name := range []string{"bob", "locked", "closed", "none"} {
		s.account(name)
	}
	s.has("alice", aliceMail)
	s.has("locked", "locked@example.com")
	s.has("closed", "closed@example.com")
	s.must(s.db.LockUser(t.Context(), "locked", s.clock.Now()))
	_, err := s.db.Deactivate(t.Context(), "closed", s.clock.Now(), false)
	s.must(err)
	b := s.browser()
	page := b.at(handlers.RecoverPath)
	ask := func(typed string) did {
		return s.watch(func() answer {
			return b.press(handlers.RecoverPath, page, "user", typed, "do", "recover")
		})
	}
	known := ask("alice")
	if known.status != 200 || known.writes != 1 || known.queued != 1 {
		t.Fatalf("for alice: %+v", known)
	}
	for _, typed := range []string{aliceMail, "nobody", "nobody@example.com", "locked", "locked@example.com", "closed",
		"closed@example.com", "none", "@alice:elsewhere.org", "@", "@@", "\x00", "\xff", strings.Repeat("x", 5000),
		"alice\r\nBcc: eve@example.com", "' OR 1=1 --"} {
		if got := ask(typed); got != known {
			t.Errorf("%.40q: %+v\nalice: %+v", typed, got, known)
		}
	}
	if got := len(s.mails()); got != 2 {
		t.Errorf("%d mails wait, want alice's two", got)
	}
	// One too many for an address: for nobody's it is told no later.
	var flooded [2][]did
	for range handlers.MailLimits[0].Count + 2 {
		flooded[0] = append(flooded[0], ask("bob@example.com"))
	}
	s.has("bob", "bob@example.com")
	s.clock.Step(time.Millisecond)
	for range handlers.MailLimits[0].Count + 2 {
		flooded[1] = append(flooded[1], ask("bob@example.com"))
	}
	if !slices.Equal(flooded[0], flooded[1]) {
		t.Errorf("before there is such an address: %+v\nthen: %+v", flooded[0], flooded[1])
	}
	for _, one := range flooded[1] {
		if one.body != known.body || one.status != known.status || one.headers != known.headers {
			t.Errorf("a flood is answered %+v", one)
		}
	}
}

// TestAddressTellsNobody: neither who makes an account nor who adds an address learns whether that is another
// account's: the same mail goes there, and only whoever reads it hears more.
func TestAddressTellsNobody(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.account("bob")
	s.has("bob", "bob@example.com")
	b := s.browser()
	b.ownAccount()
	taken := s.watch(func() answer { return b.addEmail("bob@example.com") })
	s.clock.Step(time.Second)
	free := s.watch(func() answer { return b.addEmail("free@example.com") })
	if taken != free || taken.queued != 1 {
		t.Errorf("added:\n%+v\n%+v", taken, free)
	}
	for i, address := range []string{"bob@example.com", "free@example.com"} {
		if mail := s.mails()[i]; mail.Target != "mailto:"+address || mail.Kind != handlers.MailVerify {
			t.Errorf("the mail is %+v", mail)
		}
	}
	s.says(b.bind(s.mails()[0].path), http.StatusConflict, "It belongs to another account here")
	s.says(b.bind(s.mails()[0].path), http.StatusGone)
	if got := s.addresses("bob"); len(got) != 1 || s.addresses("alice") != nil {
		t.Errorf("bob has %v", got)
	}
	register := func(name, address string) did {
		return s.watch(func() answer {
			b := s.browser()
			return b.press(handlers.RegisterPath, b.at(handlers.RegisterPath), "user", name, "password", newPassword,
				"email", address, "do", "create")
		})
	}
	taken, free = register("carol", "bob@example.com"), register("david", "free2@example.com")
	if taken != free || taken.queued != 1 {
		t.Errorf("registered:\n%+v\n%+v", taken, free)
	}
}

// TestMailHeaders: nothing that is typed on a page gets into a mail's header or into SMTP: what is not a plain address
// gets no mail. And a link leads to the server's own address, whatever a request says of it.
func TestMailHeaders(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	b := s.browser()
	b.ownAccount()
	for i, evil := range []string{"a@example.com\r\nBcc: eve@example.com", "a@example.com\nBcc: eve@example.com",
		"a@example.com\rBcc: eve@example.com", "a\r\nRCPT TO:<eve@example.com>\r\n@example.com", "a@example.com\x00",
		"a@example.com, eve@example.com", "a@example.com eve@example.com", "<a@example.com>", "a@example.com>\r\nDATA",
		"\"a\r\nBcc: eve\"@example.com", "a@example.com\u2028Bcc: eve@example.com", "a@exam\u0085ple.com",
		"a%0d%0aBcc:eve@example.com\r\n", "a@[127.0.0.1]"} {
		b.forget(evil)
		b.addEmail(evil)
		other := s.browser()
		other.press(handlers.RegisterPath, other.at(handlers.RegisterPath), "user", fmt.Sprint("carol", i), "password",
			newPassword, "email", evil, "do", "create")
	}
	if all := s.mails(); len(all) != 0 {
		t.Errorf("mails wait: %v", all)
	}
	s.has("alice", aliceMail)
	r := b.filled(handlers.RecoverPath, b.at(handlers.RecoverPath), "user", "alice", "do", "recover")
	for _, c := range b.client.Jar.Cookies(r.URL) {
		r.AddCookie(c) // which the client does by the name of the host
	}
	r.Host = "evil.example"
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL", "Referer"} {
		r.Header.Set(name, "evil.example")
	}
	s.ok(s.send(r, b.client))
	s.ok(s.browser().choose(s.mail().path, newPassword)) // mail has seen that it leads here
}

// TestMailFlood: however many ask, an address gets few mails, and fewer of one network; and whoever asks for many is
// stopped.
func TestMailFlood(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.has("alice", aliceMail)
	flood := func(want int) {
		t.Helper()
		before := len(s.mails())
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() { s.browser().forget([]string{"alice", aliceMail}[i%2]) })
		}
		all.Wait()
		if got := len(s.mails()) - before; got != want {
			t.Errorf("%d mails go to the address, want %d", got, want)
		}
	}
	flood(3)
	s.clock.Step(2 * time.Hour)
	flood(3)
	s.clock.Step(2 * time.Hour)
	flood(0)

	s = mailSite(t, func(c *handlers.Config) { c.RateLimit = handlers.Rate{Count: 1000, Period: time.Minute} })
	b := s.browser()
	for i := range 10 {
		s.ok(b.forget(fmt.Sprint("nobody", i)))
	}
	s.says(b.forget("alice"), 403, "too many attempts", `value="alice"`)
	owner := s.browser()
	owner.ownAccount()
	s.says(owner.addEmail(aliceMail), 403, "too many attempts")
	s.clock.Step(10 * time.Minute)
	for i := range 10 {
		s.ok(owner.addEmail(fmt.Sprintf("a%d@example.com", i), "password", password))
	}
	s.says(owner.addEmail(aliceMail, "password", password), 403, "too many attempts")
	if got := len(s.mails()); got != 10 {
		t.Errorf("%d mails wait, want 10", got)
	}
}

// TestNoLinkInLogs goes the good ways and the bad ones at the chattiest level, until the database is away.
func TestNoLinkInLogs(t *testing.T) {
	t.Parallel()
	var log safe.Buffer
	s := mailSite(t, func(c *handlers.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	s.has("alice", aliceMail)
	b := s.browser()
	b.ownAccount()
	b.addEmail("other@example.com")
	for range 8 { // which is too many
		b.forget("alice")
	}
	var secrets []string
	for _, mail := range s.mails() {
		secrets = append(secrets, s.linkOf(mail.path))
		b.at(mail.path)
		b.choose(mail.path, "short")
		b.bind(mail.path)
	}
	link := s.resetLink("alice")
	secrets = append(secrets, s.linkOf(link), newPassword)
	b.choose(link, newPassword)
	b.choose(link, newPassword)
	s.must(s.db.Close())
	b.at(link)
	b.choose(link, newPassword)
	b.forget("alice")
	written := log.String()
	for _, word := range []string{"too many mails", "could not be answered"} {
		if !strings.Contains(written, word) {
			t.Errorf("%q is not in the log, so it is not a log of all this:\n%s", word, written)
		}
	}
	for _, secret := range secrets {
		for _, part := range []string{secret, secret[:min(len(secret), 40)], secret[max(0, len(secret)-40):]} {
			if strings.Contains(written, part) {
				t.Errorf("the log holds %q:\n%s", part, written)
			}
		}
	}
}
