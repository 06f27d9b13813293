package homeserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
	"postern/homeserver/appservice"
	"postern/homeserver/outbox"
	"postern/homeserver/synapse"
)

// Config is what a peer needs from outside.
type Config struct {
	Queue      *outbox.Queue // of the server's database
	ServerName string        // the part of user ids after the colon
	Secret     string        // what both servers show each other

	RegistrationSecret string // by which the admin API makes accounts; empty: it makes none so

	Services *appservice.Services // the homeserver's application services; nil: none
	Log      *slog.Logger
	Now      func() time.Time
	Random   io.Reader

	// Provision makes the homeserver know a user and a device before a login is answered; without a device id, only the
	// user. An empty display name leaves the name as it is. When it fails the login is refused.
	Provision func(ctx context.Context, localpart, deviceID, displayName string) error

	// Available asks whether the homeserver has no user of that name, so that nobody registers as one. It gives the
	// Matrix error code of why it has, or cannot have, one; empty if the name is free.
	Available func(ctx context.Context, localpart string) (code string, err error)

	// User asks what the homeserver knows of a user, and HasDevice whether it has a device of a user, which keeps the
	// display name that it is given. synapse.ErrNotFound if there is no such user.
	User      func(ctx context.Context, localpart string) (synapse.User, error)
	HasDevice func(ctx context.Context, localpart, deviceID, displayName string) (bool, error)

	// AllowReset lets a user replace the cross-signing keys, for ten minutes, without proving anything to the
	// homeserver.
	AllowReset func(ctx context.Context, localpart string) error
}

// Peer is the homeserver to a [handlers.Server]: what that does to users and devices, the homeserver learns in time.
type Peer struct {
	Config
	forgotten forgotten
}

var _ handlers.Peer = (*Peer)(nil)

// NewPeer makes one.
func NewPeer(c Config) *Peer { return &Peer{Config: c} }

const (
	// claimTime is how long a login may take from its claim on. After that the outbox tells the homeserver what has
	// become of the device.
	claimTime = 30 * time.Second

	// Whoever finds a device claimed tries again, this often and after this time.
	claimTries = 500
	claimWait  = 10 * time.Millisecond
)

// StartSession lets the homeserver know the device before anybody is answered: a token must not come there before its
// device does. If the homeserver cannot be told there is no session, a login token is not spent, and a device that was
// made for it and may have arrived there is taken back when it can be.
func (p *Peer) StartSession(ctx context.Context, l db.Login, newDevice bool) (db.Session, error) {
	var replaced outbox.Replaced
	err := p.claim(ctx, func(now, until time.Time) (err error) {
		replaced, err = p.Queue.ClaimLogin(ctx, l, newDevice, now, until)
		return err
	})
	if err != nil {
		return db.Session{}, err
	}
	name := db.DeviceName(l.DisplayName)
	if replaced.Exists {
		name = replaced.DisplayName
	}
	if err := p.provision(ctx, l.Localpart, l.DeviceID, name); err != nil {
		return db.Session{}, p.settle(ctx, l.ID, l.Localpart, err, l.DeviceID)
	}
	session, err := p.Queue.DB.StartSession(ctx, l)
	if err != nil {
		return db.Session{}, p.settle(ctx, l.ID, l.Localpart, err, l.DeviceID)
	}
	return session, nil
}

// provision makes the homeserver know a device, if the user is not deactivated there.
func (p *Peer) provision(ctx context.Context, localpart, deviceID, name string) error {
	if err := p.stillOpen(ctx, localpart); err != nil {
		return err
	}
	if err := p.Provision(ctx, localpart, deviceID, name); err != nil {
		return amend.Away(err)
	}
	return nil
}

// Outbox is [handlers.Config.Outbox].
func (p *Peer) Outbox(ctx context.Context, limit int) (some []handlers.Untold, total int, err error) {
	waiting, err := p.Queue.Some(ctx, limit)
	for _, w := range waiting {
		some = append(some, handlers.Untold(w))
	}
	if err == nil {
		total, err = p.Queue.Size(ctx)
	}
	return some, total, err
}

// AllowKeyReset lets a user replace the cross-signing keys without proving anything to the homeserver, since that was
// done here. It is [handlers.Config.AllowKeyReset].
func (p *Peer) AllowKeyReset(ctx context.Context, localpart string) error {
	if err := p.AllowReset(ctx, localpart); err != nil {
		return amend.Away(err)
	}
	return nil
}

// claim tries to claim rows of the outbox until nobody else has them.
func (p *Peer) claim(ctx context.Context, try func(now, until time.Time) error) error {
	for range claimTries {
		err := try(p.Now(), p.Now().Add(claimTime))
		if !errors.Is(err, outbox.ErrBusy) {
			return err
		}
		select {
		case <-time.After(claimWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return amend.Away(outbox.ErrBusy)
}

// settle ends a claim. After an error, which it returns, the sender takes back what has come of it. If even that fails
// the claim ends by itself.
func (p *Peer) settle(ctx context.Context, holder, localpart string, why error, deviceIDs ...string) error {
	var outcomes []outbox.Outcome
	for _, id := range deviceIDs {
		outcomes = append(outcomes, outbox.Outcome{DeviceID: id, Err: why})
	}
	if err := p.Queue.Settle(context.WithoutCancel(ctx), holder, localpart, outcomes); err != nil {
		p.Log.Warn("what the homeserver was told, or was not, is told again only in half a minute", "user", localpart,
			"error", err)
	}
	return why
}
