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

// caughtUp gives a session as it is, or has it catch up with a token that is newer.
func (s *Server) caughtUp(ctx context.Context, token *tokens.Authentic, session db.Session) (db.Session, error) {
	now := s.Now()
	if !session.Behind(token.Generation(), now) {
		return session, nil
	}
	minted := token.Minted()
	expires := minted.Expires
	if minted.Type != tokens.Access { // which says when the session ends
		expires = time.Time{}
		if s.AccessTTL > 0 {
			expires = now.Add(s.AccessTTL)
		}
	}
	ahead, err := s.DB.CatchUp(ctx, db.Ahead{Session: session.ID, Generation: minted.Generation, KeyID: minted.KeyID,
		AccessExpires: expires, At: now})
	if err != nil {
		return db.Session{}, err
	}
	s.Metrics.caughtUp.Inc()
	s.Log.Warn("the database has lost commits: a session caught up with its token", "user_id", s.userID(ahead),
		"device_id", ahead.DeviceID, "session", ahead.ID, "generation", session.Generation, "token", minted.Generation)
	return ahead, nil
}

// over refuses the token of a session that is not there.
func (s *Server) over(ctx context.Context, token *tokens.Authentic) error {
	soft, err := s.softOver(ctx, token.Minted())
	if err != nil {
		return err
	}
	return UnknownToken("The session has ended.", soft)
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
