package handlers

import (
	"context"
	"errors"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// What an administrator does to the accounts of others. Who that is, the caller of these methods has to find out.

// MadeAccount is an account that an administrator makes.
type MadeAccount struct {
	Localpart string
	Password  string               // empty: nobody can log in by one
	Admin     bool                 // Also says so; here it decides what a login needs
	Wanted    *gen.RegisterRequest // says which session begins with it; nil: none does
	Also      func(t *db.Tx) error // see [db.Registration]; nil: nothing
}

// MakeAccount makes an account, whoever may register, and gives the answer to a registration. Where the account has to
// have a second factor no session begins, since it has none yet.
func (s *Server) MakeAccount(ctx context.Context, a MadeAccount) (gen.RegisterResponseObject, error) {
	if err := s.CheckNewName(ctx, a.Localpart); err != nil {
		return nil, err
	}
	hash, err := s.firstHash(ctx, a.Localpart, a.Password)
	if err != nil {
		return nil, err
	}
	r := db.Registration{Localpart: a.Localpart, PasswordHash: hash, At: s.Now()}
	session, err := s.Peer.Register(ctx, r, func(r db.Registration) (db.Session, error) {
		return s.writeMade(ctx, a, r)
	})
	switch {
	case errors.Is(err, db.ErrConflict):
		return nil, nameTaken()
	case err != nil:
		return nil, err
	}
	s.logSuccess(ctx, "made by an administrator", db.Session{Localpart: a.Localpart, DeviceID: session.DeviceID})
	return s.registered(ctx, a.Localpart, session)
}

// NewUser is an account that is called what an operator typed, if it can be registered, to be written by the caller.
// Without a password nobody logs in to it by one.
func (s *Server) NewUser(ctx context.Context, typed, password string) (u db.User, err error) {
	u = db.User{Localpart: localpart(typed, s.ServerName), Created: s.Now()}
	if err = s.CheckName(ctx, u.Localpart); err == nil {
		u.PasswordHash, err = s.firstHash(ctx, u.Localpart, password)
	}
	return u, err
}

// firstHash is the hash of the password of a new account; empty: it has none.
func (s *Server) firstHash(ctx context.Context, localpart, password string) (string, error) {
	if password == "" {
		return NoPassword, nil
	}
	return s.NewHash(ctx, localpart, password)
}

// writeMade is the transaction of MakeAccount, with a root key for the session, if there is one.
func (s *Server) writeMade(ctx context.Context, a MadeAccount, r db.Registration) (session db.Session, err error) {
	account, peers := db.User{Localpart: r.Localpart, PasswordHash: r.PasswordHash, Admin: a.Admin}, r.Also
	r.Also = func(t *db.Tx) error {
		for _, also := range []func(*db.Tx) error{peers, a.Also} {
			if also != nil {
				if err := also(t); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if a.Wanted == nil || s.SecondFactor.Lacks(account) {
		return s.DB.Register(ctx, r)
	}
	err = s.withKeys(ctx, func(_ *ringAt, key tokens.Key) error {
		r.Login, err = s.loginAs(ctx, account, wantedAttempt(a.Wanted), key)
		if err == nil {
			session, err = s.DB.Register(ctx, r)
		}
		return err
	})
	return session, err
}

// CheckNewName says why no account can be made that is called exactly so, or nil.
func (s *Server) CheckNewName(ctx context.Context, name string) error {
	if err := CheckLocalpart(name, s.ServerName); err != nil {
		return unfitName(err)
	}
	return s.CheckName(ctx, name)
}

// SetPassword gives an account a password that an administrator has chosen, and counts the sessions that have ended by
// that. If they end, the one that asks does not. db.ErrNotFound if there is no such account.
func (s *Server) SetPassword(ctx context.Context, localpart, password string, endSessions bool) (ended int, err error) {
	hash, err := s.NewHash(ctx, localpart, password)
	if err != nil {
		return 0, err
	}
	by := CallerOf(ctx).Session
	change := db.PasswordChange{Localpart: localpart, Hash: hash, EndOthers: endSessions}
	if by.Localpart == localpart {
		change.Keep = by.ID
	}
	return s.DB.ChangePassword(ctx, change)
}
