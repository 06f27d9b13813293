package protocol

import (
	"net/url"
	"slices"
	"strings"
)

// ApplicationType says which redirect URIs a client may have. OpenID Connect Dynamic Client Registration 1.0, section
// 2.
type ApplicationType string

// The types that the specification knows.
const (
	Web    ApplicationType = "web"
	Native ApplicationType = "native"
)

// maxURI bounds every URI of a client, in bytes.
const maxURI = 2048

// The rules that a redirect URI may break, as they are told to whoever writes the client. Client-Server API v1.19,
// "Redirect URI validation".
const (
	ruleParse = "it cannot be read as a URI"
	ruleLong  = "a URI has at most 2048 bytes"
	ruleName  = "its host is written in letters, digits, hyphens and dots (punycode for others), its port from 1 " +
		"to 65535"
	ruleFragment = "a redirect URI has no fragment"
	ruleHTTPS    = "it must be an https URI"
	ruleUserinfo = "a user name or password in a URI is not allowed"
	ruleHost     = "its host must be that of client_uri or a subdomain of it"
	ruleSite     = "between it and client_uri is a domain below which everybody may have a host"
	rulePort     = "a loopback redirect URI is registered without a port; any port is accepted later"
	ruleScheme   = "its scheme must begin with the host of client_uri in reverse order, as com.example for example.com"
	ruleSlashes  = "a private-use scheme is followed by one slash or none, as com.example:/callback"
)

// parse reads a URI that nobody can read in two ways: what a browser would change on its way is refused.
func parse(text string) (*url.URL, string) {
	if len(text) > maxURI {
		return nil, ruleLong
	}
	strange := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r) }
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || strings.ContainsFunc(text, strange) {
		return nil, ruleParse
	}
	if !PlainHost(u) {
		return nil, ruleName
	}
	return u, ""
}

// redirectRule gives the rule that a redirect URI breaks, or nothing.
func redirectRule(text string, kind ApplicationType, home *url.URL) string {
	u, rule := parse(text)
	switch {
	case rule != "":
		return rule
	case u.Fragment != "" || strings.Contains(text, "#"):
		return ruleFragment
	case u.Scheme == "https":
		return hostedRule(u, home)
	case home.Scheme == "http" && u.Scheme == "http" && isLoopback(u) && u.User == nil:
		return "" // a client under development, see Rules.Loopback
	case kind == Web:
		return ruleHTTPS
	case u.Scheme == "http":
		return loopbackRule(u)
	}
	return privateRule(text, u, home)
}

// hostedRule is for https: the same host as the client's or one below it.
func hostedRule(u, home *url.URL) string {
	switch {
	case u.Opaque != "" || u.Host == "":
		return ruleParse
	case u.User != nil:
		return ruleUserinfo
	case !within(u.Hostname(), home.Hostname()):
		return ruleHost
	case site(u.Hostname()) != site(home.Hostname()):
		return ruleSite
	}
	return ""
}

func loopbackRule(u *url.URL) string {
	switch {
	case u.User != nil:
		return ruleUserinfo
	case !isLoopback(u):
		return ruleHTTPS
	case u.Port() != "" || strings.HasSuffix(u.Host, ":"):
		return rulePort
	}
	return ""
}

// privateRule is for schemes of one's own: the client's host in reverse order, and no authority. RFC 8252, section 7.1.
func privateRule(text string, u, home *url.URL) string {
	labels := strings.Split(strings.ToLower(home.Hostname()), ".")
	slices.Reverse(labels)
	reverse := strings.Join(labels, ".")
	switch {
	case u.Scheme != reverse && !strings.HasPrefix(u.Scheme, reverse+"."):
		return ruleScheme
	case strings.HasPrefix(text[len(u.Scheme):], "://"):
		return ruleSlashes
	}
	return ""
}

// Redirects reports whether the browser may be sent to a redirect URI: it is one of the client's, byte by byte. That of
// a native client on the loopback interface may have any port (RFC 8252, section 7.3), and the rest must be the same.
func (c *Client) Redirects(text string) bool {
	if slices.Contains(c.RedirectURIs, text) {
		return true
	}
	u, rule := parse(text)
	if c.ApplicationType != Native || rule != "" || u.User != nil || u.Port() == "" || !isLoopback(u) {
		return false
	}
	rest, found := strings.CutPrefix(text, "http://"+u.Host)
	host := strings.TrimSuffix(u.Host, ":"+u.Port())
	return found && slices.Contains(c.RedirectURIs, "http://"+host+rest)
}
