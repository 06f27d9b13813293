package db

import (
	"context"
	"errors"
	"time"
)

// The outbox is what the homeserver must still be told of. Each change that it must learn of writes a row in its own
// transaction, so that neither can be there without the other. A row says what to look at, an account or a device, and
// not what to say: the sender compares with what is true by then. So all rows of one thing are one row, sending one
// twice does no harm, and no order can be wrong.
//
// A sender takes a row for a while (Claim) and clears it when the homeserver was told (Settle), unless something
// changed meanwhile. A login announces its device before it starts a session (Announce), tells the homeserver itself,
// and clears the row in the transaction that starts the session.
//
// Only outbox.go and outbox_send.go know of it. They use what any other package could: Config.Follow, Tx, Write, Read.

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
	return d.Write(ctx, func(t *Tx) error {
		if place == "" {
			return errors.Join(t.Exec(`DELETE FROM settings WHERE name = $1`, behind), t.Exec(`DELETE FROM outbox`))
		}
		already, err := t.Get(`SELECT value FROM settings WHERE name = $1`, nil, behind)
		if err == nil && !already {
			t.AfterCommit(d.notify)
			err = t.Exec(queueDevices, ms(d.config.now()))
		}
		if err != nil {
			return err
		}
		return t.Exec(setSetting, behind, place)
	})
}

const (
	outboxColumns = `localpart, device_id, since, due, tries, refused, error, login, spared, changed, holder, held`

	queueRow = `INSERT INTO outbox (` + outboxColumns + `)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), 0, 0, FALSE, '', '', FALSE, TRUE, '', 0 WHERE `
	// A row that is there already is due again, and a login that has announced it does not clear it any more. The
	// exception is the login that has just started its session: it has told the homeserver. Not so while a sender has
	// the row, nor when a sender had it and heard no answer: what that sent may arrive after what the login sent.
	orRenew = ` ON CONFLICT (localpart, device_id) DO UPDATE SET due = 0, tries = 0, refused = FALSE, spared = FALSE, changed = TRUE,
		login = CASE WHEN outbox.held = 0 AND outbox.tries = 0 THEN COALESCE((SELECT id FROM sessions
			WHERE localpart = $1 AND device_id = $2 AND id = outbox.login), '') ELSE '' END RETURNING login`

	queue        = queueRow + `EXISTS (SELECT 1 FROM settings WHERE name = '` + behind + `')` + orRenew
	queueAnyway  = queueRow + `TRUE` + orRenew
	queueDevices = `INSERT INTO outbox (` + outboxColumns + `)
		SELECT localpart, device_id, CAST($1 AS BIGINT), 0, 0, FALSE, '', '', FALSE, TRUE, '', 0 FROM sessions WHERE NOT imported ON CONFLICT DO NOTHING`
	unqueue = `DELETE FROM outbox WHERE localpart = $1 AND device_id = $2`

	announce = `INSERT INTO outbox (` + outboxColumns + `) VALUES ($1, $2, $3, $4, 0, FALSE, '', $5, $6, TRUE, '', 0)
		ON CONFLICT (localpart, device_id) DO UPDATE SET due = excluded.due, login = excluded.login, changed = TRUE`

	announced = unqueue + ` AND login = $3 AND held = 0 AND tries = 0 RETURNING device_id`
	recall    = `UPDATE outbox SET due = 0, login = '' WHERE localpart = $1 AND login = $2 RETURNING device_id`
	heldUntil = `SELECT held FROM outbox WHERE localpart = $1 AND device_id = $2`
)

// queueForHomeserver is Config.Follow: the homeserver, if there is one, has to look at an account or, with a device id,
// at a device.
func queueForHomeserver(t *Tx, localpart, deviceID string) error {
	return queueWith(t, queue, localpart, deviceID)
}

// queueImportedDevice is for a device that the homeserver does not list, though it takes tokens of it. There may be no
// homeserver yet: the row waits for the first start with one.
func queueImportedDevice(t *Tx, localpart, deviceID string) error {
	return queueWith(t, queueAnyway, localpart, deviceID)
}

func queueWith(t *Tx, query, localpart, deviceID string) error {
	var announcedBy string
	queued, err := t.Get(query, []any{&announcedBy}, localpart, deviceID, ms(t.db.config.now()))
	if err != nil || !queued {
		return err
	}
	if announcedBy != "" {
		return t.Exec(unqueue, localpart, deviceID)
	}
	t.AfterCommit(t.db.notify)
	return nil
}

// announceRegistration says that the caller of Register tells the homeserver, and not the sender, until r.Until.
func announceRegistration(t *Tx, r Registration) error {
	const q = `UPDATE outbox SET due = $3, login = $4 WHERE localpart = $1 AND (device_id = '' OR device_id = $2)`
	device := ""
	if r.Login != nil {
		device = r.Login.DeviceID
	}
	return t.Exec(q, r.Localpart, device, ms(r.Until), r.Name)
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
	return write(ctx, d, "", func(t *Tx) (a Announcement, err error) {
		if err := t.Admissible(l); err != nil {
			return a, err
		}
		if a.Known, err = t.Get(deviceName, []any{&a.DisplayName}, l.Localpart, l.DeviceID); err != nil {
			return a, err
		}
		return a, t.Exec(announce, l.Localpart, l.DeviceID, ms(d.config.now()), ms(due), l.ID, !l.NewDevice)
	})
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
	return write(ctx, d, "", func(t *Tx) (all bool, err error) {
		all = true
		for _, id := range deviceIDs {
			clean, err := t.Get(announced, nil, localpart, id, name)
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
	return d.Write(ctx, func(t *Tx) error {
		return t.Each(recall, []any{localpart, name}, func(func(...any) error) error {
			t.AfterCommit(d.notify)
			return nil
		})
	})
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
	return d.Write(ctx, func(t *Tx) error {
		there, err := t.Get(sessionOnDevice, nil, localpart, deviceID)
		if err == nil && there {
			err = queueForHomeserver(t, localpart, deviceID)
		}
		return err
	})
}

// News gets a value, at most one at a time, when this process has written something to tell.
func (d *DB) News() <-chan struct{} { return d.news }

func (d *DB) notify() {
	select {
	case d.news <- struct{}{}:
	default: // nobody has looked since
	}
}
