package oauth

import (
	"context"
	"errors"
	"time"

	"postern/db"
	"postern/gen"
	"postern/handlers"
	"postern/oauth/protocol"
)

const (
	// pollEvery is how long a device waits between polls, and how much longer each time that it did not. RFC 8628,
	// sections 3.2 and 3.5.
	pollEvery = 5 * time.Second

	// pollSlack is how much sooner a poll may come: the one before may have been longer on its way.
	pollSlack = time.Second

	// maxPollEvery bounds how slow a device is made; from there on early polls are not written down either.
	maxPollEvery = time.Minute
)

// poll answers a device that asks whether its owner has agreed. RFC 8628, sections 3.4 and 3.5. Once they have, the
// device code is redeemed as an authorization code is: once, and again within moments.
func (a *API) poll(ctx context.Context, form *gen.TokenRequest) (gen.TokenResponseObject, error) {
	c, ok := a.openCode(forDevice, value(form.DeviceCode))
	if !ok {
		return nil, over("the device code is none of this server's", nil)
	}
	if c.ClientID != *form.ClientID {
		return nil, a.deny(ctx, c, "client_id is not the one that the device code was made for")
	}
	d, err := a.device(ctx, c.UserCode)
	switch {
	case errors.Is(err, errNoDevice), err == nil && d.ID != c.id:
		return a.pollLate(ctx, c)
	case err != nil:
		return nil, err
	case d.Decision == allowed:
		d.Code.id, d.Code.expires = c.id, c.expires
		return a.exchange(ctx, d.Code)
	case d.Decision == denied:
		return nil, refused(protocol.AccessDenied, "the person did not agree")
	}
	return nil, a.pace(ctx, d)
}

// pollLate answers a device that waits no more: its time is over, or it was redeemed before.
func (a *API) pollLate(ctx context.Context, c code) (gen.TokenResponseObject, error) {
	_, _, err := a.server.DB.Session(ctx, c.session())
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, refused(protocol.ExpiredToken, "nobody agreed in time; ask for a new code")
	case err != nil:
		return nil, err
	}
	return a.redeemAgain(ctx, c)
}

// pace tells a device to go on polling, slower if it came too soon. That another request has saved the device meanwhile
// does not matter: the next poll sees it.
func (a *API) pace(ctx context.Context, d *deviceRequest) error {
	now := handlers.CallerOf(ctx).Now
	early := now.Before(d.Next)
	if early && d.Every >= maxPollEvery {
		return refused(protocol.SlowDown, "polls come too fast; wait for another 5 seconds each time")
	}
	if early {
		d.Every += pollEvery
	}
	d.Next = now.Add(d.Every - pollSlack)
	if err := a.saveDevice(ctx, d); err != nil && !errors.Is(err, db.ErrConflict) {
		return err
	}
	if early {
		return refused(protocol.SlowDown, "polls come too fast; wait for another 5 seconds each time")
	}
	return refused(protocol.AuthorizationPending, "nobody has agreed yet")
}
