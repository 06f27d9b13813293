package homeserver

import (
	"cmp"
	"context"
	"errors"
	"time"

	"postern/db"
	"postern/homeserver/outbox"
)

// SetAdmin says whether an account may administer the homeserver, and has its sessions say so too: an introspection
// reads only those. db.ErrNotFound if there is no such account.
func SetAdmin(ctx context.Context, d *db.DB, localpart string, admin bool) error {
	const (
		account  = `UPDATE users SET admin = $2 WHERE localpart = $1 RETURNING localpart`
		sessions = `UPDATE sessions SET admin = $2 WHERE localpart = $1 RETURNING id`
	)
	return d.Write(ctx, func(t *db.Tx) error {
		if found, err := t.Get(account, nil, localpart, admin); err != nil || !found {
			return cmp.Or(err, db.ErrNotFound)
		}
		kind := db.EventAdminOff
		if admin {
			kind = db.EventAdminOn
		}
		if err := t.Record(db.Event{Kind: kind, Localpart: localpart}); err != nil {
			return err
		}
		return t.ChangeSessions(sessions, localpart, admin)
	})
}

// SoftenGone logs a session out softly, with an event, because the homeserver does not have its device any more. It
// says whether it did: not if the homeserver has to be told of the device still, nor if the session is over already.
func SoftenGone(ctx context.Context, d *db.DB, session db.Session, now time.Time) (softened bool, err error) {
	const (
		live   = `SELECT id FROM sessions WHERE id = $1 AND state = 'live'`
		soften = `UPDATE sessions SET state = 'soft' WHERE id = $1 RETURNING id`
	)
	err = d.Write(ctx, func(t *db.Tx) error {
		softened = false
		if waits, err := outbox.Untold(t, session.Localpart, session.DeviceID); waits || err != nil {
			return err
		}
		if is, err := t.Get(live, nil, session.ID); !is || err != nil {
			return err
		}
		softened = true
		return errors.Join(t.ChangeSessions(soften, session.ID), t.Record(db.Event{At: now, Kind: EventDeviceGone,
			Localpart: session.Localpart, DeviceID: session.DeviceID, Session: session.ID,
			Generation: session.Generation, Addr: session.Seen.Addr, Agent: session.Seen.Agent}))
	})
	return softened, err
}
