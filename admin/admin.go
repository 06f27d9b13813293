// Package admin is the admin API: what a script may do that looks after accounts. Its contract is api/admin.yaml, from
// which gen/admin is made.
//
// # Who may
//
// A token opens the admin API if it was made for it (`postern token issue --admin`), and then it opens nothing else: a
// script that leaks its token has not leaked somebody's rooms, and a client that leaks an administrator's session has
// not leaked the accounts. The token is a session of its own, whose scope says so, and a macaroon as any other: its
// caveats say which of the requests below it opens, so that a script gets just what it needs.
//
//	method in GET                                            it may only look
//	path under /_postern/admin/v1/invitations                it may only invite
//	path under /_postern/admin/v1/accounts/*/lock            it may only lock and unlock
//	addr in 192.0.2.7                                        it is good from there alone
//
// At each request its account must still be an administrator's and not be locked: both stand in the session's row,
// which a check reads anyway.
//
// # A request's way
//
// It passes what a request of the client-server API does (see [handlers.Server.API]) with one difference: there is no
// list of operations that need no token. What the contract says of a body or of the query holds before an operation is
// called. An operation is one call of package db; shapes.go makes the answer of a row, and the command line's
// `--format json` shows rows by the same functions. What changes something leaves the event that it leaves everywhere,
// with the token in the place of a browser: the owner of the account reads that an operator did it, and not from where.
//
// Lists are given a page at a time (pages.go). A page ends where the next one begins, in words of the row itself, so
// nothing is kept between two requests, and rows that come and go meanwhile neither repeat nor hide others.
//
// What it does not do: it makes no tokens, so none can make another that may more; it shows no secret; and it is closed
// to pages of other origins.
package admin

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"postern/db"
	gen "postern/gen/admin"
	"postern/handlers"
)

// api implements the contract.
type api struct {
	*handlers.Server
	db *db.DB
}

// An operation that the contract adds, renames or removes is a compile error here or in its file.
var _ gen.StrictServerInterface = (*api)(nil)

// Handler answers the requests below [handlers.AdminPath].
func Handler(server *handlers.Server) (http.Handler, error) {
	spec, err := gen.GetSpec()
	if err != nil {
		return nil, fmt.Errorf("contract of the admin API: %w", err)
	}
	a := &api{server, server.DB}
	return server.API(spec, func(e *echo.Echo) {
		gen.RegisterHandlers(e, gen.NewStrictHandler(a, []gen.StrictMiddlewareFunc{a.authorize}))
	}), nil
}

// authorize is the strict middleware in front of every operation. What a token's caveats and its scope leave out is
// refused by [handlers.Server.Identify]; it is asked for once more here, since nothing may hang on a path alone.
func (a *api) authorize(next gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		who, err := a.Identify(c)
		if err != nil {
			return nil, err
		}
		if who.Session.Scope != db.ScopeAdmin || !who.Session.Admin {
			return nil, &handlers.Error{Status: http.StatusForbidden, Code: "M_FORBIDDEN",
				Message: "The account of this token is not an administrator's."}
		}
		c.SetRequest(c.Request().WithContext(handlers.WithCaller(c.Request().Context(), operator(who))))
		answer, err := next(c, request)
		if errors.Is(err, db.ErrNotFound) {
			err = &handlers.Error{Status: http.StatusNotFound, Code: "M_NOT_FOUND", Message: "There is no such thing."}
		}
		return answer, err
	}
}

// operator is the caller as events name it: by the token, and where that came from.
func operator(c *handlers.Caller) *handlers.Caller {
	who := c.Operator(fmt.Sprintf("admin API, %s's token %s", c.Session.Localpart, c.Session.DisplayName))
	who.Agent += ", " + c.Agent
	return who
}

// named is the localpart of the account that a request names.
func (a *api) named(account string) string { return handlers.Spelled(account, a.ServerName) }

func badRequest(code, message string) error {
	return &handlers.Error{Status: http.StatusBadRequest, Code: code, Message: message}
}
