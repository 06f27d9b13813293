package handlers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"postern/db"
	"postern/tokens"
)

// The way of an access token, from its text to the session that it opens: [Server.admit] asks [Server.checked], which
// is [Server.authentic] for tokens that come again and again.

// admit judges a token for a request, and changes nothing; but a session that is behind a good token catches up.
func (s *Server) admit(ctx context.Context, text string, want tokens.Type, lenient bool,
	r tokens.Request) (tokens.Claims, db.Session, error) {
	token, session, err := s.checked(ctx, text)
	if err != nil {
		return tokens.Claims{}, session, err
	}
	locked := session.Accepts(token.Generation(), r.Now)
	leaving := lenient && errors.Is(locked, db.ErrEnded)
	if locked != nil && !leaving && !errors.Is(locked, db.ErrLocked) {
		return tokens.Claims{}, session, UnknownToken("The access token is no longer good.", true).because(locked)
	}
	r.DeviceID = session.DeviceID
	claims, err := token.Check(want, s.caveats, r)
	if err != nil && !(lenient && merelyExpired(err, token, session)) {
		return tokens.Claims{}, session, refusal(err)
	}
	if locked != nil && !lenient {
		return tokens.Claims{}, session, userLocked() // last, so that only the holder of a good token learns it
	}
	if err := inScope(session, r.Path); err != nil {
		return tokens.Claims{}, session, err
	}
	session, err = s.caughtUp(ctx, token, session, r.Now)
	return claims, session, err
}

// merelyExpired reports whether the only fault of a token of the pair in force is the expiry that it was minted with.
// When a session's tokens have none, a holder has added it as a restriction, and meant it. Nobody can restrict a
// foreign token.
func merelyExpired(err error, token tokens.Bearer, session db.Session) bool {
	_, macaroon := token.(*tokens.Authentic)
	return errors.Is(err, tokens.ErrExpired) && session.InForce(token.Generation()) &&
		(!session.AccessExpires.IsZero() || !macaroon)
}

// maxKept is the longest token that is remembered: one with a few caveats of its holder, and not what a holder may blow
// it up to.
const maxKept = 512

// checked is authentic for a token that comes again and again: one whose signature was checked is remembered.
func (s *Server) checked(ctx context.Context, text string) (tokens.Bearer, db.Session, error) {
	id := sha256.Sum256([]byte(text))
	if ring := s.keys.load(); ring != nil {
		if token := ring.verified.find(id); token != nil {
			session, epoch, err := s.DB.Session(ctx, token.Session())
			if err == nil && epoch == ring.epoch {
				return token, session, nil
			}
		}
	}
	token, session, err := s.authentic(ctx, text)
	if ring := s.keys.load(); err == nil && ring != nil && len(text) <= maxKept {
		// Keys that changed since it was verified are no harm: a session of a later epoch than the ring's ends the
		// finding.
		if macaroon, ours := token.(*tokens.Authentic); ours {
			if _, there := ring.Key(macaroon.KeyID()); there {
				ring.verified.add(id, macaroon)
			}
		}
	}
	return token, session, err
}

// ringTries is far more than changes of keys can follow each other, or writes of a shell.
const ringTries = 100

// errKeysUnsettled says that the database tells of other root keys each time.
var errKeysUnsettled = fmt.Errorf("%w: its root keys change each time they are read", db.ErrUnavailable)

// authentic proves the token's signature, or that another server gave it, and finds its session. It goes round again
// when the root keys changed in between: a retired key must not open anything, a new one must not be unknown.
func (s *Server) authentic(ctx context.Context, text string) (tokens.Bearer, db.Session, error) {
	token, err := tokens.Decode(text)
	if err != nil {
		return s.foreign(ctx, text, err)
	}
	ring := s.keys.load()
	for range ringTries {
		authentic, err := token.Authenticate(s.ServerName, ring.Keyring)
		if errors.Is(err, tokens.ErrUnknownKey) {
			fresh, reloadErr := s.freshKeys(ctx)
			if reloadErr != nil {
				return nil, db.Session{}, reloadErr
			}
			if fresh.epoch != ring.epoch {
				ring = fresh
				continue
			}
		}
		if err != nil {
			return nil, db.Session{}, s.unproved(ctx, token, err)
		}
		session, epoch, err := s.DB.Session(ctx, authentic.Session())
		switch {
		case errors.Is(err, db.ErrNotFound):
			return nil, db.Session{}, s.over(ctx, authentic.Minted())
		case err != nil:
			return nil, db.Session{}, err
		case epoch == ring.epoch:
			return authentic, session, nil
		}
		if ring, err = s.keys.asOf(ctx, epoch); err != nil {
			return nil, db.Session{}, err
		}
	}
	return nil, db.Session{}, errKeysUnsettled
}

// unproved refuses a token whose signature cannot be checked or does not hold.
func (s *Server) unproved(ctx context.Context, token *tokens.Token, why error) error {
	soft := false
	if errors.Is(why, tokens.ErrUnknownKey) {
		var err error
		if soft, err = s.claimed(ctx, token); err != nil {
			return err
		}
	}
	return UnknownToken("Unrecognised token.", soft).because(why)
}

// refusal maps a caveat that does not hold to an answer. A token that a holder restricted to other requests is
// good elsewhere, so it is 403 (RFC 6750, section 3.1, insufficient_scope) and a client keeps it.
func refusal(err error) *Error {
	var caveat *tokens.CaveatError
	switch {
	case errors.Is(err, tokens.ErrExpired):
		return UnknownToken("The access token has expired.", true).because(err)
	case errors.As(err, &caveat) && caveat.OfRequest():
		return forbidden("The access token is restricted to other requests.").because(err)
	default:
		return UnknownToken("The access token is not good for this.", true).because(err)
	}
}

// foreign looks for a token that is no macaroon of ours among those of other servers. Forgeries of our own tokens do
// not come here.
func (s *Server) foreign(ctx context.Context, text string, why error) (tokens.Bearer, db.Session, error) {
	refused := UnknownToken("Unrecognised token.", false).because(why)
	if s.Foreign == nil || text == "" || len(text) > tokens.MaxTokenLength {
		return nil, db.Session{}, refused
	}
	token, session, err := s.Foreign(ctx, text)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, db.Session{}, refused
	case errors.Is(err, db.ErrEnded): // ours to refuse: the server that gave it may remember it for a while
		return nil, db.Session{}, UnknownToken("The session has ended.", false)
	}
	return token, session, err
}
