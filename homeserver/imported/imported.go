// Package imported keeps what comes along from another server: accounts, their devices as sessions, and the tokens in
// use on them, which are access and refresh tokens of a session's first generation. They cannot be computed, so the
// SHA-256 of each is kept, until the client refreshes and has a pair of Postern's own.
//
//	did, err := imported.Add(ctx, d, imported.Batch{…})       // package importer reads them from the other server
//	config.Foreign = imported.Tokens(d, "example.org")
//	made, err := imported.MadeSince(ctx, d)                    // what the other server would not know
package imported

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"postern/db"
	"postern/tokens"
)

// foreignToken is a token that another server gave: one of the first generation of the session that it came with. So
// all that is true of a macaroon of that generation is true of it, and a client that refreshes it has one of ours. It
// has no caveats, and nobody can append any.
type foreignToken struct {
	token  Token
	userID string
}

// Session is the id of the session that it came with.
func (t foreignToken) Session() string { return t.token.Session }

// Generation is the first.
func (t foreignToken) Generation() int64 { return 1 }

// Appended gives nothing.
func (t foreignToken) Appended(tokens.Claims) []string { return nil }

var (
	errExpired = fmt.Errorf("%w: a token of another server", tokens.ErrExpired)
	errType    = fmt.Errorf("%w: a token of another server, for something else", tokens.ErrRefused)
)

// Check judges its type and its expiry, as [tokens.Authentic.Check] would.
func (t foreignToken) Check(want tokens.Type, _ tokens.Table, r tokens.Request) (tokens.Claims, error) {
	claims := tokens.Claims{Session: t.token.Session, Generation: 1, UserID: t.userID, Type: tokens.Access,
		Expires: t.token.Expires}
	if t.token.Refresh {
		claims.Type = tokens.Refresh
	}
	switch {
	case claims.Type != want:
		return tokens.Claims{}, errType
	case !claims.Expires.IsZero() && !r.Now.Before(claims.Expires):
		return claims, errExpired
	}
	return claims, nil
}

var (
	// synapse/handlers/auth.py, generate_access_token and generate_refresh_token, since release 1.34
	newTokens = regexp.MustCompile(`^sy[tr]_[A-Za-z0-9+/]*_[A-Za-z]{20}_[0-9A-Za-z]{6}$`)
	// before, macaroons of version 1, in base64; it gives others of that form that are for something else, such as the
	// link in a notification's mail by which nobody is sent another
	oldTokens = regexp.MustCompile(`^00[0-9a-f]{2}location (?s:.*)\n00[0-9a-f]{2}cid type = access\n`)
)

// givenBySynapse reports whether a token has the form of those that Synapse gives to its users. No application service
// has one of those.
func givenBySynapse(text string) bool {
	if newTokens.MatchString(text) {
		return true
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil && oldTokens.Match(raw)
}

// Tokens finds the session of a token that came from another server with its session, for [handlers.Config.Foreign].
// It is found by its hash, so that looking does not compare secrets.
func Tokens(d *db.DB, serverName string) func(context.Context, string) (tokens.Bearer, db.Session, error) {
	f := newFinder(d)
	return func(ctx context.Context, text string) (tokens.Bearer, db.Session, error) {
		token, session, err := f.find(ctx, sha256.Sum256([]byte(text)))
		if errors.Is(err, db.ErrNotFound) && givenBySynapse(text) {
			// It ended before this server was started, or never came. Synapse would ask about it and hear the same, but
			// what it heard two minutes ago it remembers.
			err = db.ErrEnded
		}
		if err != nil {
			return nil, db.Session{}, err
		}
		return foreignToken{token, "@" + session.Localpart + ":" + serverName}, session, nil
	}
}
