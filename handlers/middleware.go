package handlers

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// aliases are older names of paths, by prefix.
var aliases = []struct{ old, today string }{
	{"/_matrix/client/r0/", "/_matrix/client/v3/"},
	{"/_matrix/client/unstable/org.matrix.msc2918/refresh", "/_matrix/client/v3/refresh"},
	{"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata", "/_matrix/client/v1/auth_metadata"},
}

// alias lets older clients in: what they call /_matrix/client/r0/… is served as /_matrix/client/v3/…, before routing,
// so that one name of each operation is enough in the contract, the metrics and the `path` caveats.
func alias(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		url := c.Request().URL
		url.Path, url.RawPath = Alias(url.Path), Alias(url.RawPath) // RawPath is empty, or escaped differently behind
		return next(c)
	}
}

// Alias gives the contract's name of a path that older clients know by another.
func Alias(path string) string {
	for _, a := range aliases {
		if rest, found := strings.CutPrefix(path, a.old); found {
			path = a.today + rest
		}
	}
	return path
}

// headAsGet answers HEAD as GET; net/http leaves the body out. RFC 9110, section 9.3.2.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := *r // a copy, since net/http looks at the method of its own
			get.Method = http.MethodGet
			r = &get
		}
		next.ServeHTTP(w, r)
	})
}

// headers lets web clients of any origin in, on errors and unknown paths too, and keeps answers out of
// caches. A preflight is answered here and never reaches an operation.
// Client-Server API v1.19, "Web Browser Clients".
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h, path := c.Response().Header(), c.Request().URL.Path
		h["Cache-Control"] = noStore // RFC 6749, section 5.1: on anything with a token
		h["X-Content-Type-Options"] = noSniff
		if Operational(path) || s.Config.OAuth != nil && slices.Contains(PagePaths, path) {
			return next(c) // no web page has any business there
		}
		OpenToBrowsers(h)
		if s.Config.OAuth != nil && strings.HasPrefix(path, RendezvousPath) {
			h["Access-Control-Allow-Headers"], h["Access-Control-Expose-Headers"] = mailboxHeaders, mailboxExposed
		}
		if strings.HasSuffix(path, "/fallback/web") {
			h.Set("X-Frame-Options", "DENY") // nobody shall be made to agree to what they do not see
			h.Set("Content-Security-Policy", pagePolicy)
			h.Set("Referrer-Policy", "no-referrer") // the address holds the session
		}
		if c.Request().Method == http.MethodOptions {
			return c.NoContent(http.StatusNoContent)
		}
		return next(c)
	}
}

// OpenToBrowsers lets pages of any origin read an answer, and keeps it out of caches.
func OpenToBrowsers(h http.Header) {
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Allow-Methods"] = allMethods
	h["Access-Control-Allow-Headers"] = requestHeaders
}

// Operational reports whether a path is the operator's and not Matrix's.
func Operational(path string) bool { return path == "/health" || path == "/metrics" }

// The values are shared by all answers, which is why they are variables; nobody writes to them.
var (
	anyOrigin      = []string{"*"}
	allMethods     = []string{"GET, POST, PUT, DELETE, OPTIONS"}
	requestHeaders = []string{"X-Requested-With, Content-Type, Authorization"}
	mailboxHeaders = []string{"X-Requested-With, Content-Type, Authorization, If-Match, If-None-Match"}
	mailboxExposed = []string{"ETag, Expires, Last-Modified, Retry-After"}
	noStore        = []string{"no-store"}
	noSniff        = []string{"nosniff"}
)

// bounded limits every body, whatever reads it.
func bounded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r := c.Request(); r.ContentLength != 0 {
			// It is given net/http's own writer, which learns by that not to wait for the rest before it answers.
			r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, MaxBody)
		}
		return next(c)
	}
}

// inTime ends the work on a request before its connection ends, which leaves time for the answer. What waits, waits no
// longer, and what is not written to the database by then is not written: a session that nobody hears of must not
// begin. A request without a body changes nothing that somebody would have to hear of.
func (s *Server) inTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength == 0 {
			return next(c)
		}
		ctx, done := context.WithTimeout(r.Context(), s.Patience*9/10)
		defer done()
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// recovers answers a panic with 500 and keeps the server up.
func (s *Server) recovers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if cause := recover(); cause != nil {
				err = panicked(cause)
			}
		}()
		return next(c)
	}
}
