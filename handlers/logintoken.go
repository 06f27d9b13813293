package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// tokenLogin is the login flow of a token that another session, or the operator, made for the purpose: a macaroon
// of type login. It is computed, so only those that were redeemed are kept, until they would have expired anyway.
// Client-Server API v1.19, "Token-based user login".
const tokenLogin = "m.login.token"

// issuerSeparator stands between the issuing session's id and the token's own random part in what the macaroon has
// for a session. A session id has none.
const issuerSeparator = "."

const loginTokenBytes = 16

// MaxLoginTokenTTL bounds the life of every login token.
const MaxLoginTokenTTL = 24 * time.Hour

// GenerateLoginToken implements POST /login/get_token. A token that a session made dies with it.
func (s *Server) GenerateLoginToken(ctx context.Context,
	request gen.GenerateLoginTokenRequestObject) (gen.GenerateLoginTokenResponseObject, error) {
	if s.LoginTokenTTL == 0 {
		return nil, badRequest("M_UNRECOGNIZED", "Login tokens are not enabled here.")
	}
	i, err := s.prove(ctx, Sensitive{
		Method: http.MethodPost, Path: "login/get_token",
		Deed: Deed{Text: "deedLogin", Words: "One more device is logged in to the account, without its password."},
	}, request.Body.Auth)
	if err != nil {
		return nil, err
	}
	session := CallerOf(ctx).Session
	token, err := s.loginToken(ctx, session.Localpart, session.ID, s.LoginTokenTTL)
	if err == nil {
		err = s.spend(ctx, i)
	}
	if err != nil {
		return nil, err
	}
	return gen.GenerateLoginToken200JSONResponse{LoginToken: token, ExpiresInMs: s.LoginTokenTTL.Milliseconds()}, nil
}

// loginToken makes a login token of a session, or of none.
func (s *Server) loginToken(ctx context.Context, localpart, issuer string, life time.Duration) (string, error) {
	ring, err := s.freshKeys(ctx)
	if err != nil {
		return "", err
	}
	random, err := s.randomID(loginTokenBytes)
	if err != nil {
		return "", err
	}
	return MintLoginToken(s.ServerName, ring.Keyring, localpart, issuer+issuerSeparator+random, s.Now().Add(life))
}

// takesLoginTokens reports whether they start sessions: those of other sessions, or of the page to sign in.
func (s *Server) takesLoginTokens() bool { return s.LoginTokenTTL > 0 || s.Config.OAuth != nil }

// MintLoginToken makes a login token under an id that is used once. The command line makes them with ids that begin
// with the separator: no session issued them.
func MintLoginToken(serverName string, ring *tokens.Keyring, localpart, id string, expires time.Time) (string, error) {
	key, ok := ring.Newest()
	if !ok {
		return "", errNoKey
	}
	return tokens.Mint(serverName, key, tokens.Claims{
		Session: id, UserID: string(NewUserID(localpart, serverName)), Type: tokens.Login, Expires: expires,
	})
}

// redeem starts the session that a login token stands for. What holders have appended to the token is to be carried by
// the session's own: an exchange never widens.
func (s *Server) redeem(ctx context.Context, a attempt) (session db.Session, carried []string, err error) {
	who := CallerOf(ctx)
	if err := s.logins.takeAddress(who.Addr, who.Now); err != nil {
		return db.Session{}, nil, err
	}
	claims, carried, err := s.loginClaims(ctx, a)
	if err != nil {
		return db.Session{}, nil, err
	}
	name := Spelled(claims.UserID, s.ServerName)
	session, err = s.start(ctx, db.User{Localpart: name}, a, func(login *db.Login) error {
		begun := db.Session{ID: login.ID, Localpart: name, Refreshable: a.refreshable}
		if err := s.carriable(who, begun, carried); err != nil {
			return err
		}
		// Remembered for as long as any could live, and not as long as this one says: a holder may have shortened it.
		login.LoginToken, login.LoginTokenExpires = claims.Session, login.At.Add(MaxLoginTokenTTL)
		login.Issuer, _, _ = strings.Cut(claims.Session, issuerSeparator)
		return nil
	})
	if errors.Is(err, db.ErrTokenSpent) || errors.Is(err, db.ErrConflict) || errors.Is(err, tokens.ErrMalformed) {
		return db.Session{}, nil, badLoginToken().because(err)
	}
	return session, carried, err
}

// loginClaims checks a login token, and gives what holders have appended to it. Why one is not good is not told.
func (s *Server) loginClaims(ctx context.Context, a attempt) (claims tokens.Claims, appended []string, err error) {
	ring, err := s.freshKeys(ctx)
	if err != nil {
		return tokens.Claims{}, nil, err
	}
	token, err := authenticated(a.token, s.ServerName, ring.Keyring)
	if err != nil {
		return tokens.Claims{}, nil, badLoginToken().because(err)
	}
	who := CallerOf(ctx)
	claims, err = token.Check(tokens.Login, s.caveats, tokens.Request{
		Now: who.Now, Method: http.MethodPost, Path: loginTokenPath, Addr: who.Addr, DeviceID: a.device,
	})
	if err != nil || claims.Expires.IsZero() {
		return tokens.Claims{}, nil, badLoginToken().because(err)
	}
	return claims, token.Appended(claims), nil // it was minted with an expiry, so what holders say of time is theirs
}

func authenticated(text, serverName string, ring *tokens.Keyring) (*tokens.Authentic, error) {
	token, err := tokens.Decode(text)
	if err != nil {
		return nil, err
	}
	return token.Authenticate(serverName, ring)
}

// loginTokenPath is what a `path` caveat of a login token is held against.
const loginTokenPath = "/_matrix/client/v3/login"

func badLoginToken() *Error { return forbidden("The login token is not good, or no longer.") }
