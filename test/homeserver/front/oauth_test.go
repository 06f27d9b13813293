package front

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOAuth: a client of today signs in by the pages, before a real Synapse, and everything else goes to that with the
// token that it got.
func TestOAuth(t *testing.T) {
	t.Parallel()
	const public = "http://127.0.0.1:8448" // what the metadata say; the test goes to the real address
	s := newPair(t, "--oauth", "on", "--public-url", public)
	metadata := s.read(t, "GET", "/_matrix/client/v1/auth_metadata", nil)
	if metadata["issuer"] != public+"/" || metadata["token_endpoint"] != public+"/oauth2/token" {
		t.Fatalf("the metadata are %v", metadata)
	}
	// By the versions that Synapse says a client takes the unstable path.
	for _, path := range []string{"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
		"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		if diff := cmp.Diff(metadata, s.read(t, "GET", path, nil)); diff != "" {
			t.Errorf("%s (-/v1/auth_metadata, +it):\n%s", path, diff)
		}
	}
	if says := s.read(t, "GET", "/_matrix/client/versions", nil)["unstable_features"]; says == nil {
		t.Error("the versions are not Synapse's")
	}
	for _, path := range []string{"/account", "/oauth2/device", "/oauth2/authorize"} {
		page := s.fetch(t, "GET", path, "", "", "")
		if h := page.Header; h.Get("Content-Security-Policy") == "" || h.Get("Server") != "" ||
			h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s is not Postern's page: %d %v", path, page.StatusCode, h)
		}
	}
	for _, path := range []string{tokenPath, "/oauth2/revoke", "/oauth2/registration", "/oauth2/device_authorization",
		"/_matrix/client/v1/auth_metadata", "/.well-known/openid-configuration"} {
		if h := s.fetch(t, "OPTIONS", path, "", "", "").Header; h.Get("Access-Control-Allow-Origin") != "*" ||
			h.Get("Server") != "" {
			t.Errorf("a client in a browser may not use %s: %v", path, h)
		}
	}
	code := s.code(t, s.register(t), "alice")
	s.hs.Stop(t)
	away := s.fetch(t, "POST", tokenPath, formType, code.Encode(), "")
	if text, _ := io.ReadAll(away.Body); away.StatusCode != 503 || len(text) > 0 ||
		away.Header.Get("Retry-After") == "" {
		t.Errorf("while Synapse is away the code gives %d %s %v", away.StatusCode, text, away.Header)
	}
	s.hs.Run(t)
	pair := s.read(t, "POST", tokenPath, code) // nothing was lost
	alice := &person{pair: s, access: pair["access_token"].(string), refresh: pair["refresh_token"].(string)}
	alice.ok(t, "POST", "/_matrix/client/v3/createRoom", map[string]any{"preset": "private_chat"})
	keys := alice.ok(t, "POST", "/_matrix/client/v3/keys/upload", map[string]any{})
	if keys["one_time_key_counts"] == nil {
		t.Errorf("Synapse does not know the device: %v", keys)
	}
	s.read(t, "POST", "/oauth2/revoke", url.Values{"token": {alice.refresh}})
	alice.refused(t, "GET", syncing, 401, "M_UNKNOWN_TOKEN", false)
}

const (
	redirect = "https://app.example.com/cb"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

	tokenPath = "/oauth2/token"
	formType  = "application/x-www-form-urlencoded"
)

// register registers a client and gives its id.
func (s *pair) register(t *testing.T) string {
	t.Helper()
	answer := s.fetch(t, "POST", "/oauth2/registration", "application/json",
		`{"client_uri":"https://app.example.com","redirect_uris":["`+redirect+`"]}`, "")
	return decoded(t, answer)["client_id"].(string)
}

// code signs somebody in by the page and gives the form by which the client redeems its code.
func (s *pair) code(t *testing.T, client, user string) url.Values {
	t.Helper()
	page := "/oauth2/authorize?" + url.Values{"response_type": {"code"}, "client_id": {client},
		"redirect_uri":          {redirect},
		"scope":                 {"urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:org.matrix.msc2967.client:device:OAUTHPHONE"},
		"state":                 {"s"},
		"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
		"code_challenge_method": {"S256"}}.Encode()
	shown := s.fetch(t, "GET", page, "", "", "")
	html, _ := io.ReadAll(shown.Body)
	form := regexp.MustCompile(`name="form" value="([^"]+)"`).FindSubmatch(html)
	if form == nil {
		t.Fatalf("the page is %s", html)
	}
	sent := url.Values{"form": {string(form[1])}, "user": {user}, "password": {password}, "do": {"sign in"}}
	answer := s.fetch(t, "POST", page, formType, sent.Encode(), shown.Header.Get("Set-Cookie"))
	to, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("the browser is sent to %v with %d", to, answer.StatusCode)
	}
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {client},
		"code": {to.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
}

// read sends a form, or nothing, and reads the JSON of a 200.
func (s *pair) read(t *testing.T, method, path string, form url.Values) map[string]any {
	t.Helper()
	kind := ""
	if form != nil {
		kind = formType
	}
	answer := s.fetch(t, method, path, kind, form.Encode(), "")
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	return decoded(t, answer)
}

func decoded(t *testing.T, answer *http.Response) (body map[string]any) {
	t.Helper()
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body
}

// fetch makes a request as a browser or a client does, and follows no redirect.
func (s *pair) fetch(t *testing.T, method, path, kind, body, cookie string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.Server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if cookie, _, found := strings.Cut(cookie, ";"); found {
		r.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}
