package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"postern/db"
	"postern/gen"
	"postern/handlers"
	"postern/homeserver/amend"
	"postern/homeserver/appservice"
)

// registerForService is POST /register where there are application services. What none of them asks for is this
// server's own registration. A service's user is made by the homeserver, which keeps the namespaces, without a login,
// which the homeserver may not make any more; the account and the login, if one was asked for, are made here.
// Application Service API v1.19, "Server admin style permissions".
func (g *Gate) registerForService(w http.ResponseWriter, r *http.Request, next http.Handler) error {
	body, err := amend.BodyOf(w, r)
	var kind string
	if err == nil {
		_ = json.Unmarshal(body.Get("type"), &kind) // of another type it is not what we look for
	}
	if kind != serviceLogin {
		return ownRegistration(w, r, next, body.Raw, err)
	}
	who := g.server.Caller(r)
	who.Token = handlers.AccessToken(r)
	ctx := handlers.WithCaller(r.Context(), who)
	service, err := g.peer.serviceOf(ctx, g.server)
	if err != nil {
		return err
	}
	wanted := new(gen.RegisterRequest)
	if err := g.server.Decode(body.Raw, http.MethodPost, registerPath, wanted); err != nil {
		return err
	}
	if err := g.unusedBy(ctx, service, nameIn(wanted)); err != nil {
		return err
	}
	rec, err := amend.Ask(next, amend.WithBody(ctx, r, body.Without([]string{"inhibit_login"}, `"inhibit_login":true`)))
	if err != nil {
		return err
	}
	if rec.Status != http.StatusOK {
		rec.Forward(w)
		return nil
	}
	return g.registeredForService(ctx, w, rec, wanted)
}

// registerPath is the path of the operation in the contract.
const registerPath = clientAPI + "v3/register"

func nameIn(wanted *gen.RegisterRequest) string {
	if wanted.Username == nil {
		return ""
	}
	return *wanted.Username
}

// ownRegistration takes a registration that is not a service's to this server's own operation, as it came.
func ownRegistration(w http.ResponseWriter, r *http.Request, next http.Handler, raw []byte, unread error) error {
	if raw == nil {
		return unread
	}
	next.ServeHTTP(w, amend.WithBody(r.Context(), r, raw))
	return nil
}

// unusedBy refuses a name that has an account here already, or one that waits, of which the homeserver may not know, or
// that can have none. Names that are not the service's are the homeserver's to refuse.
func (g *Gate) unusedBy(ctx context.Context, service *appservice.Service, name string) error {
	if !service.Owns(string(handlers.NewUserID(name, g.peer.ServerName))) {
		return nil
	}
	if !db.Stores(name) {
		return db.ErrText
	}
	_, err := g.peer.Queue.DB.User(ctx, name)
	if errors.Is(err, db.ErrNotFound) {
		_, err = g.peer.Queue.DB.WaitingUser(ctx, strings.ToLower(name))
	}
	switch {
	case err == nil:
		return amend.Refused(http.StatusBadRequest, "M_USER_IN_USE", "This name is taken.")
	case errors.Is(err, db.ErrNotFound):
		return nil
	}
	return err
}

// registeredForService makes the account of a user that the homeserver has made, and the login.
func (g *Gate) registeredForService(ctx context.Context, w http.ResponseWriter, rec *amend.Answer,
	wanted *gen.RegisterRequest) error {
	account, err := g.peer.withoutPassword(ctx, nameIn(wanted))
	if err != nil {
		return err
	}
	if wanted.InhibitLogin != nil && *wanted.InhibitLogin {
		rec.Forward(w)
		return nil
	}
	answer, err := g.server.LogInRegistered(ctx, account, wanted)
	if err != nil {
		return err
	}
	handlers.OpenToBrowsers(w.Header())
	return answer.VisitRegisterResponse(w)
}
