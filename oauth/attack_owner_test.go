package oauth

import (
	"net/http"
	"strings"
	"testing"

	"postern/handlers"
)

// Who knows less than an owner, and guesses, must not keep the owner out.

// few allows few attempts.
func few(t *testing.T) func(*handlers.Config) {
	rate, err := handlers.ParseRate("5/1h")
	if err != nil {
		t.Fatal(err)
	}
	return func(c *handlers.Config) { c.RateLimit = rate }
}

// TestGuessesAndStage: a stranger who guesses at logins does not keep the owner from what asks for a second factor.
func TestGuessesAndStage(t *testing.T) {
	t.Parallel()
	s := newSecured(t, few(t))
	for range 6 {
		s.act("POST", "v3/login", "", `{"type":"m.login.password","user":"alice","password":"wrong"}`)
	}
	s.want(s.passwordLogin("alice", ""), http.StatusTooManyRequests, "M_LIMIT_EXCEEDED")
	session := s.challenged(guardedOperations[0].with(s.site, s.laptop, ""), "m.login.sso")
	s.clock.Step(proofLife) // the browser's own proof is over
	b := s.browser
	path := b.onStage(session)
	half := b.press(path, b.at(path), "user", "alice", "password", password, "do", "sign in")
	b.sentTo(b.press(path, half, "code", s.app.code(), "do", "second"))
	if done := b.agree(path, b.at(path)); done.status != http.StatusOK {
		t.Errorf("the owner cannot agree: %d %s", done.status, done.body)
	}
}

// TestGuessesInSecondStep: who knows the password and guesses at the second factor uses up no other way in.
func TestGuessesInSecondStep(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	_, codes := b.setUp(b.ownAccount())
	const path = handlers.AccountPath
	thief, owner := s.browser(), s.browser()
	page, mine := thief.halfway(path), owner.halfway(path)
	for range 40 {
		thief.press(path, page, "code", "0000-0000-0000", "do", "second")
	}
	owner.sentTo(owner.press(path, mine, "code", codes[0], "do", "second"))
}

// betweenSteps is somebody who has shown alice's password, and not yet one of her codes.
func betweenSteps(t *testing.T) (s *site, late *browser, page answer, codes []string) {
	t.Helper()
	s = newSite(t)
	b := s.browser()
	_, codes = b.setUp(b.ownAccount())
	late = s.browser()
	return s, late, late.halfway(handlers.AccountPath), codes
}

// TestLockedSpendsNothing: a code that is shown while the account is locked is good afterwards.
func TestLockedSpendsNothing(t *testing.T) {
	t.Parallel()
	s, late, page, codes := betweenSteps(t)
	const path = handlers.AccountPath
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	s.says(late.press(path, page, "code", codes[0], "do", "second"), http.StatusForbidden, "This account is locked")
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	late.sentTo(late.press(path, page, "code", codes[0], "do", "second"))
}

// TestHalfEnds: wrong codes do not make the first step last longer.
func TestHalfEnds(t *testing.T) {
	t.Parallel()
	s, late, page, codes := betweenSteps(t)
	const path = handlers.AccountPath
	for range 2 {
		s.clock.Step(halfLife / 2)
		page = late.press(path, page, "code", "0000-0000-0000", "do", "second")
	}
	s.says(late.press(path, page, "code", codes[0], "do", "second"), http.StatusForbidden, `value="sign in"`)
}

// TestSetUpTwice: whoever sends the first code twice, or too late, hears what to do.
func TestSetUpTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	a, page := b.scan(b.ownAccount())
	s.clock.Step(setUpLife)
	s.says(b.press(codesPath, page, "code", a.code(), "do", "confirm"), http.StatusOK, `name="password"`)
	again := b.press(codesPath, b.at(handlers.AccountPath), "password", password, "do", "set up")
	a = app{s, secretOf(again)}
	other := s.browser()
	other.ownAccount()
	form := formOf(other.at(handlers.AccountPath))
	s.says(other.press(codesPath, again, "form", form, "code", a.code(), "do", "confirm"), http.StatusForbidden,
		"took too long", "<svg")
	s.says(b.press(codesPath, again, "code", a.code(), "do", "confirm"), http.StatusOK, "Write these codes down")
	s.says(b.press(codesPath, again, "code", a.code(), "do", "confirm"), http.StatusOK, "set up already",
		"make new ones")
}

func secretOf(page answer) string {
	found := secretShown.FindStringSubmatch(page.body)
	if found == nil {
		return ""
	}
	return strings.ReplaceAll(found[1], " ", "")
}

func formOf(page answer) string {
	_, rest, _ := strings.Cut(page.body, `name="form" value="`)
	form, _, _ := strings.Cut(rest, `"`)
	return form
}

// TestDeactivateWithFactor: the account is closed by its password, too, however fresh the second factor is.
func TestDeactivateWithFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.setUp(b.ownAccount())
	path := action(actionDeactivate, "")
	page := s.says(b.at(path), http.StatusOK, `name="password"`)
	s.says(b.press(path, page, "password", "wrong", "do", "deactivate"), http.StatusForbidden, "The password is wrong")
	s.says(b.press(path, page, "password", password, "do", "deactivate"), http.StatusOK, "is deactivated")
	if left, err := s.db.Factors(t.Context(), "alice"); err != nil || len(left) > 0 {
		t.Errorf("left are %v %v", left, err)
	}
}
