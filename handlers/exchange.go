package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/tokens"
)

// Exchange checks the access token of a request that the homeserver will answer, exactly as any operation that needs
// one does, and gives the session's own plain token to send on: an introspection knows neither the method nor the path,
// so it could not judge a restricted one. Path is as it came, escaped, without the query. A token that is not ours is
// given back untouched: it is an application service's, or one that the homeserver refuses. When the token is not good
// it has answered, and ok is false.
func (s *Server) Exchange(w http.ResponseWriter, r *http.Request, path, text string) (plain string, ours, ok bool) {
	c := s.echo.NewContext(r, w)
	who := s.callerFrom(c)
	claims, session, err := s.admitAs(r.Context(), text, tokens.Request{Now: who.now, Method: r.Method, Addr: who.addr},
		s.names.today(path), path)
	if errors.Is(err, tokens.ErrMalformed) {
		return text, false, true // neither a macaroon of ours nor a token that came from the homeserver
	}
	// a token that came from the homeserver goes there as it is: nobody could restrict it
	if plain = text; err == nil && claims.KeyID != 0 {
		plain, err = s.plain(r.Context(), session)
	}
	if err != nil {
		s.refuseFor(c, err)
		return "", true, false
	}
	s.db.NoteUse(session, claims.Generation, who.seen())
	return plain, true, true
}

// admitAs judges a token for a request whose path has several names, today's first: it is good if all its caveats hold
// for one of them. So a token for /v3/sync opens /r0/sync too, and one that its holder has written for /unstable/… just
// that.
func (s *Server) admitAs(ctx context.Context, text string, r tokens.Request, path ...string) (tokens.Claims, db.Session,
	error) {
	var first error
	for _, r.Path = range slices.Compact(path) {
		claims, session, err := s.admit(ctx, text, tokens.Access, false, r)
		if err == nil || !isStatus(err, http.StatusForbidden) {
			return claims, session, err
		}
		if first == nil {
			first = err
		}
	}
	return tokens.Claims{}, db.Session{}, first
}

func isStatus(err error, status int) bool {
	var matrix *Error
	return errors.As(err, &matrix) && matrix.Status == status
}

// plain is the access token of the session's generation, without a caveat of any holder. Making it is noting nothing:
// who came with the predecessor keeps that until they use the new one themselves.
func (s *Server) plain(ctx context.Context, session db.Session) (string, error) {
	key, found := s.keys.load().Key(session.KeyID)
	if !found {
		ring, err := s.freshKeys(ctx)
		if err != nil {
			return "", err
		}
		if key, found = ring.Key(session.KeyID); !found {
			return "", unknownToken("The access token is no longer good.", true).because(errKeyGone)
		}
	}
	return tokens.Mint(s.serverName, key, s.accessClaims(session))
}

// Ended reports whether the session of a token that was good is over by now or locked, and answers then. That a token
// has merely expired meanwhile, or has a successor, is no reason to lose the answer to what it asked in time.
func (s *Server) Ended(w http.ResponseWriter, r *http.Request, text string) bool {
	_, session, err := s.known(r.Context(), text)
	switch {
	case err == nil && session.State == db.Soft:
		err = unknownToken("The access token is no longer good.", true).because(db.ErrSoft)
	case err == nil && session.Locked:
		err = userLocked()
	case err == nil || !isStatus(err, http.StatusUnauthorized):
		return false
	}
	s.refuseFor(s.echo.NewContext(r, w), err)
	return true
}

// Disowned has the homeserver told again of the device of a session that it does not know, though the token is good: it
// may have been put back to an earlier state. Without that its client would be told to come again for ever.
func (s *Server) Disowned(r *http.Request, text string) {
	_, session, err := s.known(r.Context(), text)
	if err == nil {
		err = s.db.Remind(r.Context(), session.Localpart, session.DeviceID)
	}
	if err != nil {
		s.log.Warn("the homeserver could not be told again of a device", "error", err)
	}
}

// refuseFor answers for an operation that is not in the contract, with the headers that every answer has.
func (s *Server) refuseFor(c echo.Context, err error) {
	allowed(c.Response().Header())
	s.handleError(err, c)
}

// Client says where a client is and by which scheme it came, as the trusted proxies tell, for a homeserver that
// believes what it is told.
func (s *Server) Client(r *http.Request) (addr, scheme string) {
	c := s.echo.NewContext(r, nil)
	if scheme = strings.ToLower(strings.TrimSpace(r.Header.Get(echo.HeaderXForwardedProto))); !s.fromProxy(r) ||
		scheme != "https" && scheme != "http" {
		scheme = "http" // there is no TLS here
	}
	return c.RealIP(), scheme
}

// fromProxy reports whether the connection is from a proxy that is trusted.
func (s *Server) fromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(s.proxies,
		func(p netip.Prefix) bool { return p.Masked().Contains(peer.Addr().Unmap().WithZone("")) })
}
