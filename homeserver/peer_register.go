package homeserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
)

// Reserved refuses the names that an application service has for itself.
func (p *Peer) Reserved(localpart string) error {
	if p.Services.Exclusive(string(handlers.NewUserID(localpart, p.ServerName))) {
		return amend.Refused(http.StatusBadRequest, "M_EXCLUSIVE", "This name is an application service's.")
	}
	return nil
}

// Free asks whether the homeserver would take a new user of that name.
func (p *Peer) Free(ctx context.Context, localpart string) error {
	code, err := p.Available(ctx, localpart)
	switch {
	case err != nil:
		return amend.Away(err)
	case code == "":
		return nil
	case code == "M_USER_IN_USE":
		return amend.Refused(http.StatusBadRequest, code, "This name is taken.")
	case code == "M_EXCLUSIVE":
		return amend.Refused(http.StatusBadRequest, code, "This name belongs to an application service.")
	}
	return amend.Refused(http.StatusBadRequest, "M_INVALID_USERNAME",
		"This name cannot be registered: the homeserver does not take it.")
}

// Register claims the account with the transaction that makes it, and then tells the homeserver of it.
func (p *Peer) Register(ctx context.Context, r db.Registration, write handlers.WriteAccount) (db.Session, error) {
	holder, err := handlers.NewID(p.Random)
	if err != nil {
		return db.Session{}, err
	}
	p.Queue.ClaimRegistration(&r, holder, r.At.Add(claimTime))
	session, err := write(r)
	if err != nil {
		return session, err
	}
	return session, p.introduce(ctx, holder, r.Localpart, session)
}

// introduce makes the homeserver know an account that was just made, and its first device, if it has one, and settles
// their claim. If it cannot be told now it will be; the client is told to come again, and finds it made.
func (p *Peer) introduce(ctx context.Context, holder, localpart string, session db.Session) error {
	rows := []string{""}
	if session.ID != "" {
		rows = append(rows, session.DeviceID)
	}
	err := p.Provision(ctx, localpart, session.DeviceID, session.DisplayName)
	if err == nil {
		return p.settle(ctx, holder, localpart, nil, rows...)
	}
	e := amend.Away(err)
	if e.RetryAfter > 0 {
		e.Message = "The account is made, but the homeserver does not know it yet. Try again, or log in in a moment."
	}
	return p.settle(ctx, holder, localpart, e, rows...)
}

// Registered is introduce for a registration that is finished once more, because its answer was lost or the homeserver
// was away.
func (p *Peer) Registered(ctx context.Context, localpart string, session db.Session) error {
	user, err := p.Queue.Waits(ctx, localpart, "")
	device, err2 := p.Queue.Waits(ctx, localpart, session.DeviceID)
	if err := errors.Join(err, err2); err != nil || !user && !device {
		return err
	}
	holder, err := handlers.NewID(p.Random)
	if err != nil {
		return err
	}
	err = p.claim(ctx, func(now, until time.Time) error {
		return p.Queue.Take(ctx, holder, localpart, session.DeviceID, now, until)
	})
	if err != nil {
		return err
	}
	return p.introduce(ctx, holder, localpart, session)
}
