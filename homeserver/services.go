package homeserver

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
	"postern/homeserver/appservice"
	"postern/homeserver/synapse"
)

// serviceLogin is the login flow of an application service that logs in as one of its users, by its own token. It is
// served where there are any. Client-Server API v1.19, "Appservice Login".
const serviceLogin = "m.login.application_service"

// Flows are the ways to log in that the homeserver's application services add.
func (p *Peer) Flows() []handlers.Flow {
	if !p.Services.Any() {
		return nil
	}
	return []handlers.Flow{{Type: serviceLogin, Account: p.serviceAccount}}
}

// isService reports whether a token is an application service's own. What it asks for is the homeserver's to answer,
// which knows it too.
func (g *Gate) isService(token string) bool {
	return token != "" && g.peer.Services.ByToken(token) != nil
}

// serviceOf is the application service whose token a request shows. A guess at a token is counted.
func (p *Peer) serviceOf(ctx context.Context, server *handlers.Server) (*appservice.Service, error) {
	token := handlers.CallerOf(ctx).Token
	if token == "" {
		return nil, amend.Refused(http.StatusUnauthorized, "M_MISSING_TOKEN",
			"An application service shows its as_token as access token.")
	}
	if service := p.Services.ByToken(token); service != nil {
		return service, nil
	}
	if err := server.CountLogin(ctx, ""); err != nil {
		return nil, err
	}
	return nil, handlers.UnknownToken("This is no application service's token.", false)
}

// serviceAccount is the account of one of an application service's users, for [handlers.Flow].
func (p *Peer) serviceAccount(ctx context.Context, server *handlers.Server, user string) (db.User, error) {
	service, err := p.serviceOf(ctx, server)
	if err != nil {
		return db.User{}, err
	}
	name := handlers.Spelled(user, p.ServerName)
	if name == "" || !service.Owns(string(handlers.NewUserID(name, p.ServerName))) {
		return db.User{}, amend.Refused(http.StatusBadRequest, "M_EXCLUSIVE",
			"This user is not the application service's.")
	}
	if service.RateLimited {
		if err := server.CountLogin(ctx, strings.ToLower(name)); err != nil {
			return db.User{}, err
		}
	}
	return p.serviceUser(ctx, name)
}

// serviceUser is the account of an application service's user. One that was registered before this server had the
// accounts gets one without a password now. Names are taken as they are spelled: a bridge's users may be called what
// nobody else could be.
func (p *Peer) serviceUser(ctx context.Context, name string) (db.User, error) {
	account, err := p.Queue.DB.User(ctx, name)
	switch {
	case err == nil && !account.Deactivated.IsZero():
		return db.User{}, handlers.UserDeactivated()
	case err == nil || !errors.Is(err, db.ErrNotFound):
		return account, err
	}
	switch user, err := p.User(ctx, name); {
	case err != nil && !errors.Is(err, synapse.ErrNotFound):
		return db.User{}, amend.Away(err)
	case err != nil || user.Deactivated:
		return db.User{}, amend.Refused(http.StatusForbidden, "M_FORBIDDEN",
			"This user is not registered. POST /register comes first.")
	}
	return p.withoutPassword(ctx, name)
}

// withoutPassword makes an account that nobody can log in to by password; one that was made meanwhile is taken as it
// is.
func (p *Peer) withoutPassword(ctx context.Context, name string) (db.User, error) {
	err := p.Queue.DB.CreateUser(ctx, db.User{Localpart: name, PasswordHash: handlers.NoPassword, Created: p.Now()})
	if err != nil && !errors.Is(err, db.ErrConflict) {
		return db.User{}, err
	}
	return p.Queue.DB.User(ctx, name)
}

// devicesBelow is what the operations on one device lie below.
const devicesBelow = clientAPI + "v3/devices/"

// deleteForService is DELETE /devices/{deviceId}. When an application service's own token deletes a device, which the
// homeserver does, the session on it is over here as well: else its token would wait for that device for ever, and be
// good again when another one is made by that name. Anybody else's is this server's own operation.
func (g *Gate) deleteForService(w http.ResponseWriter, r *http.Request, next http.Handler) error {
	token := handlers.AccessToken(r)
	if !g.isService(token) {
		next.ServeHTTP(w, r)
		return nil
	}
	path := handlers.AsSent(r.URL)
	device, err := url.PathUnescape(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil { // unreachable: net/http has decoded it before
		return err
	}
	rec, err := amend.Ask(next, r)
	if err != nil {
		return err
	}
	if rec.Status == http.StatusOK {
		user := handlers.Spelled(cmp.Or(r.URL.Query().Get("user_id"), g.peer.Services.ByToken(token).Sender),
			g.peer.ServerName)
		if _, err := g.peer.Queue.DB.EndDevices(r.Context(), user, []string{device}); err != nil {
			return err // it asks again, and the homeserver says the same
		}
	}
	rec.Forward(w)
	return nil
}
