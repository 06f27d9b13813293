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
		{"https:/app.example.com/", ""},
		{"https:\\\\app.example.com\\", ""},
		{"https://evil.org/https://app.example.com/", ""},
		{"https://evil.org?https://app.example.com/", ""},
		{"https://app.example.com%2f@evil.org/", ""},
		{"https://app.example.com%00.evil.org/", ""},
		{"https://app.example.com\t.evil.org/", ""},
		{"https://app.example.com\r\nX: y/", ""},
		{"https://app..example.com/", ""},
		{"https://.app.example.com/", ""},
		{"https://sub..app.example.com/", ""},
		{"https://xn--pp-eka.example.com/", ""},
		{"https://app.example.com。evil.org/", ""},
		{"https://app.example.com:443@evil.org/", ""},
		{"https://app.example.com:65536/", ""},
		{"https://app.example.com:-1/", ""},
		{"https://app.example.com:/", both},
		{"https://app.example.com/../%2e%2e/%2F..//cb", both}, // its own host's, byte by byte
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
		{"http://2130706433/", ""},
		{"http://0x7f.0.0.1/", ""},
		{"http://0177.0.0.1/", ""},
		{"http://127.0.0.1./", ""},
		{"http://0.0.0.0/", ""},
		{"http://LOCALHOST/", ""},
		{"http://app.localhost/", ""},
		{"http://localhost@evil.org/", ""},
		{"http://localhost#@evil.org/", ""},
		{"http://localhost\\@evil.org/", ""},
		{"http://[::1]@evil.org/", ""},
		{"http://[::1%25eth0]/", ""},
		{"http://[::]/", ""},
		{"http://[::ffff:127.0.0.1]/", ""},
		{"com.example.app://cb", ""},
		{"com.example.app:///cb", ""},
		{"com.example.app:/\\evil.org", ""},
		{"com.example.app:/cb#x", ""},
		{"com.example.app-evil:/cb", ""},
		{"COM.EXAMPLE.APP:/cb", native},
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

// TestRedirectSites: a host below the client's is its owner's, unless everybody may have one there.
func TestRedirectSites(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		client, redirect string
		good             bool
	}{
		{"https://example.co.uk", "https://app.example.co.uk/", true},
		{"https://me.github.io", "https://me.github.io/cb", true},
		{"https://me.github.io", "https://app.me.github.io/cb", true},
		{"https://me.github.io", "https://you.github.io/cb", false},
		{"https://me.github.io", "https://github.io/cb", false},
		{"https://amazonaws.com", "https://www.amazonaws.com/cb", true},
		{"https://amazonaws.com", "https://evil.s3.amazonaws.com/cb", false},
		{"https://xn--bcher-kva.example", "https://app.xn--bcher-kva.example/", true},
		{"https://192.0.2.1", "https://192.0.2.1:8443/", true},
		{"https://192.0.2.1", "https://1.192.0.2.1/", false},
		{"https://2.1", "https://192.0.2.1/", false},
	} {
		_, err := Register(Client{URI: tt.client, RedirectURIs: []string{tt.redirect}}, Rules{})
		if tt.good != (err == nil) {
			t.Errorf("%s for %s: %v", tt.redirect, tt.client, err)
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
		{web, "https://example.com/./cb", false},
		{web, "https://example.com//cb", false},
		{web, "https://example.com/cb/../cb", false},
		{web, "https://example.com/x/%2e%2e/cb", false},
		{web, "https://example.com%2fcb", false},
		{web, "https://example.com\\cb", false},
		{web, "https://example.com/cb#", false},
		{web, "https://example.com/cb%23", false},
		{web, "https://example.com/cb%00", false},
		{web, "https://example.com/cb\t", false},
		{web, "https://example.com/\tcb", false},
		{web, "ht\ntps://example.com/cb", false},
		{web, " https://example.com/cb", false},
		{web, "https://example.com./cb", false},
		{web, "https://user@example.com/cb", false},
		{web, "https://example.com@evil.org/cb", false},
		{web, "https://example.com.evil.org/cb", false},
		{web, "https://evil.org/https://example.com/cb", false},
		{web, "https://exаmple.com/cb", false}, // with a Cyrillic letter
		{web, "https://xn--exmple-4nf.com/cb", false},
		{web, "https://example.com:0443/cb", false},
		{web, "//example.com/cb", false},
		{web, "http://example.com/cb", false},
		{web, "HTTPS://example.com/cb", false},
		{native, "http://127.0.0.1:0/cb?a=1", false},
		{native, "http://127.0.0.1:65536/cb?a=1", false},
		{native, "http://127.0.0.1:1/%63b?a=1", false},
		{native, "http://127.0.0.1:1/../cb?a=1", false},
		{native, "http://127.1:1/cb?a=1", false},
		{native, "http://127.0.0.1.:1/cb?a=1", false},
		{native, "http://127.0.0.1:1\\@evil.org/cb?a=1", false},
		{native, "com.example:///cb", false},
		{native, "com.example:cb", false},
		{native, "COM.example:/cb", false},
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
