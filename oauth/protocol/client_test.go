package protocol

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// elementX and elementWeb are what those clients send, with what a server must ignore.
const (
	elementX = `{"redirect_uris":["io.element.android:/"],"token_endpoint_auth_method":"none",
		"grant_types":["urn:ietf:params:oauth:grant-type:device_code","refresh_token","authorization_code","implicit"],
		"response_types":["code","token"],"application_type":"native","client_uri":"https://element.io",
		"client_uri#de":"https://element.io/de",
		"client_name":" Element\u202e  X ",
		"logo_uri":"https://element.io/mobile-icon.png",
		"tos_uri":"https://element.io/acceptable-use-policy-terms","policy_uri":"https://element.io/privacy",
		"contacts":["x@example.org"],"id_token_signed_response_alg":"RS256"}`
	elementWeb = `{"client_name":"Element","client_uri":"https://app.example.org",
		"redirect_uris":["https://app.example.org/?no_universal_links=true"],"token_endpoint_auth_method":"none",
		"response_types":["code"],"grant_types":["authorization_code","refresh_token"]}`
)

func read(t testing.TB, text string) Client {
	t.Helper()
	var c Client
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func registered(t testing.TB, text string) *Client {
	t.Helper()
	c, err := Register(read(t, text), Rules{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRegister(t *testing.T) {
	t.Parallel()
	want := &Client{Name: "Element X", URI: "https://element.io", LogoURI: "https://element.io/mobile-icon.png",
		TermsURI:  "https://element.io/acceptable-use-policy-terms",
		PolicyURI: "https://element.io/privacy", ApplicationType: Native,
		RedirectURIs:  []string{"io.element.android:/"},
		GrantTypes:    []string{GrantCode, GrantRefresh, GrantDevice},
		ResponseTypes: []string{"code"}, AuthMethod: "none"}
	if diff := cmp.Diff(want, registered(t, elementX)); diff != "" {
		t.Error(diff)
	}
	if c := registered(t, elementWeb); c.ApplicationType != Web || c.Host() != "app.example.org" {
		t.Errorf("%+v", c)
	}
}

// TestClientID: equal metadata, however written down, are one client; everything that counts makes another.
func TestClientID(t *testing.T) {
	t.Parallel()
	one := registered(t, elementX)
	again := read(t, elementX)
	slices.Reverse(again.GrantTypes)
	again.RedirectURIs = append(again.RedirectURIs, again.RedirectURIs[0])
	if c, err := Register(again, Rules{}); err != nil || c.ID() != one.ID() {
		t.Errorf("another order is another client: %v", err)
	}
	text, err := json.Marshal(one)
	if err != nil {
		t.Fatal(err)
	}
	if c := registered(t, string(text)); c.ID() != one.ID() {
		t.Error("what a registration answers is another client")
	}
	if len(one.ID()) != 26 || strings.Trim(one.ID(), "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("the id is %q", one.ID())
	}
	seen := map[string]string{one.ID(): "none"}
	for name, change := range map[string]func(*Client){
		"name": func(c *Client) { c.Name = "Other" }, "uri": func(c *Client) { c.URI += "/" },
		"logo": func(c *Client) { c.LogoURI = "" }, "terms": func(c *Client) { c.TermsURI = "" },
		"policy": func(c *Client) { c.PolicyURI = "" }, "type": func(c *Client) {
			c.ApplicationType, c.RedirectURIs = Web, []string{"https://element.io/"}
		},
		"redirect": func(c *Client) { c.RedirectURIs[0] += "x" },
		"grants":   func(c *Client) { c.GrantTypes = []string{GrantCode} },
	} {
		m := read(t, elementX)
		change(&m)
		c, err := Register(m, Rules{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if other, found := seen[c.ID()]; found {
			t.Errorf("%s changes nothing: the id is that of %s", name, other)
		}
		seen[c.ID()] = name
	}
}

// TestRegisterDevice: a client of the device grant alone needs no redirect URI, and is given none.
func TestRegisterDevice(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"client_uri":"https://tv.example.org","grant_types":["urn:ietf:params:oauth:grant-type:device_code"]}`,
		`{"client_uri":"https://tv.example.org","grant_types":["urn:ietf:params:oauth:grant-type:device_code"],
			"response_types":[],"redirect_uris":["https://evil.example.com/"]}`,
	} {
		c := registered(t, text)
		if !c.May(GrantDevice) || c.May(GrantCode) || c.RedirectURIs != nil || c.ResponseTypes != nil {
			t.Errorf("%+v", c)
		}
		if again, err := Register(*c, Rules{}); err != nil || again.ID() != c.ID() {
			t.Errorf("registering again: %+v, %v", again, err)
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, code, says string }{
		{"no client_uri", `{}`, InvalidClientMetadata, "client_uri"},
		{"client_uri by http", `{"client_uri":"http://example.org"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri with a user", `{"client_uri":"https://a@example.org"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri of everybody", `{"client_uri":"https://co.uk"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri of a host's customers", `{"client_uri":"https://github.io"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri on this machine", `{"client_uri":"http://localhost:8080"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri without a host", `{"client_uri":"https:example.org"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri too long", `{"client_uri":"https://example.org/` + strings.Repeat("x", 2048) + `"}`,
			InvalidClientMetadata, "client_uri"},
		{"a secret", `{"client_uri":"https://example.org","token_endpoint_auth_method":"client_secret_post"}`,
			InvalidClientMetadata, "token_endpoint_auth_method"},
		{"an unknown type", `{"client_uri":"https://example.org","application_type":"service"}`,
			InvalidClientMetadata, "application_type"},
		{"no grant that is served", `{"client_uri":"https://example.org","grant_types":["implicit"]}`,
			InvalidClientMetadata, "grant_types"},
		{"too much", `{"client_uri":"https://example.org","redirect_uris":["https://example.org/` +
			strings.Repeat("x", 2000) + `","https://example.org/` + strings.Repeat("y", 2000) + `"]}`,
			InvalidClientMetadata, "the metadata"},
		{"client_uri of everybody, with a dot", `{"client_uri":"https://co.uk."}`, InvalidClientMetadata, "client_uri"},
		{"client_uri in letters that look alike", `{"client_uri":"https://%D0%B5lement.io"}`, InvalidClientMetadata,
			"client_uri"},
		{"client_uri with a policy of its own", `{"client_uri":"https://a;sandbox;.example.com"}`, InvalidClientMetadata,
			"client_uri"},
		{"client_uri on this machine by https", `{"client_uri":"https://localhost"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri on this machine below", `{"client_uri":"https://app.localhost"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri on this machine by number", `{"client_uri":"https://127.0.0.1"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri in an odd number", `{"client_uri":"https://127.1"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri in a hexadecimal number", `{"client_uri":"https://example.0x7f"}`, InvalidClientMetadata,
			"client_uri"},
		{"client_uri of one label", `{"client_uri":"https://intranet"}`, InvalidClientMetadata, "client_uri"},
		{"client_uri with an empty label", `{"client_uri":"https://example..org"}`, InvalidClientMetadata, "client_uri"},
		{"a policy of a neighbour's", `{"client_uri":"https://amazonaws.com",
			"policy_uri":"https://evil.s3.amazonaws.com/"}`, InvalidClientMetadata, "policy_uri"},
		{"terms with a password", `{"client_uri":"https://example.org","tos_uri":"https://a:b@example.org/"}`,
			InvalidClientMetadata, "tos_uri"},
		{"refresh alone", `{"client_uri":"https://example.org","grant_types":["refresh_token"]}`,
			InvalidClientMetadata, "grant_types"},
		{"no response type that is served", `{"client_uri":"https://example.org","response_types":["token"]}`,
			InvalidClientMetadata, "response_types"},
		{"a logo elsewhere", `{"client_uri":"https://example.org","logo_uri":"https://tracker.example.com/x.png"}`,
			InvalidClientMetadata, "logo_uri"},
		{"terms by http", `{"client_uri":"https://example.org","tos_uri":"http://example.org/"}`,
			InvalidClientMetadata, "tos_uri"},
		{"a script for a policy", `{"client_uri":"https://example.org","policy_uri":"javascript:alert(1)"}`,
			InvalidClientMetadata, "policy_uri"},
		{"no redirect URI", `{"client_uri":"https://example.org"}`, InvalidRedirectURI, "redirect_uris"},
		{"too many", `{"client_uri":"https://example.org","redirect_uris":[` +
			strings.Repeat(`"https://example.org/",`, 20) + `"https://example.org/"]}`, InvalidRedirectURI,
			"redirect_uris"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Register(read(t, tt.text), Rules{})
			if err == nil || err.Code != tt.code || !strings.HasPrefix(err.Description, tt.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestRegisterForDevelopment: on the developer's own machine, and only if the server says so.
func TestRegisterForDevelopment(t *testing.T) {
	t.Parallel()
	m := read(t, `{"client_uri":"http://localhost:8080","redirect_uris":["http://localhost:8080/?x=1"],
		"logo_uri":"http://localhost:8080/logo.png"}`)
	if _, err := Register(m, Rules{}); err == nil {
		t.Error("accepted without leave")
	}
	c, err := Register(m, Rules{Loopback: true})
	if err != nil || !c.Redirects("http://localhost:8080/?x=1") || c.Redirects("http://localhost:8081/?x=1") {
		t.Errorf("%+v %v", c, err)
	}
	m.RedirectURIs[0] = "http://example.org/"
	if _, err := Register(m, Rules{Loopback: true}); err == nil {
		t.Error("http to another machine is accepted")
	}
}

func FuzzRegister(f *testing.F) {
	f.Add(elementX)
	f.Add(elementWeb)
	f.Add(`{"client_uri":"https://a.b","redirect_uris":["http://[::1]/"],"application_type":"native"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var m Client
		if json.Unmarshal([]byte(text), &m) != nil {
			return
		}
		c, refused := Register(m, Rules{})
		if refused != nil {
			if strings.ContainsFunc(refused.Description,
				func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
				t.Errorf("a description outside of RFC 6749: %q", refused.Description)
			}
			return
		}
		again, refused := Register(*c, Rules{})
		if refused != nil || again.ID() != c.ID() {
			t.Errorf("normalising twice gives another client: %v\n%+v\n%+v", refused, c, again)
		}
		for _, uri := range c.RedirectURIs {
			if !c.Redirects(uri) || strings.Contains(uri, "#") {
				t.Errorf("registered, and not good: %q", uri)
			}
		}
	})
}
