package outbox

import (
	"context"
	"errors"
	"time"

	"postern/homeserver/synapse"
)

// loginTimeout is how long a login or a registration waits for the homeserver.
const loginTimeout = 5 * time.Second

// Provision makes a user and a device known to the homeserver before a login is answered; without a device id only the
// user. An empty display name leaves the device's name as it is. The errors are those of package synapse.
func (s *Sender) Provision(ctx context.Context, localpart, deviceID, displayName string) error {
	ctx, done := context.WithTimeout(ctx, loginTimeout)
	defer done()
	var name *string
	if displayName != "" {
		name = &displayName
	}
	var err error
	if deviceID == "" {
		_, err = s.c.Synapse.ProvisionUser(ctx, localpart, nil, nil)
	} else {
		err = s.upsertDevice(ctx, localpart, deviceID, name, nil)
	}
	switch {
	case err == nil:
		s.callSucceeded()
	case errors.Is(err, synapse.ErrAway) && !errors.Is(err, context.Canceled): // canceled: the client is gone
		s.callFailed(err)
	}
	return err
}

// Available asks the homeserver whether an account of that name can be made. It returns the Matrix error code that says
// why not, or "" if it can. The errors are those of package synapse.
func (s *Sender) Available(ctx context.Context, localpart string) (code string, err error) {
	ctx, done := context.WithTimeout(ctx, loginTimeout)
	defer done()
	err = s.c.Synapse.LocalpartAvailable(ctx, localpart)
	var refusal *synapse.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code, nil
	}
	return "", err
}

// User asks the homeserver for an account. The errors are those of package synapse.
func (s *Sender) User(ctx context.Context, localpart string) (synapse.User, error) {
	ctx, done := context.WithTimeout(ctx, loginTimeout)
	defer done()
	return s.c.Synapse.QueryUser(ctx, localpart)
}
