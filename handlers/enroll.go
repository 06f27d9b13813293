package handlers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// register makes the account that an interaction with a complete flow has led to, unless it is made already. Of two
// requests that finish one interaction, one makes it and both tell of it, at whichever replica.
func (s *Server) register(ctx context.Context, i *interaction) (gen.RegisterResponseObject, error) {
	for range saveTries {
		if i.Made != nil {
			return s.registerAgain(ctx, i.Made)
		}
		name, session, err := s.enroll(ctx, i)
		switch {
		case err == nil:
			return s.registered(ctx, name, session)
		case errors.Is(err, db.ErrConflict):
			err = s.conflict(ctx, i)
		case errors.Is(err, db.ErrTokenSpent):
			err = s.withoutToken(ctx, i)
		case errors.Is(err, db.ErrEmailTaken):
			err = addressInUse()
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, limitExceeded(time.Second)
}

// enroll makes the account, counts the invitation, starts the session and says so in the interaction, all in one
// transaction. One that has to be approved is written down, and the error says so.
func (s *Server) enroll(ctx context.Context, i *interaction) (name string, session db.Session, err error) {
	wanted := i.wanted()
	if wanted.Password == nil {
		return "", db.Session{}, missingParam("Missing parameter: password")
	}
	if name, err = s.nameOf(ctx, wanted); err != nil {
		return "", db.Session{}, err
	}
	hash, err := s.hasher.hash(ctx, *wanted.Password, strangerAt(CallerOf(ctx).Addr, ""))
	if err != nil {
		return "", db.Session{}, err
	}
	r := db.Registration{Localpart: name, PasswordHash: hash, At: s.Now(), Token: i.Token, Reservation: i.name()}
	if i.Email.Address != "" {
		r.Email = i.Email.bound(name, r.At)
	}
	if s.waits(i) {
		return name, db.Session{}, s.ask(ctx, i, r)
	}
	session, err = s.Peer.Register(ctx, r, func(r db.Registration) (session db.Session, err error) {
		err = s.withKeys(ctx, func(_ *ringAt, key tokens.Key) error {
			session, err = s.enrollWith(ctx, i, r, key)
			return err
		})
		return session, err
	})
	if err == nil {
		s.logSuccess(ctx, "registered", db.Session{Localpart: name, DeviceID: session.DeviceID})
	}
	return name, session, err
}

// enrollWith is the transaction of enroll, with a root key for the first session.
func (s *Server) enrollWith(ctx context.Context, i *interaction, r db.Registration, key tokens.Key) (db.Session,
	error) {
	m, wanted := made{Localpart: r.Localpart}, i.wanted()
	if wanted.InhibitLogin == nil || !*wanted.InhibitLogin {
		var err error
		if r.Login, err = s.loginAs(ctx, db.User{Localpart: r.Localpart, PasswordHash: r.PasswordHash},
			wantedAttempt(wanted), key); err != nil {
			return db.Session{}, err
		}
		m.Session = r.Login.ID
	}
	return s.interactions.register(ctx, i, m, r)
}

// nameOf is the localpart of a new account; one is made up when the client names none.
func (s *Server) nameOf(ctx context.Context, wanted *gen.RegisterRequest) (string, error) {
	if wanted.Username != nil {
		return strings.ToLower(*wanted.Username), nil
	}
	random, err := s.randomID(madeUpLength)
	if err != nil {
		return "", err
	}
	name := strings.ToLower(random[:madeUpLength])
	return name, s.Peer.Free(ctx, name)
}

// conflict finds out why the account could not be made. Nil means that another request was faster: the interaction has
// changed and is looked at again.
func (s *Server) conflict(ctx context.Context, i *interaction) error {
	taken := nameTaken()
	if i.version == 0 {
		return taken
	}
	was := i.version
	if err := s.reload(ctx, i); err != nil {
		return err
	}
	if i.version == was {
		return taken
	}
	return nil
}

func nameTaken() *Error { return badRequest("M_USER_IN_USE", "This name was taken meanwhile.") }

// withoutToken takes back a registration token that was revoked meanwhile: another one may do. Nil means that another
// request was faster to finish.
func (s *Server) withoutToken(ctx context.Context, i *interaction) error {
	i.change(func(now *state) bool {
		now.Completed = slices.DeleteFunc(slices.Clone(now.Completed),
			func(stage string) bool { return stage == stageToken })
		now.Token = ""
		return true
	})
	if err := s.save(ctx, i); err != nil {
		return err
	}
	if i.Made != nil {
		return nil
	}
	return s.challenge(i, failed("M_UNAUTHORIZED", "This registration token is no longer good.").why)
}

// registerAgain answers a registration that is finished already. The pair of its session is computed once more, as long
// as nobody has used it: who has may refresh, and who has logged out does not come in again this way.
func (s *Server) registerAgain(ctx context.Context, m *made) (gen.RegisterResponseObject, error) {
	if m.Waits {
		return nil, s.askedAgain(ctx, m.Localpart)
	}
	if m.Session == "" {
		if err := s.Peer.Registered(ctx, m.Localpart, db.Session{}); err != nil {
			return nil, err
		}
		return s.registered(ctx, m.Localpart, db.Session{})
	}
	session, _, err := s.DB.Session(ctx, m.Session)
	if errors.Is(err, db.ErrNotFound) || err == nil &&
		(session.Generation != 1 || !session.Used.IsZero() || session.State != db.Live) {
		return nil, forbidden("This registration is finished; log in.")
	}
	if err != nil {
		return nil, err
	}
	if session.Locked {
		return nil, userLocked()
	}
	if err := s.Peer.Registered(ctx, m.Localpart, session); err != nil {
		return nil, err
	}
	return s.registered(ctx, m.Localpart, session)
}

func wantedAttempt(wanted *gen.RegisterRequest) attempt {
	return attempt{
		device: value(wanted.DeviceID), deviceName: value(wanted.InitialDeviceDisplayName),
		refreshable: wanted.RefreshToken != nil && *wanted.RefreshToken,
	}
}

// registered is the answer; a session without an id is none.
func (s *Server) registered(ctx context.Context, name string, session db.Session) (gen.RegisterResponseObject, error) {
	answer := gen.Register200JSONResponse{UserID: string(NewUserID(name, s.ServerName)), HomeServer: &s.ServerName}
	if session.ID == "" {
		return answer, nil
	}
	pair, err := s.firstPair(ctx, session, nil)
	if err != nil {
		return nil, err
	}
	answer.DeviceID, answer.AccessToken = &session.DeviceID, &pair.access
	answer.RefreshToken, answer.ExpiresInMs = optional(pair.refresh), pair.expiresIn(CallerOf(ctx).Now)
	return answer, nil
}
