package db

import "context"

// PasswordChange is a new password for an account.
type PasswordChange struct {
	Localpart string
	// the hash that was verified; "": whatever it is, and even if the account is locked or deactivated
	OldHash string
	// one more than the account's Closings when it was opened to whoever asks; 0: whatever it is
	Era int64
	// the mail address whose owner asks, which must be the account's still; "": none has proven anything
	Address string
	Hash    string
	// the session that asks, which must be live still, and lives on when the others end; "": an operator asks
	Keep      string
	EndOthers bool
}

const (
	changePassword = `UPDATE users SET password_hash = $2, own_password = TRUE
		WHERE localpart = $1 AND (CAST($3 AS TEXT) = '' OR password_hash = $3 AND deactivated = 0
			AND locked = 0) AND CAST($4 AS BIGINT) IN (0, closings + 1) RETURNING localpart`

	liveSession = `SELECT device_id FROM sessions WHERE id = $1 AND localpart = $2 AND state = 'live' AND NOT locked`

	rehash = `UPDATE users SET password_hash = $3 WHERE localpart = $1 AND password_hash = $2 RETURNING localpart`
)

// ChangePassword stores a new hash, signs the account's browsers out and, if asked, ends its other sessions, all in one
// transaction (Client-Server API v1.19, "POST /account/password", logout_devices). It returns how many ended.
// ErrNotFound if there is no such account; ErrConflict if things are not what they were when the old password was
// verified, which took its time: the hash changed, the account was locked or deactivated, be it for a while, it has
// lost the address, or the session that asks has ended or is locked.
func (d *DB) ChangePassword(ctx context.Context, c PasswordChange) (ended int, err error) {
	return write(ctx, d, account(c.Localpart), func(t *Tx) (int, error) {
		e := Event{Kind: EventPassword, Localpart: c.Localpart, Session: c.Keep}
		if c.Keep != "" {
			if live, err := t.Get(liveSession, []any{&e.DeviceID}, c.Keep, c.Localpart); err != nil || !live {
				return 0, or(err, ErrConflict)
			}
		}
		if c.Address != "" {
			if bound, err := t.Get(ownEmail, nil, c.Address, c.Localpart); err != nil || !bound {
				return 0, or(err, ErrConflict)
			}
		}
		changed, err := t.Get(changePassword, nil, c.Localpart, c.Hash, c.OldHash, c.Era)
		if err != nil {
			return 0, err
		}
		if !changed {
			if taken, err := t.taken(c.Localpart); err != nil || taken {
				return 0, or(err, ErrConflict)
			}
			return 0, ErrNotFound
		}
		if err := or(t.Exec(endBrowsers, c.Localpart), t.Record(e)); err != nil || !c.EndOthers {
			return 0, err
		}
		return t.endSessions(c.Localpart, c.Keep)
	})
}

// Rehash stores the same password hashed in another way, and ends nothing; ErrConflict if oldHash is not the account's
// any more. It does not look at the account's state: StartSession does.
func (d *DB) Rehash(ctx context.Context, localpart, oldHash, newHash string) error {
	return d.must(ctx, account(localpart), ErrConflict, func(t *Tx) (bool, error) {
		return t.Get(rehash, nil, localpart, oldHash, newHash)
	})
}
