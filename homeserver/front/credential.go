package front

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// credential finds the access token of a request where the homeserver would: in its one Authorization header or, if
// there is none, in the query. Of a request with two headers, or with another scheme (another homeserver signs its
// requests), it finds none: what to say of it is the homeserver's.
func credential(h http.Header, query string) string {
	switch values := h["Authorization"]; len(values) {
	case 0:
		return fromQuery(query)
	case 1:
		scheme, token, _ := strings.Cut(values[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(token)
		}
	}
	return ""
}

// fromQuery gives the first access_token.
func fromQuery(query string) string {
	for rest := strings.TrimPrefix(query, "?"); rest != ""; {
		var field string
		if field, _, rest = cutField(rest); isToken(field) {
			_, value, _ := strings.Cut(field, "=")
			if plain, err := url.QueryUnescape(value); err == nil && plain != "" {
				return plain
			}
		}
	}
	return ""
}

// withoutToken is a query with every access_token left out, and all else as it was.
func withoutToken(query string) string {
	if !strings.Contains(query, "oken") && !strings.Contains(query, "%") {
		return query // the common case
	}
	kept, found := "", false
	for rest := strings.TrimPrefix(query, "?"); rest != ""; {
		var field, separator string
		if field, separator, rest = cutField(rest); isToken(field) {
			found = true
			continue
		}
		kept += field + separator
	}
	switch {
	case !found:
		return query
	case kept == "":
		return ""
	}
	return "?" + strings.TrimRight(kept, "&;")
}

// cutField cuts a field off the front. Twisted takes a semicolon for an ampersand, so a token may hide behind one.
func cutField(query string) (field, separator, rest string) {
	at := strings.IndexAny(query, "&;")
	if at < 0 {
		return query, "", ""
	}
	return query[:at], query[at : at+1], query[at+1:]
}

func isToken(field string) bool {
	key, _, _ := strings.Cut(field, "=")
	plain, err := url.QueryUnescape(key)
	return err == nil && plain == "access_token"
}

// formToken reports whether the homeserver might find a token in a form, which is not read here. Twisted makes no
// difference between a field of a form and one of the query; Matrix has forms on pages for people alone, and none of
// those asks for an access token of ours.
func formToken(r *http.Request, path string) bool {
	if r.Method != http.MethodPost || strings.HasPrefix(path, "/_synapse/client/") ||
		strings.HasPrefix(path, "/_matrix/consent") {
		return false
	}
	return slices.ContainsFunc(r.Header["Content-Type"], isForm)
}

// isForm reports whether Twisted might read a type as one of its two kinds of form. It reads it as a line of a mail,
// where a part of a name may be an encoded word, `f=?utf-8?q?o?=rm-data` (RFC 2047); no type of a file has such a
// thing.
func isForm(kind string) bool {
	kind = strings.ToLower(kind)
	return strings.Contains(kind, "x-www-form-urlencoded") || strings.Contains(kind, "form-data") ||
		strings.Contains(kind, "=?")
}
