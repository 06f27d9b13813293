package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"postern/handlers"
)

// asksForMail does as a client does, and gives its validation session.
func (s *site) asksForMail(what, address, secret, more string) (sid string) {
	s.Helper()
	a := s.post("/_matrix/client/v3/"+what+"/email/requestToken", "application/json", fmt.Sprintf(
		`{"client_secret":%q,"send_attempt":1,"email":%q%s}`, secret, address, more))
	if a.status != http.StatusOK || a.text("sid") == "" {
		s.Fatalf("asking for a mail gives %d %s", a.status, a.body)
	}
	return a.text("sid")
}

// mailedTo is the page of the link in the last mail to an address.
func (s *site) mailedTo(address string) string {
	s.Helper()
	for _, mail := range slices.Backward(s.mails()) {
		if mail.Target == handlers.MailTarget(address) {
			return mail.path
		}
	}
	s.Fatalf("no mail goes to %s", address)
	return ""
}

// resetsBy asks for another password with a validation session.
func (s *site) resetsBy(sid, secret string) answer {
	s.Helper()
	auth, err := json.Marshal(map[string]any{"type": "m.login.email.identity",
		"threepid_creds": map[string]string{"sid": sid, "client_secret": secret}})
	s.must(err)
	return s.post("/_matrix/client/v3/account/password", "application/json",
		`{"new_password":"battery staple","auth":`+string(auth)+`}`)
}

// TestMailedLink: to open the link of a mail completes nothing, however often a program that looks through mails does;
// the button does, without a script and in the reader's language.
func TestMailedLink(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.has("alice", "alice@example.org")
	sid := s.asksForMail("account/password", "alice@example.org", "s", "")
	path := s.mailedTo("alice@example.org")
	if !strings.HasPrefix(path, handlers.EmailPath+"?") {
		t.Fatalf("the link is %q", path)
	}
	b := s.browser()
	var page answer
	for range 3 {
		page = b.at(path)
		s.says(page, 200, "alice@example.org", "@alice:example.org", "set a new password", "Yes, that was me")
	}
	s.says(s.browser().German().at(path), 200, "alice@example.org", "neues Passwort", "Ja, das war ich")
	if a := s.resetsBy(sid, "s"); a.status != http.StatusUnauthorized {
		t.Errorf("after it was opened: %d %s", a.status, a.body)
	}
	s.says(s.browser().press(path, page, "do", "confirm"), 403, "Yes, that was me", "role=\"alert\"")
	if a := s.resetsBy(sid, "s"); a.status != http.StatusUnauthorized {
		t.Errorf("after a forged form: %d %s", a.status, a.body)
	}
	s.says(b.press(path, page, "do", "confirm"), 200, "Confirmed")
	s.says(s.browser().at(path), 200, "Confirmed")
	if a := s.resetsBy(sid, "s"); a.status != http.StatusOK {
		t.Errorf("then: %d %s", a.status, a.body)
	}
	for _, bad := range []string{strings.Replace(path, "token=", "token=x", 1), handlers.EmailPath,
		strings.Replace(path, "sid=", "sid=x", 1)} {
		s.says(b.at(bad), 404, "not good")
	}
}

// TestMailedLinkLeadsOn: within this server, and nowhere else.
func TestMailedLinkLeadsOn(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.has("alice", "alice@example.org")
	for next, leads := range map[string]bool{s.URL + "/account": true, "https://evil.example/": false} {
		address := map[bool]string{true: "a@example.org", false: "b@example.org"}[leads]
		s.asksForMail("register", address, "s", `,"next_link":"`+next+`"`)
		b, path := s.browser(), s.mailedTo(address)
		a := b.press(path, b.at(path), "do", "confirm")
		if got := a.header.Get("Location"); leads && got != next || !leads && (got != "" || a.status != http.StatusOK) {
			t.Errorf("%s leads to %d %q", next, a.status, got)
		}
	}
}

// TestAskingCostsTheSame: whether an account has the address is not told by what the server writes, either: that takes
// nearly all the time.
func TestAskingCostsTheSame(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.has("alice", "alice@example.org")
	for _, what := range []string{"account/password", "register", "account/3pid"} {
		cost := func(address string) int64 {
			before := s.committed() + 1 // with its own
			s.asksForMail(what, address, "s", "")
			return s.committed() - before
		}
		if known, unknown := cost("alice@example.org"), cost("nobody@example.org"); known != unknown || known == 0 {
			t.Errorf("%s: a known address takes %d writes, another one %d", what, known, unknown)
		}
	}
}
