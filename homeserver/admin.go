package homeserver

import (
	"cmp"
	"context"
	"time"

	"postern/db"
	"postern/homeserver/outbox"
)

// SetAdmin says whether an account may administer the homeserver, and has its sessions say so too: an introspection
// reads only those. db.ErrNotFound if there is no such account.
func SetAdmin(ctx context.Context, d *db.DB, localpart string, admin bool) error {
	return d.WriteFor(ctx, localpart, func(t *db.Tx) error { return MarkAdmin(t, localpart, admin) })
}

// MarkAdmin is SetAdmin in a transaction about the account.
func MarkAdmin(t *db.Tx, localpart string, admin bool) error {
	const (
		account  = `UPDATE users SET admin = $2 WHERE localpart = $1 AND admin <> $2 RETURNING localpart`
		sessions = `UPDATE sessions SET admin = $2 WHERE localpart = $1`
	)
	e := db.Event{Kind: db.EventAdminOff, Localpart: localpart}
	if admin {
		e.Kind = db.EventAdminOn
	}
	if found, err := t.Change(e, account, admin); err != nil || !found {
		return cmp.Or(err, db.ErrNotFound)
	}
	return t.ChangeSessions(sessions, localpart, admin)
}

// SoftenGone logs a session out softly, with an event, because the homeserver does not have its device any more. It
// says whether it did: not if the homeserver has to be told of the device still, nor if the session is over already.
func SoftenGone(ctx context.Context, d *db.DB, session db.Session, now time.Time) (softened bool, err error) {
	err = d.WriteFor(ctx, session.Localpart, func(t *db.Tx) error {
		softened = false
		if waits, err := outbox.Untold(t, session.Localpart, session.DeviceID); waits || err != nil {
			return err
		}
		softened, err = t.Soften(db.Event{At: now, Kind: EventDeviceGone, Session: session.ID, Addr: session.Seen.Addr,
			Agent: session.Seen.Agent})
		return err
	})
	return softened, err
}
