package imported

import (
	"slices"

	"postern/db"
	"postern/homeserver/outbox"
)

// hereSession is the session that is here on a device.
type hereSession struct {
	id       string
	imported bool
}

// importDevices makes the sessions of an account what they are over there. All that ends, ends first: a token may be on
// another device by now.
func importDevices(t *db.Tx, here hereAccount, old accountMark, a Arrival, im Batch, did *Arrived) error {
	ours, err := sessionsByDevice(t, here.localpart)
	if err != nil {
		return err
	}
	ends, begins := compareDevices(ours, old, a.Devices, did)
	if im.DryRun {
		return nil
	}
	for _, id := range ends {
		if err := endImported(t, a, `DELETE FROM sessions WHERE id = $1 RETURNING id, device_id`, id); err != nil {
			return err
		}
	}
	for _, d := range begins {
		if err := startImported(t, here, d, im); err != nil {
			return err
		}
	}
	return nil
}

// compareDevices says which sessions end and which devices get one, and counts that.
func compareDevices(ours map[string]hereSession, old accountMark, theirs []Device, did *Arrived) (ends []string,
	begins []Device) {
	for device, s := range ours {
		if s.imported && !slices.ContainsFunc(theirs, func(d Device) bool { return d.DeviceID == device }) {
			ends = append(ends, s.id)
			did.Ended++
		}
	}
	for _, d := range theirs {
		s, there := ours[d.DeviceID]
		switch {
		case old.has(d):
			did.Here++
			continue
		// a login here made the second kind, and it is over
		case there && !s.imported, !there && old.withDevices && len(d.Tokens) == 0:
			did.Own++
			continue
		case there:
			ends = append(ends, s.id)
			did.Replaced++
		case d.Live:
			did.Live++
		default:
			did.Soft++
		}
		begins = append(begins, d)
	}
	return ends, begins
}

// sessionsByDevice are the sessions of an account.
func sessionsByDevice(t *db.Tx, localpart string) (map[string]hereSession, error) {
	all := make(map[string]hereSession)
	err := t.Each(`SELECT device_id, id, imported FROM sessions WHERE localpart = $1`, []any{localpart},
		func(scan func(...any) error) error {
			var device string
			var s hereSession
			err := scan(&device, &s.id, &s.imported)
			all[device] = s
			return err
		})
	return all, err
}

const (
	insertImported = `INSERT INTO sessions (id, localpart, device_id, display_name, created, expires, refreshable,
			generation, key_id, minted, access_expires, used, single_use, state, locked, admin, seen_at, seen_addr,
			seen_agent, imported)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $5, $9, 0, FALSE, $10, $11,
			(SELECT admin FROM users WHERE localpart = $2), $12, $13, $14, TRUE)`
	addToken = `INSERT INTO imported_tokens (hash, session_id, refresh, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`
)

// startImported starts a session in its first generation, whose tokens another server gave.
func startImported(t *db.Tx, here hereAccount, d Device, im Batch) error {
	seen, state := d.Seen.Clip(), db.Soft
	if d.Live {
		state = db.Live
	}
	err := t.Exec(insertImported, d.Session, here.localpart, d.DeviceID, db.DeviceName(d.DisplayName),
		db.Millis(im.At), db.Millis(d.Expires), d.Refreshable,
		im.KeyID, db.Millis(d.AccessExpires), string(state), here.locked != 0,
		db.Millis(seen.At), seen.Addr, seen.Agent)
	if err != nil {
		return err
	}
	if d.Unlisted {
		if err := outbox.Add(t, here.localpart, d.DeviceID); err != nil {
			return err
		}
	}
	for _, token := range d.Tokens {
		err := t.Exec(addToken, token.Hash[:], d.Session, token.Refresh, db.Millis(token.Expires))
		if err != nil {
			return err
		}
	}
	return nil
}
