package handlers

import (
	"context"
	"errors"

	"postern/db"
	"postern/gen"
)

// freeThere says whether the homeserver would take a new user of that name.
func (s *Server) freeThere(ctx context.Context, name string) error {
	if s.homeserver == nil {
		return nil
	}
	code, err := s.homeserver.Available(ctx, name)
	switch {
	case err != nil:
		return homeserverAway(err)
	case code == "":
		return nil
	case code == "M_USER_IN_USE":
		return badRequest(code, "This name is taken.")
	case code == "M_EXCLUSIVE":
		return badRequest(code, "This name belongs to an application service.")
	}
	return badRequest("M_INVALID_USERNAME", "This name cannot be registered: the homeserver does not take it.")
}

// announced prepares a registration for what introduce does after it. A name that was made up was not asked about yet.
func (s *Server) announced(ctx context.Context, r *db.Registration, wanted *gen.RegisterRequest) (err error) {
	if s.homeserver == nil {
		return nil
	}
	if r.Name, err = s.randomID(sessionIDBytes); err != nil {
		return err
	}
	r.Until = r.At.Add(unheard)
	if wanted.Username == nil {
		err = s.freeThere(ctx, r.Localpart)
	}
	return err
}

// introduce makes the homeserver know an account that was just made, and its first device, if it has one. It was
// announced by the transaction that made it. If it cannot be told now it will be; the client is told to come again, and
// finds it made.
func (s *Server) introduce(ctx context.Context, localpart string, session db.Session, name string) error {
	if s.homeserver == nil {
		return nil
	}
	devices := []string{""}
	if session.ID != "" {
		devices = append(devices, session.DeviceID)
	}
	if err := s.provision(ctx, localpart, session.DeviceID, session.DisplayName); err != nil {
		e := asError(s.recalled(ctx, localpart, name, err))
		e.Message = "The account is made, but the homeserver does not know it yet. Try again, or log in in a moment."
		return e
	}
	if _, err := s.db.Announced(ctx, localpart, name, devices); err != nil {
		s.log.Warn("the homeserver is told of a new account twice", "user", localpart, "error", err)
	}
	return nil
}

// introduceAgain is introduce for a registration that is finished once more, because its answer was lost or the
// homeserver was away.
func (s *Server) introduceAgain(ctx context.Context, localpart string, session db.Session) error {
	if s.homeserver == nil {
		return nil
	}
	user, err := s.db.Untold(ctx, localpart, "")
	device, err2 := s.db.Untold(ctx, localpart, session.DeviceID)
	if err := errors.Join(err, err2); err != nil || !user && !device {
		return err
	}
	return s.provision(ctx, localpart, session.DeviceID, session.DisplayName)
}
