package homeserver

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/handlers"
)

// macOf is what whoever has a secret writes.
func macOf(secret string, parts ...string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(mac.Sum(nil))
}

// TestSharedSecret: an account is made by whoever has the secret, with a nonce of ours that is a minute old at most,
// once, and as it was authenticated.
func TestSharedSecret(t *testing.T) {
	t.Parallel()
	s, h, _ := newSiteWithWard(t)
	const path, secretly = "v1/register", "a long password"
	nonce := func() string { return s.ok(s.admin(h, "", "GET", path, "")).Text("nonce") }
	send := func(nonce, name, mark, mac string, more string) answer {
		return s.admin(h, "", "POST", path, fmt.Sprintf(`{"nonce":%q,"username":%q,"password":%q,"admin":%v,"mac":%q%s}`,
			nonce, name, secretly, mark == "admin", mac, more))
	}
	refuse := func(why string, a answer, status int, said string) {
		t.Helper()
		if a.Status != status || a.Text("error") != said {
			t.Errorf("%s: %d %s, want %d %q", why, a.Status, a.Raw, status, said)
		}
	}
	const strange, wrong = "unrecognised nonce", "HMAC incorrect"
	n := nonce()
	good := macOf(adminSecret, n, "Dora", secretly, "notadmin")
	refuse("another secret", send(n, "dora", "notadmin", macOf("guess", n, "dora", secretly, "notadmin"), ""), 403,
		wrong)
	refuse("no code", send(n, "Dora", "notadmin", "", ""), 403, wrong)
	refuse("made an administrator on the way", send(n, "Dora", "admin", good, ""), 403, wrong)
	refuse("made another on the way", send(n, "dora", "notadmin", good, ""), 403, wrong)
	refuse("given a type on the way", send(n, "Dora", "notadmin", good, `,"user_type":"bot"`), 403, wrong)
	a := s.ok(send(n, "Dora", "notadmin", good, ""))
	if a.Text("user_id") != "@dora:example.org" || a.Text("home_server") != host || a.Text("device_id") == "" {
		t.Errorf("%s", a.Raw)
	}
	s.ok(s.whoami(a.Text("access_token")))
	refuse("the nonce twice", send(n, "Dora", "notadmin", good, ""), 400, strange)
	upper := strings.ToUpper(n)
	refuse("the nonce twice, in capitals", send(upper, "eve", "notadmin",
		macOf(adminSecret, upper, "eve", secretly, "notadmin"), ""), 400, strange)
	for _, n := range []string{"", "x", strings.Repeat("00", 40), n[:len(n)-2] + "00", n + "00"} {
		refuse("a nonce that is not ours: "+n,
			send(n, "eve", "notadmin", macOf(adminSecret, n, "eve", secretly, "notadmin"), ""), 400, strange)
	}
	n = nonce()
	s.clock.Step(61 * time.Second)
	refuse("an old nonce", send(n, "eve", "notadmin", macOf(adminSecret, n, "eve", secretly, "notadmin"), ""), 400,
		strange)
	n = nonce()
	refuse("a name that is taken",
		send(n, "dora", "notadmin", macOf(adminSecret, n, "dora", secretly, "notadmin"), ""), 400,
		"User ID already taken.")
	n = nonce()
	s.want(s.admin(h, "", "POST", path, `{"nonce":"`+n+`","username":"e\u0000ve","password":"x","mac":"x"}`), 400,
		"M_UNKNOWN")
	s.want(s.admin(h, "", "POST", path, `{}`), 400, "M_BAD_JSON")
	n = nonce()
	a = s.ok(send(n, "root", "admin", macOf(adminSecret, n, "root", secretly, "admin", "bot"),
		`,"user_type":"bot","inhibit_login":true`))
	if u, err := s.db.User(t.Context(), "root"); err != nil || !u.Admin || a.Text("access_token") != "" {
		t.Errorf("%+v, %v, %s", u, err, a.Raw)
	}
}

// TestSharedSecretRaces: of many requests with one nonce one makes an account.
func TestSharedSecretRaces(t *testing.T) {
	t.Parallel()
	s, h, _ := newSiteWithWard(t)
	n := s.ok(s.admin(h, "", "GET", "v1/register", "")).Text("nonce")
	made := make(chan int, 16)
	var all sync.WaitGroup
	for i := range cap(made) {
		name := fmt.Sprintf("racer%d", i)
		all.Go(func() {
			made <- s.admin(h, "", "POST", "v1/register", fmt.Sprintf(
				`{"nonce":%q,"username":%q,"password":"a long password","mac":%q,"inhibit_login":true}`, n, name,
				macOf(adminSecret, n, name, "a long password", "notadmin"))).Status
		})
	}
	all.Wait()
	close(made)
	won := 0
	for status := range made {
		if status == 200 {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d accounts were made", won)
	}
}

// TestSharedSecretGuesses: guesses at the secret are slowed down, and without one nobody registers.
func TestSharedSecretGuesses(t *testing.T) {
	t.Parallel()
	s, h, _ := newSiteWithWard(t, func(c *setup) { c.RateLimit = handlers.Rate{Count: 3, Period: time.Hour} })
	n := s.ok(s.admin(h, "", "GET", "v1/register", "")).Text("nonce")
	guess := `{"nonce":"` + n + `","username":"eve","password":"a long password","mac":"00"}`
	last := answer{}
	for range 5 {
		last = s.admin(h, "", "POST", "v1/register", guess)
	}
	s.want(last, 429, "M_LIMIT_EXCEEDED")
	right := fmt.Sprintf(`{"nonce":%q,"username":"eve","password":"a long password","mac":%q}`, n,
		macOf(adminSecret, n, "eve", "a long password", "notadmin"))
	s.want(s.admin(h, "", "POST", "v1/register", right), 429, "M_LIMIT_EXCEEDED") // it may be the last of many guesses
	s, h, _ = newSiteWithWard(t, func(c *setup) { c.there.RegistrationSecret = "" })
	n = s.ok(s.admin(h, "", "GET", "v1/register", "")).Text("nonce")
	s.want(s.admin(h, "", "POST", "v1/register", fmt.Sprintf(
		`{"nonce":%q,"username":"eve","password":"a long password","mac":%q}`, n,
		macOf("", n, "eve", "a long password", "notadmin"))), 400, "M_UNKNOWN")
}

// TestSharedSecretOften: a script that has the secret makes more accounts than there may be guesses.
func TestSharedSecretOften(t *testing.T) {
	t.Parallel()
	s, h, _ := newSiteWithWard(t, func(c *setup) { c.RateLimit = handlers.Rate{Count: 3, Period: time.Hour} })
	for i := range 8 {
		n, name := s.ok(s.admin(h, "", "GET", "v1/register", "")).Text("nonce"), fmt.Sprintf("user%d", i)
		s.ok(s.admin(h, "", "POST", "v1/register", fmt.Sprintf(
			`{"nonce":%q,"username":%q,"password":"a long password","mac":%q,"inhibit_login":true}`, n, name,
			macOf(adminSecret, n, name, "a long password", "notadmin"))))
	}
}

// TestNonceTellsNothing: a nonce is made of the master key and not of the secret, so whoever asks for one cannot try
// secrets on it. It is good at its own server alone, though both have the same secret.
func TestNonceTellsNothing(t *testing.T) {
	t.Parallel()
	one, oneWard, _ := newSiteWithWard(t)
	other, otherWard, _ := newSiteWithWard(t)
	n := one.ok(one.admin(oneWard, "", "GET", "v1/register", "")).Text("nonce")
	body := fmt.Sprintf(`{"nonce":%q,"username":"eve","password":"a long password","mac":%q}`, n,
		macOf(adminSecret, n, "eve", "a long password", "notadmin"))
	other.want(other.admin(otherWard, "", "POST", "v1/register", body), 400, "M_UNKNOWN")
	one.ok(one.admin(oneWard, "", "POST", "v1/register", body))
}

// TestSharedSecretAndFactors: an account that has to have a second factor is made, and gets no session, having none.
func TestSharedSecretAndFactors(t *testing.T) {
	t.Parallel()
	s, h, _ := newSiteWithWard(t, withOAuth)
	s.server.SecondFactor = handlers.SecondFactorAdmins
	for name, mark := range map[string]string{"root": "admin", "dora": "notadmin"} {
		n := s.ok(s.admin(h, "", "GET", "v1/register", "")).Text("nonce")
		a := s.ok(s.admin(h, "", "POST", "v1/register", fmt.Sprintf(
			`{"nonce":%q,"username":%q,"password":"a long password","admin":%v,"mac":%q,"refresh_token":true}`, n, name,
			mark == "admin", macOf(adminSecret, n, name, "a long password", mark))))
		if session := a.Text("access_token") != ""; session == (mark == "admin") {
			t.Errorf("%s: %s", mark, a.Raw)
		}
		if refreshable := a.Text("refresh_token") != ""; refreshable == (mark == "admin") {
			t.Errorf("%s: %s", mark, a.Raw)
		}
	}
}

// TestAdminInvites: what the tools make, change and delete are this server's invitations.
func TestAdminInvites(t *testing.T) {
	t.Parallel()
	s, h, alice := newSiteWithWard(t)
	ask := func(method, path, body string) answer {
		return s.admin(h, alice, method, "v1/registration_tokens"+path, body)
	}
	good := func(token string, want bool) {
		t.Helper()
		if is, err := s.db.RegistrationTokenValid(t.Context(), token, s.clock.Now()); err != nil || is != want {
			t.Errorf("%s is good: %v, %v", token, is, err)
		}
	}
	a := s.ok(ask("POST", "/new", `{"length":20}`))
	random := a.Text("token")
	if len(random) != 20 || a.JSON["uses_allowed"] != nil || a.JSON["expiry_time"] != nil || a.JSON["pending"] != 0. {
		t.Errorf("%s", a.Raw)
	}
	good(random, true)
	end := s.clock.Now().Add(time.Hour).UnixMilli()
	a = s.ok(ask("POST", "/new", fmt.Sprintf(`{"token":"day","uses_allowed":1,"expiry_time":%d}`, end)))
	if a.JSON["uses_allowed"] != 1. || a.JSON["expiry_time"] != float64(end) {
		t.Errorf("%s", a.Raw)
	}
	s.want(ask("POST", "/new", `{"token":"day"}`), 400, "M_INVALID_PARAM")
	for _, body := range []string{`{"token":""}`, `{"token":"a b"}`, `{"token":7}`,
		`{"token":"` + strings.Repeat("x", 65) + `"}`, `{"length":0}`, `{"length":65}`, `{"length":1.5}`,
		`{"uses_allowed":-1}`, `{"uses_allowed":true}`, `{"expiry_time":1}`, `{"expiry_time":"x"}`} {
		s.want(ask("POST", "/new", body), 400, "M_INVALID_PARAM")
	}
	s.ok(ask("PUT", "/day", `{"uses_allowed":0}`))
	good("day", false) // none, and not any number
	if a = s.ok(ask("GET", "/day", "")); a.JSON["uses_allowed"] != 0. || a.JSON["expiry_time"] != float64(end) {
		t.Errorf("%s", a.Raw)
	}
	count := func(query string) int { return len(s.ok(ask("GET", query, "")).JSON["registration_tokens"].([]any)) }
	if all, usable, not := count(""), count("?valid=true"), count("?valid=false"); all != 2 || usable != 1 || not != 1 {
		t.Errorf("%d, of which %d are good and %d not", all, usable, not)
	}
	s.ok(ask("PUT", "/day", `{"uses_allowed":null,"expiry_time":null}`))
	good("day", true)
	s.ok(ask("PUT", "/day", `{}`))
	s.ok(ask("DELETE", "/day", ""))
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		s.want(ask(method, "/day", `{}`), 404, "M_NOT_FOUND")
	}
	s.ok(ask("POST", "/new", `{"token":"day"}`))
	s.must(s.db.RevokeRegistrationToken(t.Context(), "day", s.clock.Now()))
	s.want(ask("PUT", "/day", `{"uses_allowed":7}`), 404, "M_NOT_FOUND") // no tool gives back what was revoked
	s.want(ask("DELETE", "/d%00y", ``), 404, "M_NOT_FOUND")
	good("day", false)
}
