package homeserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/appservice"
)

// Config is what a peer needs from outside.
type Config struct {
	DB         *db.DB
	ServerName string               // the part of user ids after the colon
	Secret     string               // what both servers show each other
	Services   *appservice.Services // the homeserver's application services; nil: none
	Log        *slog.Logger
	Now        func() time.Time
	Random     io.Reader

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

// Peer is the homeserver to a [handlers.Server]: what that does to users and devices, the homeserver learns in time.
type Peer struct{ Config }

var _ handlers.Peer = (*Peer)(nil)

// NewPeer makes one.
func NewPeer(c Config) *Peer { return &Peer{c} }

const (
	// unheard is how long a login may take from its announcement on. After that the outbox tells the homeserver what
	// has become of the device.
	unheard = 30 * time.Second

	// A login on a device of which the homeserver is just being told waits for that, this often and this long each
	// time.
	freeTries = 500
	freeWait  = 10 * time.Millisecond
)

// away refuses what cannot be done without the homeserver.
func away(cause error) *handlers.Error {
	return &handlers.Error{
		Status: http.StatusServiceUnavailable, Code: "M_UNKNOWN", RetryAfter: 5 * time.Second,
		Message: "The homeserver does not answer at the moment, so nobody can log in or register. Try again.",
		Cause:   cause,
	}
}

// refused is an error of the Matrix specification.
func refused(status int, code, message string) *handlers.Error {
	return &handlers.Error{Status: status, Code: code, Message: message}
}

// StartSession lets the homeserver know the device before anybody is answered: a token must not come there before its
// device does. If the homeserver cannot be told there is no session, a login token is not spent, and a device that was
// made for it and may have arrived there is taken back when it can be.
func (p *Peer) StartSession(ctx context.Context, l db.Login) (db.Session, error) {
	a, err := p.DB.Announce(ctx, l, l.At.Add(unheard))
	if err != nil {
		return db.Session{}, err
	}
	name := l.DisplayName
	if a.Known {
		name = a.DisplayName
	}
	if err := p.provision(ctx, l.Localpart, l.DeviceID, name); err != nil {
		return db.Session{}, p.recall(ctx, l.Localpart, l.ID, err)
	}
	session, err := p.DB.StartSession(ctx, l)
	if err != nil {
		return db.Session{}, p.recall(ctx, l.Localpart, l.ID, err)
	}
	return session, p.confirm(ctx, session)
}

// provision tells the homeserver, once nobody else is telling it of the same device: what was said earlier must not
// arrive later.
func (p *Peer) provision(ctx context.Context, localpart, deviceID, name string) error {
	for range freeTries {
		free, err := p.DB.Free(ctx, localpart, deviceID, p.Now())
		if err != nil {
			return err
		}
		if free {
			if err := p.Config.Provision(ctx, localpart, deviceID, name); err != nil {
				return away(err)
			}
			return nil
		}
		select {
		case <-time.After(freeWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return away(errors.New("the homeserver is being told of the device and does not answer"))
}

// recall hands what was announced to the sender, who takes back what has come of it, and gives the reason back. If
// even that fails the announcement lapses.
func (p *Peer) recall(ctx context.Context, localpart, name string, why error) error {
	if err := p.DB.Recall(context.WithoutCancel(ctx), localpart, name); err != nil {
		p.Log.Warn("a login that failed is taken back at the homeserver only in half a minute", "user", localpart,
			"error", err)
	}
	return why
}

// confirm tells the homeserver again if anything has happened to the device of a new session between its announcement
// and its begin: a logout of the session that it replaces, say, of which the homeserver may have heard last. If it
// cannot, the session goes soft: an end of it would delete the device at the homeserver, and the keys that the client
// has.
func (p *Peer) confirm(ctx context.Context, session db.Session) error {
	untold, err := p.DB.Untold(ctx, session.Localpart, session.DeviceID)
	if err != nil || !untold {
		return err
	}
	if err := p.provision(ctx, session.Localpart, session.DeviceID, session.DisplayName); err != nil {
		if soft := p.DB.SoftenSession(context.WithoutCancel(ctx), session.ID); soft != nil &&
			!errors.Is(soft, db.ErrNotFound) {
			p.Log.Warn("a login that failed left a session behind", "user", session.Localpart, "device",
				session.DeviceID, "error", soft)
		}
		return err
	}
	return nil
}
