package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/gen"
	"postern/homeserver/appservice"
)

// registerForService is POST /register where there are application services. What none of them asks for is this
// server's own registration. A service's user is made by the homeserver, which keeps the namespaces, without a login,
// which the homeserver may not make any more; the account and the login, if one was asked for, are made here.
// Application Service API v1.19, "Server admin style permissions".
func (s *Server) registerForService(c echo.Context, next http.Handler) error {
	body, err := bodyOf(c)
	var kind string
	if err == nil {
		_ = json.Unmarshal(body.get("type"), &kind) // of another type it is not what we look for
	}
	if kind != serviceLogin {
		return elsewhere(c, next, body.raw, err)
	}
	who := s.callerFrom(c)
	who.bearer = accessToken(c)
	service, err := s.serviceOf(who)
	if err != nil {
		return err
	}
	wanted := new(gen.RegisterRequest)
	if err := decode(body.raw, s.contract.operations[route{http.MethodPost, registerOperation}], wanted); err != nil {
		return err
	}
	ctx := context.WithValue(c.Request().Context(), callerKey{}, who)
	if err := s.unusedBy(ctx, service, value(wanted.Username)); err != nil {
		return err
	}
	k, err := ask(next, sent(ctx, c.Request(), body.without("inhibit_login", `"inhibit_login":true`)))
	if err != nil {
		return err
	}
	if k.status != http.StatusOK {
		k.forward(c.Response())
		return nil
	}
	return s.registeredForService(c, ctx, k, service, wanted)
}

// registerOperation is the path of the operation in the contract.
const registerOperation = "/_matrix/client/v3/register"

// elsewhere takes a registration that is not a service's to this server's own operation, as it came.
func elsewhere(c echo.Context, next http.Handler, raw []byte, unread error) error {
	if raw == nil {
		return unread
	}
	next.ServeHTTP(c.Response(), sent(c.Request().Context(), c.Request(), raw))
	return nil
}

// unusedBy refuses a name that has an account here already, of which the homeserver may not know. Names that are not
// the service's are the homeserver's to refuse.
func (s *Server) unusedBy(ctx context.Context, service *appservice.Service, name string) error {
	if !service.Owns(string(NewUserID(name, s.serverName))) {
		return nil
	}
	_, err := s.db.User(ctx, name)
	switch {
	case err == nil:
		return badRequest("M_USER_IN_USE", "This name is taken.")
	case errors.Is(err, db.ErrNotFound):
		return nil
	}
	return err
}

// registeredForService makes the account of a user that the homeserver has made, and the login.
func (s *Server) registeredForService(c echo.Context, ctx context.Context, k *held, service *appservice.Service,
	wanted *gen.RegisterRequest) error {
	account, err := s.withoutPassword(ctx, value(wanted.Username))
	if err != nil {
		return err
	}
	if wanted.InhibitLogin != nil && *wanted.InhibitLogin {
		k.forward(c.Response())
		return nil
	}
	a := wantedAttempt(wanted)
	a.service = service
	session, err := s.startSession(ctx, account, a)
	if err != nil {
		return err
	}
	answer, err := s.registered(ctx, account.Localpart, session)
	if err != nil {
		return err
	}
	allowed(c.Response().Header())
	return c.JSON(http.StatusOK, answer)
}
