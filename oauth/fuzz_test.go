package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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

// FuzzPages opens the other pages in a signed-in browser, and sends any form there that has the browser's proof: it is
// never the server's fault, and leads to the page itself or to the address at which a client said that it waits.
func FuzzPages(f *testing.F) {
	s := newSite(f)
	b := s.browser()
	b.signIn(handlers.AccountPath)
	at, err := url.Parse(s.URL)
	s.must(err)
	proof := ""
	for _, cookie := range b.client.Jar.Cookies(at) {
		if cookie.Name == formCookie {
			proof = cookie.Value
		}
	}
	f.Add(handlers.SSOPath, "redirectUrl=https://old.example.com/a?b#c", "do=allow&account=alice")
	f.Add(handlers.SSOPath, "redirectUrl=https://old.example.com\\@evil.example&prompt=create", "do=cancel")
	f.Add(handlers.SSOPath, "redirectUrl=element://connect", "do=allow&account=alice&account=bob")
	f.Add(handlers.DevicePath, "code=BCDF-GHJK", "do=continue&code=bcdfghjk")
	f.Add(handlers.AccountPath, "action=org.matrix.device_delete&device_id=%00", "do=end&password=x")
	f.Add(handlers.AccountPath, "//evil.example", "do=sign+in&user=alice&password=x")
	f.Fuzz(func(t *testing.T, path, query, form string) {
		if !slices.Contains(handlers.PagePaths, path) || strings.Contains(form, "sign+out") ||
			strings.Contains(form, "deactivate") || len(form) > 4096 {
			return
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("form="+proof+"&"+form))
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, cookie := range b.client.Jar.Cookies(at) {
				r.AddCookie(cookie)
			}
			w := httptest.NewRecorder()
			s.server.Handler().ServeHTTP(w, r)
			to := w.Header().Get("Location")
			if w.Code >= 500 || to != "" && !strings.HasPrefix(to, path) && !waitsAt(r, to) {
				t.Errorf("%s %s %q %q: %d to %q", method, path, query, form, w.Code, to)
			}
		}
	})
}

// waitsAt reports whether an address is the one at which a client of a login by SSO waits: read by net/url, and without
// anything that a browser would read in another way.
func waitsAt(r *http.Request, to string) bool {
	asked, err := url.Parse(r.URL.Query().Get("redirectUrl"))
	leads, wrong := url.Parse(to)
	return err == nil && wrong == nil && leads.Scheme == asked.Scheme && leads.Host == asked.Host &&
		leads.User == nil && leads.Opaque == asked.Opaque && !strings.ContainsAny(to, "\\\t\r\n") &&
		!slices.Contains(forbiddenSchemes, leads.Scheme) && r.URL.Path == handlers.SSOPath
}

// FuzzForms sends any form to the endpoints of clients.
func FuzzForms(f *testing.F) {
	s := newSite(f)
	client := s.register(webClient)
	pair := s.ok(s.redeem(client, s.code(client)))
	f.Add(redemption(client, "AAAA").Encode())
	f.Add("grant_type=refresh_token&client_id=" + client + "&refresh_token=" + pair.text("access_token"))
	f.Add("token=" + pair.text("refresh_token")[:40])
	f.Add("token=x&token_type_hint=refresh_token&client_id=" + client)
	device := s.register(tvClient)
	f.Add(url.Values{"client_id": {device}, "scope": {tvScope}}.Encode())
	f.Add(url.Values{"client_id": {device}, "grant_type": {protocol.GrantDevice},
		"device_code": {s.ok(s.ask(device)).text("device_code")}}.Encode())
	f.Add("token=x&token=y&client_secret=z")
	tv := s.register(tvClient)
	asked := s.ok(s.ask(tv))
	f.Add("grant_type=" + protocol.GrantDevice + "&client_id=" + tv + "&device_code=" + asked.text("device_code"))
	f.Add("client_id=" + tv + "&scope=" + url.QueryEscape(tvScope))
	f.Add("%zz=1&grant_type=%00&token=%ff")
	f.Fuzz(func(t *testing.T, form string) {
		for _, path := range []string{handlers.TokenPath, handlers.RevokePath, DeviceAuthorizationPath} {
			w := s.raw(t, path, "application/x-www-form-urlencoded", form)
			if w.Code == http.StatusOK && path != handlers.TokenPath {
				continue
			}
			inItsWords(t, form, w, "invalid_request", "invalid_grant", "unsupported_grant_type", "invalid_client",
				"unauthorized_client", "invalid_scope", "authorization_pending", "slow_down", "expired_token")
		}
	})
}

// FuzzRegistration sends any metadata to the registration: what is accepted is a client that can be found and that is
// the same one when its registration is sent back, and what is refused is told in OAuth's words.
func FuzzRegistration(f *testing.F) {
	s := newSite(f)
	api := s.server.OAuth.(*API)
	f.Add(webClient)
	f.Add(strings.ReplaceAll(webClient, "App", `\u202eApp\u0000<script>`))
	f.Add(strings.Replace(webClient, `"client_uri"`, `"client_uri":"https://evil.org","client_uri"`, 1))
	f.Add(`{"client_uri":"https://app.example.com","application_type":"native","grant_types":["authorization_code",
		"urn:ietf:params:oauth:grant-type:device_code"],"redirect_uris":["http://127.0.0.1/","com.example.app:/"],
		"client_name#de":"x","contacts":[1],"jwks":{},"token_endpoint_auth_method":"client_secret_basic"}`)
	f.Add(`{"redirect_uris":"x","grant_types":null,"client_uri":1e999}`)
	f.Add("[]")
	f.Add("{\xff}")
	f.Fuzz(func(t *testing.T, body string) {
		w := s.raw(t, handlers.RegistrationPath, "application/json", body)
		if w.Code != http.StatusCreated {
			inItsWords(t, body, w, "invalid_request", "invalid_client_metadata", "invalid_redirect_uri")
			return
		}
		var told struct {
			ID string `json:"client_id"`
		}
		again := s.raw(t, handlers.RegistrationPath, "application/json", w.Body.String())
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || again.Body.String() != w.Body.String() {
			t.Errorf("%q: %v: %s is another client: %s", body, err, w.Body, again.Body)
		}
		if client, err := api.client(t.Context(), told.ID); err != nil || client == nil || client.ID() != told.ID {
			t.Errorf("%q: the client is %+v, %v", body, client, err)
		}
	})
}

func (s *site) raw(t *testing.T, path, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	s.server.Handler().ServeHTTP(w, r)
	return w
}

// inItsWords wants a refusal as RFC 6749, section 5.2, and RFC 7591, section 3.2.2, have it: one of these codes, a
// description in their alphabet, and nothing else that a client could take for more.
func inItsWords(t *testing.T, sent string, w *httptest.ResponseRecorder, codes ...string) {
	t.Helper()
	var said map[string]string
	err := json.Unmarshal(w.Body.Bytes(), &said)
	code, description := said["error"], said["error_description"]
	delete(said, "error")
	delete(said, "error_description")
	odd := strings.ContainsFunc(description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
	if err != nil || w.Code != 400 && w.Code != 413 || !slices.Contains(codes, code) || len(said) > 0 || odd {
		t.Errorf("%q: %d %s", sent, w.Code, w.Body)
	}
}
