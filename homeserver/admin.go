package homeserver

import (
	"cmp"
	"context"

	"postern/db"
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

// soften takes a session's tokens and keeps its device. If there is no such session nothing happens.
func soften(ctx context.Context, d *db.DB, sessionID string) error {
	const query = `UPDATE sessions SET state = 'soft' WHERE id = $1 RETURNING id`
	return d.Write(ctx, func(t *db.Tx) error { return t.ChangeSessions(query, sessionID) })
}
