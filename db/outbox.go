package db

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// The outbox is what a homeserver behind must still be told. Each fact that it must learn writes a row in its own
// transaction, so that neither can be there without the other. A row says what to look at, an account or a device, and
// not what to say: whoever sends compares with what is true by then. So rows of one thing are one row, sending one
// twice does no harm, and no order can be wrong.
//
// A row is taken for a while (Claim) and cleared when it was said (Settle), unless something changed meanwhile. A login
// announces its device before it begins (Announce), tells the homeserver itself, and clears the row with the
// transaction that begins it.

// behind is the setting that names the homeserver behind. It is a fact of the database and not of a process: the
// command line must write rows too, and a server that was started without --homeserver by mistake must not lose any.
const behind = "homeserver"

// Behind says which homeserver has to be told; empty if there is none.
func (d *DB) Behind(ctx context.Context) (string, error) {
	place, err := d.Setting(ctx, behind)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return place, err
}

// SetBehind says which homeserver has to be told from now on. If there was none it is told of the devices on which
// sessions were begun here: it would turn their tokens away for want of a device. An empty place says that there is
// none any more; then what waits is forgotten.
func (d *DB) SetBehind(ctx context.Context, place string) error {
	_, err := write(ctx, d.writer, "", func(t *tx) (none struct{}, err error) {
		t.tells = unasked
		if place != "" {
			return none, t.stand(place)
		}
		if err := t.exec(`DELETE FROM settings WHERE name = $1`, behind); err != nil {
			return none, err
		}
		return none, t.exec(`DELETE FROM outbox`)
	})
	return err
}

// stand begins to stand in front of a homeserver, or goes on in front of one that has moved.
func (t *tx) stand(place string) error {
	const tellAll = `INSERT INTO outbox (` + outboxColumns + `)
		SELECT localpart, device_id, CAST($1 AS BIGINT), 0, 0, FALSE, '', '', FALSE, TRUE, '', 0 FROM sessions WHERE NOT imported ON CONFLICT DO NOTHING`
	already, err := t.telling()
	if err == nil && !already {
		t.told = true
		err = t.exec(tellAll, ms(t.now()))
	}
	t.tells = unasked
	if err != nil {
		return err
	}
	return t.exec(setSetting, behind, place)
}

// What a transaction knows of whether somebody has to be told.
const (
	unasked = iota
	nobody
	somebody
)

// telling says whether there is a homeserver to tell; asked once in a transaction that has something to tell.
func (t *tx) telling() (bool, error) {
	if t.tells == unasked {
		found, err := t.get(`SELECT value FROM settings WHERE name = $1`, []any{new(string)}, behind)
		if err != nil {
			return false, err
		}
		t.tells = nobody
		if found {
			t.tells = somebody
		}
	}
	return t.tells == somebody, nil
}

const (
	outboxColumns = `localpart, device_id, since, due, tries, refused, error, login, spared, changed, holder, held`

	// Whoever has announced it does not clear it any more. There is, or just was, a session on the device: its end is
	// the device's.
	tell = `INSERT INTO outbox (` + outboxColumns + `) VALUES ($1, $2, $3, 0, 0, FALSE, '', '', FALSE, TRUE, '', 0)
		ON CONFLICT (localpart, device_id) DO UPDATE SET due = 0, tries = 0, refused = FALSE, login = '', spared = FALSE, changed = TRUE`

	announce = `INSERT INTO outbox (` + outboxColumns + `) VALUES ($1, $2, $3, $4, 0, FALSE, '', $5, $6, TRUE, '', 0)
		ON CONFLICT (localpart, device_id) DO UPDATE SET due = excluded.due, login = excluded.login, changed = TRUE`

	// Not while a sender is on its way, nor after one of which nothing was heard: what that said may come later than
	// what was said since.
	announced = `DELETE FROM outbox WHERE localpart = $1 AND device_id = $2 AND login = $3 AND held = 0 AND tries = 0 RETURNING device_id`
	recall    = `UPDATE outbox SET due = 0, login = '' WHERE localpart = $1 AND login = $2 RETURNING device_id`
	heldUntil = `SELECT held FROM outbox WHERE localpart = $1 AND device_id = $2`
)

// tell notes down that the homeserver must look at an account or, with a device id, at a device, if there is a
// homeserver.
func (t *tx) tell(localpart, deviceID string) error {
	if on, err := t.telling(); err != nil || !on {
		return err
	}
	t.told = true
	return t.exec(tell, localpart, deviceID, ms(t.now()))
}

// tellLater is tell for somebody who tells it at once, under a name, and clears it then; from due on it is the
// sender's.
func (t *tx) tellLater(localpart, deviceID, name string, due time.Time) error {
	if on, err := t.telling(); err != nil || !on {
		return err
	}
	t.told = t.told || due.IsZero()
	return t.exec(announce, localpart, deviceID, ms(t.now()), ms(due), name, false)
}

// begun clears what a login has announced. If anything happened to the device since, it is to be told again.
func (t *tx) begun(s Session) error {
	if on, err := t.telling(); err != nil || !on {
		return err
	}
	if clean, err := t.get(announced, []any{new(string)}, s.Localpart, s.DeviceID, s.ID); err != nil || clean {
		return err
	}
	return t.tell(s.Localpart, s.DeviceID)
}

// Announcement is what stands when a login is announced. Wait for Free before you tell the homeserver: the sender may
// be telling of the same device, and its word must not arrive after yours.
type Announcement struct {
	Known       bool   // the account has a session on the device, which the login will replace
	DisplayName string // of that device; it keeps its name
}

// Announce notes down that a login is about to begin on a device, before the homeserver is told of that. If nothing
// else is heard of it until due (the server was killed, say), the sender compares: without a session the device goes
// again, if it was made for this login. One that the client named may have been at the homeserver before Postern was,
// with its keys, so it stays; without keys it does no harm. It refuses what StartSession would refuse, and spends
// nothing. ErrConflict, ErrTokenSpent and ErrLocked as there.
func (d *DB) Announce(ctx context.Context, l Login, due time.Time) (Announcement, error) {
	if l.LoginToken != "" && l.LoginTokenExpires.IsZero() {
		return Announcement{}, errNoTime
	}
	return write(ctx, d.writer, "", func(t *tx) (a Announcement, err error) {
		if err := t.admissible(l); err != nil {
			return a, err
		}
		return t.announce(l, due)
	})
}

func (t *tx) announce(l Login, due time.Time) (a Announcement, err error) {
	if a.Known, err = t.get(deviceName, []any{&a.DisplayName}, l.Localpart, l.DeviceID); err != nil {
		return a, err
	}
	return a, t.exec(announce, l.Localpart, l.DeviceID, ms(t.now()), ms(due), l.ID, !l.NewDevice)
}

// Free says whether no sender is just telling of a device.
func (d *DB) Free(ctx context.Context, localpart, deviceID string, now time.Time) (bool, error) {
	held, err := one(ctx, d, heldUntil, scanNumber, localpart, deviceID)
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	return held < ms(now), err
}

// Announced clears what was announced under a name, since it was told. It says whether that was all: if not, something
// changed meanwhile, and the sender has it.
func (d *DB) Announced(ctx context.Context, localpart, name string, deviceIDs []string) (bool, error) {
	return write(ctx, d.writer, "", func(t *tx) (all bool, err error) {
		all = true
		for _, id := range deviceIDs {
			clean, err := t.get(announced, []any{new(string)}, localpart, id, name)
			if err != nil {
				return false, err
			}
			all = all && clean
		}
		return all, nil
	})
}

// Recall hands what was announced under a name to the sender, since it could not be told, or what was told is not true
// after all.
func (d *DB) Recall(ctx context.Context, localpart, name string) error {
	_, err := write(ctx, d.writer, "", func(t *tx) (none struct{}, err error) {
		return none, t.each(recall, []any{localpart, name}, func(*sql.Rows) error {
			t.told = true
			return nil
		})
	})
	return err
}

// Untold says whether the homeserver must still be told of a device.
func (d *DB) Untold(ctx context.Context, localpart, deviceID string) (bool, error) {
	_, err := one(ctx, d, heldUntil, scanNumber, localpart, deviceID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Remind has the homeserver told of a device once more, unless that waits already.
func (d *DB) Remind(ctx context.Context, localpart, deviceID string) error {
	if untold, err := d.Untold(ctx, localpart, deviceID); untold || err != nil {
		return err
	}
	_, err := write(ctx, d.writer, "", func(t *tx) (none struct{}, err error) {
		known, err := t.get(sessionOnDevice, []any{new(string)}, localpart, deviceID)
		if err == nil && known {
			err = t.tell(localpart, deviceID)
		}
		return none, err
	})
	return err
}

// News gets a value, at most one at a time, when this process has written something to tell.
func (d *DB) News() <-chan struct{} { return d.news }

func scanNumber(scan func(...any) error) (n int64, err error) {
	err = scan(&n)
	return n, err
}
