package oauth

import (
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/handlers"
)

// These tests are the Client-Server API's own examples and tables, v1.19, "OAuth 2.0 API"; the others are about what
// follows from them.

// TestSpecMetadata: "Server metadata discovery": what is required is there, with the values that it must have.
func TestSpecMetadata(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.PublicURL = "https://matrix.example.org" })
	m := s.ok(s.get("/_matrix/client/v1/auth_metadata", "")).json
	for _, field := range []string{"issuer", "authorization_endpoint", "token_endpoint", "revocation_endpoint",
		"registration_endpoint", "device_authorization_endpoint", "account_management_uri"} {
		u, err := url.Parse(m[field].(string))
		if err != nil || u.Scheme != "https" || u.Host != "matrix.example.org" || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%s is %v", field, m[field])
		}
	}
	for field, values := range map[string][]string{
		"response_types_supported": {"code"},
		"grant_types_supported": {"authorization_code", "refresh_token",
			"urn:ietf:params:oauth:grant-type:device_code"},
		"response_modes_supported":         {"query", "fragment"},
		"code_challenge_methods_supported": {"S256"},
		"prompt_values_supported":          {"create"},
		"account_management_actions_supported": {"org.matrix.profile", "org.matrix.devices_list",
			"org.matrix.device_view", "org.matrix.device_delete", "org.matrix.account_deactivate"},
	} {
		for _, value := range values {
			if list, _ := m[field].([]any); !slices.Contains(list, any(value)) {
				t.Errorf("%s is not in %s: %v", value, field, m[field])
			}
		}
	}
}

// TestSpecRegistration: the example of "Dynamic client registration flow".
func TestSpecRegistration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.want(s.post(handlers.RegistrationPath, "application/json", `{"client_name": "My App",
		"client_name#fr": "Mon application", "client_uri": "https://example.com/",
		"logo_uri": "https://example.com/logo.png", "tos_uri": "https://example.com/tos.html",
		"tos_uri#fr": "https://example.com/fr/tos.html", "policy_uri": "https://example.com/policy.html",
		"policy_uri#fr": "https://example.com/fr/policy.html", "redirect_uris": ["https://app.example.com/callback"],
		"token_endpoint_auth_method": "none", "response_types": ["code"], "grant_types": ["authorization_code",
		"refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"], "application_type": "web"}`), 201, "")
	var want map[string]any
	s.must(json.Unmarshal([]byte(`{"client_name": "My App", "client_uri": "https://example.com/",
		"logo_uri": "https://example.com/logo.png", "tos_uri": "https://example.com/tos.html",
		"policy_uri": "https://example.com/policy.html", "redirect_uris": ["https://app.example.com/callback"],
		"token_endpoint_auth_method": "none", "response_types": ["code"],
		"grant_types": ["authorization_code", "refresh_token"], "application_type": "web"}`), &want))
	want["client_id"] = a.text("client_id")
	if diff := cmp.Diff(want, a.json); diff != "" || a.text("client_id") == "" {
		t.Error(diff)
	}
}

// TestSpecLoginFlow: the example of "Login flow", with the answer in the fragment, and "Token refresh flow" after it.
func TestSpecLoginFlow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	q := request(client, "response_mode", "fragment", "state", "ewubooN9weezeewah9fol4oothohroh3", "scope",
		"urn:matrix:client:api:* urn:matrix:client:device:AAABBBCCCDDD")
	to := s.browser().signIn(authorizePath(q)).header.Get("Location")
	answer, err := url.ParseQuery(strings.TrimPrefix(to, callback+"#"))
	if err != nil || !strings.HasPrefix(to, callback+"#") || answer.Get("state") != q.Get("state") {
		t.Fatalf("the client gets %q", to)
	}
	pair := s.ok(s.redeem(client, answer.Get("code")))
	next := s.ok(s.refresh(client, pair.text("refresh_token")))
	for _, a := range []struct{ json map[string]any }{{pair.json}, {next.json}} {
		if a.json["token_type"] != "Bearer" || a.json["expires_in"] != float64(300) ||
			a.json["scope"] != q.Get("scope") || len(a.json) != 5 {
			t.Errorf("the pair is %v", a.json)
		}
	}
	if next.text("refresh_token") == pair.text("refresh_token") ||
		next.text("access_token") == pair.text("access_token") {
		t.Error("a refresh changes nothing")
	}
	inQuery := url.Values{"access_token": {next.text("access_token")}}.Encode()
	who := s.ok(s.get("/_matrix/client/v3/account/whoami?"+inQuery, ""))
	if who.text("user_id") != "@alice:example.org" || who.text("device_id") != "AAABBBCCCDDD" {
		t.Errorf("it is %s", who.body)
	}
}

// TestSpecRevocation: the table of "Token revocation": either token, whatever the hint and the client say, ends both,
// and again is no error.
func TestSpecRevocation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	for _, token := range []string{"access_token", "refresh_token"} {
		for _, hint := range []string{"", "access_token", "refresh_token", "unheard_of"} {
			for _, by := range []string{client, "", "another"} {
				pair := s.ok(s.redeem(client, s.codeFor(client, "ABCDEFGHIJ")))
				form := url.Values{"token": {pair.text(token)}}
				for field, value := range map[string]string{"token_type_hint": hint, "client_id": by} {
					if value != "" {
						form.Set(field, value)
					}
				}
				s.ok(s.form(handlers.RevokePath, form))
				s.want(s.whoami(pair.text("access_token")), 401, "M_UNKNOWN_TOKEN")
				s.want(s.refresh(client, pair.text("refresh_token")), 400, "invalid_grant")
				s.ok(s.form(handlers.RevokePath, form))
			}
		}
	}
}

// TestSpecAccountActions: every action that the metadata name leads to a page about it, and one that is not known leads
// to the account. "Account management URL actions".
func TestSpecAccountActions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	s.ok(s.redeem(client, s.codeFor(client, "ABCDEFGHIJ")))
	metadata := s.ok(s.get("/_matrix/client/v1/auth_metadata", "")).json
	page := strings.TrimPrefix(metadata["account_management_uri"].(string), s.URL)
	b := s.browser()
	s.says(b.at(page+"?action=org.matrix.device_view&device_id=ABCDEFGHIJ"), 200, "Sign in")
	b.signIn(page)
	for _, action := range metadata["account_management_actions_supported"].([]any) {
		shown := s.says(b.at(page+"?device_id=ABCDEFGHIJ&action="+action.(string)), 200, "@alice:example.org")
		switch what := strings.TrimPrefix(action.(string), "org.matrix."); what {
		case "device_view", "device_delete", "session_view", "session_end":
			s.says(shown, 200, "ABCDEFGHIJ", `value="end"`)
			s.says(b.at(page+"?action="+action.(string)), 404, "no such device")
		case "account_deactivate":
			s.says(shown, 200, `value="deactivate"`)
		default:
			s.says(shown, 200, "Devices", "device_id=ABCDEFGHIJ")
		}
	}
	s.says(b.at(page+"?action=com.example.unheard_of"), 200, "Devices")
	s.says(b.at(page), 200, "Devices")
}

// TestSpecDiscoveryIsFree: no limit is declared for the metadata, and clients read them before each refresh.
func TestSpecDiscoveryIsFree(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = rate(t, "2/1h") })
	for range 100 {
		s.ok(s.get("/_matrix/client/v1/auth_metadata", ""))
		s.ok(s.get("/.well-known/openid-configuration", ""))
	}
}

// TestSpecTerms: "Client metadata": the client's terms and policy are shown wherever a person decides on it.
func TestSpecTerms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const terms, policy = "https://app.example.com/terms?a=1&b=2", "https://app.example.com/privacy"
	client := s.register(strings.Replace(webClient, `"client_name"`,
		`"tos_uri":"`+terms+`","policy_uri":"`+policy+`","client_name"`, 1))
	b, page := s.browser(), authorizePath(request(client))
	pages := map[string]answer{"sign in": b.at(page), "create": b.at(page + "&prompt=create")}
	b.signIn(page)
	pages["consent"] = b.at(page)
	for name, a := range pages {
		for _, link := range []string{terms, policy} {
			if !strings.Contains(a.body, `<a href="`+html.EscapeString(link)+`" rel="noopener noreferrer">`) {
				t.Errorf("%s does not lead to %s: %s", name, link, a.body)
			}
		}
	}
}
