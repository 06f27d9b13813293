package db

import (
	"context"
	"time"
)

// LockUser shuts an account without ending anything: its sessions, refresh tokens and devices wait for UnlockUser, but
// nobody gets in meanwhile (Client-Server API v1.19, "Account locking"). An account that is locked stays so since the
// first time. ErrNotFound if there is none.
func (d *DB) LockUser(ctx context.Context, localpart string, when time.Time) error {
	if Millis(when) == 0 {
		return errNoTime
	}
	const q = `UPDATE users SET locked = CASE WHEN locked = 0 THEN $2 ELSE locked END WHERE localpart = $1
		RETURNING locked`
	return d.setLock(ctx, when, q, localpart, Millis(when))
}

// UnlockUser opens a locked account again, with all its sessions as they were; ErrNotFound if there is no such account.
func (d *DB) UnlockUser(ctx context.Context, localpart string) error {
	const q = `UPDATE users SET locked = 0 WHERE localpart = $1 RETURNING locked`
	return d.setLock(ctx, time.Time{}, q, localpart)
}

const lockSessions = `UPDATE sessions SET locked = $2 WHERE localpart = $1 RETURNING ` + sessionColumns

// setLock changes the account and, in the same transaction, what its sessions say about it. The query returns when it
// was locked; a zero time unlocks.
func (d *DB) setLock(ctx context.Context, when time.Time, query, localpart string, args ...any) error {
	return d.must(ctx, ErrNotFound, func(t *Tx) (bool, error) {
		var since int64
		found, err := t.Get(query, []any{&since}, append([]any{localpart}, args...)...)
		if err != nil || !found {
			return found, err
		}
		if err := t.Follow(localpart, ""); err != nil {
			return true, err
		}
		e := Event{At: when, Kind: EventLocked, Localpart: localpart}
		if when.IsZero() {
			e.Kind = EventUnlocked
		}
		if since == Millis(when) { // or it was locked before
			if err := t.Record(e); err != nil {
				return true, err
			}
		}
		return true, t.onSessions(lockSessions, localpart, !when.IsZero())
	})
}
