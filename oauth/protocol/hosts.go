package protocol

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// PlainHost reports whether everybody reads an address's host alike: it is shown to people, and stands in a policy.
// Browsers take a host whose last label is a number for an IPv4 address, in more spellings than one (URL Standard,
// "host parsing").
func PlainHost(u *url.URL) bool {
	host := u.Hostname()
	strange := strings.Trim(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.")
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "1"), 10, 16)
	switch {
	case u.Host == "":
		return true
	case strange != "" && host != "::1", err != nil, port == 0, slices.Contains(strings.Split(host, "."), ""):
		return false
	}
	last := host[strings.LastIndex(host, ".")+1:]
	_, number := strconv.ParseUint(last, 0, 64)
	if digits := strings.Trim(last, "0123456789") == ""; digits || number == nil {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return true
}

// HostName reads the host of an operator's list of clients: no port, no wildcard, punycode for other letters.
func HostName(text string) (host string, ok bool) {
	u, rule := parse("https://" + text)
	if rule != "" || text == "" || u.Host != text || u.Port() != "" || strings.HasSuffix(text, ":") {
		return "", false
	}
	return strings.ToLower(u.Hostname()), true
}

// loopback are the hosts of RFC 8252, section 7.3, and localhost, which the specification allows too.
var loopback = []string{"localhost", "127.0.0.1", "[::1]"}

func isLoopback(u *url.URL) bool {
	host := u.Host
	if port := u.Port(); port != "" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return slices.Contains(loopback, host)
}

// onThisMachine reports whether a host names the machine that the browser runs on. RFC 6761, section 6.3.
func onThisMachine(host string) bool {
	host = strings.ToLower(host)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		err == nil && (addr.IsLoopback() || addr.IsUnspecified())
}

// within reports whether a host is another one or a subdomain of it. IP addresses have none.
func within(host, of string) bool {
	host, of = strings.ToLower(host), strings.ToLower(of)
	_, err := netip.ParseAddr(of)
	return host == of || strings.HasSuffix(host, "."+of) && err != nil
}

// site is the domain that somebody has for themselves: a host's public suffix and one label more. It is empty for a
// public suffix, below which everybody may have a host, and for a name of one label. An IP address is its own.
func site(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(host))
	if err != nil {
		return ""
	}
	return domain
}
