package db

import (
	"context"
	"time"
)

// What the owner of an account sees of its events.

const (
	// A device that is new has signed in: that is said once.
	history = `SELECT ` + eventColumns + ` FROM events AS e WHERE localpart = $1 AND NOT (kind = '` + EventLogin + `'
			AND EXISTS (SELECT 1 FROM events AS n WHERE n.localpart = e.localpart AND n.at = e.at
				AND n.session_id = e.session_id AND n.kind = '` + EventNewDevice + `'))
		ORDER BY at DESC, session_id, kind LIMIT $2 OFFSET $3`

	// The first device of an account that was made here is no news to whoever made it. Where it cannot be told any more
	// that a device was the first, it is not taken for it.
	newDevices = `SELECT ` + eventColumns + ` FROM events AS e
		WHERE localpart = $1 AND kind = '` + EventNewDevice + `'
			AND at > (SELECT noticed FROM users WHERE localpart = $1)
			AND (EXISTS (SELECT 1 FROM events AS f WHERE f.localpart = e.localpart AND f.kind = '` + EventLogin + `'
					AND (f.at < e.at OR f.at = e.at AND f.session_id < e.session_id))
				OR NOT EXISTS (SELECT 1 FROM events AS c WHERE c.localpart = e.localpart
					AND c.kind = '` + EventCreated + `'))
		ORDER BY at, session_id LIMIT $2`

	// No time that is still to come is noted: what happens until then would be missed.
	dismiss = `UPDATE users SET noticed = COALESCE((SELECT MAX(at) FROM events
			WHERE localpart = $1 AND kind = '` + EventNewDevice + `' AND at <= $2), noticed)
		WHERE localpart = $1 AND noticed < $2`
)

// History lists an account's events as its owner sees them, the newest first, at most limit of them after the first
// few: the login of a new device is one event, not two.
func (d *DB) History(ctx context.Context, localpart string, skip, limit int) ([]Event, error) {
	return list(ctx, d, history, scanEvent, localpart, limit, skip)
}

// NewDevices lists the logins of new devices that the owner of an account has not dismissed, the oldest first, at most
// limit of them.
func (d *DB) NewDevices(ctx context.Context, localpart string, limit int) ([]Event, error) {
	return list(ctx, d, newDevices, scanEvent, localpart, limit)
}

// DismissNewDevices notes that the owner of an account knows of the new devices up to a time.
func (d *DB) DismissNewDevices(ctx context.Context, localpart string, until time.Time) error {
	return d.exec(ctx, account(localpart), dismiss, localpart, Millis(until))
}
