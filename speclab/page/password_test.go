package page_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"postern/speclab/page"
)

// TestPassword: the development account's password is for a browser on this machine that calls it by its own name.
func TestPassword(t *testing.T) {
	t.Parallel()
	const secret, none = `{"password":"example"}`, `{}`
	for _, test := range []struct {
		what, password, client, host, name, value, public, version, want string
	}{
		{what: "127.0.0.1", client: "127.0.0.1:5", host: "127.0.0.1:8008", want: secret},
		{what: "::1", client: "[::1]:5", host: "[::1]:8008", want: secret},
		{what: "localhost", client: "127.0.0.1:5", host: "localhost:8008", want: secret},
		{what: "port 80", client: "[::1]:5", host: "[::1]", want: secret},
		{what: "the page's script", client: "127.0.0.1:5", host: "localhost", name: "Sec-Fetch-Site",
			value: "same-origin", want: secret},
		{what: "no --dev", password: "-", client: "127.0.0.1:5", host: "localhost", want: none},
		{what: "another machine", client: "192.0.2.7:5", host: "localhost:8008", want: none},
		{what: "another machine by its address", client: "192.0.2.7:5", host: "192.0.2.1:8008", want: none},
		{what: "a name that was pointed here", client: "127.0.0.1:5", host: "evil.example:8008", want: none},
		{what: "a name below localhost", client: "127.0.0.1:5", host: "localhost.example", want: none},
		{what: "another site", client: "127.0.0.1:5", host: "localhost", name: "Sec-Fetch-Site",
			value: "cross-site", want: none},
		{what: "another port", client: "127.0.0.1:5", host: "localhost", name: "Origin",
			value: "http://localhost:1", want: none},
		{what: "a reverse proxy", client: "127.0.0.1:5", host: "localhost", name: "X-Forwarded-For",
			value: "192.0.2.7", want: none},
		{what: "another one", client: "127.0.0.1:5", host: "localhost", name: "Via", value: "1.1 proxy", want: none},
		{what: "one that tells little", client: "127.0.0.1:5", host: "localhost", name: "X-Forwarded-Proto",
			value: "https", want: none},
		{what: "one of a tunnel", client: "127.0.0.1:5", host: "localhost", name: "Cf-Connecting-Ip",
			value: "192.0.2.7", want: none},
		{what: "one that tells nothing", client: "127.0.0.1:5", host: "127.0.0.1:8008", version: "HTTP/1.0",
			want: none},
		{what: "one that tells nothing at all", client: "127.0.0.1:5", host: "127.0.0.1:8008",
			public: "https://matrix.example.org", want: none},
		{what: "a public URL that is none", client: "127.0.0.1:5", host: "127.0.0.1:8008",
			public: "http://localhost:8008", want: secret},
		{what: "a socket", client: "@", host: "localhost", want: none},
	} {
		config := page.Config{Password: "example", PublicURL: test.public}
		if test.password != "" {
			config.Password = ""
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/_postern/spec/password", nil)
		r.RemoteAddr, r.Host = test.client, test.host
		if test.version != "" {
			r.Proto, r.ProtoMinor = test.version, 0
		}
		if test.name != "" {
			r.Header.Set(test.name, test.value)
		}
		w := httptest.NewRecorder()
		page.Handler(config).ServeHTTP(w, r)
		if w.Body.String() != test.want || w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s, want %s", test.what, w.Code, w.Body, test.want)
		}
	}
}
