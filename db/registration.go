package db

import (
	"context"
	"errors"
	"time"
)

// Registration is an account to make, what it is made with, and its first session.
type Registration struct {
	Localpart, PasswordHash string
	At                      time.Time
	Token                   string // the registration token that is used up; "": none
	Reservation             string // the user-interactive session that has a use of it reserved; "": none
	// what finishes it, as SaveInteraction takes it; nil: nothing that is kept here
	Interaction *Interaction
	// Waits has the account wait until an operator approves it. Nothing else of it is made: no session, and no use of a
	// token; Also is not called. Network is where it was asked for from.
	Waits   bool
	Network string
	Email   Email // that its owner has shown; the zero one: none
	// its Localpart and At are the registration's, a proof is not needed; nil: inhibit_login
	Login *Login
	// Also is called in the transaction when all that is made, see Config.Follow; nil: nothing
	Also func(t *Tx) error
}

// Register makes an account, uses up its registration token, starts its first session and says so in the interaction,
// all of it or nothing (Client-Server API v1.19, "POST /register"). The session is the zero Session if none was asked
// for. ErrConflict if the name is taken, even by a deactivated account, or the interaction was saved by somebody else;
// ErrTokenSpent if the token is not valid, unless a use of it was reserved in time; ErrEmailTaken if an account has the
// address; ErrKeyGone if the root key was retired meanwhile; ErrFull if the account is to wait and too many do.
func (d *DB) Register(ctx context.Context, r Registration) (Session, error) {
	s := account(r.Localpart)
	if r.Token != "" {
		s = s.with("invitation", r.Token)
	}
	if r.Waits {
		s = s.with("waiting", "")
	}
	return write(ctx, d, s, func(t *Tx) (Session, error) {
		// Nothing is written before all that can be refused has been: what an operation wrote stands, whatever it
		// answers.
		if err := t.checkInteraction(r.Interaction); err != nil {
			return Session{}, err
		}
		taken, err := t.taken(r.Localpart)
		if err != nil || taken {
			return Session{}, or(err, ErrConflict)
		}
		if r.Email.Address != "" {
			if taken, err := t.Get(findEmail, nil, r.Email.Address); err != nil || taken {
				return Session{}, or(err, ErrEmailTaken)
			}
		}
		if r.Waits {
			if err := t.crowded(r.Network); err != nil {
				return Session{}, err
			}
			return Session{}, t.wait(r)
		}
		if r.Login != nil {
			if gone, err := t.keyClosed(r.Login.KeyID); err != nil || gone {
				return Session{}, or(err, ErrKeyGone)
			}
		}
		if r.Token != "" {
			if err := t.useRegistrationToken(r.Token, r.Reservation, r.At); err != nil {
				return Session{}, err
			}
		}
		return t.register(r)
	})
}

// register writes what Register promises, once all that can be refused has been.
func (t *Tx) register(r Registration) (Session, error) {
	// If the name is taken after all, by another process just now, the engine fails this transaction as a whole.
	const q = `INSERT INTO users (localpart, password_hash, created) VALUES ($1, $2, $3)`
	if err := t.Exec(q, r.Localpart, r.PasswordHash, Millis(r.At)); err != nil {
		return Session{}, err
	}
	if err := errors.Join(t.Follow(r.Localpart, ""), t.saveInteraction(r.Interaction)); err != nil {
		return Session{}, err
	}
	if err := t.Record(Event{At: r.At, Kind: EventCreated, Localpart: r.Localpart}); err != nil {
		return Session{}, err
	}
	if r.Email.Address != "" {
		if bound, err := t.bindEmail(r.Email); err != nil || !bound {
			return Session{}, t.require(or(err, ErrEmailTaken)) // by another process just now
		}
	}
	var s Session
	if r.Login != nil {
		l := *r.Login
		l.Localpart, l.At = r.Localpart, r.At
		var err error
		if s, err = t.start(l); err != nil {
			return Session{}, err
		}
	}
	if r.Also != nil {
		return s, t.require(r.Also(t))
	}
	return s, nil
}

// An imported account may have upper case in its name; nobody else gets the same name in other letters.
const findUser = `SELECT localpart FROM users WHERE LOWER(localpart) = LOWER($1)
	UNION ALL SELECT localpart FROM waiting_users WHERE localpart = LOWER($1) LIMIT 1`

// Taken says whether there is, or was, an account of that name, or one of it waits: a deactivated one keeps its name
// for ever, so that nobody is taken for somebody else.
func (d *DB) Taken(ctx context.Context, localpart string) (bool, error) {
	return d.Get(ctx, findUser, []any{new(string)}, localpart)
}

func (t *Tx) taken(localpart string) (bool, error) {
	return t.Get(findUser, nil, localpart)
}
