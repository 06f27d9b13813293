package oauth

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"postern/db"
	"postern/handlers"
)

// account opens the account page of alice, who signs in by her password.
func (b *browser) ownAccount() answer {
	b.Helper()
	page := b.at(handlers.AccountPath)
	b.sentTo(b.press(handlers.AccountPath, page, "user", "alice", "password", password, "do", "sign in"))
	return b.at(handlers.AccountPath)
}

// app is one for one-time codes, which has scanned a picture.
type app struct {
	*site
	secret string
}

// code is what it shows now.
func (a app) code() string {
	code, err := totp.GenerateCode(a.secret, a.clock.Now())
	a.must(err)
	return code
}

var (
	secretShown = regexp.MustCompile(`<code>([A-Z2-7]{32})</code>`)
	codesShown  = regexp.MustCompile(`<code>([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})</code>`)
)

const codesPath = handlers.AccountPath + "?action=" + actionCodes

// scan sets one-time codes up as far as the page with the picture.
func (b *browser) scan(page answer) (app, answer) {
	b.Helper()
	page = b.press(codesPath, page, "do", "set up")
	found := secretShown.FindStringSubmatch(page.body)
	if found == nil || !strings.Contains(page.body, "<svg") {
		b.Fatalf("no secret is shown: %s", page.body)
	}
	return app{b.site, found[1]}, page
}

// setUp sets them up, and gives the recovery codes, too.
func (b *browser) setUp(page answer) (app, []string) {
	b.Helper()
	a, page := b.scan(page)
	page = b.press(codesPath, page, "code", a.code(), "do", "confirm")
	var codes []string
	for _, found := range codesShown.FindAllStringSubmatch(page.body, -1) {
		codes = append(codes, found[1])
	}
	slices.Sort(codes)
	if len(slices.Compact(codes)) != recoveryCodes {
		b.Fatalf("the recovery codes are %q: %s", codes, page.body)
	}
	return a, codes
}

// halfway signs in as alice by the password, and gives the page of the second step.
func (b *browser) halfway(path string) answer {
	b.Helper()
	page := b.press(path, b.at(path), "user", "alice", "password", password, "do", "sign in")
	if page.status != http.StatusOK || !strings.Contains(page.body, `value="second"`) {
		b.Fatalf("no second step: %d %s", page.status, page.body)
	}
	return page
}

func (b *browser) signedInAt(path string) bool {
	b.Helper()
	return strings.Contains(b.at(path).body, "@alice:"+host)
}

// TestOneTimeCodes: the password alone opens nothing any more; a code opens it once, a recovery code too.
func TestOneTimeCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, other := s.browser(), s.browser()
	other.ownAccount()
	a, codes := b.setUp(b.ownAccount())
	if !b.signedInAt(handlers.AccountPath) || other.signedInAt(handlers.AccountPath) {
		t.Error("the browser in which codes were set up has to stay signed in, and no other one")
	}

	const path = handlers.AccountPath
	s.clock.Step(codePeriod)
	page := other.halfway(path)
	if wrong := other.press(path, page, "code", "000000", "do", "second"); wrong.status != http.StatusForbidden {
		t.Errorf("a wrong code: %d %s", wrong.status, wrong.body)
	}
	code := a.code()
	spaced := code[:3] + " " + code[3:]
	other.sentTo(other.press(path, page, "code", spaced, "do", "second"))
	if !other.signedInAt(path) {
		t.Error("a code signs nobody in")
	}
	again := s.browser()
	used := again.press(path, again.halfway(path), "code", code, "do", "second")
	if used.status != http.StatusForbidden {
		t.Errorf("a code in its window again: %d", used.status)
	}
	typed := strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))
	again.sentTo(again.press(path, again.halfway(path), "code", typed, "do", "second"))
	third := s.browser()
	if used := third.press(path, third.halfway(path), "code", codes[0], "do", "second"); used.status != 403 {
		t.Errorf("a recovery code twice: %d", used.status)
	}
	if !strings.Contains(again.at(path).body, "9 recovery codes are left") {
		t.Error("the page does not say how many are left")
	}
}

// TestSecondStepOfClient: a client gets its code after the second step, at the same address.
func TestSecondStepOfClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	setup := s.browser()
	_, codes := setup.setUp(setup.ownAccount())
	client := s.register(webClient)
	b, path := s.browser(), authorizePath(request(client))
	page := b.halfway(path)
	if !strings.Contains(page.body, "app.example.com") {
		t.Error("the second step does not say who asks")
	}
	code := b.sentTo(b.press(path, page, "code", codes[3], "do", "second")).Get("code")
	s.ok(s.redeem(client, code))
	b = s.browser()
	left := b.sentTo(b.press(path, b.halfway(path), "do", "cancel"))
	if left.Get("error") != "access_denied" {
		t.Errorf("who cancels the second step goes back with %v", left)
	}
}

// TestGuessedCodes: the wrong codes make their owner wait, and many at once are no faster.
func TestGuessedCodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	a, codes := b.setUp(b.ownAccount())
	s.clock.Step(codePeriod)
	thief, path := s.browser(), handlers.AccountPath
	page := thief.halfway(path)
	for range 5 {
		thief.press(path, page, "code", "000000", "do", "second")
	}
	blocked := thief.press(path, page, "code", a.code(), "do", "second")
	if blocked.status != http.StatusForbidden || !strings.Contains(blocked.body, "too many") {
		t.Errorf("after five wrong codes a right one: %d %s", blocked.status, blocked.body)
	}
	owner := s.browser()
	owner.sentTo(owner.press(path, owner.halfway(path), "code", codes[1], "do", "second"))
	s.clock.Step(time.Minute)
	thief.sentTo(thief.press(path, page, "code", a.code(), "do", "second"))
}

// TestRecoveryReplaced: new codes take the place of the old ones, and both factors and codes go together.
func TestRecoveryReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	_, old := b.setUp(b.ownAccount())
	page := b.press(handlers.AccountPath+"?action="+actionRecovery, b.at(handlers.AccountPath), "do", "recovery")
	fresh := codesShown.FindStringSubmatch(page.body)
	if fresh == nil {
		t.Fatalf("no new codes: %s", page.body)
	}
	other, path := s.browser(), handlers.AccountPath
	if used := other.press(path, other.halfway(path), "code", old[0], "do", "second"); used.status != 403 {
		t.Errorf("a code that was replaced: %d", used.status)
	}
	other.sentTo(other.press(path, other.halfway(path), "code", fresh[1], "do", "second"))
	gone := b.press(codesPath, b.at(path), "do", "remove")
	if gone.status != http.StatusOK || !strings.Contains(gone.body, "removed") {
		t.Errorf("codes are removed: %d %s", gone.status, gone.body)
	}
	if left, err := s.db.Factors(t.Context(), "alice"); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	last := s.browser()
	last.sentTo(last.press(path, last.at(path), "user", "alice", "password", password, "do", "sign in"))
}

// TestStaleProof: a proof of more than five minutes ago is asked for again: the password without a second factor, with
// one both.
func TestStaleProof(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	page := b.ownAccount()
	s.clock.Step(proofLife)
	ask := b.press(codesPath, page, "do", "set up")
	if secretShown.MatchString(ask.body) || !strings.Contains(ask.body, `name="password"`) {
		t.Fatalf("an old proof was enough: %s", ask.body)
	}
	if wrong := b.press(codesPath, ask, "password", "wrong", "do", "set up"); wrong.status != http.StatusForbidden ||
		secretShown.MatchString(wrong.body) {
		t.Errorf("a wrong password: %d", wrong.status)
	}
	shown := b.press(codesPath, ask, "password", password, "do", "set up")
	if !secretShown.MatchString(shown.body) {
		t.Fatalf("the password was not enough: %s", shown.body)
	}
	a, _ := b.setUp(b.at(handlers.AccountPath))
	s.clock.Step(proofLife)
	for _, action := range []string{actionCodes, actionRecovery} {
		path := handlers.AccountPath + "?action=" + action
		do := map[string]string{actionCodes: "remove", actionRecovery: "recovery"}[action]
		ask := b.press(path, b.at(handlers.AccountPath), "do", do, "password", password)
		if !strings.Contains(ask.body, `value="sign in"`) {
			t.Errorf("%s: an old proof was enough: %s", action, ask.body)
		}
	}
	half := b.press(codesPath, b.press(codesPath, b.at(handlers.AccountPath), "do", "remove"),
		"user", "alice", "password", password, "do", "sign in")
	b.sentTo(b.press(codesPath, half, "code", a.code(), "do", "second"))
	gone := b.press(codesPath, b.at(handlers.AccountPath), "do", "remove")
	if !strings.Contains(gone.body, "removed") {
		t.Errorf("after signing in again: %s", gone.body)
	}
}

// TestForeignSecret: a page of the set-up is good for its account, its browser and a quarter of an hour.
func TestForeignSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hash, err := handlers.HashPassword(password)
	s.must(err)
	s.must(s.db.CreateUser(t.Context(), db.User{Localpart: "mallory", PasswordHash: hash, Created: s.clock.Now()}))
	victim, thief := s.browser(), s.browser()
	page := victim.ownAccount()
	thief.press(handlers.AccountPath, thief.at(handlers.AccountPath), "user", "mallory", "password", password, "do",
		"sign in")
	a, theirs := thief.scan(thief.at(handlers.AccountPath))
	sealed := regexp.MustCompile(`name="secret" value="([^"]+)"`).FindStringSubmatch(theirs.body)[1]
	for name, secret := range map[string]string{"of another account": sealed, "made up": "AAAA", "none": ""} {
		victim.press(codesPath, page, "secret", secret, "code", a.code(), "do", "confirm")
		if got, err := s.db.Factors(t.Context(), "alice"); err != nil || len(got) != 0 {
			t.Errorf("a secret %s was taken: %v %v", name, got, err)
		}
	}
	mine, late := victim.scan(page)
	elsewhere := s.browser()
	elsewhere.ownAccount()
	hidden := regexp.MustCompile(`name="secret" value="([^"]+)"`).FindStringSubmatch(late.body)[1]
	elsewhere.press(codesPath, elsewhere.at(handlers.AccountPath), "secret", hidden, "code", mine.code(), "do",
		"confirm")
	s.clock.Step(setUpLife)
	victim.press(codesPath, late, "code", mine.code(), "do", "confirm")
	if got, err := s.db.Factors(t.Context(), "alice"); err != nil || len(got) != 0 {
		t.Errorf("a secret of another browser, or an old one, was taken: %v %v", got, err)
	}
}

// TestHalves: what the first step gives is good for five minutes and until the next password, and signs nobody in.
func TestHalves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	a, codes := b.setUp(b.ownAccount())
	thief, path := s.browser(), handlers.AccountPath
	page := thief.halfway(path)
	if thief.signedInAt(path) {
		t.Error("half a sign-in signs in")
	}
	for name, half := range map[string]string{"none": "", "made up": "AAAA",
		"of another kind": s.sealedCode(code{Localpart: "alice"})} {
		if got := thief.press(path, page, "half", half, "code", codes[0], "do", "second"); got.status != 403 {
			t.Errorf("a half %s: %d %s", name, got.status, got.body)
		}
	}
	s.clock.Step(halfLife)
	if late := thief.press(path, page, "code", a.code(), "do", "second"); late.status != http.StatusForbidden {
		t.Errorf("a half that is over: %d", late.status)
	}
	page = thief.halfway(path)
	hash, err := handlers.HashPassword("another horse")
	s.must(err)
	_, err = s.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "alice", Hash: hash})
	s.must(err)
	if late := thief.press(path, page, "code", codes[0], "do", "second"); late.status != http.StatusForbidden {
		t.Errorf("a half of the password before: %d", late.status)
	}
}

// sealedCode is an authorization code, which is sealed as a half is.
func (s *site) sealedCode(c code) string {
	s.Helper()
	text, _, err := New(s.server).(*API).sealCode(fromBrowser, time.Minute, c)
	s.must(err)
	return text
}

// TestPasswordAlone: at the other APIs the password of such an account opens nothing.
func TestPasswordAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.setUp(b.ownAccount())
	s.want(s.post("/_matrix/client/v3/login", "application/json", `{"type":"m.login.password","identifier":
		{"type":"m.id.user","user":"alice"},"password":"`+password+`"}`), http.StatusForbidden, "M_FORBIDDEN")
	s.want(s.post("/_matrix/client/api/v1/login", "application/json", `{"username":"alice",
		"password":"`+password+`"}`), http.StatusForbidden, "M_FORBIDDEN")
}
