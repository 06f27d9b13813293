package protocol

import "testing"

// TestRedirectRules: what may be registered, for a client at https://app.example.com.
func TestRedirectRules(t *testing.T) {
	t.Parallel()
	const web, native, both = "web", "native", "web and native"
	for _, tt := range []struct{ uri, good string }{
		{"https://app.example.com/", both},
		{"https://app.example.com", both},
		{"https://app.example.com:8443/cb?a=b&c=d", both},
		{"https://sub.app.example.com/cb", both},
		{"HTTPS://APP.EXAMPLE.COM/", both},
		{"http://localhost/", native},
		{"http://localhost", native},
		{"http://127.0.0.1/cb?x", native},
		{"http://[::1]/cb", native},
		{"com.example.app:/cb", native},
		{"com.example.app:cb", native},
		{"com.example.app.desktop:/vector/webapp/?no_universal_links=true", native},

		{"", ""},
		{"/cb", ""},
		{"//app.example.com/", ""},
		{"http://app.example.com/", ""},
		{"https://example.com/", ""},
		{"https://evilapp.example.com/", ""},
		{"https://app.example.com.evil.org/", ""},
		{"https://app.example.com@evil.org/", ""},
		{"https://evil.org\\@app.example.com/", ""},
		{"https://evil.org#app.example.com/", ""},
		{"https://app.example.com/#", ""},
		{"https://app.example.com/#x", ""},
		{"https://user@app.example.com/", ""},
		{"https://user:pw@app.example.com/", ""},
		{"https://app.example.com./", ""},
		{"https://app%2eexample.com/", ""},
		{"https://äpp.example.com/", ""},
		{"https:app.example.com/", ""},
		{"https://app.example.com:0/", ""},
		{"https://app.example.com:99999/", ""},
		{"https://a,b.app.example.com/", ""},
		{"https://%E2%80%AE.app.example.com/", ""},
		{"https:///app.example.com/", ""},
		{" https://app.example.com/", ""},
		{"https://app.example.com/\n", ""},
		{"https://app.example.com/<script>", ""},
		{"http://localhost:1234/", ""},
		{"http://localhost:/", ""},
		{"https://localhost/", ""},
		{"http://a@localhost/", ""},
		{"http://localhost.evil.org/", ""},
		{"http://127.0.0.2/", ""},
		{"http://127.1/", ""},
		{"http://[::ffff:127.0.0.1]/", ""},
		{"com.example.app://cb", ""},
		{"com.example:/cb", ""},
		{"com.example.apple:/cb", ""},
		{"app.example.com:/cb", ""},
		{"javascript:alert(1)", ""},
		{"data:text/html,x", ""},
		{"urn:ietf:wg:oauth:2.0:oob", ""},
	} {
		for _, kind := range []ApplicationType{Web, Native} {
			m := Client{URI: "https://app.example.com/", ApplicationType: kind, RedirectURIs: []string{tt.uri}}
			_, err := Register(m, Rules{})
			if good := tt.good == both || tt.good == string(kind); good != (err == nil) {
				t.Errorf("%s %q: %v", kind, tt.uri, err)
			}
		}
	}
}

// TestRedirectsExactly: of what was registered, nothing else is good, but for the port on the loopback interface.
func TestRedirectsExactly(t *testing.T) {
	t.Parallel()
	native := registered(t, `{"client_uri":"https://example.com","application_type":"native","redirect_uris":
		["http://127.0.0.1/cb?a=1","http://[::1]/","http://localhost","com.example:/cb","https://example.com/cb"]}`)
	web := registered(t, `{"client_uri":"https://example.com","redirect_uris":["https://example.com/cb"]}`)
	for _, tt := range []struct {
		c    *Client
		uri  string
		good bool
	}{
		{native, "http://127.0.0.1/cb?a=1", true},
		{native, "http://127.0.0.1:1/cb?a=1", true},
		{native, "http://127.0.0.1:65535/cb?a=1", true},
		{native, "http://[::1]:1/", true},
		{native, "http://[::1]:20001/", true},
		{native, "http://localhost:8080", true},
		{native, "com.example:/cb", true},
		{native, "https://example.com/cb", true},
		{native, "http://127.0.0.1:1/cb", false},
		{native, "http://127.0.0.1:1/cb?a=2", false},
		{native, "http://127.0.0.1:1/cb?a=1#x", false},
		{native, "http://x@127.0.0.1:1/cb?a=1", false},
		{native, "http://localhost:8080/", false},
		{native, "http://localhost:1/cb?a=1", false},
		{native, "http://[::1]:1@evil.org/", false},
		{native, "http://127.0.0.1:1.evil.org/cb?a=1", false},
		{native, "http://127.0.0.1:/cb?a=1", false},
		{native, "https://127.0.0.1:1/cb?a=1", false},
		{native, "HTTP://127.0.0.1:1/cb?a=1", false},
		{native, "com.example:/cb/", false},
		{native, "com.example:/CB", false},
		{native, "https://example.com:8443/cb", false},
		{web, "https://example.com/cb", true},
		{web, "https://example.com/cb/", false},
		{web, "https://example.com/cb?", false},
		{web, "https://EXAMPLE.com/cb", false},
		{web, "https://example.com:443/cb", false},
		{web, "https://example.com/../cb", false},
		{web, "https://example.com/%63b", false},
		{web, "https://sub.example.com/cb", false},
		{web, "http://localhost:1/cb", false},
		{web, "", false},
	} {
		if got := tt.c.Redirects(tt.uri); got != tt.good {
			t.Errorf("%q: %v", tt.uri, got)
		}
	}
}

// TestSpecRedirectURIs: the examples of the specification, for the client at https://example.com/. Client-Server API
// v1.19, "Redirect URI validation".
func TestSpecRedirectURIs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind ApplicationType
		uri  string
		good bool
	}{
		{Web, "https://example.com/callback", true},
		{Web, "https://app.example.com/callback", true},
		{Web, "https://example.com:5173/?query=value", true},
		{Web, "https://example.com/callback#fragment", false},
		{Web, "http://example.com/callback", false},
		{Web, "http://localhost/", false},
		{Native, "com.example.app:/callback", true},
		{Native, "com.example:/", true},
		{Native, "com.example:callback", true},
		{Native, "http://localhost/callback", true},
		{Native, "http://127.0.0.1/callback", true},
		{Native, "http://[::1]/callback", true},
		{Native, "https://example.com/callback", true}, // a claimed one
		{Native, "example:/callback", false},
		{Native, "com.example.app://callback", false},
		{Native, "https://localhost/callback", false},
		{Native, "http://localhost:1234/callback", false},
	} {
		c, err := Register(Client{URI: "https://example.com/", ApplicationType: tt.kind,
			RedirectURIs: []string{tt.uri}}, Rules{})
		if tt.good != (err == nil) || tt.good && !c.Redirects(tt.uri) {
			t.Errorf("%s %s: %v", tt.kind, tt.uri, err)
		}
	}
}
