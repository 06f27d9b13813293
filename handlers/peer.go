package handlers

import (
	"context"
	"errors"

	"postern/db"
)

// Peer is another server that must know of users and devices before a client is answered: a homeserver. Without one the
// database alone decides.
type Peer interface {
	// Reserved refuses a localpart that nobody may register, without asking anybody.
	Reserved(localpart string) error

	// Free refuses a localpart that the other server would not take.
	Free(ctx context.Context, localpart string) error

	// StartSession starts a session whose proof was verified. When the other server cannot be told there is no session,
	// and a login token is not spent. newDevice says that the device id was made up for this login, so that nobody can
	// have had the device before.
	StartSession(ctx context.Context, l db.Login, newDevice bool) (db.Session, error)

	// Register makes an account by way of write, which is called once, with r or with what the peer has added to it.
	Register(ctx context.Context, r db.Registration, write WriteAccount) (db.Session, error)

	// Registered makes sure that an account is known which an earlier, unanswered request has made. A session without
	// an id is none.
	Registered(ctx context.Context, localpart string, session db.Session) error
}

// WriteAccount is [db.DB.Register] with what belongs to the request around it.
type WriteAccount = func(r db.Registration) (db.Session, error)

// alone is the peer of a server that has none.
type alone struct{ *db.DB }

func (a alone) StartSession(ctx context.Context, l db.Login, _ bool) (db.Session, error) {
	return a.DB.StartSession(ctx, l)
}

func (alone) Reserved(string) error                                { return nil }
func (alone) Free(context.Context, string) error                   { return nil }
func (alone) Registered(context.Context, string, db.Session) error { return nil }

func (alone) Register(_ context.Context, r db.Registration, write WriteAccount) (db.Session, error) {
	return write(r)
}

// Flow is a way to log in besides passwords and login tokens.
type Flow struct {
	// Type is its name in GET /login.
	Type string

	// Account finds the account that a request may log in to: it shows [Caller.Token] and names the user. Whatever it
	// refuses, it counts with [Server.CountLogin] if that could have been a guess.
	Account func(ctx context.Context, s *Server, user string) (db.User, error)
}

// flow finds one of the configured flows; nil if there is none of the type.
func (s *Server) flow(kind string) *Flow {
	for i := range s.Flows {
		if s.Flows[i].Type == kind {
			return &s.Flows[i]
		}
	}
	return nil
}

// flowSession starts a session of the account that a flow has found.
func (s *Server) flowSession(ctx context.Context, a attempt) (db.Session, error) {
	account, err := a.flow.Account(ctx, s, a.user)
	if err != nil {
		return db.Session{}, err
	}
	session, err := s.start(ctx, account, a, func(login *db.Login) error {
		login.SecondFactor = true // no password was shown: the operator's configuration vouches
		return nil
	})
	if errors.Is(err, db.ErrConflict) {
		return db.Session{}, forbidden("This account was changed meanwhile.").because(err)
	}
	return session, err
}
