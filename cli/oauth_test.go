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
