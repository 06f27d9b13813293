package handlers

import (
	"crypto/rand"
	"strings"
	"testing"

	"postern/db"
)

// TestPasswordPolicy: a new password needs each kind that is asked for, wherever it is set, the refusal says which is
// missing, and clients can ask beforehand. An old password that has them not logs in.
func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	const policyPath = "/_matrix/client/v3/password_policy"
	s := newSite(t, func(c *Config) {
		c.Passwords.Needs = PasswordNeeds{Digit: true, Symbol: true, Uppercase: true, Lowercase: true}
		c.Passwords.Length = 10
	})
	const all = `{"m.minimum_length":10,"m.require_digit":true,"m.require_lowercase":true,"m.require_symbol":true,` +
		`"m.require_uppercase":true}`
	for _, path := range []string{policyPath, strings.Replace(policyPath, "v3", "r0", 1)} {
		if a := s.ok(s.do(call{Method: "GET", Path: path, Token: "stale"})); strings.TrimSpace(a.Raw) != all {
			t.Errorf("%s: %s", path, a.Raw)
		}
	}
	if a := s.ok(newSite(t).do(samples["getPasswordPolicy"])); strings.Contains(a.Raw, "true") {
		t.Errorf("without rules: %s", a.Raw)
	}
	token := s.loggedIn().Text("access_token")
	for _, test := range [][2]string{
		{"Aa1-short", "at least 10 characters"}, {"Abcdefghi-", "a digit"}, {"Abcdefghi1", "no digit and no letter"},
		{"abcdefgh-1", "an upper-case"}, {"ABCDEFGH-1", "a lower-case"}, {"ÄÖÜäöüß-1a", "an upper-case"},
		{"Abcdefg 12", ""}, // last: the password is another one then
	} {
		password, missing := test[0], test[1]
		name := strings.ToLower(rand.Text())
		answers := []answer{s.register(`{"username":"` + name + `","password":"` + password + `",` + dummy + `}`),
			s.do(call{Method: "POST", Path: "/_matrix/client/v3/account/password", Token: token,
				Body: `{"new_password":"` + password + `","auth":` + byPassword + `}`})}
		for _, a := range answers {
			if missing == "" {
				s.ok(a)
			} else if s.want(a, 400, "M_WEAK_PASSWORD"); !strings.Contains(a.Raw, missing) {
				t.Errorf("%s: %s", password, a.Raw)
			}
		}
	}
}

// TestPasswordStrength: a new password that is easy to guess, for whoever knows the account too, or that has leaked is
// refused wherever it is set, and the refusal says what to do. One that an account has logs in.
func TestPasswordStrength(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.Passwords.Strength = 3
		c.Passwords.Leaked = func(password string) bool { return password == "a whale in leaked water" }
	})
	hash, err := HashPassword("password")
	s.must(err)
	s.must(s.db.CreateUser(t.Context(), db.User{Localpart: "old", PasswordHash: hash, Created: s.clock.Now()}))
	s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/v3/login", Body: `{"type":"m.login.password","identifier":` +
		`{"type":"m.id.user","user":"old"},"password":"password"}`}))
	token := s.loggedIn().Text("access_token")
	for _, test := range [][2]string{
		{"password1", "use a few uncommon words"}, {"ｐａｓｓｗｏｒｄ1", "easy to guess"}, {host + "1", "easy to guess"},
		{"aaaaaaaaaaaaaaaaaaaa", "easy to guess"}, {"a whale in leaked water", "in a list of leaked passwords"},
		{"ａ whale in leaked water", "in a list of leaked passwords"}, // stored as the same
		{"a whale in deep water", ""},                                // last: the password is another one then
	} {
		password, reason := test[0], test[1]
		name := strings.ToLower(rand.Text())
		answers := []answer{s.register(`{"username":"` + name + `","password":"` + password + `",` + dummy + `}`),
			s.do(call{Method: "POST", Path: "/_matrix/client/v3/account/password", Token: token,
				Body: `{"new_password":"` + password + `","auth":` + byPassword + `}`})}
		for _, a := range answers {
			if reason == "" {
				s.ok(a)
			} else if s.want(a, 400, "M_WEAK_PASSWORD"); !strings.Contains(a.Raw, reason) {
				t.Errorf("%s: %s", password, a.Raw)
			}
		}
	}
	long := strings.ToLower(rand.Text())
	own := s.register(`{"username":"` + long + `","password":"` + long + `1",` + dummy + `}`)
	s.want(own, 400, "M_WEAK_PASSWORD")
}

func TestParsePasswordNeeds(t *testing.T) {
	t.Parallel()
	if n, err := ParsePasswordNeeds([]string{"digit", " lowercase"}); err != nil ||
		n != (PasswordNeeds{Digit: true, Lowercase: true}) {
		t.Errorf("%+v %v", n, err)
	}
	if _, err := ParsePasswordNeeds([]string{"emoji"}); err == nil {
		t.Error("emoji are taken")
	}
}
