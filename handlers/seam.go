package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// What other packages need to answer requests as this server does: those that stream to a homeserver, and those that a
// spec answers. None of these methods is an operation.

// Caller finds out who makes a request, as [Server.Handler] does.
func (s *Server) Caller(r *http.Request) *Caller { return s.callerFrom(s.echo.NewContext(r, nil)) }

// FromProxy reports whether the connection is from a proxy that is trusted.
func (s *Server) FromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(s.TrustedProxies,
		func(p netip.Prefix) bool { return p.Masked().Contains(peer.Addr().Unmap().WithZone("")) })
}

// Admit judges an access token for a request and changes nothing, except that a session that is behind a good token
// catches up with it. An error wraps what package tokens said, if it was
// the token's fault; a token that is neither a macaroon of ours nor on the list of foreign ones is
// [tokens.ErrMalformed].
func (s *Server) Admit(ctx context.Context, token string, r tokens.Request) (tokens.Claims, db.Session, error) {
	return s.admit(ctx, token, tokens.Access, false, r)
}

// SessionOf finds the session of an authentic token, whatever generation and state it is in.
func (s *Server) SessionOf(ctx context.Context, token string) (db.Session, error) {
	_, session, err := s.checked(ctx, token)
	return session, err
}

// PlainToken is the access token of the session's generation, without any holder's caveats. To make it notes nothing: a
// client that shows the predecessor keeps that until it uses the new one itself.
func (s *Server) PlainToken(ctx context.Context, session db.Session) (string, error) {
	key, found := s.keys.load().Key(session.KeyID)
	if !found {
		ring, err := s.freshKeys(ctx)
		if err != nil {
			return "", err
		}
		if key, found = ring.Key(session.KeyID); !found {
			return "", UnknownToken("The access token is no longer good.", true).because(errKeyGone)
		}
	}
	return tokens.Mint(s.ServerName, key, s.accessClaims(session))
}

// Proof is user-interactive authentication that is complete and not used up.
type Proof struct {
	server *Server
	i      *interaction
}

// Prove asks the user of the context's [Caller] for the password; an error may be the challenge for it. It may be
// repeated until the proof is spent.
func (s *Server) Prove(ctx context.Context, r Sensitive, auth *gen.AuthData) (Proof, error) {
	i, err := s.prove(ctx, r, auth)
	return Proof{s, i}, err
}

// Spend uses up the proof: of several requests that bring it, one succeeds.
func (p Proof) Spend(ctx context.Context) error { return p.server.spend(ctx, p.i) }

// CountLogin counts a login attempt of the context's [Caller]: on an account or, without one, from its address.
func (s *Server) CountLogin(ctx context.Context, localpart string) error {
	who := CallerOf(ctx)
	if localpart == "" {
		return s.logins.takeAddress(who.Addr, who.Now)
	}
	return s.logins.takeAccount(localpart, who.Now)
}

// ForgiveLogin takes back that an attempt from the context's [Caller] was counted: it was no guess.
func (s *Server) ForgiveLogin(ctx context.Context) {
	who := CallerOf(ctx)
	s.logins.address.giveBack(network(who.Addr), who.Now)
}

// LogInRegistered starts the first session of an account that was made elsewhere, as the registration wanted it, and
// gives the answer to that.
func (s *Server) LogInRegistered(ctx context.Context, account db.User,
	wanted *gen.RegisterRequest) (gen.RegisterResponseObject, error) {
	ctx, done := context.WithTimeout(ctx, s.Patience*9/10-s.Now().Sub(CallerOf(ctx).Now)) // see inTime
	defer done()
	session, err := s.startSession(ctx, account, wantedAttempt(wanted))
	if err != nil {
		return nil, err
	}
	s.logSuccess(ctx, "login", session)
	return s.registered(ctx, account.Localpart, session)
}

// Operation finds the operation that serves a path as it came, escaped, by its name in the contract.
func (s *Server) Operation(method, path string) (id string, secured, found bool) {
	op, found := s.contract.find(method, path)
	return op.id, op.secured, found
}

// HasPath reports whether the contract has a path, by any method. It is compared as it came, escaped.
func (s *Server) HasPath(path string) bool {
	template := s.contract.template(path)
	if slices.Contains(PagePaths, path) || template != "" && s.contract.oauth(template) {
		return s.Config.OAuth != nil
	}
	return template != ""
}

// Decode holds a JSON body against the contract of the operation at a path, and reads it.
func (s *Server) Decode(body []byte, method, path string, into any) error {
	op, found := s.contract.find(method, path)
	if !found {
		return fmt.Errorf("the contract has no %s %s", method, path) // unreachable: the caller names one that it has
	}
	return decode(body, op, into)
}

// Refuse answers a request with an error, as any operation does.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.refuse(s.echo.NewContext(r, w), err)
}

// RefuseToken answers a request with the error that [Server.Admit] gave for its token, later if that was refused often.
func (s *Server) RefuseToken(w http.ResponseWriter, r *http.Request, token string, err error) {
	s.brake(r.Context(), token, err)
	s.Refuse(w, r, err)
}

func (s *Server) refuse(c echo.Context, err error) {
	OpenToBrowsers(c.Response().Header())
	s.handleError(err, c)
}

// Answer calls a handler and answers its error, or its panic, as those of any operation. The name stands for the path
// in logs, since the path itself may hold anything.
func (s *Server) Answer(w http.ResponseWriter, r *http.Request, name string,
	f func(http.ResponseWriter, *http.Request) error) {
	c := s.echo.NewContext(r, w)
	c.SetPath(name)
	err := s.recovers(func(c echo.Context) error { return f(c.Response(), c.Request()) })(c)
	if err != nil {
		s.refuse(c, err)
	}
}

// Authorize checks the access token of a request that is answered by somebody else, exactly as any operation that needs
// one does: its signature, its session, its caveats. When the token is not good it has answered, and gives false.
func (s *Server) Authorize(w http.ResponseWriter, r *http.Request) bool {
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = Alias(r.URL.Path), Alias(r.URL.RawPath) // `path` caveats speak of the contract's names
	c := s.echo.NewContext(r, w)
	if err := s.identify(c, s.callerFrom(c), false); err != nil {
		s.handleError(err, c)
		return false
	}
	return true
}

// Judge tells whether the server would take a token for a request, by the same steps and with the same errors, and what
// the token says. It is for looking on: the token is not noted as used, nothing is counted against a limit, and the
// request's path need not exist. Of a refresh token it says whether its generation is in force; one that was spent a
// moment ago may be taken even so, see RefreshLeeway. An error wraps what package tokens said, if it was a token's
// fault. Without Now it judges as of now.
func (s *Server) Judge(ctx context.Context, token string, want tokens.Type, r tokens.Request) (tokens.Claims, error) {
	if r.Now.IsZero() {
		r.Now = s.Now()
	}
	r.Path = Alias(r.Path)
	op, _ := s.contract.find(r.Method, r.Path)
	claims, _, err := s.admit(ctx, token, want, expiredMay[op.goName()], r)
	return claims, err
}

// IsStatus reports whether an error is answered with an HTTP status by its own word.
func IsStatus(err error, status int) bool {
	var matrix *Error
	return errors.As(err, &matrix) && matrix.Status == status
}
