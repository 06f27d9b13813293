package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"postern/homeserver/synapse"
)

// Results of a call, as Config.Sent counts them.
const (
	sent    = "sent"
	away    = "away"    // it is not known whether the homeserver obeyed
	refused = "refused" // the homeserver will not obey; somebody has to change something first
)

// errReactivate: Synapse answers 500 until its background updates have made an index (profiles_full_user_id_key), which
// takes them a minute after the first start on a SQLite database.
var errReactivate = errors.New(
	"synapse cannot reactivate the account; up to 1.163 it cannot before its background updates have ended")

// resultOf is the result of a call that returned an error, or nil.
func resultOf(err error) string {
	var refusal *synapse.Refusal
	switch {
	case err == nil:
		return sent
	case errors.As(err, &refusal), errors.Is(err, errReactivate), errors.Is(err, synapse.ErrNotFound):
		return refused
	}
	return away
}

// send tells the homeserver what is true of an account and its devices. If the homeserver cannot be reached, the other
// rows are not tried; if it only fails at one row, they are.
func (s *Sender) send(ctx context.Context, account Account) []Outcome {
	outcomes := make([]Outcome, len(account.Rows))
	unreachable := false
	for n, row := range account.Rows {
		o := &outcomes[n]
		if unreachable {
			*o = outcomes[n-1]
			o.DeviceID = row.DeviceID
			continue
		}
		err := s.sendRow(ctx, account, row)
		result := resultOf(err)
		s.report(account.Localpart, row, result, err)
		*o = Outcome{DeviceID: row.DeviceID, Err: err, Refused: result == refused}
		if err != nil {
			o.Due = s.c.Now().Add(retryAfter(result, row.Tries))
		}
		unreachable = result == away && errors.Is(err, synapse.ErrAway) && !errors.Is(err, synapse.ErrFailed)
	}
	return outcomes
}

const (
	firstRetry   = 250 * time.Millisecond // after the first failure; each later one doubles it
	maxRetry     = time.Minute
	refusedRetry = time.Hour
)

// retryAfter is how long a row waits after it was not obeyed, and a number of tries before were in vain. Half of it is
// random, so that rows that failed together are not all sent again together.
func retryAfter(result string, tries int) time.Duration {
	full := min(maxRetry, firstRetry<<min(tries, 16))
	if result == refused {
		full = refusedRetry
	}
	return full/2 + rand.N(full/2+1)
}

// manyTries is how many tries in vain are remarkable while other rows succeed: about a minute's.
const manyTries = 8

// report counts a result, and logs what the operator must know.
func (s *Sender) report(localpart string, row Row, result string, err error) {
	s.c.Sent(result)
	switch result {
	case sent:
		s.callSucceeded()
	case away:
		s.callFailed(err)
		if s.c.Now().Sub(row.Since) >= tooLong {
			s.fails()
		}
		if row.Tries == manyTries && errors.Is(err, synapse.ErrFailed) {
			s.c.Log.Warn("the homeserver fails at this again and again; it stands in `postern synapse outbox`",
				"user", localpart, "device", row.DeviceID, "error", err)
		}
	case refused:
		if row.Tries == 0 { // or it was an event then
			s.fails()
		}
		s.c.Log.Warn("the homeserver does not take this; it is tried again in an hour, and stands in `postern "+
			"synapse outbox`", "user", localpart, "device", row.DeviceID, "error", err)
	}
}

// sendRow tells the homeserver of the account itself or, if the row has a device id, of that device.
func (s *Sender) sendRow(ctx context.Context, account Account, row Row) error {
	open := account.Exists && !account.Deactivated
	switch {
	case row.DeviceID == "" && open:
		return s.provisionUser(ctx, account, row.Reopen)
	case row.DeviceID == "" && account.Exists:
		return ignoreNotFound(s.c.Synapse.DeleteUser(ctx, account.Localpart, account.Erase))
	case row.DeviceID == "":
		return nil // there never was such an account
	case open && row.HasSession:
		return s.upsertDevice(ctx, account.Localpart, row.DeviceID, &row.DisplayName, &account.Locked)
	case row.Keep:
		return nil // a login on it failed, and the device may be older than that, with encryption keys
	}
	return ignoreNotFound(s.c.Synapse.DeleteDevice(ctx, account.Localpart, row.DeviceID))
}

// ignoreNotFound is for what is true already if the homeserver has no such user.
func ignoreNotFound(err error) error {
	if errors.Is(err, synapse.ErrNotFound) {
		return nil
	}
	return err
}

// provisionUser makes an account, locks or unlocks it, and gives it its mail addresses. With reopen it reactivates one
// that is there already: without, who is deactivated there is so by the homeserver's own word.
func (s *Sender) provisionUser(ctx context.Context, account Account, reopen bool) error {
	localpart := account.Localpart
	made, err := s.c.Synapse.ProvisionUser(ctx, localpart, &account.Locked, account.Emails)
	if err != nil || made || !reopen {
		return err
	}
	u, err := s.c.Synapse.QueryUser(ctx, localpart)
	if err != nil || !u.Deactivated && !u.Unsure {
		return err
	}
	if err = s.c.Synapse.ReactivateUser(ctx, localpart); err == nil {
		return nil
	}
	if u, asked := s.c.Synapse.QueryUser(ctx, localpart); asked == nil && (u.Deactivated || u.Unsure) {
		return fmt.Errorf("%w: %w", errReactivate, err) // Synapse answers everything but this
	}
	return err
}

// upsertDevice makes or renames a device. If the homeserver has no such user it makes the account first, locked or not.
func (s *Sender) upsertDevice(ctx context.Context, localpart, deviceID string, name *string, locked *bool) error {
	err := s.c.Synapse.UpsertDevice(ctx, localpart, deviceID, name)
	if !errors.Is(err, synapse.ErrNotFound) {
		return err
	}
	if _, err := s.c.Synapse.ProvisionUser(ctx, localpart, locked, nil); err != nil {
		return err
	}
	return s.c.Synapse.UpsertDevice(ctx, localpart, deviceID, name)
}
