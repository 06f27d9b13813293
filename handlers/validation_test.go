package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/db"
)

const (
	addPath    = contactPath + "add"
	deletePath = contactPath + "delete"
	threepids  = "/_matrix/client/v3/account/3pid"
	changePath = "/_matrix/client/v3/account/password"
)

// mailSite is a site that sends mail. Nobody fetches it here.
func mailSite(t testing.TB, change ...func(*Config)) *site {
	t.Helper()
	return newSite(t, append([]func(*Config){withMail}, change...)...)
}

func withMail(c *Config) {
	c.MailWaits, c.OAuth = func() {}, func(*Server) OAuth { return pages{} }
	c.PublicURL = "https://example.org"
}

// sent are the mails to an address that wait: their kinds, and their links.
func (s *site) sent(address string) (kinds, links []string) {
	s.Helper()
	for _, v := range s.waitingMails() {
		if v.Target != MailTarget(address) {
			continue
		}
		var values map[string]string
		row := db.Interaction{ID: v.ID, Expires: v.Expires, Sealed: v.Sealed}
		if !s.server.Sealer().Unseal(row, &values, "a mail") {
			s.Fatal("a mail cannot be opened")
		}
		kinds, links = append(kinds, v.Kind), append(links, values[MailLink])
	}
	return kinds, links
}

// follow presses the button of the page that the last link to an address leads to.
func (s *site) follow(address string) {
	s.Helper()
	_, links := s.sent(address)
	u, err := url.Parse(links[len(links)-1])
	s.must(err)
	if u.Path != EmailPath || u.Host != "example.org" {
		s.Fatalf("the link leads to %s", u)
	}
	ctx := WithCaller(s.Context(), &Caller{Now: s.clock.Now()})
	link, err := s.server.MailedLink(ctx, u.Query())
	s.must(err)
	s.must(link.Complete(ctx, "de"))
}

// shows makes a validation session that is complete.
func (s *site) shows(p purpose, address, secret string) {
	s.Helper()
	v := validation{shown: shown{Address: address, At: s.clock.Now()}, Purpose: p, Secret: secret, Link: "x"}
	v.row = db.Interaction{Kind: validations, ID: sid(p, address, secret),
		Expires: s.clock.Now().Add(validationLife).Truncate(time.Millisecond)}
	s.keep(&v)
}

// keep keeps a new validation session.
func (s *site) keep(v *validation) {
	s.Helper()
	v.row.Version = 1
	s.must(s.server.Sealer().Seal(&v.row, v))
	s.must(s.db.AddInteraction(s.Context(), v.row, s.clock.Now(), maxValidations))
}

func (s *site) askForMail(path, address, secret string, attempt int) answer {
	s.Helper()
	return s.askFrom("", path, address, secret, attempt)
}

func (s *site) askFrom(from, path, address, secret string, attempt int) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: path, From: from, Body: fmt.Sprintf(
		`{"client_secret":"%s","send_attempt":%d,"email":%q,"id_server":"x"}`, secret, attempt, address)})
}

func creds(sid, secret string) string {
	return `"threepid_creds":{"sid":"` + sid + `","client_secret":"` + secret + `"}`
}

func emailStep(sid, secret, session string) string {
	if session != "" {
		session = `"session":"` + session + `",`
	}
	return `{` + session + `"type":"m.login.email.identity",` + creds(sid, secret) + `}`
}

func (s *site) addEmail(localpart, address string) {
	s.Helper()
	s.must(GiveAddress(s.Context(), s.db, localpart, address, s.clock.Now()))
}

func (s *site) resetBody(newPassword, extra string) string {
	return `{"new_password":"` + newPassword + `"` + extra + `}`
}

func (s *site) changePassword(token, body string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: changePath, Token: token, Body: body})
}

// TestAddEmail: an address is added once the link in its mail was followed and the user has given the password, it is
// listed, and it is removed.
func TestAddEmail(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	token := s.loggedIn().Text("access_token")
	if a := s.ok(s.do(call{Method: "GET", Path: threepids, Token: token})); strings.TrimSpace(a.Raw) !=
		`{"threepids":[]}` {
		t.Errorf("without an address there is %s", a.Raw)
	}
	sid := s.ok(s.askForMail(contactPath+"email/requestToken", "Alice@Example.ORG", "s", 1)).Text("sid")
	add := func(sid, secret, auth string) answer {
		return s.do(call{Method: "POST", Path: addPath, Token: token,
			Body: `{"sid":"` + sid + `","client_secret":"` + secret + `"` + auth + `}`})
	}
	auth := `,"auth":` + byPassword
	s.want(add(sid, "s", auth), 400, "M_THREEPID_AUTH_FAILED")
	if again := s.askForMail(contactPath+"email/requestToken", "alice@example.org", "s", 1); again.Text("sid") != sid {
		t.Errorf("asking again gives %s", again.Raw)
	}
	if kinds, _ := s.sent("alice@example.org"); len(kinds) != 1 || kinds[0] != MailAppVerify {
		t.Errorf("mails were sent: %v", kinds)
	}
	s.ok(s.askForMail(contactPath+"email/requestToken", "alice@example.org", "s", 2))
	if kinds, links := s.sent("alice@example.org"); len(kinds) != 2 || links[0] != links[1] {
		t.Errorf("with the second attempt there are %v %v", kinds, links)
	}
	s.follow("alice@example.org")
	for _, wrong := range [][2]string{{sid, "other"}, {"OTHER", "s"}, {"", ""}} {
		s.want(add(wrong[0], wrong[1], auth), 400, "M_THREEPID_AUTH_FAILED")
	}
	s.challenged(add(sid, "s", ""))
	s.ok(add(sid, "s", auth))
	s.ok(add(sid, "s", auth)) // the answer was lost
	s.ok(add(sid, "s", ""))
	a := s.ok(s.do(call{Method: "GET", Path: threepids, Token: token}))
	if !strings.Contains(a.Raw, `"address":"alice@example.org"`) || !strings.Contains(a.Raw, `"medium":"email"`) {
		t.Errorf("then there is %s", a.Raw)
	}
	if e, err := s.db.Email(t.Context(), "alice@example.org"); err != nil || e.Language != "de" {
		t.Errorf("kept is %+v, %v", e, err)
	}
	remove := func(medium, address string) {
		t.Helper()
		a := s.ok(s.do(call{Method: "POST", Path: deletePath, Token: token,
			Body: `{"medium":"` + medium + `","address":"` + address + `"}`}))
		if a.Text("id_server_unbind_result") != "no-support" {
			t.Errorf("%s", a.Raw)
		}
	}
	s.addEmail("bob", "bob@example.org")
	for _, of := range [][2]string{{"email", "bob@example.org"}, {"msisdn", "49123"}, {"email", "no address"}} {
		remove(of[0], of[1])
	}
	if all, err := s.db.Emails(t.Context(), "alice"); err != nil || len(all) != 1 {
		t.Errorf("alice has %v, %v", all, err)
	}
	if _, err := s.db.Email(t.Context(), "bob@example.org"); err != nil {
		t.Errorf("bob's is gone: %v", err)
	}
	remove("email", "ALICE@example.org")
	s.want(add(sid, "s", auth), 400, "M_THREEPID_AUTH_FAILED") // it is spent
	if all, err := s.db.Emails(t.Context(), "alice"); err != nil || len(all) != 0 {
		t.Errorf("alice has %v, %v", all, err)
	}
}

// TestAddEmailTaken: of two accounts that show the same address at a time the first one gets it.
func TestAddEmailTaken(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	token := s.loggedIn().Text("access_token")
	sid := s.ok(s.askForMail(contactPath+"email/requestToken", "a@example.org", "s", 1)).Text("sid")
	s.follow("a@example.org")
	s.addEmail("bob", "a@example.org")
	s.want(s.do(call{Method: "POST", Path: addPath, Token: token,
		Body: `{"sid":"` + sid + `","client_secret":"s","auth":` + byPassword + `}`}), 400, "M_THREEPID_IN_USE")
}

// TestRegisterByEmail: a registration may bring an address, and the account has it. Until the link is followed the
// client asks again and again; that is no failure.
func TestRegisterByEmail(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	sid := s.ok(s.askForMail(registerPath+"/email/requestToken", "carol@example.org", "s", 1)).Text("sid")
	register := func(name, auth string) answer {
		return s.do(call{Method: "POST", Path: registerPath, Body: registerBody(name, `"auth":`+auth)})
	}
	first := register("carol", "{}")
	session := s.challenged(first)
	if !strings.Contains(first.Raw, `"flows":[{"stages":["m.login.dummy"]},{"stages":["m.login.email.identity"]}]`) {
		t.Errorf("the flows are %s", first.Raw)
	}
	for range 3 {
		if a := register("carol", emailStep(sid, "s", session)); s.challenged(a) != session || a.Code() != "" {
			t.Errorf("before the link is followed: %s", a.Raw)
		}
	}
	if a := register("carol", emailStep(sid, "x", session)); a.Code() != "M_UNAUTHORIZED" {
		t.Errorf("with another secret: %s", a.Raw)
	}
	s.want(register("carol", `{"session":"`+session+`","type":"m.login.email.identity"}`), 400, "M_MISSING_PARAM")
	s.follow("carol@example.org")
	s.ok(register("carol", emailStep(sid, "s", session)))
	if e, err := s.db.Email(t.Context(), "carol@example.org"); err != nil || e.Localpart != "carol" {
		t.Errorf("the address is of %+v, %v", e, err)
	}
	s.want(register("dave", emailStep(sid, "s", "")), 400, "M_THREEPID_IN_USE")
	if taken, err := s.db.Taken(t.Context(), "dave"); err != nil || taken {
		t.Errorf("dave is there: %v, %v", taken, err)
	}
	closed := mailSite(t, func(c *Config) { c.Registration = RegistrationClosed })
	closed.want(closed.askForMail(registerPath+"/email/requestToken", "x@example.org", "s", 1), 403, "M_FORBIDDEN")
}

// TestEmailFlows: every way to register has a variant with an address.
func TestEmailFlows(t *testing.T) {
	t.Parallel()
	s := mailSite(t, func(c *Config) { c.Registration, c.Terms = RegistrationApproval, Terms{URL: "https://x"} })
	want := "[[m.login.terms] [m.login.registration_token m.login.terms] [m.login.terms m.login.email.identity] " +
		"[m.login.registration_token m.login.terms m.login.email.identity]]"
	if got := fmt.Sprint(s.server.registrationFlows()); got != want {
		t.Errorf("the flows are %s", got)
	}
}

// TestNobodyHearsWhoHasAnAddress: the answers are the same whether an account has the address, and the mail says it.
func TestNobodyHearsWhoHasAnAddress(t *testing.T) {
	t.Parallel()
	for _, of := range []struct{ path, known, unknown string }{
		{resetPath + "email/requestToken", MailAppReset, ""},
		{registerPath + "/email/requestToken", MailKnown, MailAppVerify},
		{contactPath + "email/requestToken", MailKnown, MailAppVerify},
	} {
		s := mailSite(t)
		s.addEmail("alice", "known@example.org")
		for address, kind := range map[string]string{"known@example.org": of.known, "unknown@example.org": of.unknown} {
			a := s.ok(s.askForMail(of.path, address, "s", 1))
			if len(a.JSON) != 1 || len(a.Text("sid")) != 52 {
				t.Errorf("%s: %s", of.path, a.Raw)
			}
			kinds, links := s.sent(address)
			if got := strings.Join(kinds, " "); got != kind {
				t.Errorf("%s of %s sends %q, want %q", of.path, address, got, kind)
			}
			if kind == MailKnown && links[0] != "" {
				t.Error("that there is an account has a link")
			}
		}
	}
	s := mailSite(t)
	unknown := s.ok(s.askForMail(resetPath+"email/requestToken", "unknown@example.org", "s", 1)).Text("sid")
	a := s.changePassword("", s.resetBody("battery staple", `,"auth":`+emailStep(unknown, "s", "")))
	if s.challenged(a) == "" || a.Code() != "" {
		t.Errorf("of an address that nobody has: %s", a.Raw)
	}
}

// TestHeaderInjection: what is no single address is refused before anything is written.
func TestHeaderInjection(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	for _, path := range []string{resetPath, registerPath + "/", contactPath} {
		for _, address := range []string{"a@example.org\r\nBcc: eve@example.org", "a@example.org\nX: y",
			"a@example.org,eve@example.org", "a@example.org;eve@example.org", "<a@example.org>", "A <a@example.org>",
			`"a\r\nb"@example.org`, "a@example.org eve@example.org", "a%0a@example.org\x00", "", "@", "a@", "@b",
			strings.Repeat("a", 300) + "@example.org"} {
			a := s.askForMail(path+"email/requestToken", address, "s", 1)
			if a.Status != 400 || a.Code() != "M_INVALID_PARAM" && a.Code() != "M_NOT_JSON" {
				t.Errorf("%q: %d %s", address, a.Status, a.Raw)
			}
		}
	}
	for _, secret := range []string{"", "a b", "a\\r\\n", strings.Repeat("x", 256), "ü"} {
		s.want(s.askForMail(resetPath+"email/requestToken", "a@example.org", secret, 1), 400, "M_INVALID_PARAM")
	}
	if all := s.waitingMails(); len(all) > 0 {
		t.Errorf("mails wait: %+v", all)
	}
}

// TestEmailFallback: a client that does not know the stage leads to a page that asks for the address.
func TestEmailFallback(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	s.addEmail("alice", "alice@example.org")
	page := func(session, body string) answer {
		c := call{Method: "POST", Path: fallbackPath(stageEmail, session), Header: form, Body: body}
		if body == "" {
			c = call{Method: "GET", Path: c.Path}
		}
		return s.do(c)
	}
	for what, of := range map[string]struct {
		address string
		request func(auth string) answer
	}{
		"register": {"carol@example.org", func(auth string) answer {
			return s.do(call{Method: "POST", Path: registerPath, Body: registerBody("carol", `"auth":`+auth)})
		}},
		"reset": {"alice@example.org", func(auth string) answer {
			return s.changePassword("", s.resetBody("battery staple", `,"auth":`+auth))
		}},
	} {
		session := s.challenged(of.request("{}"))
		s.html(page(session, ""), 200, "Mail address")
		s.html(page(session, "email=nonsense"), 403, "not a mail address")
		s.html(page(session, "email="+url.QueryEscape(of.address)), 200, "Follow the link")
		s.html(page(session, "x=y"), 200, "Follow the link")
		s.challenged(of.request(`{"session":"` + session + `"}`))
		s.follow(of.address)
		s.html(page(session, "x=y"), 200, "That is done")
		if a := of.request(`{"session":"` + session + `"}`); a.Status != 200 {
			t.Errorf("%s: %s", what, a.Raw)
		}
	}
	if e, err := s.db.Email(t.Context(), "carol@example.org"); err != nil || e.Localpart != "carol" {
		t.Errorf("the address is of %+v, %v", e, err)
	}
}

// TestNextLink: a link leads on within this server and nowhere else.
func TestNextLink(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	for next, want := range map[string]string{
		"https://example.org/done?x=y": "https://example.org/done?x=y", "": "", "https://evil.example/": "",
		"http://example.org/": "", "//evil.example": "", "javascript:alert(1)": "", "https://example.org@evil.example": "",
		"https://user@example.org/": "", "https://example.org.evil.example/": "", "/account": "", "%zz": "",
		`https://example.org\@evil.example/`: "",
	} {
		if got := s.server.ownLink(next); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}

// TestValidationRace: however many ask at a time, there is one session and it is completed once it was.
func TestValidationRace(t *testing.T) {
	t.Parallel()
	s := mailSite(t)
	v := validation{shown: shown{Address: "a@example.org"}, Purpose: toAdd, Secret: "s", Link: "l"}
	v.row = db.Interaction{Kind: validations, ID: sid(toAdd, "a@example.org", "s"),
		Expires: s.clock.Now().Add(validationLife).Truncate(time.Millisecond)}
	ctx := WithCaller(context.Background(), &Caller{Now: s.clock.Now()})
	s.keep(&v)
	first, err := s.server.MailedLink(ctx, url.Values{"sid": {v.row.ID}, "token": {"l"}})
	s.must(err)
	second, err := s.server.MailedLink(ctx, url.Values{"sid": {v.row.ID}, "token": {"l"}})
	s.must(err)
	s.must(first.Complete(ctx, "de"))
	s.must(second.Complete(ctx, "en")) // the button was pressed twice
	if _, err := s.server.MailedLink(ctx, url.Values{"sid": {v.row.ID}, "token": {"x"}}); !IsStatus(err, 404) {
		t.Errorf("a guessed link gives %v", err)
	}
	if _, err := s.server.completed(ctx, toReset, v.row.ID, "s"); !errors.Is(err, errNoValidation) {
		t.Errorf("for another purpose: %v", err)
	}
}
