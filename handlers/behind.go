package handlers

import (
	"context"
	"errors"
	"time"

	"postern/db"
	"postern/tokens"
)

// What a token proves that the database does not know: a failover, or a restored backup, has lost commits. Nobody is
// told that a session has ended unless it is known to have.

// caughtUp gives the session of a good token as it is, or has it catch up with one that is newer. A token that is not
// good changes nothing, whatever it proves: whoever has only such a one must not choose when others count as lost.
func (s *Server) caughtUp(ctx context.Context, token tokens.Bearer, session db.Session, now time.Time) (db.Session,
	error) {
	macaroon, ours := token.(*tokens.Authentic)
	if !ours || !session.Behind(token.Generation(), now) {
		return session, nil
	}
	minted := macaroon.Minted()
	if minted.Type != tokens.Access {
		return session, nil // another one says when an access token expires
	}
	ahead, err := s.DB.CatchUp(ctx, db.Ahead{Session: session.ID, Generation: minted.Generation, KeyID: minted.KeyID,
		AccessExpires: minted.Expires, At: now})
	switch {
	case errors.Is(err, db.ErrNotFound):
		return session, s.over(ctx, minted)
	case errors.Is(err, db.ErrKeyGone): // retired a moment ago
		return session, UnknownToken("The access token is no longer good.", true).because(err)
	case err != nil:
		return session, err
	}
	s.noteCaughtUp(ahead, minted.Generation, now)
	return ahead, nil
}

// noteCaughtUp counts and logs that a session has caught up with a token just now, if it has.
func (s *Server) noteCaughtUp(session db.Session, generation int64, now time.Time) {
	if db.Millis(session.CaughtUp) != db.Millis(now) {
		return
	}
	s.Metrics.caughtUp.Inc()
	s.Log.Warn("the database has lost commits: a session caught up with its token", "user_id", s.userID(session),
		"device_id", session.DeviceID, "session", session.ID, "generation", session.CaughtFrom, "token", generation)
}

// over refuses the token of a session that is not there; of the claims it needs the session's id and the user's.
func (s *Server) over(ctx context.Context, c tokens.Claims) error {
	soft, err := s.softOver(ctx, c)
	if err != nil {
		return err
	}
	return UnknownToken("The session has ended.", soft)
}

// gone refuses to go on with a session that was there a moment ago.
func (s *Server) gone(ctx context.Context, session db.Session) error {
	return s.over(ctx, tokens.Claims{UserID: string(s.userID(session)), Session: session.ID})
}

// softOver reports whether a client whose session is not there must keep its keys. If somebody has logged in on its
// device since, that lives, and so do the keys that its processes share. If the session may have been lost, its device
// lives on at the homeserver. Client-Server API v1.19, "Soft logout".
func (s *Server) softOver(ctx context.Context, c tokens.Claims) (bool, error) {
	lives, err := s.DB.DeviceLives(ctx, Spelled(c.UserID, s.ServerName), c.Session)
	if lives || err != nil {
		return lives, err
	}
	return s.DB.MayBeLost(ctx, c.Session, s.Now(), s.KeepExpired)
}

// claimed reports whether the client of a token whose root key is not known must keep its keys: the token claims a
// session that is there, or that may have been lost. The key was retired, or the database has forgotten it. Nobody can
// guess a session's id, and the answer says nothing else.
func (s *Server) claimed(ctx context.Context, token *tokens.Token) (bool, error) {
	_, _, err := s.DB.Session(ctx, token.Session())
	if errors.Is(err, db.ErrNotFound) {
		return s.DB.MayBeLost(ctx, token.Session(), s.Now(), s.KeepExpired)
	}
	return err == nil, err // a database that is away must not make a client forget its session
}
