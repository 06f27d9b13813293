package oauth

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
)

func registering(how handlers.Registration) func(*handlers.Config) {
	return func(c *handlers.Config) { c.Registration = how }
}

func withTerms(c *handlers.Config) {
	c.Terms = handlers.Terms{URL: "https://example.org/terms", Version: "1"}
}

func (s *site) invite(token string, uses int64) {
	s.Helper()
	s.must(s.db.AddRegistrationToken(s.Context(), db.RegistrationToken{Token: token, UsesAllowed: uses,
		Created: s.clock.Now(), Expires: s.clock.Now().Add(time.Hour)}))
}

// German asks for pages in German.
func (b *browser) German() *browser {
	b.client.Transport = inGerman{}
	return b
}

type inGerman struct{}

func (inGerman) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Accept-Language", "de")
	return http.DefaultTransport.RoundTrip(r)
}

// TestPromptCreate: prompt=create leads to the page to make an account where there is one, and the metadata say so.
func TestPromptCreate(t *testing.T) {
	t.Parallel()
	for how, offered := range map[handlers.Registration]bool{"closed": false, "": false, "token": true,
		"approval": true, "open": true} {
		s := newSite(t, registering(how))
		prompts := s.ok(s.get("/_matrix/client/v1/auth_metadata", "")).json["prompt_values_supported"]
		if (prompts != nil) != offered {
			t.Errorf("%q: the metadata have %v", how, prompts)
		}
		b, client := s.browser(), s.register(webClient)
		heading := map[bool]string{true: "<h1>Create account</h1>", false: "<h1>Sign in</h1>"}[offered]
		s.says(b.open(request(client, "prompt", "create")), 200, heading)
		if page := b.open(request(client)); strings.Contains(page.body, "I have no account yet") != offered {
			t.Errorf("%q: the page to sign in is %s", how, page.body)
		}
		link := b.at(handlers.RegisterPath + "?token=x")
		if want := map[handlers.Registration]int{"token": 410, "approval": 410, "open": 200}[how]; offered &&
			link.status != want || !offered && link.status != 403 {
			t.Errorf("%q: an invitation's link is %d", how, link.status)
		}
	}
}

// TestRefusalsInGerman: whatever keeps an account from being made, a German reader reads it in German, and nothing that
// was typed is lost but the password.
func TestRefusalsInGerman(t *testing.T) {
	t.Parallel()
	needs := handlers.PasswordNeeds{Digit: true, Symbol: true, Uppercase: true, Lowercase: true}
	s := newSite(t, registering("token"), withTerms, func(c *handlers.Config) { c.Passwords.Needs = needs })
	s.invite("good", 5)
	q := request(s.register(webClient), "prompt", "create")
	const strong = "Correct horse 1"
	for _, tt := range []struct{ name, password, token, agree, says string }{
		{"alice", strong, "good", "yes", "Dieser Name ist vergeben."},
		{"ALICE", strong, "good", "yes", "Dieser Name ist vergeben."},
		{"", strong, "good", "yes", "Dieser Name ist nicht möglich."},
		{"a b", strong, "good", "yes", "Dieser Name ist nicht möglich."},
		{strings.Repeat("x", 250), strong, "good", "yes", "Dieser Name ist nicht möglich."},
		{"a\x00", strong, "good", "yes", "Dieser Name ist nicht möglich."},
		{"carol", "", "good", "yes", "mindestens 8 Zeichen"},
		{"carol", "Short 1", "good", "yes", "mindestens 8 Zeichen"},
		{"carol", "Correct horse", "good", "yes", "eine Ziffer"},
		{"carol", "Correct1horse", "good", "yes", "weder Ziffer noch Buchstabe von A bis Z"},
		{"carol", "correct horse 1", "good", "yes", "einen Großbuchstaben"},
		{"carol", "CORRECT HORSE 1", "good", "yes", "einen Kleinbuchstaben"},
		{"carol", strong, "bad", "yes", "Dieses Registrierungstoken gilt nicht"},
		{"carol", strong, "", "yes", "Dieses Registrierungstoken gilt nicht"},
		{"carol", strong, "a\x00", "yes", "Dieses Registrierungstoken gilt nicht"},
		{"carol", strong, "good", "", "die Nutzungsbedingungen akzeptieren"},
	} {
		b := s.browser().German()
		page := s.says(b.submit(q, b.open(q), "user", tt.name, "password", tt.password, "token", tt.token, "agree",
			tt.agree, "do", "create"), 403, tt.says)
		for _, english := range []string{"The ", "This ", "must", "password is"} {
			if strings.Contains(page.body, english) {
				t.Errorf("%+v: the page has %q: %s", tt, english, page.body)
			}
		}
		if !strings.Contains(tt.name, "\x00") && !strings.Contains(page.body, `value="`+tt.name+`"`) {
			t.Errorf("%+v: the name is lost: %s", tt, page.body)
		}
	}
}

// TestNotMade: each reason has a text of its own, a homeserver's too.
func TestNotMade(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, code := range []string{"M_USER_IN_USE", "M_EXCLUSIVE", "M_INVALID_USERNAME", "M_UNAUTHORIZED",
		"M_MISSING_PARAM", "M_FORBIDDEN"} {
		wrong := notMade(&handlers.Error{Code: code})
		if seen[wrong.Text] || wrong.Text == "refused" {
			t.Errorf("%s is %q", code, wrong.Text)
		}
		seen[wrong.Text] = true
	}
	if wrong := notMade(&handlers.Error{Code: "M_FORBIDDEN", Cause: db.ErrFull}); wrong.Text != "tooManyWait" {
		t.Errorf("too many: %q", wrong.Text)
	}
	if wrong := notMade(&handlers.Error{Code: "M_OTHER", Message: "No."}); wrong.Text != "refused" ||
		wrong.Values[0] != "No." {
		t.Errorf("another: %+v", wrong)
	}
}

// TestCreateWithApproval: the person reads that the account waits and what comes next, however often they press the
// button and at every page; approved, they sign in.
func TestCreateWithApproval(t *testing.T) {
	t.Parallel()
	s := newSite(t, registering("approval"), withTerms)
	client := s.register(webClient)
	b, q := s.browser(), request(client, "prompt", "create")
	page := s.says(b.open(q), 200, "Leave the token empty", "https://example.org/terms")
	create := []string{"user", "Carol", "password", password, "agree", "yes", "do", "create"}
	for range 2 { // a double click, or the answer was lost
		waits := s.says(b.submit(q, page, create...), 403, "Your account waits for approval", "@carol:example.org",
			"Whoever runs example.org has to approve it", "Back to App")
		back := s.sentTo(b.submit(q, waits, "do", "cancel"))
		if back.Get("error") != "access_denied" || back.Get("state") != "s" {
			t.Errorf("the client hears %v", back)
		}
	}
	german := s.browser().German()
	s.says(german.submit(q, german.open(q), create...), 403, "Ihr Konto wartet auf Freigabe",
		"Die Betreiber von example.org")
	signIn := []string{"user", "carol", "password", password, "do", "sign in"}
	s.says(b.submit(request(client), page, signIn...), 403, "Your account waits for approval")
	s.says(b.submit(request(client), page, "user", "carol", "password", "wrong", "do", "sign in"), 403,
		"The user name or the password is wrong")
	s.says(b.submit(q, page, "user", "carol", "password", "another one", "agree", "yes", "do", "create"), 403,
		"This name is taken.")
	if rows, err := s.db.WaitingUsers(t.Context()); err != nil || len(rows) != 1 {
		t.Errorf("%+v wait, %v", rows, err)
	}
	if browsers, err := s.db.Browsers(t.Context(), "carol"); err != nil || len(browsers) > 0 {
		t.Errorf("%+v are signed in, %v", browsers, err)
	}
	s.must(s.db.ApproveUser(t.Context(), "carol", s.clock.Now()))
	code := s.sentTo(b.submit(request(client), page, signIn...)).Get("code")
	s.ok(s.whoami(s.ok(s.redeem(client, code)).text("access_token")))
}

// TestInvitedWithApproval: an operator has decided about who has an invitation.
func TestInvitedWithApproval(t *testing.T) {
	t.Parallel()
	s := newSite(t, registering("approval"))
	s.invite("good", 1)
	b, q := s.browser(), request(s.register(webClient), "prompt", "create")
	page := b.open(q)
	s.says(b.submit(q, page, "user", "carol", "password", password, "token", "bad", "do", "create"), 403,
		"This registration token is not good")
	if n, err := s.db.CountWaiting(t.Context()); n != 0 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
	in := b.submit(q, page, "user", "carol", "password", password, "token", "good", "do", "create")
	if s.sentTo(in).Get("code") == "" {
		t.Error("there is no code")
	}
}

// TestInvitationLink: a link leads from a chat to an account, without any client that asks; it is spent with the
// account alone, and says what to do once it is over.
func TestInvitationLink(t *testing.T) {
	t.Parallel()
	s := newSite(t, registering("token"))
	s.invite("once", 1)
	link := handlers.RegisterPath + "?token=once"
	b := s.browser()
	page := s.says(b.at(link), 200, "<h1>Create account</h1>", `value="once"`)
	for _, word := range []string{"wants to use", "Cancel"} {
		if strings.Contains(page.body, word) {
			t.Errorf("the page has %q: %s", word, page.body)
		}
	}
	s.says(b.press(link, page, "user", "alice", "password", password+"!", "token", "once", "do", "create"), 403,
		"This name is taken.", `value="once"`)
	for range 2 { // a double click, or the answer was lost
		made := b.press(link, page, "user", "carol", "password", password, "token", "once", "do", "create")
		if s.sentTo(made); made.header.Get("Location") != handlers.RegisterPath+"?made" {
			t.Fatalf("it leads to %s", made.header.Get("Location"))
		}
		s.says(b.at(handlers.RegisterPath+"?made"), 200, "Your account is ready", "@carol:example.org",
			"<dd>example.org</dd>")
	}
	s.says(b.at(handlers.AccountPath), 200, "@carol:example.org")
	s.says(s.browser().at(link), 410, "This invitation is not good any more", "ask whoever invited you")
	s.says(s.browser().German().at(link), 410, "Diese Einladung gilt nicht mehr")
	s.invite("old", 1)
	s.clock.Step(2 * time.Hour)
	s.says(s.browser().at(handlers.RegisterPath+"?token=old"), 410, "This invitation is not good any more")
	if used := s.used("once"); used != 1 {
		t.Errorf("the invitation was used %d times", used)
	}
}

func (s *site) used(token string) int64 {
	s.Helper()
	all, err := s.db.RegistrationTokens(s.Context(), s.clock.Now())
	s.must(err)
	for _, r := range all {
		if r.Token == token {
			return r.Used
		}
	}
	return -1
}

// TestInvitationLinkIsNoOracle: who tries out links is counted like who tries out tokens.
func TestInvitationLinkIsNoOracle(t *testing.T) {
	t.Parallel()
	s := newSite(t, registering("token"), func(c *handlers.Config) { c.RateLimit = rate(t, "3/1m") })
	b := s.browser()
	for range 3 {
		s.says(b.at(handlers.RegisterPath+"?token=guess"), 410)
	}
	s.says(b.at(handlers.RegisterPath+"?token=guess"), 403, "Wait a minute")
}

// TestOneInvitationTwoBrowsers: of two people with one single-use invitation one gets the account, and the other one
// reads why not and has lost nothing; of two requests of one person both get it.
func TestOneInvitationTwoBrowsers(t *testing.T) {
	t.Parallel()
	s := newSite(t, registering("token"))
	for _, same := range []bool{false, true} {
		token := map[bool]string{false: "two", true: "one"}[same]
		s.invite(token, 1)
		link := handlers.RegisterPath + "?" + url.Values{"token": {token}}.Encode()
		var browsers [4]*browser
		var pages, answers [4]answer
		for i := range browsers {
			browsers[i] = s.browser()
			pages[i] = browsers[i].at(link)
		}
		var wg sync.WaitGroup
		for i, b := range browsers {
			name := token
			if !same {
				name += string(rune('a' + i))
			}
			wg.Go(func() {
				answers[i] = b.press(link, pages[i], "user", name, "password", password, "token", token, "do", "create")
			})
		}
		wg.Wait()
		made := 0
		for _, a := range answers {
			if a.status == http.StatusSeeOther {
				made++
			} else {
				s.says(a, 403, "This registration token is not good", `value="`+token)
			}
		}
		if want := map[bool]int{false: 1, true: len(answers)}[same]; made != want {
			t.Errorf("same person %v: %d were let in, want %d", same, made, want)
		}
		if used := s.used(token); used != 1 {
			t.Errorf("same person %v: the invitation was used %d times", same, used)
		}
	}
	if _, err := s.db.User(t.Context(), "one"); errors.Is(err, db.ErrNotFound) {
		t.Error("there is no account")
	}
}

// TestToCreate: wherever somebody is to sign in, "I have no account yet" leads to the page that makes one.
func TestToCreate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	link := regexp.MustCompile(`href="([^"]+)">I have no account yet`)
	for _, at := range []string{handlers.AccountPath, handlers.AccountPath + "?action=events", handlers.DeskPath,
		handlers.DevicePath, authorizePath(request(s.register(webClient))), handlers.RegisterPath + "?made",
		handlers.SSOPath + "?redirectUrl=https://old.example.com/"} {
		found := link.FindStringSubmatch(s.says(s.browser().at(at), 200, "User name").body)
		if found == nil {
			t.Errorf("%s has no link", at)
			continue
		}
		s.says(s.browser().at(html.UnescapeString(found[1])), 200, ">Create account</h1>")
	}
}
