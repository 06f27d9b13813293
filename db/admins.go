package db

import "context"

const adminSessions = `UPDATE sessions SET admin = $2 WHERE localpart = $1 RETURNING ` + sessionColumns

// SetAdmin says whether an account may administer the homeserver, and has its sessions say so too; ErrNotFound if there
// is none.
func (d *DB) SetAdmin(ctx context.Context, localpart string, admin bool) error {
	const q = `UPDATE users SET admin = $2 WHERE localpart = $1 RETURNING localpart`
	return d.must(ctx, ErrNotFound, func(t *Tx) (bool, error) {
		found, err := t.Get(q, nil, localpart, admin)
		if err != nil || !found {
			return found, err
		}
		return true, t.onSessions(adminSessions, localpart, admin)
	})
}
