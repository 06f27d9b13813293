package oauth

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"postern/handlers"
	"postern/oauth/protocol"
)

// FuzzAuthorize sends any request to the page: it is never the server's fault, and a browser is sent nowhere but to the
// redirect URI that the client has registered.
func FuzzAuthorize(f *testing.F) {
	s := newSite(f)
	client := s.register(webClient)
	good := request(client, "prompt", "create consent", "login_hint", "mxid:@alice:example.org")
	f.Add(good.Encode(), "")
	f.Add(good.Encode(), "do=cancel&form=x")
	f.Add(strings.ReplaceAll(good.Encode(), "app.example.com", "evil.example.org"), "user=alice&password=x")
	for field := range good {
		odd := request(client, field, "\x00\xff<&\"'")
		f.Add(odd.Encode(), "")
	}
	f.Fuzz(func(t *testing.T, query, form string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", handlers.AuthorizePath, strings.NewReader(form))
		if r.URL.RawQuery = query; form != "" {
			r.Method = "POST"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Cookie", "postern-form=x")
		}
		w := httptest.NewRecorder()
		s.server.Handler().ServeHTTP(w, r)
		to := w.Header().Get("Location")
		if w.Code >= 500 || to != "" && !strings.HasPrefix(to, callback+"?") && !strings.HasPrefix(to, callback+"#") {
			t.Errorf("%q %q: %d to %q", query, form, w.Code, to)
		}
		if u, err := url.Parse(to); err != nil || u.Query().Has("code") {
			t.Errorf("%q %q: a code without a password: %q", query, form, to)
		}
	})
}

// FuzzForms sends any form to the endpoints of clients.
func FuzzForms(f *testing.F) {
	s := newSite(f)
	client := s.register(webClient)
	pair := s.ok(s.redeem(client, s.code(client)))
	f.Add(redemption(client, "AAAA").Encode())
	f.Add("grant_type=refresh_token&client_id=" + client + "&refresh_token=" + pair.text("access_token"))
	f.Add("token=" + pair.text("refresh_token")[:40])
	tv := s.register(tvClient)
	asked := s.ok(s.ask(tv))
	f.Add("grant_type=" + protocol.GrantDevice + "&client_id=" + tv + "&device_code=" + asked.text("device_code"))
	f.Add("client_id=" + tv + "&scope=" + url.QueryEscape(tvScope))
	f.Add("%zz=1&grant_type=%00&token=%ff")
	f.Fuzz(func(t *testing.T, form string) {
		for _, path := range []string{handlers.TokenPath, handlers.RevokePath, DeviceAuthorizationPath} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			if s.server.Handler().ServeHTTP(w, r); w.Code >= 500 || strings.Contains(w.Body.String(), "errcode") {
				t.Errorf("%s %q: %d %s", path, form, w.Code, w.Body)
			}
		}
	})
}
