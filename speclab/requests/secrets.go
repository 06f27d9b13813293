package requests

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// hidden stands in place of a secret.
const hidden = "[hidden]"

// hiddenParts are in the names of what is secret, and hiddenNames are such names, both without punctuation. Some are
// of other servers: the spec may be anybody's. openNames hold one of the parts and are none, nor is statusAsked, by
// which a request asks for a status (package mock).
var (
	hiddenParts = []string{"passw", "passphrase", "pwd", "token", "macaroon", "secret", "authorization", "cookie",
		"credential", "bearer", "apikey", "accesskey", "privatekey", "signingkey", "recoverykey", "sessionkey",
		"pushkey", "sessionid", "verifier", "assertion", "samlresponse", "totp"}
	hiddenNames = []string{"session", "sid", "pass", "pw", "otp", "pin", "mac", "ticket", "jwt", "dpop", "proof",
		"xauth", "xauthkey",
		"new", "again", "current", "answer", "half", "form"} // the last six are of the forms of Postern's pages
	// a code is mostly one that opens something: of OAuth 2.0, of a second factor, of recovery
	hiddenEnds = []string{"code", "codes"}
	openNames  = []string{"tokentype"}
	openEnds   = []string{"endpoint", "supported", "errcode", "errorcode", "statuscode", "countrycode", "postalcode",
		"languagecode", "currencycode"}
	statusAsked = "__code"
)

// secret reports whether a value of this name is a secret.
func secret(name string) bool {
	if name == statusAsked {
		return false
	}
	name = plainName(name)
	ends := func(end string) bool { return strings.HasSuffix(name, end) }
	if slices.Contains(openNames, name) || slices.ContainsFunc(openEnds, ends) {
		return false
	}
	return slices.Contains(hiddenNames, name) || slices.ContainsFunc(hiddenEnds, ends) ||
		slices.ContainsFunc(hiddenParts, func(part string) bool { return strings.Contains(name, part) })
}

// plainName is a name without punctuation and case. There are letters that are small already and whose capital is that
// of another (the long s), and decoders of JSON do not tell them apart.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, name)
}

var (
	// tokenLike is what tokens begin with: Postern's are macaroons of format 2, which begin with the location
	// (package tokens); Synapse's and those of Matrix Authentication Service have prefixes; the last are JSON Web
	// Tokens. Before them are macaroons of format 1, which old homeservers give out.
	tokenLike = regexp.MustCompile(`AgE[A-Za-z0-9_-]{20,}|\bMDA[A-Za-z0-9_-]{30,}` +
		`|\b(?:sy[trl]|ma[tr]|mc[tr])_[A-Za-z0-9_-]{8,}` +
		`|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`)
	// pair is a parameter of an address that stands in a text.
	pair = regexp.MustCompile(`([?&#;])([A-Za-z0-9_.%\[\]-]+)=([^&#\s"<>]+)`)
	// user is who an address is for, with a password.
	user = regexp.MustCompile(`(://[^/?#\s@:"<>]*):[^/?#\s@"<>]+@`)
	// invitation is one in a path: Postern's, or Synapse's.
	invitation = regexp.MustCompile(`(/(?:invitations|registration_tokens)/)[^/?#\s"<>]+`)
)

// maxNested is how many addresses and texts of JSON in one another are looked into; what is nested deeper is hidden
// whole.
const maxNested = 3

// scrub hides in a text what looks like a token, and what an address or JSON in it carries.
func scrub(s string) string { return scrubTo(s, maxNested) }

// scrubTo does so in what is nested, to a depth.
func scrubTo(s string, deep int) string {
	if text, is := scrubJSON(s, deep); is {
		return text
	}
	s = user.ReplaceAllString(s, "$1:"+hidden+"@")
	s = invitation.ReplaceAllString(s, "$1"+hidden)
	s = pair.ReplaceAllStringFunc(s, func(one string) string {
		parts := pair.FindStringSubmatch(one)
		mark, name, value := parts[1], parts[2], parts[3]
		plain := unescape(value)
		switch {
		case secret(unescape(name)), deep == 0 && (pair.MatchString(plain) || strings.Contains(plain, `"`)):
			return mark + name + "=" + hidden
		case deep > 0:
			if shown := scrubTo(plain, deep-1); shown != plain {
				return mark + name + "=" + url.QueryEscape(shown)
			}
		}
		return one
	})
	return tokenLike.ReplaceAllString(s, hidden)
}

// scrubJSON hides the secrets of a text that is JSON, and reports whether it is. Of one that only begins as such the
// rest is left out, unless it is plain talk in brackets.
func scrubJSON(s string, deep int) (text string, is bool) {
	begin := strings.TrimLeft(s, " \t\r\n")
	if begin == "" || begin[0] != '{' && begin[0] != '[' {
		return "", false
	}
	if deep == 0 {
		return hidden, strings.Contains(s, `"`)
	}
	text, whole := hideJSONTo([]byte(s), deep-1)
	if !whole {
		text += "…"
	}
	return text, whole || strings.Contains(text, `"`)
}

// line is a text of a client's, scrubbed, on one line of a console that it cannot control.
func line(s string) string {
	s = scrub(s)
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}

// headers lists the headers by name, with their secrets hidden.
func headers(h http.Header) []field {
	all := []field{}
	for name, values := range h {
		for _, value := range values {
			all = append(all, field{Name: scrub(name), Value: header(name, value)})
		}
	}
	slices.SortStableFunc(all, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// scheme is how a request proves who asks: RFC 9110, section 11.4.
var scheme = regexp.MustCompile(`(?i)^(Bearer|Basic|Digest|DPoP|X-Matrix) `)

// header hides what a header holds, but for the scheme of Authorization.
func header(name, value string) string {
	if !secret(name) {
		return scrub(value)
	}
	return scheme.FindString(value) + hidden
}

// form hides the secrets of a query or of a form, whose order stays. It gives the pairs, and the whole.
func form(raw string) (pairs []field, whole string) {
	pairs = []field{}
	var all []string
	for one := range strings.SplitSeq(raw, "&") {
		if one == "" {
			continue
		}
		name, value, _ := strings.Cut(one, "=")
		name, value = scrub(unescape(name)), scrub(unescape(value))
		if secret(name) && value != "" {
			value = hidden
		}
		pairs = append(pairs, field{Name: name, Value: value})
		all = append(all, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return pairs, strings.ReplaceAll(strings.Join(all, "&"), url.QueryEscape(hidden), hidden)
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
