package handlers

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/homeserver/appservice"
)

// serviceLogin is the login flow of an application service that logs in as one of its users, by its own token. It is
// served where there are any. Client-Server API v1.19, "Appservice Login".
const serviceLogin = "m.login.application_service"

// isService reports whether a token is an application service's own. What it asks for is the homeserver's to answer,
// which knows it too.
func (s *Server) isService(token string) bool { return token != "" && s.services.ByToken(token) != nil }

// serviceOf is the application service whose token a request shows. What guesses at tokens is counted.
func (s *Server) serviceOf(who *caller) (*appservice.Service, error) {
	if who.bearer == "" {
		return nil, missingToken("An application service shows its as_token as access token.")
	}
	if service := s.services.ByToken(who.bearer); service != nil {
		return service, nil
	}
	if err := s.logins.takeAddress(who.addr, who.now); err != nil {
		return nil, err
	}
	return nil, unknownToken("This is no application service's token.", false)
}

// serviceSession starts a session of one of an application service's users.
func (s *Server) serviceSession(ctx context.Context, a attempt) (db.Session, error) {
	who, name := callerOf(ctx), spelled(a.user, s.serverName)
	if name == "" || !a.service.Owns(string(NewUserID(name, s.serverName))) {
		return db.Session{}, badRequest("M_EXCLUSIVE", "This user is not the application service's.")
	}
	if a.service.RateLimited {
		if err := s.logins.takeAccount(strings.ToLower(name), who.now); err != nil {
			return db.Session{}, err
		}
	}
	account, err := s.serviceUser(ctx, name)
	if err != nil {
		return db.Session{}, err
	}
	session, err := s.startSession(ctx, account, a)
	if errors.Is(err, db.ErrConflict) {
		return db.Session{}, forbidden("This account was changed meanwhile.").because(err)
	}
	return session, err
}

// serviceUser is the account of an application service's user. One that was registered before this server had the
// accounts gets one without a password now. Names are taken as they are spelled: a bridge's users may be called what
// nobody else could be.
func (s *Server) serviceUser(ctx context.Context, name string) (db.User, error) {
	account, err := s.db.User(ctx, name)
	switch {
	case err == nil && !account.Deactivated.IsZero():
		return db.User{}, userDeactivated()
	case err == nil || !errors.Is(err, db.ErrNotFound):
		return account, err
	}
	known := false
	if s.homeserver != nil && s.homeserver.Knows != nil {
		if known, err = s.homeserver.Knows(ctx, name); err != nil {
			return db.User{}, homeserverAway(err)
		}
	}
	if !known {
		return db.User{}, forbidden("This user is not registered. POST /register comes first.")
	}
	return s.withoutPassword(ctx, name)
}

// withoutPassword makes an account that nobody can log in to by password; one that was made meanwhile is taken as it
// is.
func (s *Server) withoutPassword(ctx context.Context, name string) (db.User, error) {
	err := s.db.CreateUser(ctx, db.User{Localpart: name, PasswordHash: NoPassword, Created: s.now()})
	if err != nil && !errors.Is(err, db.ErrConflict) {
		return db.User{}, err
	}
	return s.db.User(ctx, name)
}

// devicesBelow is what the operations on one device lie below.
const devicesBelow = clientAPI + "v3/devices/"

// deleteForService is DELETE /devices/{deviceId}. When an application service's own token deletes a device, which the
// homeserver does, the session on it is over here as well: else its token would wait for that device for ever, and be
// good again when another one is made by that name. Anybody else's is this server's own operation.
func (s *Server) deleteForService(c echo.Context, next http.Handler) error {
	r, token := c.Request(), accessToken(c)
	if !s.isService(token) {
		next.ServeHTTP(c.Response(), r)
		return nil
	}
	path := asSent(r.URL)
	device, err := url.PathUnescape(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil { // unreachable: net/http has decoded it before
		return err
	}
	k, err := ask(next, r)
	if err != nil {
		return err
	}
	if k.status == http.StatusOK {
		user := spelled(cmp.Or(c.QueryParam("user_id"), s.services.ByToken(token).Sender), s.serverName)
		if _, err := s.db.EndDevices(r.Context(), user, []string{device}); err != nil {
			return err // it asks again, and the homeserver says the same
		}
	}
	k.forward(c.Response())
	return nil
}
