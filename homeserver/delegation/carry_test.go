package delegation

import (
	"fmt"
	"strings"
	"testing"
)

// TestCarried: what Synapse did stays so at Postern, also after setup has taken the setting out.
func TestCarried(t *testing.T) {
	t.Parallel()
	const on = "enable_registration: true\n"
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"session_lifetime: 24h\n", "session-ttl 24h"},
		{"session_lifetime: 90m\n", "session-ttl 1h30m"},
		{"session_lifetime: 1500\n", "session-ttl 1.5s"},
		{"session_lifetime: 0\nrefreshable_access_token_lifetime: 2w\n", "access-ttl 336h"},
		{"nonrefreshable_access_token_lifetime: 1y\nlogin_via_existing_session: {enabled: true}\n", "access-ttl-legacy 8760h, login-tokens "},
		{"session_lifetime: forever\nrefreshable_access_token_lifetime: 99999999999999y\n", ""},
		{"password_config: {policy: {enabled: true, minimum_length: 12, require_symbol: true, require_digit: yes}}\n",
			"password-min-length 12, password-needs digit,symbol"},
		{"password_config: {policy: {enabled: true, minimum_length: 0, require_digit: false}}\n", ""},
		{"password_config: {policy: {minimum_length: 12, require_digit: true}}\n", ""},
		{on, ""},
		{on + "registration_requires_token: true\n", "registration token"},
		{on + "enable_registration_without_verification: true\n", "registration open"},
		{on + "enable_registration_without_verification: true\nexperimental_features:\n  msc3866:\n    enabled: true\n" +
			"    require_approval_for_new_accounts: true\n", "registration approval"},
		{on + "enable_registration_without_verification: true\nexperimental_features:\n  msc3866: {enabled: true}\n",
			"registration open"},
		{on + "enable_registration_without_verification: true\nregistrations_require_3pid: [email]\n", ""},
		{on + "disable_registration: true\nenable_registration_without_verification: true\n", ""},
		{"registration_requires_token: true\n", ""},
		{"# taken out by postern:session_lifetime: 1h\na: 1\n# taken out by postern:" + on + "registration_requires_token: true\n", "session-ttl 1h, registration token"},
	} {
		flags, err := read(t, "server_name: a.org\n"+test.text).Carried()
		var got []string
		for _, f := range flags {
			got = append(got, fmt.Sprintf("%s %s", f.Name, f.Value))
		}
		if strings.Join(got, ", ") != test.want || err != nil {
			t.Errorf("%q: %q %v", test.text, got, err)
		}
	}
}
