package protocol

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Client is a client's metadata as they are registered: normalised, so that equal ones are equal byte by byte. The JSON
// is what the registration answers beside the id. RFC 7591, section 2; Client-Server API v1.19, "Client registration".
type Client struct {
	Name            string          `json:"client_name,omitempty"`
	URI             string          `json:"client_uri"`
	LogoURI         string          `json:"logo_uri,omitempty"`
	TermsURI        string          `json:"tos_uri,omitempty"`
	PolicyURI       string          `json:"policy_uri,omitempty"`
	ApplicationType ApplicationType `json:"application_type"`
	RedirectURIs    []string        `json:"redirect_uris,omitempty"`
	GrantTypes      []string        `json:"grant_types"`
	ResponseTypes   []string        `json:"response_types,omitempty"`
	AuthMethod      string          `json:"token_endpoint_auth_method"`
}

// The grants that are served.
const (
	GrantCode    = "authorization_code"
	GrantRefresh = "refresh_token"
	GrantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// What a registration may hold, so that a stranger cannot make a row large.
const (
	maxMetadata  = 4 << 10 // bytes of JSON, normalised
	maxRedirects = 20
	maxName      = 120 // characters
)

// idBytes makes an id of 26 letters and digits, 130 bits: nobody finds two clients with one id.
const idBytes = 16

// ID is the client's id, computed from its metadata: registering again gives the same one.
func (c *Client) ID() string {
	digest := sha256.Sum256([]byte(c.Metadata()))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(digest[:idBytes]))
}

// Metadata is the client as it is kept.
func (c *Client) Metadata() string {
	text, err := json.Marshal(c)
	if err != nil { // unreachable: strings
		panic(err)
	}
	return string(text)
}

// Host is the host of client_uri: what a person is shown of who asks. Nobody has verified it.
func (c *Client) Host() string { return c.home().Host }

func (c *Client) home() *url.URL {
	u, err := url.Parse(c.URI)
	if err != nil { // unreachable: it was checked at registration
		return new(url.URL)
	}
	return u
}

// DisplayName is how a device is named on which nobody has named it yet.
func (c *Client) DisplayName() string {
	if c.Name != "" {
		return c.Name
	}
	return c.Host()
}

// Register holds metadata against the rules and normalises them. Fields and values that the specification does not know
// are ignored, and absent from the result.
func Register(m Client, rules Rules) (*Client, *Error) {
	home, err := m.checkHome(rules)
	if err != nil {
		return nil, err
	}
	m.Name = name(m.Name)
	if m.ApplicationType == "" {
		m.ApplicationType = Web
	}
	if m.ApplicationType != Web && m.ApplicationType != Native {
		return nil, refuse(InvalidClientMetadata, "application_type", string(m.ApplicationType), "it is web or native")
	}
	if m.AuthMethod != "" && m.AuthMethod != "none" {
		return nil, refuse(InvalidClientMetadata, "token_endpoint_auth_method", m.AuthMethod,
			"clients have no secret here, so it is none")
	}
	m.AuthMethod = "none"
	if err := m.checkGrants(); err != nil {
		return nil, err
	}
	if !m.May(GrantCode) {
		m.RedirectURIs, m.ResponseTypes = nil, nil // which belong to that grant alone
	}
	if err := m.checkPages(home); err != nil {
		return nil, err
	}
	if err := m.checkRedirects(home); err != nil {
		return nil, err
	}
	if len(m.Metadata()) > maxMetadata {
		return nil, refuse(InvalidClientMetadata, "the metadata", "", "they have at most 4096 bytes together")
	}
	return &m, nil
}

// checkHome is about client_uri, which all other URIs are held against.
func (c *Client) checkHome(rules Rules) (*url.URL, *Error) {
	bad := func(rule string) (*url.URL, *Error) {
		return nil, refuse(InvalidClientMetadata, "client_uri", c.URI, rule)
	}
	if c.URI == "" {
		return bad("it is required")
	}
	u, rule := parse(c.URI)
	if rule != "" {
		return bad(rule)
	}
	if u.User != nil {
		return bad(ruleUserinfo)
	}
	if rules.Loopback && (u.Scheme == "http" || u.Scheme == "https") && isLoopback(u) {
		return u, nil
	}
	switch {
	case u.Scheme != "https" || u.Host == "":
		return bad(ruleHTTPS)
	case onThisMachine(u.Hostname()):
		return bad("its host is the machine of whoever opens it; use a domain of your own")
	case site(u.Hostname()) == "":
		return bad("its host belongs to everybody below it, or to nobody; use a domain of your own")
	}
	return u, nil
}

// checkGrants keeps the grants and response types that are served, sorted.
func (c *Client) checkGrants() *Error {
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{GrantCode} // RFC 7591, section 2
	}
	if len(c.ResponseTypes) == 0 {
		c.ResponseTypes = []string{"code"}
	}
	asked := strings.Join(c.GrantTypes, " ")
	c.GrantTypes = known(c.GrantTypes, GrantCode, GrantRefresh, GrantDevice)
	c.ResponseTypes = known(c.ResponseTypes, "code")
	switch {
	case !c.May(GrantCode) && !c.May(GrantDevice):
		return refuse(InvalidClientMetadata, "grant_types", asked, GrantCode+" or "+GrantDevice+" is needed")
	case len(c.ResponseTypes) == 0 && c.May(GrantCode):
		return refuse(InvalidClientMetadata, "response_types", "", "code is needed with "+GrantCode)
	}
	return nil
}

// May reports whether the client has registered for a grant.
func (c *Client) May(grant string) bool { return slices.Contains(c.GrantTypes, grant) }

// known keeps the values that are among these, each once, in order.
func known(values []string, these ...string) []string {
	kept := slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !slices.Contains(these, v) })
	slices.Sort(kept)
	return slices.Compact(kept)
}

// checkPages is about the pages that a person may be shown a link to.
func (c *Client) checkPages(home *url.URL) *Error {
	for _, page := range []struct{ field, value string }{
		{"logo_uri", c.LogoURI}, {"tos_uri", c.TermsURI}, {"policy_uri", c.PolicyURI},
	} {
		if page.value == "" {
			continue
		}
		u, rule := parse(page.value)
		switch {
		case rule != "":
		case u.Scheme == "https":
			rule = hostedRule(u, home)
		case home.Scheme != "http" || u.Scheme != "http" || !isLoopback(u):
			rule = ruleHTTPS
		}
		if rule != "" {
			return refuse(InvalidClientMetadata, page.field, page.value, rule)
		}
	}
	return nil
}

func (c *Client) checkRedirects(home *url.URL) *Error {
	if len(c.RedirectURIs) == 0 && c.May(GrantCode) {
		return refuse(InvalidRedirectURI, "redirect_uris", "", "one at least is needed with "+GrantCode)
	}
	if len(c.RedirectURIs) > maxRedirects {
		return refuse(InvalidRedirectURI, "redirect_uris", fmt.Sprint(len(c.RedirectURIs)), "20 at most are accepted")
	}
	for i, text := range c.RedirectURIs {
		if rule := redirectRule(text, c.ApplicationType, home); rule != "" {
			return refuse(InvalidRedirectURI, fmt.Sprintf("redirect_uris[%d]", i), text, rule)
		}
	}
	c.RedirectURIs = slices.Clone(c.RedirectURIs)
	slices.Sort(c.RedirectURIs)
	c.RedirectURIs = slices.Compact(c.RedirectURIs)
	return nil
}

// name keeps what a page can show: no control characters, nothing that turns the direction of writing, one space
// between words.
func name(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxName {
		text = strings.TrimSpace(string(runes[:maxName]))
	}
	return text
}
