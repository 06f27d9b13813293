package handlers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"postern/db"
	"postern/tokens"
)

// bearer is a token that was proved, one way or the other: a macaroon by its signature, or a token that another server
// gave by being on the list of those that came from there. What becomes of it is the same from here on.
type bearer interface {
	Session() string
	Generation() int64
	Check(want tokens.Type, table tokens.Table, r tokens.Request) (tokens.Claims, error)
	Appended(minted tokens.Claims) []string
}

// importedBearer is a token that another server gave: one of the first generation of the session that it came with. So
// all that is true of a macaroon of that generation is true of it, and a client that refreshes it has one of ours. It
// has no caveats, and nobody can append any.
type importedBearer struct {
	token db.ImportedToken
	user  UserID
}

// Session is the id of the session that it came with.
func (b importedBearer) Session() string { return b.token.Session }

// Generation is the first.
func (b importedBearer) Generation() int64 { return 1 }

// Appended gives nothing.
func (b importedBearer) Appended(tokens.Claims) []string { return nil }

var (
	errImportedExpired = fmt.Errorf("%w: a token of another server", tokens.ErrExpired)
	errImportedType    = fmt.Errorf("%w: a token of another server, for something else", tokens.ErrRefused)
)

// Check judges its type and its expiry, as [tokens.Authentic.Check] would.
func (b importedBearer) Check(want tokens.Type, _ tokens.Table, r tokens.Request) (tokens.Claims, error) {
	claims := tokens.Claims{Session: b.token.Session, Generation: 1, UserID: string(b.user), Type: tokens.Access,
		Expires: b.token.Expires}
	if b.token.Refresh {
		claims.Type = tokens.Refresh
	}
	switch {
	case claims.Type != want:
		return tokens.Claims{}, errImportedType
	case !claims.Expires.IsZero() && !r.Now.Before(claims.Expires):
		return claims, errImportedExpired
	}
	return claims, nil
}

// imported looks for a token that is no macaroon of ours among those that came from another server. It is found by its
// hash, so that looking does not compare secrets. Forgeries of our own tokens do not come here, and where no token ever
// came nothing is looked for.
func (s *Server) imported(ctx context.Context, text string, why error) (bearer, db.Session, error) {
	refused := unknownToken("Unrecognised access token.", false).because(why)
	if text == "" || len(text) > tokens.MaxTokenLength {
		return nil, db.Session{}, refused
	}
	token, session, err := s.db.SessionByImported(ctx, sha256.Sum256([]byte(text)))
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, db.Session{}, refused
	case errors.Is(err, db.ErrEnded): // it is ours to refuse: the homeserver, who gave it, remembers it for a while
		return nil, db.Session{}, unknownToken("The session has ended.", false)
	case err != nil:
		return nil, db.Session{}, err
	}
	return importedBearer{token, s.userID(session)}, session, nil
}
