package outbox

import (
	"cmp"
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
// Whoever tells the homeserver of a row has claimed it for a while, the sender (Claim) as well as a login or a
// registration (ClaimLogin, ClaimRegistration, Take), and nobody else tells of it meanwhile. The row is deleted when
// the homeserver was told (Settle; a login's by the transaction that starts its session), unless something changed.
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

	columns = `localpart, device_id, since, due, tries, refused, error, spared, changed, holder, held`

	insertRow = `INSERT INTO outbox (` + columns + `)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), 0, 0, FALSE, '', FALSE, TRUE, '', 0 WHERE `
	// A row that is there already is due again. The claim of the login that has just started its session ends: what it
	// has told is all there is, unless something changed before, or somebody was telling of the row and heard no
	// answer: what that said may arrive after what the login said.
	orRenew = ` ON CONFLICT (localpart, device_id) DO UPDATE SET due = 0, tries = 0, refused = FALSE, spared = FALSE,
		changed = outbox.changed OR outbox.tries > 0 OR NOT ` + begun + `,
		holder = CASE WHEN ` + begun + ` THEN '' ELSE outbox.holder END,
		held = CASE WHEN ` + begun + ` THEN 0 ELSE outbox.held END RETURNING changed`
	begun = `EXISTS (SELECT 1 FROM sessions WHERE localpart = $1 AND device_id = $2 AND id = outbox.holder)`

	someHomeserver = `EXISTS (SELECT 1 FROM settings WHERE name = '` + homeserver + `')`

	insert        = insertRow + someHomeserver + orRenew
	insertAnyway  = insertRow + `TRUE` + orRenew
	insertDevices = `INSERT INTO outbox (` + columns + `)
		SELECT localpart, device_id, CAST($1 AS BIGINT), 0, 0, FALSE, '', FALSE, TRUE, '', 0 FROM sessions
		WHERE NOT imported ON CONFLICT DO NOTHING`
	remove = `DELETE FROM outbox WHERE localpart = $1 AND device_id = $2`

	// Of a row that another holds nothing is returned, nor without a homeserver.
	take = `INSERT INTO outbox (` + columns + `)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), 0, FALSE, '',
		CAST($5 AS BOOLEAN), FALSE, CAST($6 AS TEXT), CAST($4 AS BIGINT) WHERE ` + someHomeserver + `
		ON CONFLICT (localpart, device_id) DO UPDATE SET due = excluded.due, changed = FALSE,
		tries = CASE WHEN outbox.held > 0 THEN outbox.tries + 1 ELSE outbox.tries END, -- who had it was not heard of
		holder = excluded.holder, held = excluded.held WHERE outbox.held < $3 RETURNING localpart`

	busy  = `SELECT device_id FROM outbox WHERE localpart = $1 AND held >= $2 LIMIT 1`
	waits = `SELECT device_id FROM outbox WHERE localpart = $1 AND device_id = $2`

	account    = `SELECT deactivated <> 0, locked <> 0, erased FROM users WHERE localpart = $1`
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

// Reactivate opens a deactivated account again, here and at the homeserver; db.ErrNotFound if there is none.
func (q *Queue) Reactivate(ctx context.Context, localpart string) error {
	const reopen = `UPDATE outbox SET reopen = TRUE WHERE localpart = $1 AND device_id = ''`
	return q.DB.WriteFor(ctx, localpart, func(t *db.Tx) error {
		found, err := t.Reactivate(localpart)
		if err == nil && !found {
			return db.ErrNotFound
		}
		return cmp.Or(err, t.Exec(reopen, localpart))
	})
}

// Add queues a device even if there is no homeserver yet: the row waits for the first start with one.
func Add(t *db.Tx, localpart, deviceID string) error {
	_, err := queue(t, insertAnyway, localpart, deviceID, time.Now())
	return err
}

// queue writes a row, and says whether one is due now. If the login that has claimed the device has just started its
// session, there is nothing left to tell.
func queue(t *db.Tx, query, localpart, deviceID string, now time.Time) (due bool, err error) {
	var changed bool
	queued, err := t.Get(query, []any{&changed}, localpart, deviceID, db.Millis(now))
	if err == nil && queued && !changed {
		return false, t.Exec(remove, localpart, deviceID)
	}
	return queued, err
}

// ErrBusy says that the homeserver is being told of a device by somebody else. What that says must not arrive after
// what others say: try again in a moment.
var ErrBusy = errors.New("the homeserver is being told of the device")

// ClaimRegistration has the transaction of a registration claim the rows of the account and the device, for its caller
// to tell the homeserver, and Settle. The caller does not tell of a mail address: with one the account's row stays the
// sender's.
func (q *Queue) ClaimRegistration(r *db.Registration, holder string, until time.Time) {
	localpart := r.Localpart // which is new, so all its rows are of this transaction
	mailless := r.Email.Address == ""
	r.Also = func(t *db.Tx) error {
		return t.Exec(`UPDATE outbox SET due = $2, changed = FALSE, holder = $3, held = $2 WHERE localpart = $1
			AND (device_id <> '' OR $4)`, localpart, db.Millis(until), holder, mailless)
	}
}

// Replaced is the session that a login will replace.
type Replaced struct {
	Exists      bool
	DisplayName string // of the device; it keeps its name
}

// ClaimLogin claims a device for a login that is about to start a session on it, by the session's id, until a time.
// The caller tells the homeserver of the device, and starts the session, which ends the claim, or calls Settle. If
// nothing else is heard of it (the server was killed, say), the sender compares: without a session the device goes
// again, if it was made for this login. One that the client named may have been at the homeserver before Postern was,
// with its keys, so it stays; without keys it does no harm. It refuses what StartSession would refuse, and spends
// nothing: ErrConflict, ErrTokenSpent and ErrLocked as there. ErrBusy if somebody else has claimed the device.
func (q *Queue) ClaimLogin(ctx context.Context, l db.Login, newDevice bool, now, until time.Time) (Replaced, error) {
	var r Replaced
	err := q.DB.WriteFor(ctx, l.Localpart, func(t *db.Tx) (err error) {
		if err := t.Admissible(l); err != nil {
			return err
		}
		r = Replaced{}
		if r.Exists, err = t.Get(deviceName, []any{&r.DisplayName}, l.Localpart, l.DeviceID); err != nil {
			return err
		}
		return claimRow(t, l.Localpart, l.DeviceID, l.ID, !newDevice, now, until)
	})
	if err != nil {
		return Replaced{}, err // the writer may still be at it
	}
	return r, nil
}

// Take claims an account and a device of it; without a device id only the account. ErrBusy if somebody else has claimed
// anything of the account.
func (q *Queue) Take(ctx context.Context, holder, localpart, deviceID string, now, until time.Time) error {
	return q.DB.WriteFor(ctx, localpart, func(t *db.Tx) error {
		if taken, err := t.Get(busy, nil, localpart, db.Millis(now)); taken || err != nil {
			return cmp.Or(err, ErrBusy)
		}
		err := claimRow(t, localpart, "", holder, false, now, until)
		if err == nil && deviceID != "" {
			err = claimRow(t, localpart, deviceID, holder, false, now, until)
		}
		return err
	})
}

func claimRow(t *db.Tx, localpart, deviceID, holder string, spared bool, now, until time.Time) error {
	free, err := t.Get(take, nil, localpart, deviceID, db.Millis(now), db.Millis(until), spared, holder)
	if free || err != nil {
		return err
	}
	held, err := Untold(t, localpart, deviceID)
	if err == nil && held {
		return ErrBusy
	}
	return err
}

// Waits says whether the homeserver must still be told of a device.
func (q *Queue) Waits(ctx context.Context, localpart, deviceID string) (bool, error) {
	return q.DB.Get(ctx, waits, []any{new(string)}, localpart, deviceID)
}

// Untold is [Queue.Waits] within a transaction.
func Untold(t *db.Tx, localpart, deviceID string) (bool, error) {
	return t.Get(waits, nil, localpart, deviceID)
}

// Remind has the homeserver told of an account once more, and says so; not if that waits already.
func (q *Queue) Remind(ctx context.Context, localpart string) (reminded bool, err error) {
	err = q.DB.WriteFor(ctx, localpart, func(t *db.Tx) error {
		reminded = false
		if already, err := Untold(t, localpart, ""); already || err != nil {
			return err
		}
		var unused bool
		there, err := t.Get(account, []any{&unused, &unused, &unused}, localpart)
		if err != nil || !there {
			return err
		}
		reminded = true
		return q.follow(t, localpart, "")
	})
	return reminded && err == nil, err
}

// Forget forgets that the homeserver was to be told of a device, unless somebody is telling it.
func (q *Queue) Forget(ctx context.Context, localpart, deviceID string) error {
	const forget = `DELETE FROM outbox WHERE localpart = $1 AND device_id = $2 AND held = 0`
	return q.DB.WriteFor(ctx, localpart, func(t *db.Tx) error { return t.Exec(forget, localpart, deviceID) })
}

// wake has the sender of this process look for rows.
func (q *Queue) wake() {
	select {
	case q.news <- struct{}{}:
	default: // it has not looked since
	}
}
