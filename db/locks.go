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
	const q = `UPDATE users SET locked = $2, closings = closings + 1 WHERE localpart = $1 AND locked = 0
		RETURNING localpart`
	return d.setLock(ctx, Event{At: when, Kind: EventLocked, Localpart: localpart}, q, Millis(when))
}

// UnlockUser opens a locked account again, with all its sessions as they were; ErrNotFound if there is no such account.
func (d *DB) UnlockUser(ctx context.Context, localpart string) error {
	const q = `UPDATE users SET locked = 0 WHERE localpart = $1 AND locked <> 0 RETURNING localpart`
	return d.setLock(ctx, Event{Kind: EventUnlocked, Localpart: localpart}, q)
}

const lockSessions = `UPDATE sessions SET locked = $2 WHERE localpart = $1`

// setLock changes the account and, in the same transaction, what its sessions say about it.
func (d *DB) setLock(ctx context.Context, e Event, query string, args ...any) error {
	return d.must(ctx, account(e.Localpart), ErrNotFound, func(t *Tx) (bool, error) {
		found, err := t.Change(e, query, args...)
		if err != nil || !found {
			return found, err
		}
		if err := t.Follow(e.Localpart, ""); err != nil {
			return true, err
		}
		return true, t.ChangeSessions(lockSessions, e.Localpart, e.Kind == EventLocked)
	})
}

// SetAdmin says whether an account is an administrator's, and has its sessions say so too: an introspection reads only
// those. ErrNotFound if there is no such account.
func (d *DB) SetAdmin(ctx context.Context, localpart string, admin bool) error {
	return d.must(ctx, account(localpart), ErrNotFound,
		func(t *Tx) (bool, error) { return t.SetAdmin(localpart, admin) })
}

// SetAdmin is [DB.SetAdmin] in a transaction about the account, and says whether there is such an account.
func (t *Tx) SetAdmin(localpart string, admin bool) (found bool, err error) {
	const (
		q        = `UPDATE users SET admin = $2 WHERE localpart = $1 AND admin <> $2 RETURNING localpart`
		sessions = `UPDATE sessions SET admin = $2 WHERE localpart = $1`
	)
	e := Event{Kind: EventAdminOff, Localpart: localpart}
	if admin {
		e.Kind = EventAdminOn
	}
	if found, err = t.Change(e, q, admin); err != nil || !found {
		return found, err
	}
	return true, t.ChangeSessions(sessions, localpart, admin)
}
