package outbox

import (
	"context"
	"errors"
	"time"

	"postern/db"
)

// Queue is the table outbox: the accounts and devices that the homeserver must still be told of. Each change that it
// must learn of writes a row in its own transaction, so that neither can be there without the other. A row says what to
// look at, an account or a device, and not what to say: the sender compares with what is true by then. So all rows of
// one thing are one row, sending one twice does no harm, and no order can be wrong.
//
// The sender takes a row for a while (Claim) and deletes it when the homeserver was told (Settle), unless something
// changed meanwhile. A login announces its device before it starts a session (Announce), tells the homeserver itself,
// and the transaction that starts the session deletes the row.
type Queue struct {
	DB   *db.DB
	now  func() time.Time
	news chan struct{} // gets a value, at most one at a time, when this process has written a row that is due
}

// Open opens a database so that its changes are queued. While it has no homeserver nothing is.
func Open(ctx context.Context, c db.Config) (*Queue, error) {
	q := &Queue{now: time.Now, news: make(chan struct{}, 1)}
	c.Follow = q.follow
	d, err := db.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	q.DB = d
	return q, nil
}

// homeserver is the setting that names the homeserver. It is a fact of the database and not of a process: the command
// line must write rows too, and a server that was started without --homeserver by mistake must not lose any.
const homeserver = "homeserver"

// Homeserver says which homeserver has to be told; empty if there is none.
func (q *Queue) Homeserver(ctx context.Context) (string, error) {
	url, err := q.DB.Setting(ctx, homeserver)
	if errors.Is(err, db.ErrNotFound) {
		return "", nil
	}
	return url, err
}

// SetHomeserver says which homeserver has to be told from now on. If there was none it is told of the devices on which
// sessions were begun here: it would turn their tokens away for want of a device. An empty URL says that there is none
// any more; then what waits is forgotten.
func (q *Queue) SetHomeserver(ctx context.Context, url string) error {
	return q.DB.Write(ctx, func(t *db.Tx) error {
		if url == "" {
			return errors.Join(t.Exec(`DELETE FROM settings WHERE name = $1`, homeserver), t.Exec(`DELETE FROM outbox`))
		}
		already, err := t.Get(`SELECT value FROM settings WHERE name = $1`, nil, homeserver)
		if err == nil && !already {
			t.AfterCommit(q.wake)
			err = t.Exec(insertDevices, db.Millis(q.now()))
		}
		if err != nil {
			return err
		}
		return t.Exec(setHomeserver, homeserver, url)
	})
}

const (
	setHomeserver = `INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`

	columns = `localpart, device_id, since, due, tries, refused, error, login, spared, changed, holder, held`

	insertRow = `INSERT INTO outbox (` + columns + `)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), 0, 0, FALSE, '', '', FALSE, TRUE, '', 0 WHERE `
	// A row that is there already is due again, and a login that has announced it does not clear it any more. The
	// exception is the login that has just started its session: it has told the homeserver. Not so while a sender has
	// the row, nor when a sender had it and heard no answer: what that sent may arrive after what the login sent.
	orRenew = ` ON CONFLICT (localpart, device_id) DO UPDATE SET due = 0, tries = 0, refused = FALSE,
		spared = FALSE, changed = TRUE,
		login = CASE WHEN outbox.held = 0 AND outbox.tries = 0 THEN COALESCE((SELECT id FROM sessions
			WHERE localpart = $1 AND device_id = $2 AND id = outbox.login), '') ELSE '' END RETURNING login`

	insert        = insertRow + `EXISTS (SELECT 1 FROM settings WHERE name = '` + homeserver + `')` + orRenew
	insertAnyway  = insertRow + `TRUE` + orRenew
	insertDevices = `INSERT INTO outbox (` + columns + `)
		SELECT localpart, device_id, CAST($1 AS BIGINT), 0, 0, FALSE, '', '', FALSE, TRUE, '', 0 FROM sessions
		WHERE NOT imported ON CONFLICT DO NOTHING`
	remove = `DELETE FROM outbox WHERE localpart = $1 AND device_id = $2`

	announce = `INSERT INTO outbox (` + columns + `) VALUES ($1, $2, $3, $4, 0, FALSE, '', $5, $6, TRUE, '', 0)
		ON CONFLICT (localpart, device_id) DO UPDATE SET due = excluded.due, login = excluded.login, changed = TRUE`

	announced = remove + ` AND login = $3 AND held = 0 AND tries = 0 RETURNING device_id`
	recall    = `UPDATE outbox SET due = 0, login = '' WHERE localpart = $1 AND login = $2 RETURNING device_id`
	heldUntil = `SELECT held FROM outbox WHERE localpart = $1 AND device_id = $2`

	deviceName = `SELECT display_name FROM sessions WHERE localpart = $1 AND device_id = $2`
)

// follow is [db.Config.Follow]: the homeserver, if there is one, has to look at an account or, with a device id, at a
// device.
func (q *Queue) follow(t *db.Tx, localpart, deviceID string) error {
	due, err := queue(t, insert, localpart, deviceID, q.now())
	if err == nil && due {
		t.AfterCommit(q.wake)
	}
	return err
}

// Add queues a device even if there is no homeserver yet: the row waits for the first start with one.
func Add(t *db.Tx, localpart, deviceID string) error {
	_, err := queue(t, insertAnyway, localpart, deviceID, time.Now())
	return err
}

// queue writes a row, and says whether one is due now. If the login that has announced the device has just started its
// session, there is nothing left to tell.
func queue(t *db.Tx, query, localpart, deviceID string, now time.Time) (due bool, err error) {
	var announcedBy string
	queued, err := t.Get(query, []any{&announcedBy}, localpart, deviceID, db.Millis(now))
	if err == nil && announcedBy != "" {
		return false, t.Exec(remove, localpart, deviceID)
	}
	return queued, err
}

// AnnounceRegistration has the transaction of a registration say that its caller tells the homeserver of the account
// and the device, and not the sender, until a time. The caller deletes the rows with Announced, by the same name: a
// random text, and no session's id.
func (q *Queue) AnnounceRegistration(r *db.Registration, name string, until time.Time) {
	localpart := r.Localpart // which is new, so all its rows are of this transaction
	r.Also = func(t *db.Tx) error {
		return t.Exec(`UPDATE outbox SET due = $2, login = $3 WHERE localpart = $1`, localpart, db.Millis(until), name)
	}
}

// Announcement is what stands when a login is announced. Wait for Free before you tell the homeserver: the sender may
// be telling of the same device, and its word must not arrive after yours.
type Announcement struct {
	HasSession  bool   // the account has a session on the device, which the login will replace
	DisplayName string // of that device; it keeps its name
}

// Announce notes down that a login is about to begin on a device, before the homeserver is told of that. If nothing
// else is heard of it until due (the server was killed, say), the sender compares: without a session the device goes
// again, if it was made for this login. One that the client named may have been at the homeserver before Postern was,
// with its keys, so it stays; without keys it does no harm. It refuses what StartSession would refuse, and spends
// nothing. ErrConflict, ErrTokenSpent and ErrLocked as there.
func (q *Queue) Announce(ctx context.Context, l db.Login, newDevice bool, due time.Time) (Announcement, error) {
	var a Announcement
	err := q.DB.Write(ctx, func(t *db.Tx) (err error) {
		if err := t.Admissible(l); err != nil {
			return err
		}
		a = Announcement{}
		if a.HasSession, err = t.Get(deviceName, []any{&a.DisplayName}, l.Localpart, l.DeviceID); err != nil {
			return err
		}
		return t.Exec(announce, l.Localpart, l.DeviceID, db.Millis(q.now()), db.Millis(due), l.ID, !newDevice)
	})
	if err != nil {
		return Announcement{}, err // the writer may still be at it
	}
	return a, nil
}

// Free says whether no sender is just telling of a device.
func (q *Queue) Free(ctx context.Context, localpart, deviceID string, now time.Time) (bool, error) {
	var held int64
	queued, err := q.DB.Get(ctx, heldUntil, []any{&held}, localpart, deviceID)
	return err == nil && (!queued || held < db.Millis(now)), err
}

// Announced clears what was announced under a name, since it was told. It says whether that was all: if not, something
// changed meanwhile, and the sender has it.
func (q *Queue) Announced(ctx context.Context, localpart, name string, deviceIDs []string) (bool, error) {
	var all bool
	err := q.DB.Write(ctx, func(t *db.Tx) error {
		all = true
		for _, id := range deviceIDs {
			clean, err := t.Get(announced, nil, localpart, id, name)
			if err != nil {
				return err
			}
			all = all && clean
		}
		return nil
	})
	return err == nil && all, err
}

// Recall hands what was announced under a name to the sender, since it could not be told, or what was told is not true
// after all.
func (q *Queue) Recall(ctx context.Context, localpart, name string) error {
	return q.DB.Write(ctx, func(t *db.Tx) error {
		return t.Each(recall, []any{localpart, name}, func(func(...any) error) error {
			t.AfterCommit(q.wake)
			return nil
		})
	})
}

// Waits says whether the homeserver must still be told of a device.
func (q *Queue) Waits(ctx context.Context, localpart, deviceID string) (bool, error) {
	return q.DB.Get(ctx, heldUntil, []any{new(int64)}, localpart, deviceID)
}

// Remind has the homeserver told of a device once more, unless that waits already.
func (q *Queue) Remind(ctx context.Context, localpart, deviceID string) error {
	if untold, err := q.Waits(ctx, localpart, deviceID); untold || err != nil {
		return err
	}
	return q.DB.Write(ctx, func(t *db.Tx) error {
		there, err := t.Get(deviceName, nil, localpart, deviceID)
		if err == nil && there {
			err = q.follow(t, localpart, deviceID)
		}
		return err
	})
}

// wake has the sender of this process look for rows.
func (q *Queue) wake() {
	select {
	case q.news <- struct{}{}:
	default: // it has not looked since
	}
}
