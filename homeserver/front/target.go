package front

import (
	"net/http"
	"net/url"
	"strings"
)

// target returns the path and the query of a request as they were sent, still escaped. The query begins with its
// question mark, so that an empty one differs from none. ok is false if the request has no path: `OPTIONS *` and
// CONNECT (RFC 9112, section 3.2).
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
		i := strings.IndexAny(rest, "/?")
		if i < 0 {
			return "/", "", true
		}
		if uri = rest[i:]; uri[0] == '?' {
			uri = "/" + uri
		}
	}
	if i := strings.IndexByte(uri, '?'); i >= 0 {
		return uri[:i], uri[i:], true
	}
	return uri, "", true
}

// setTarget makes the URL of the request to the homeserver, such that net/http writes exactly this path and query.
func setTarget(u, homeserver *url.URL, path, query string) {
	*u = url.URL{Scheme: homeserver.Scheme, Host: homeserver.Host}
	if strings.HasPrefix(path, "//") {
		// In an opaque URL this would be a host. So net/http may escape some characters of such a path; no API has one.
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
