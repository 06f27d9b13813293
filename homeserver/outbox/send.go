package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/db"
	"postern/homeserver/synapse"
)

const (
	firstWait   = 250 * time.Millisecond // after the first failure; then twice that, and so on
	longestWait = time.Minute
	refusedWait = time.Hour // somebody has to mend something first
	hurryEvery  = 30 * time.Second
)

// errReactivate is what is known of this: Synapse answers 500 for ever on SQLite.
var errReactivate = errors.New(
	"synapse cannot reactivate the account; up to 1.163 it never can on SQLite, so let its owner make another one")

// send tells the homeserver what is true of an account. When the homeserver is away the rest of the errand need not be
// tried; when it only fails at one thing, that must not hold up the others.
func (s *Sender) send(ctx context.Context, e db.Errand) []db.Outcome {
	outcomes := make([]db.Outcome, len(e.Items))
	var gone error
	for n, i := range e.Items {
		o := &outcomes[n]
		o.DeviceID = i.DeviceID
		if gone != nil {
			o.Err, o.Due = gone, outcomes[n-1].Due
			continue
		}
		o.Err = s.item(ctx, e, i)
		s.judge(e, i, o)
		if errors.Is(o.Err, synapse.ErrAway) && !errors.Is(o.Err, synapse.ErrFailed) && !o.Refused {
			gone = o.Err
		}
	}
	return outcomes
}

// judge says what is to become of an item, and counts it.
func (s *Sender) judge(e db.Errand, i db.Item, o *db.Outcome) {
	now := s.c.Now()
	var refusal *synapse.Refusal
	switch {
	case o.Err == nil:
		s.c.Sent("sent")
		s.heard()
	case errors.As(o.Err, &refusal), errors.Is(o.Err, errReactivate), errors.Is(o.Err, synapse.ErrNotFound):
		s.c.Sent("refused")
		o.Refused, o.Due = true, now.Add(s.between(refusedWait))
		s.c.Log.Warn("the homeserver does not take this; it is tried again in an hour, and stands in `postern "+
			"synapse outbox`",
			"user", e.Localpart, "device", i.DeviceID, "error", o.Err)
	default:
		s.c.Sent("away")
		o.Due = now.Add(s.between(min(longestWait, firstWait<<min(i.Tries, 16))))
		s.lost(o.Err)
	}
}

// lost notes that the homeserver is away, and logs it once.
func (s *Sender) lost(err error) {
	if s.calls.Err() == nil && !s.failing.Swap(true) {
		s.c.Log.Warn("the homeserver cannot be told of users and devices; it is tried again and again", "error", err)
	}
}

// heard notes that the homeserver is there. What waited for that need not wait any longer; but if it answers some and
// fails others, who fail come back in their own time.
func (s *Sender) heard() {
	now := s.c.Now().UnixMilli()
	if last := s.hurried.Load(); !s.failing.Load() || now-last < hurryEvery.Milliseconds() ||
		!s.hurried.CompareAndSwap(last, now) {
		return
	}
	s.failing.Store(false)
	s.c.Log.Info("the homeserver answers again")
	ctx, done := context.WithTimeout(context.Background(), drain)
	defer done()
	if err := s.c.DB.Hurry(ctx); err != nil {
		s.trouble(err)
	}
}

// item tells of the account itself, or of one device.
func (s *Sender) item(ctx context.Context, e db.Errand, i db.Item) error {
	open := e.User != nil && e.User.Deactivated.IsZero()
	switch {
	case i.DeviceID == "" && open:
		return s.account(ctx, e)
	case i.DeviceID == "" && e.User != nil:
		return unlessUnknown(s.c.Synapse.DeleteUser(ctx, e.Localpart, e.User.Erased))
	case i.DeviceID == "":
		return nil // there never was such an account
	case open && i.Known:
		locked := !e.User.Locked.IsZero()
		return s.device(ctx, e.Localpart, i.DeviceID, &i.DisplayName, &locked)
	case i.Spared:
		return nil // a login on it failed: that is no reason to take anybody's keys
	}
	return unlessUnknown(s.c.Synapse.DeleteDevice(ctx, e.Localpart, i.DeviceID))
}

// unlessUnknown is for what need not be said of a user whom the homeserver does not know.
func unlessUnknown(err error) error {
	if errors.Is(err, synapse.ErrNotFound) {
		return nil
	}
	return err
}

// account makes an account, or opens one that was closed, and says whether it is locked.
func (s *Sender) account(ctx context.Context, e db.Errand) error {
	locked := !e.User.Locked.IsZero()
	made, err := s.c.Synapse.ProvisionUser(ctx, e.Localpart, &locked)
	if err != nil || made {
		return err
	}
	u, err := s.c.Synapse.QueryUser(ctx, e.Localpart)
	if err != nil || !u.Deactivated {
		return err
	}
	if err = s.c.Synapse.ReactivateUser(ctx, e.Localpart); err == nil {
		return nil
	}
	if u, asked := s.c.Synapse.QueryUser(ctx, e.Localpart); asked == nil && u.Deactivated {
		return fmt.Errorf("%w: %w", errReactivate, err) // it answers everything but this
	}
	return err
}

// device makes a device, and its account if it must.
func (s *Sender) device(ctx context.Context, localpart, deviceID string, name *string, locked *bool) error {
	err := s.c.Synapse.UpsertDevice(ctx, localpart, deviceID, name)
	if !errors.Is(err, synapse.ErrNotFound) {
		return err
	}
	if _, err := s.c.Synapse.ProvisionUser(ctx, localpart, locked); err != nil {
		return err
	}
	return s.c.Synapse.UpsertDevice(ctx, localpart, deviceID, name)
}

// patience is how long a login waits for the homeserver.
const patience = 5 * time.Second

// Provision makes the homeserver know a device and its user before a login is answered; without a device id only the
// user. An empty display name leaves the name as it is.
func (s *Sender) Provision(ctx context.Context, localpart, deviceID, displayName string) error {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	var name *string
	if displayName != "" {
		name = &displayName
	}
	var err error
	if deviceID == "" {
		_, err = s.c.Synapse.ProvisionUser(ctx, localpart, nil)
	} else {
		err = s.device(ctx, localpart, deviceID, name, nil)
	}
	switch {
	case err == nil:
		s.heard()
	case errors.Is(err, synapse.ErrAway) && !errors.Is(err, context.Canceled): // or it was the client that went
		s.lost(err)
	}
	return err
}

// Available asks whether an account of that name can be made, and gives the Matrix error code of why not; empty if it
// can.
func (s *Sender) Available(ctx context.Context, localpart string) (code string, err error) {
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	err = s.c.Synapse.LocalpartAvailable(ctx, localpart)
	var refusal *synapse.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code, nil
	}
	return "", err
}
