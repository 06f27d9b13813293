package handlers

import (
	"crypto/rand"
	"strings"
	"testing"
)

// TestPasswordPolicy: a new password needs each kind that is asked for, wherever it is set, the refusal says which is
// missing, and clients can ask beforehand. An old password that has them not logs in.
func TestPasswordPolicy(t *testing.T) {
	t.Parallel()
	const policyPath = "/_matrix/client/v3/password_policy"
	s := newSite(t, func(c *Config) {
		c.PasswordNeeds = PasswordNeeds{Digit: true, Symbol: true, Uppercase: true, Lowercase: true}
		c.MinPassword = 10
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
