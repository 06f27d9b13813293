package oauth

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/test/rig/authenticator"
	"postern/test/rig/safe"
)

// in reports whether somebody is signed in.
func (b *browser) in() bool {
	b.Helper()
	return strings.Contains(b.at("/account").body, "Signed-in browsers")
}

// shows is somebody on the page to sign in, or in the second step after a password, with a passkey.
type shows struct {
	b    *browser
	page answer
	k    *authenticator.Passkey
}

// TestPasskeyOfAnother holds each thing that may be wrong with a passkey that is shown, in place of the password and
// after it, against the same refusal.
func TestPasskeyOfAnother(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	s.account("bob")
	bob := s.withKey("bob")
	owner, b := s.browser(), s.browser()
	owner.signIn("/account")
	owner.add(s.newKey())
	pages := map[string]answer{"alone": b.at("/account"), "second": b.signIn("/account")}
	for name, change := range map[string]func(k *authenticator.Passkey){
		"another site's":            func(k *authenticator.Passkey) { k.Site = "evil.example" },
		"another origin":            func(k *authenticator.Passkey) { k.Origin = "https://evil.example" },
		"another port":              func(k *authenticator.Passkey) { k.Origin = "http://localhost:1" },
		"another scheme":            func(k *authenticator.Passkey) { k.Origin = "https" + k.Origin[len("http"):] },
		"a domain below":            func(k *authenticator.Passkey) { k.Origin = strings.Replace(k.Origin, "//", "//x.", 1) },
		"nobody there":              func(k *authenticator.Passkey) { k.Absent = true },
		"removed":                   func(k *authenticator.Passkey) { s.must(s.db.RemoveFactor(s.Context(), "alice", idOf(k))) },
		"unknown":                   func(k *authenticator.Passkey) { k.ID = []byte("unknown") },
		"another key":               func(k *authenticator.Passkey) { k.Rekey() },
		"another account's handle":  func(k *authenticator.Passkey) { k.Handle = bob.Handle },
		"a handle that nobody has":  func(k *authenticator.Passkey) { k.Handle = []byte("x") },
		"a counter that goes back":  func(k *authenticator.Passkey) { k.Count = 1 },
		"a counter that stands":     func(k *authenticator.Passkey) { k.Stands = true },
		"what cannot be backed up":  func(k *authenticator.Passkey) { k.Syncs = false },
		"another account's id":      func(k *authenticator.Passkey) { k.ID = bob.ID },
		"a recovery code for an id": func(k *authenticator.Passkey) { k.ID = []byte(s.recovery("alice")) },
	} {
		for step, page := range pages {
			k := s.newKey()
			k.Syncs, k.Count = true, 6
			s.says(owner.add(k), 200, "The passkey is added")
			id := idOf(k)
			change(k)
			if a := b.show("/account", page, k); a.status != http.StatusForbidden || b.in() ||
				!strings.Contains(a.body, "This passkey is not good here.") {
				t.Errorf("%s, %s: %d %s", name, step, a.status, a.body)
			}
			if err := s.db.RemoveFactor(t.Context(), "alice", id); err != nil && name != "removed" {
				t.Fatal(err)
			}
		}
	}
	if a := b.show("/account", pages["second"], bob); a.status != http.StatusForbidden || b.in() {
		t.Errorf("another account's passkey: %d %s", a.status, a.body)
	}
}

func idOf(k *authenticator.Passkey) string { return base64.RawURLEncoding.EncodeToString(k.ID) }

// recovery is the id of a recovery code of an account.
func (s *site) recovery(name string) string {
	s.Helper()
	factors, err := s.db.Factors(s.Context(), name)
	s.must(err)
	for _, f := range factors {
		if f.Kind == db.FactorRecovery {
			return f.ID
		}
	}
	s.Fatal("there is none")
	return ""
}

// stranger comes with alice's passkey, whose counter is at six, to the page to sign in or to the second step.
func (s *site) stranger(alone bool) shows {
	s.Helper()
	w := shows{b: s.browser(), k: s.newKey()}
	w.k.Syncs, w.k.Count = true, 6
	owner := s.browser()
	owner.signIn("/account")
	s.says(owner.add(w.k), 200, "The passkey is added")
	w.page = w.b.at("/account")
	if !alone {
		w.page = w.b.signIn("/account")
	}
	return w
}

// TestPasskeyUnverified: what replaces the password has to verify who shows it.
func TestPasskeyUnverified(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	w := s.stranger(true)
	w.k.Unverified = true
	s.says(w.b.show("/account", w.page, w.k), http.StatusForbidden, "This passkey is not good here.")
	second := w.b.signIn("/account")
	if a := w.b.press("/account", second, "do", "passkey", "answer", s.shown(w.page, w.k)); w.b.in() {
		t.Errorf("the answer to one page signs in on another: %s", a.body)
	}
	s.says(w.b.show("/account", second, w.k), http.StatusSeeOther)
}

// changed is a text with another first letter.
func changed(text string) string {
	if first := text[0]; first != 'A' {
		return "A" + text[1:]
	}
	return "B" + text[1:]
}

// TestPasskeyReplay: an answer is good once, in the browser that was asked, for five minutes, and not for what it was
// not asked for.
func TestPasskeyReplay(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{true, false} {
		s := keySite(t)
		w := s.stranger(alone)
		good := s.shown(w.page, w.k)
		thief := s.browser()
		theirs := thief.at("/account")
		for name, a := range map[string]answer{
			"another browser":               thief.press("/account", w.page, "do", "passkey", "answer", good),
			"another browser, its own form": thief.press("/account", theirs, "do", "passkey", "answer", good),
			"its form, our state": thief.press("/account", theirs, "do", "passkey", "answer", good, "state",
				s.hidden(w.page, "state")),
			"no state":       w.b.press("/account", w.page, "do", "passkey", "answer", good, "state", ""),
			"the half":       w.b.press("/account", w.page, "do", "passkey", "answer", good, "state", s.hidden(w.page, "half")),
			"a changed one":  w.b.press("/account", w.page, "do", "passkey", "answer", good, "state", changed(s.hidden(w.page, "state"))),
			"forged":         w.b.press("/account", w.page, "do", "passkey", "answer", good, "form", "x"),
			"no answer":      w.b.press("/account", w.page, "do", "passkey"),
			"too large":      w.b.press("/account", w.page, "do", "passkey", "answer", good+strings.Repeat(" ", 20_000)),
			"larger":         w.b.press("/account", w.page, "do", "passkey", "answer", strings.Repeat("[", 1<<20)),
			"for a code":     w.b.press("/account", w.page, "do", "second", "code", good),
			"for a creation": w.b.press(passkeysPath, w.page, "do", "add passkey", "answer", good),
		} {
			if a.status >= 500 || thief.in() || w.b.in() {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		s.says(w.b.press("/account", w.page, "do", "passkey", "answer", good), http.StatusSeeOther)
		w.b.press("/account", w.b.at("/account"), "do", "sign out")
		s.says(w.b.press("/account", w.page, "do", "passkey", "answer", good), http.StatusForbidden, "too long")
		page := w.b.at("/account")
		late := s.shown(page, w.k)
		s.clock.Step(5 * time.Minute)
		s.says(w.b.press("/account", page, "do", "passkey", "answer", late), http.StatusForbidden, "too long")
		if w.b.in() {
			t.Error("what was over signs in")
		}
	}
}

// hidden is a field of a page's form.
func (s *site) hidden(page answer, name string) string {
	s.Helper()
	form := s.browser().filled("/account", page)
	s.must(form.ParseForm())
	return form.PostForm.Get(name)
}

// TestPasskeyRaces: of many who send one answer at once one is signed in.
func TestPasskeyRaces(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	w := s.stranger(true)
	good := s.shown(w.page, w.k)
	const racers = 8
	in := make(chan bool, racers)
	for range racers {
		request := w.b.filled("/account", w.page, "do", "passkey", "answer", good)
		go func() {
			res, err := w.b.client.Do(request)
			if err == nil {
				err = res.Body.Close()
			}
			in <- err == nil && res.StatusCode == http.StatusSeeOther
		}()
	}
	won := 0
	for range racers {
		if <-in {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d are signed in", won)
	}
}

// TestPasskeyOfClosedAccount: the passkey of an account that is locked or closed lets nobody in, and one that has come
// back to a closed account by a write to the database neither.
func TestPasskeyOfClosedAccount(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{true, false} {
		for name, end := range map[string]func(s *site, was db.Factor){
			"locked": func(s *site, _ db.Factor) { s.must(s.db.LockUser(s.Context(), "alice", s.clock.Now())) },
			"closed": func(s *site, _ db.Factor) {
				_, err := s.db.Deactivate(s.Context(), "alice", s.clock.Now(), false)
				s.must(err)
			},
			"of another account's row": func(s *site, was db.Factor) {
				s.account("bob")
				s.must(s.db.Write(s.Context(), func(tx *db.Tx) error {
					return tx.Exec(`UPDATE factors SET localpart = 'bob' WHERE id = $1`, was.ID)
				}))
			},
			"passkeys cleared": func(s *site, _ db.Factor) {
				_, err := s.db.ClearFactors(s.Context(), "alice")
				s.must(err)
			},
		} {
			s := keySite(t)
			w := s.stranger(alone)
			end(s, s.only("alice"))
			a := w.b.show("/account", w.page, w.k)
			if a.status != http.StatusForbidden || a.header.Get("Location") != "" || w.b.in() {
				t.Errorf("%s, alone %v: %d %s", name, alone, a.status, a.body)
			}
		}
	}
}

// TestPasswordChangedMeanwhile: a new password ends the second step that the old one began.
func TestPasswordChangedMeanwhile(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	w := s.stranger(false)
	hash, err := handlers.HashPassword("another password")
	s.must(err)
	_, err = s.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "alice", Hash: hash})
	s.must(err)
	s.says(w.b.show("/account", w.page, w.k), http.StatusForbidden, "User name")
	if w.b.in() {
		t.Error("it signs in")
	}
}

// TestCopiedPasskey: a counter that goes back is in the account's events.
func TestCopiedPasskey(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	w := s.stranger(true)
	w.k.Count = 1
	w.b.show("/account", w.page, w.k)
	events, err := s.db.Events(t.Context(), "alice", 10)
	s.must(err)
	if !slices.ContainsFunc(events, func(e db.Event) bool { return e.Kind == db.EventPasskeyCopied && e.Addr != "" }) {
		t.Errorf("the events are %+v", events)
	}
}

// TestPasskeyTraces: a passkey that is not good leaves a line of the log with whose it was and from where, and nothing
// that a browser sends makes two lines of it. What was sealed, and the answer, are not in it.
func TestPasskeyTraces(t *testing.T) {
	t.Parallel()
	var log safe.Buffer
	s := keySite(t, func(c *handlers.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w := s.stranger(true)
	w.k.Origin = "https://evil.example\n{\"msg\":\"login failed\"}\u202e" + strings.Repeat("x", 5000)
	answer := s.shown(w.page, w.k)
	w.b.press("/account", w.page, "do", "passkey", "answer", answer)
	lines := 0
	for line := range strings.Lines(log.String()) {
		if strings.HasPrefix(line, `{"msg"`) || len(line) > 1000 {
			t.Errorf("a line is %s", line)
		}
		if strings.Contains(line, `"msg":"login failed"`) && strings.Contains(line, `"addr":"127.0.0.1"`) &&
			strings.Contains(line, `"user":"alice"`) {
			lines++
		}
	}
	if lines != 1 || strings.Contains(log.String(), s.hidden(w.page, "state")) {
		t.Errorf("%d lines: %s", lines, log.String())
	}
}

// TestForgedPasskey: nobody adds a passkey to somebody else's account, or renames or removes one there; not with a
// token, a stale proof, a form of another page, or an id that is known.
func TestForgedPasskey(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	s.account("bob")
	theirs := s.withKey("bob")
	path := passkeysPath + "&id=" + s.only("bob").ID
	b, thief := s.browser(), s.browser()
	b.signIn("/account")
	thief.at("/account")
	page, k := b.at("/account"), s.newKey()
	good := s.made(page, k)
	for name, a := range map[string]answer{
		"no form":             b.press(passkeysPath, page, "do", "add passkey", "answer", good, "form", ""),
		"another browser":     thief.press(passkeysPath, page, "do", "add passkey", "answer", good),
		"another account":     b.press(passkeysPath, page, "do", "add passkey", "answer", good, "account", "bob"),
		"no state":            b.press(passkeysPath, page, "do", "add passkey", "answer", good, "state", ""),
		"the other's page":    b.at(path),
		"rename the other's":  b.press(path, page, "do", "rename passkey", "name", "Mine"),
		"remove the other's":  b.press(path, page, "do", "remove passkey"),
		"a token":             s.get(passkeysPath, "syt_x"),
		"by a link":           b.at(passkeysPath + "&do=add+passkey&answer=" + good),
		"an id from the form": b.press(passkeysPath, page, "do", "remove passkey", "id", s.only("bob").ID),
	} {
		if a.status >= 500 || strings.Contains(a.body, "is added") || strings.Contains(a.body, "is removed") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if f := s.only("bob"); f.Name == "Mine" || len(s.keys("alice")) != 0 {
		t.Errorf("alice has %v, bob %v", s.keys("alice"), f)
	}
	k.ID = theirs.ID
	page = b.at("/account")
	s.says(b.press(passkeysPath, page, "do", "add passkey", "answer", s.made(page, k)), http.StatusForbidden,
		"could not be added")
	if f := s.only("bob"); f.Localpart != "bob" || len(s.keys("alice")) != 0 {
		t.Errorf("alice has %v, bob %v", s.keys("alice"), f)
	}
	victim := s.browser()
	s.says(victim.show("/account", victim.at("/account"), theirs), http.StatusSeeOther)
	s.says(victim.at("/account"), 200, "@bob:example.org")
}

func (s *site) keys(name string) []db.Factor {
	s.Helper()
	factors, err := s.db.Factors(s.Context(), name)
	s.must(err)
	return factors
}

// TestPasskeyMadeElsewhere: a passkey that another site, another page or another question has made is not kept, and one
// that was removed does not come back by its old form.
func TestPasskeyMadeElsewhere(t *testing.T) {
	t.Parallel()
	s := keySite(t)
	b := s.browser()
	b.signIn("/account")
	for name, change := range map[string]func(k *authenticator.Passkey){
		"another site's": func(k *authenticator.Passkey) { k.Site = "evil.example" },
		"another origin": func(k *authenticator.Passkey) { k.Origin = "https://evil.example" },
		"nobody there":   func(k *authenticator.Passkey) { k.Absent = true },
		"a long id":      func(k *authenticator.Passkey) { k.ID = make([]byte, 1024) },
		"no id":          func(k *authenticator.Passkey) { k.ID = nil },
	} {
		k := s.newKey()
		change(k)
		page := b.at("/account")
		if a := b.press(passkeysPath, page, "do", "add passkey", "answer", s.made(page, k)); a.status != 403 ||
			len(s.keys("alice")) != 0 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	page, k := b.at("/account"), s.newKey()
	shown := s.shown(page, k)
	s.says(b.press(passkeysPath, page, "do", "add passkey", "answer", shown), 403, "did not work")
	good := s.made(page, k)
	s.says(b.press(passkeysPath, page, "do", "add passkey", "answer", good), 200, "is added")
	s.must(s.db.RemoveFactor(t.Context(), "alice", s.only("alice").ID))
	s.says(b.press(passkeysPath, page, "do", "add passkey", "answer", good), 403, "too long")
	if len(s.keys("alice")) != 0 {
		t.Error("it is back")
	}
}
