package front

import (
	"net/http"
	"net/url"
	"strings"
)

// target takes the path and the query of a request as they came, escapes and all. The query has its question mark, so
// that an empty one differs from none. It is not ok when there is no path at all: `OPTIONS *` and CONNECT (RFC 9112,
// section 3.2).
func target(r *http.Request) (path, query string, ok bool) {
	uri := r.RequestURI
	if r.Method == http.MethodConnect {
		return "", "", false
	}
	if !strings.HasPrefix(uri, "/") { // absolute form: http://host/path
		_, rest, found := strings.Cut(uri, "://")
		if !found {
			return "", "", false
		}
		at := strings.IndexAny(rest, "/?")
		if at < 0 {
			return "/", "", true
		}
		if uri = rest[at:]; uri[0] == '?' {
			uri = "/" + uri
		}
	}
	if at := strings.IndexByte(uri, '?'); at >= 0 {
		return uri[:at], uri[at:], true
	}
	return uri, "", true
}

// point makes the URL of the request to the homeserver, so that net/http writes just this path and query.
func point(u *url.URL, at *url.URL, path, query string) {
	*u = url.URL{Scheme: at.Scheme, Host: at.Host}
	if strings.HasPrefix(path, "//") {
		// As an opaque URL this would be taken for a host. So net/http may escape what it finds odd in such a path,
		// which nobody serves.
		u.Path, u.RawPath = path, path
		if plain, err := url.PathUnescape(path); err == nil {
			u.Path = plain
		}
	} else {
		u.Opaque = path
	}
	u.RawQuery = strings.TrimPrefix(query, "?")
	u.ForceQuery = query == "?"
}
