package cli

import (
	"strings"
	"testing"
)

// TestOAuthFlags: what would make clients trust an address that others can read is refused, with the way out.
func TestOAuthFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ oauth, public, says string }{
		{"off", "", ""},
		{"on", "https://example.org", ""},
		{"on", "http://127.0.0.1:8008", ""},
		{"on", "http://localhost:8008", ""},
		{"on", "http://[::1]:8008", ""},
		{"yes", "https://example.org", "neither on nor off"},
		{"on", "", "needs --public-url"},
		{"on", "http://example.org", "needs an https address"},
		{"on", "https://example.org/", ""},
		{"on", "https://example.org/matrix", "without a path"},
		{"on", "https://example.org?x", "without a path"},
		{"on", "HTTPS://example.org", "without a path"},
		{"on", "https://EXAMPLE.org", "without a path"},
		{"on", "https://a@example.org", "without a path"},
		{"on", "http://localhost.example.org", "needs an https address"},
	} {
		err := oauthProblem(tt.oauth, tt.public)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// TestAdmissionFlags: which clients are admitted is said in full, or not at all.
func TestAdmissionFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		clients string
		hosts   []string
		says    string
	}{
		{"open", nil, ""},
		{"static", nil, ""},
		{"known", []string{"element.io", "Chat.example.org", "localhost", "xn--bcher-kva.example"}, ""},
		{"known", nil, "needs a host"},
		{"closed", nil, "none of open, known, static"},
		{"open", []string{"element.io"}, "is for --oauth-clients known"},
		{"static", []string{"element.io"}, "is for --oauth-clients known"},
		{"known", []string{"https://element.io"}, "is not a host"},
		{"known", []string{"element.io/"}, "is not a host"},
		{"known", []string{"element.io:443"}, "is not a host"},
		{"known", []string{"*.element.io"}, "is not a host"},
		{"known", []string{".element.io"}, "is not a host"},
		{"known", []string{"element.io."}, "is not a host"},
		{"known", []string{"bücher.example"}, "is not a host"},
		{"known", []string{""}, "is not a host"},
		{"known", []string{"a@element.io"}, "is not a host"},
	} {
		var problems flagErrors
		f := serveFlags{OAuthClients: tt.clients, OAuthKnownHost: tt.hosts}
		rules := f.oauthRules(&problems)
		if (len(problems) == 0) != (tt.says == "") ||
			len(problems) > 0 && !strings.Contains(problems[0].Error(), tt.says) {
			t.Errorf("%+v: %v", tt, problems)
		}
		if string(rules.Admission) != tt.clients || len(rules.Hosts) != len(tt.hosts) {
			t.Errorf("%+v: %+v", tt, rules)
		}
	}
}
