package page_test

import (
	"net/http/httptest"
	"testing"

	"postern/speclab/page"
)

// TestOnlyThisPageReadsRequests: another site's page can't, nor one whose name was pointed at this machine.
func TestOnlyThisPageReadsRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, test := range []struct {
		host   string
		header map[string]string
		status int
	}{
		{"127.0.0.1:8008", nil, 200},
		{"192.0.2.7", nil, 200},
		{"[::1]:8008", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"[::1]", nil, 200},
		{"localhost:8008", nil, 200},
		{"Lab.LocalHost", nil, 200},
		{"example.com", nil, 200},
		{"", nil, 403},
		{"www.example.com", nil, 403},
		{"evil.example", map[string]string{"Sec-Fetch-Site": "same-origin"}, 403},
		{"127.0.0.1.evil.example:8008", nil, 403},
		{"localhost.evil.example", nil, 403},
		{"127.0.0.1:8008", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"127.0.0.1:8008", map[string]string{"Origin": "http://evil.example"}, 403},
		{"127.0.0.1:8008", map[string]string{"Origin": "null"}, 403},
	} {
		r := httptest.NewRequest("GET", page.Root+"/requests.json?after=7", nil)
		r.Host = test.host
		for name, value := range test.header {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if body := w.Body.String(); w.Code != test.status || (body == `{"log":{"after":7}}`) != (test.status == 200) {
			t.Errorf("%s %v answers %d %s", test.host, test.header, w.Code, body)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: the headers are %v", test.host, w.Header())
		}
	}
}
