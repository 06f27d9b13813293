package homeserver

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/adminapi"
	"postern/homeserver/front"
	"postern/tokens"
)

// Gate stands between clients and the homeserver. It knows which requests this server answers, judges the tokens of the
// others, and takes part in those that need both servers.
type Gate struct {
	server     *handlers.Server
	peer       *Peer
	internal   http.Handler // answers the homeserver's questions; nil if they come to another address
	admin      *adminapi.API
	amendments map[string]Amendment // by method and path; a path that ends in a slash is for one segment below
}

var _ front.Login = (*Gate)(nil)

// NewGate makes the gate of a server whose [handlers.Config.Peer] is peer. It also answers the homeserver's questions,
// unless those come to an address of their own, see [Gate.Internal].
func NewGate(server *handlers.Server, peer *Peer, answersHomeserver bool) *Gate {
	g := &Gate{server: server, peer: peer}
	g.amendments = g.newAmendments()
	g.admin = adminapi.New(adminapi.Config{
		Server: server, Queue: peer.Queue, Enter: g.enter, Provision: peer.Provision, User: peer.User,
		Adopt: peer.withoutPassword, DeviceGone: peer.deviceGone, Secret: peer.RegistrationSecret,
	})
	if answersHomeserver {
		g.internal = g.Internal()
	}
	return g
}

// ServeHTTP answers a request that has no path.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.server.Handler().ServeHTTP(w, r) }

// Exchange checks the access token of a request that the homeserver will answer, exactly as any operation that needs
// one does, and gives the session's own plain token to send on: an introspection knows neither the method nor the path,
// so it could not judge a restricted one. Path is as it came, escaped, without the query. A token that is not ours is
// given back untouched: it is an application service's, or one that the homeserver refuses. Where the homeserver needs
// no token it would refuse that one even so, so there it is refused here.
func (g *Gate) Exchange(r *http.Request, path, text string) (front.Pass, error) {
	who := g.server.Caller(r)
	claims, session, err := g.admit(r.Context(), who, text, r.Method, path)
	if errors.Is(err, tokens.ErrMalformed) { // neither a macaroon of ours nor a token that came from the homeserver
		if service := g.isService(text); service || !needsNoToken(r.Method, path) {
			return front.Pass{Token: text, Trusted: service}, nil
		}
	}
	// a token that came from the homeserver goes there as it is: nobody could restrict it
	plain := text
	if err == nil && claims.KeyID != 0 {
		plain, err = g.plainToken(r.Context(), session)
	}
	if err == nil && isAdminAPI(path) && !session.Admin {
		err = adminapi.NotAdmin()
	}
	if err != nil {
		return front.Pass{}, err
	}
	g.server.DB.NoteUse(session, claims.Generation, who.Seen())
	return front.Pass{Token: plain, Session: session.ID, Trusted: true}, nil
}

// enter checks the access token of a request that this server answers in the homeserver's place, and notes its use.
func (g *Gate) enter(r *http.Request) (context.Context, error) {
	ctx, claims, err := g.userOf(r)
	if err == nil {
		who := handlers.CallerOf(ctx)
		g.server.DB.NoteUse(who.Session, claims.Generation, who.Seen())
	}
	return ctx, err
}

// plainToken is the token that the homeserver gets for a session. It remembers for two minutes what a token may do, so
// an administrator's is another one than the session's was before: it says once more that it is an access token. By
// that a mark that is given or taken counts with the next request.
func (g *Gate) plainToken(ctx context.Context, session db.Session) (string, error) {
	plain, err := g.server.PlainToken(ctx, session)
	if err != nil || !session.Admin {
		return plain, err
	}
	return tokens.Restrict(plain, tokens.Caveat{Key: "type", Operator: "=", Value: string(tokens.Access)})
}

// isAdminAPI reports whether a path, as it came, is of the homeserver's admin API. The front lets it through in this
// spelling alone. It is judged here since a token that came from the homeserver cannot be told from what it was before.
func isAdminAPI(path string) bool { return strings.HasPrefix(path, adminapi.Prefix) }

// admit judges a token for a request whose path may have two names, the contract's first: it is good if all its caveats
// hold for one of them. So a token for /v3/sync opens /r0/sync too, and one that its holder has restricted to
// /unstable/… opens just that.
func (g *Gate) admit(ctx context.Context, who *handlers.Caller, text, method, path string) (tokens.Claims, db.Session,
	error) {
	r := tokens.Request{Now: who.Now, Method: method, Path: g.name(path), Addr: who.Addr}
	claims, session, err := g.server.Admit(ctx, text, r)
	if r.Path == path || !handlers.IsStatus(err, http.StatusForbidden) {
		return claims, session, err
	}
	r.Path = path
	claims, session, second := g.server.Admit(ctx, text, r)
	if handlers.IsStatus(second, http.StatusForbidden) {
		return tokens.Claims{}, db.Session{}, err
	}
	return claims, session, second
}

// Refuse answers a request with the error that Exchange or Ended gave for its token.
func (g *Gate) Refuse(w http.ResponseWriter, r *http.Request, token string, err error) {
	g.server.RefuseToken(w, r, token, err)
}

// Client says where a client is and by which scheme it came, as the trusted proxies tell, for a homeserver that
// believes what it is told.
func (g *Gate) Client(r *http.Request) (addr, scheme string) {
	scheme = strings.ToLower(strings.TrimSpace(r.Header.Get("X-Forwarded-Proto")))
	if !g.server.FromProxy(r) || scheme != "https" && scheme != "http" {
		scheme = "http" // there is no TLS here
	}
	if addr := g.server.Caller(r).Addr; addr.IsValid() {
		return addr.String(), scheme
	}
	return "", scheme
}
