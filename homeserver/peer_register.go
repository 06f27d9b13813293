package homeserver

import (
	"context"
	"errors"
	"net/http"

	"postern/db"
	"postern/handlers"
)

// Reserved refuses the names that an application service has for itself.
func (p *Peer) Reserved(localpart string) error {
	if p.Services.Exclusive(string(handlers.NewUserID(localpart, p.ServerName))) {
		return refused(http.StatusBadRequest, "M_EXCLUSIVE", "This name is an application service's.")
	}
	return nil
}

// Free asks whether the homeserver would take a new user of that name.
func (p *Peer) Free(ctx context.Context, localpart string) error {
	code, err := p.Available(ctx, localpart)
	switch {
	case err != nil:
		return away(err)
	case code == "":
		return nil
	case code == "M_USER_IN_USE":
		return refused(http.StatusBadRequest, code, "This name is taken.")
	case code == "M_EXCLUSIVE":
		return refused(http.StatusBadRequest, code, "This name belongs to an application service.")
	}
	return refused(http.StatusBadRequest, "M_INVALID_USERNAME",
		"This name cannot be registered: the homeserver does not take it.")
}

// Register announces the account with the transaction that makes it, and then tells the homeserver of it.
func (p *Peer) Register(ctx context.Context, r db.Registration, write handlers.WriteAccount) (db.Session, error) {
	var err error
	if r.Name, err = handlers.NewSessionID(p.Random); err != nil {
		return db.Session{}, err
	}
	r.Until = r.At.Add(unheard)
	session, err := write(r)
	if err != nil {
		return session, err
	}
	return session, p.introduce(ctx, r.Localpart, session, r.Name)
}

// introduce makes the homeserver know an account that was just made, and its first device, if it has one. It was
// announced by the transaction that made it. If it cannot be told now it will be; the client is told to come again, and
// finds it made.
func (p *Peer) introduce(ctx context.Context, localpart string, session db.Session, name string) error {
	devices := []string{""}
	if session.ID != "" {
		devices = append(devices, session.DeviceID)
	}
	if err := p.provision(ctx, localpart, session.DeviceID, session.DisplayName); err != nil {
		e := handlers.AsError(p.recall(ctx, localpart, name, err))
		e.Message = "The account is made, but the homeserver does not know it yet. Try again, or log in in a moment."
		return e
	}
	if _, err := p.DB.Announced(ctx, localpart, name, devices); err != nil {
		p.Log.Warn("the homeserver is told of a new account twice", "user", localpart, "error", err)
	}
	return nil
}

// Registered is introduce for a registration that is finished once more, because its answer was lost or the homeserver
// was away.
func (p *Peer) Registered(ctx context.Context, localpart string, session db.Session) error {
	user, err := p.DB.Untold(ctx, localpart, "")
	device, err2 := p.DB.Untold(ctx, localpart, session.DeviceID)
	if err := errors.Join(err, err2); err != nil || !user && !device {
		return err
	}
	return p.provision(ctx, localpart, session.DeviceID, session.DisplayName)
}
