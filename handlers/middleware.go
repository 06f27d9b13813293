package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// alias lets clients of the r0 era in: /_matrix/client/r0/… is served as /_matrix/client/v3/…, before routing,
// so that one name of each operation is enough in the contract, the metrics and the `path` caveats.
func alias(next echo.HandlerFunc) echo.HandlerFunc {
	const old, today = "/_matrix/client/r0/", "/_matrix/client/v3/"
	return func(c echo.Context) error {
		if url := c.Request().URL; strings.HasPrefix(url.Path, old) {
			url.Path = today + strings.TrimPrefix(url.Path, old)
			if url.RawPath != "" {
				url.RawPath = strings.Replace(url.RawPath, old, today, 1)
			}
		}
		return next(c)
	}
}

// headers lets web clients of any origin in, on errors and unknown paths too, and keeps answers out of
// caches. A preflight is answered here and never reaches an operation.
// Client-Server API v1.19, "Web Browser Clients".
func headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Allow-Methods"] = allMethods
		h["Access-Control-Allow-Headers"] = requestHeaders
		h["Access-Control-Expose-Headers"] = exposedHeaders
		h["Cache-Control"] = noStore // RFC 6749, section 5.1: on anything with a token
		h["X-Content-Type-Options"] = noSniff
		if c.Request().Method == http.MethodOptions {
			return c.NoContent(http.StatusNoContent)
		}
		return next(c)
	}
}

// The values are shared by all answers, which is why they are variables; nobody writes to them.
var (
	anyOrigin      = []string{"*"}
	allMethods     = []string{"GET, POST, PUT, DELETE, OPTIONS"}
	requestHeaders = []string{"X-Requested-With, Content-Type, Authorization"}
	exposedHeaders = []string{"Retry-After"}
	noStore        = []string{"no-store"}
	noSniff        = []string{"nosniff"}
)

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
