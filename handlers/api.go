package handlers

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"postern/db"
)

// AdminPath begins the paths of the admin API, which another package serves. A session whose scope is [db.ScopeAdmin]
// opens what is below it and nothing else, and no other session opens that.
const AdminPath = "/_postern/admin/"

// inScope refuses a token whose session opens another API. What other programs ask about a token without naming a path
// is no request of the admin API.
func inScope(session db.Session, path string) error {
	if (session.Scope == db.ScopeAdmin) != strings.HasPrefix(path, AdminPath) {
		return forbidden("The access token was made for another API.")
	}
	return nil
}

// API answers the operations of another contract as this server does those of its own: requests are held against the
// contract, bounded, counted by operation, and refused in the same words. Pages of other origins cannot read the
// answers. register routes the operations; no one of them is called without [Server.Identify].
func (s *Server) API(spec *openapi3.T, register func(*echo.Echo)) http.Handler {
	c := newContract(spec)
	e := echo.New()
	e.Binder = binder{c}
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor = s.addressOf()
	e.Pre(private, bounded, s.inTime)
	e.Use(s.Metrics.observe(c), s.recovers, c.inQuery)
	register(e)
	return headAsGet(e)
}

// Identify finds out who makes a request that no stranger may make, and refuses all others as any operation does. A
// token in the query, which logs and histories keep, is none: only old clients of the client-server API need that.
func (s *Server) Identify(c echo.Context) (*Caller, error) {
	if c.QueryParams().Has("access_token") {
		return nil, missingToken("Send the access token in the Authorization header.")
	}
	who := s.callerFrom(c)
	return who, s.identify(c, who, false)
}

// private keeps answers out of caches.
func private(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h["Cache-Control"], h["X-Content-Type-Options"] = noStore, noSniff
		return next(c)
	}
}

// inQuery holds the parameters of the query against the contract. That each is of its type the generated code sees.
func (c *contract) inQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ctx echo.Context) error {
		query, err := url.ParseQuery(ctx.Request().URL.RawQuery)
		if err != nil {
			return badRequest("M_INVALID_PARAM", "The query cannot be read.").because(err)
		}
		for _, p := range c.operations[route{ctx.Request().Method, ctx.Path()}].query {
			if values := query[p.Name]; len(values) > 0 {
				if err := p.Schema.Value.VisitJSON(inJSON(p.Schema.Value, values)); err != nil {
					return badRequest("M_INVALID_PARAM", "Bad value of parameter: "+p.Name).because(err)
				}
			}
		}
		return next(ctx)
	}
}

// inJSON is the value of a parameter as a schema judges it. What is no number stays a text, which no number's schema
// takes.
func inJSON(schema *openapi3.Schema, values []string) any {
	switch {
	case schema.Type.Is("array"):
		var all []any
		for _, v := range values {
			all = append(all, inJSON(schema.Items.Value, []string{v}))
		}
		return all
	case schema.Type.Is("integer"):
		if n, err := strconv.ParseInt(values[0], 10, 64); err == nil {
			return float64(n)
		}
	case schema.Type.Is("boolean"):
		if is, err := strconv.ParseBool(values[0]); err == nil {
			return is
		}
	}
	return values[0]
}
