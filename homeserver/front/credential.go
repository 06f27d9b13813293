package front

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// credential returns the access token of a request, "" if there is none. It looks where the homeserver does: in the
// Authorization header or, if there is none, in the query. It finds none in a request with two such headers or with
// another scheme than Bearer, such as one that another homeserver signs; the homeserver answers those.
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

// fromQuery returns the first access_token of a query.
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

// withoutToken is a query without any access_token, and otherwise unchanged.
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

// cutField cuts the first field off a query. Twisted separates fields at semicolons too.
func cutField(query string) (field, separator, rest string) {
	i := strings.IndexAny(query, "&;")
	if i < 0 {
		return query, "", ""
	}
	return query[:i], query[i : i+1], query[i+1:]
}

func isToken(field string) bool {
	key, _, _ := strings.Cut(field, "=")
	plain, err := url.QueryUnescape(key)
	return err == nil && plain == "access_token"
}

// mayHoldToken reports whether the homeserver might find an access token in the body of a request: in a form, since
// Twisted makes no difference between a field of a form and one of the query. Bodies are not read here. Matrix has
// forms on web pages only, and none of those asks for one of Postern's access tokens.
func mayHoldToken(r *http.Request, path string) bool {
	if r.Method != http.MethodPost || strings.HasPrefix(path, "/_synapse/client/") ||
		strings.HasPrefix(path, "/_matrix/consent") {
		return false
	}
	return slices.ContainsFunc(r.Header["Content-Type"], isForm)
}

// isForm reports whether Twisted might parse a body of this content type as a form, of either kind. It parses the type
// like a mail header, in which `f=?utf-8?q?o?=rm-data` is an encoded spelling of form-data (RFC 2047). No file's
// content type has such an encoding.
func isForm(kind string) bool {
	kind = strings.ToLower(kind)
	return strings.Contains(kind, "x-www-form-urlencoded") || strings.Contains(kind, "form-data") ||
		strings.Contains(kind, "=?")
}
