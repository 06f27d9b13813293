package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"postern/db"
)

// Homeserver is what stands behind: it leaves authentication to this server, asks it about tokens, and is told of users
// and devices.
type Homeserver struct {
	// Secret is what both show each other.
	Secret string

	// Provision makes the homeserver know a user and a device before a login is answered; without a device id, only the
	// user. An empty display name leaves the name as it is. When it fails the login is refused.
	Provision func(ctx context.Context, localpart, deviceID, displayName string) error

	// Available asks whether the homeserver has no user of that name, so that nobody registers as one. It gives the
	// Matrix error code of why it has, or cannot have, one; empty if the name is free.
	Available func(ctx context.Context, localpart string) (code string, err error)

	// Knows says whether the homeserver has such a user, who is not deactivated there.
	Knows func(ctx context.Context, localpart string) (bool, error)

	// AllowReset lets a user replace the cross-signing keys, for ten minutes, without proving anything to the
	// homeserver.
	AllowReset func(ctx context.Context, localpart string) error
}

const (
	// unheard is how long a login may take from its announcement on: what is not heard of by then is the sender's.
	unheard = 30 * time.Second

	// A login on a device of which the homeserver is just being told waits for that, this often and this long each
	// time.
	freeTries = 500
	freeWait  = 10 * time.Millisecond
)

// homeserverAway refuses what cannot be done without the homeserver.
func homeserverAway(cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "M_UNKNOWN", RetryAfter: 5 * time.Second,
		Message: "The homeserver does not answer at the moment, so nobody can log in or register. Try again.",
		cause:   cause,
	}
}

// begin starts a session, and lets the homeserver know its device before anybody is answered: a token must not come
// there before its device does. The proof was verified. If the homeserver cannot be told there is no session, a login
// token is not spent, and a device that was made for it and may have arrived there is taken back when it can be.
func (s *Server) begin(ctx context.Context, l db.Login) (db.Session, error) {
	if s.homeserver == nil {
		return s.db.StartSession(ctx, l)
	}
	a, err := s.db.Announce(ctx, l, l.At.Add(unheard))
	if err != nil {
		return db.Session{}, err
	}
	name := l.DisplayName
	if a.Known {
		name = a.DisplayName
	}
	if err := s.provision(ctx, l.Localpart, l.DeviceID, name); err != nil {
		return db.Session{}, s.recalled(ctx, l.Localpart, l.ID, err)
	}
	session, err := s.db.StartSession(ctx, l)
	if err != nil {
		return db.Session{}, s.recalled(ctx, l.Localpart, l.ID, err)
	}
	return session, s.confirm(ctx, session)
}

// provision tells the homeserver, once nobody else is telling it of the same device: what was said earlier must not
// arrive later.
func (s *Server) provision(ctx context.Context, localpart, deviceID, name string) error {
	for range freeTries {
		free, err := s.db.Free(ctx, localpart, deviceID, s.now())
		if err != nil {
			return err
		}
		if free {
			if err := s.homeserver.Provision(ctx, localpart, deviceID, name); err != nil {
				return homeserverAway(err)
			}
			return nil
		}
		select {
		case <-time.After(freeWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return homeserverAway(errors.New("the homeserver is being told of the device and does not answer"))
}

// recalled hands what was announced to the sender, who takes back what has come of it, and gives the reason back. If
// even that fails the announcement lapses.
func (s *Server) recalled(ctx context.Context, localpart, name string, why error) error {
	if err := s.db.Recall(context.WithoutCancel(ctx), localpart, name); err != nil {
		s.log.Warn("a login that failed is taken back at the homeserver only in half a minute", "user", localpart,
			"error", err)
	}
	return why
}

// confirm tells the homeserver again if anything has happened to the device of a new session between its announcement
// and its begin: a logout of the session that it replaces, say, of which the homeserver may have heard last. If it
// cannot, the session goes soft: an end of it would delete the device at the homeserver, and the keys that the client
// has.
func (s *Server) confirm(ctx context.Context, session db.Session) error {
	untold, err := s.db.Untold(ctx, session.Localpart, session.DeviceID)
	if err != nil || !untold {
		return err
	}
	if err := s.provision(ctx, session.Localpart, session.DeviceID, session.DisplayName); err != nil {
		if soft := s.db.SoftenSession(context.WithoutCancel(ctx), session.ID); soft != nil &&
			!errors.Is(soft, db.ErrNotFound) {
			s.log.Warn("a login that failed left a session behind", "user", session.Localpart, "device",
				session.DeviceID, "error", soft)
		}
		return err
	}
	return nil
}
