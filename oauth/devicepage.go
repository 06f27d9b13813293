package oauth

import (
	"context"
	"errors"

	"postern/db"
	"postern/oauth/protocol"
)

// What the page of the device grant asks for: who waits with a code, and what its owner decides.

// findDevice finds the device that waits with the code that somebody has typed, and counts that as a guess, by their
// address and by their account, if they are signed in. A device that the account has let in already is found once more,
// since a button may be pressed twice.
func (a *API) findDevice(ctx context.Context, account *db.User, typed string) (*deviceRequest, error) {
	name := ""
	if account != nil {
		name = account.Localpart
	}
	if err := a.server.CountGuess(ctx, name); err != nil {
		return nil, err
	}
	user, ok := protocol.ParseUserCode(typed)
	if !ok {
		return nil, errNoDevice
	}
	d, err := a.device(ctx, user)
	if err != nil {
		return nil, err
	}
	if d.Decision == undecided || d.Decision == allowed && d.Code.Localpart == name {
		return d, nil
	}
	return nil, errNoDevice
}

// decideDevice lets a device in to an account, or nobody's: it is denied then. Of several decisions the first one
// counts, and who decides otherwise gets errNoDevice.
func (a *API) decideDevice(ctx context.Context, d *deviceRequest, account *db.User) error {
	wanted, c := denied, d.Code
	if account != nil {
		wanted, c = allowed, d.Code.agreed(*account)
	}
	const tries = 10 // each failed one is a poll of the device, or another decision
	for range tries {
		if d.Decision != undecided {
			if d.Decision == wanted && d.Code.Localpart == c.Localpart {
				return nil // the button was pressed twice, or the answer was lost
			}
			return errNoDevice
		}
		d.Decision, d.Code = wanted, c
		err := a.saveDevice(ctx, d)
		if !errors.Is(err, db.ErrConflict) {
			return err
		}
		id := d.ID
		if d, err = a.device(ctx, d.Code.UserCode); err != nil {
			return err
		}
		if d.ID != id {
			return errNoDevice
		}
	}
	return db.ErrUnavailable
}
