package db

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Waiting is something that the homeserver was not told yet.
type Waiting struct {
	Localpart, DeviceID string // without a device id: the account itself
	Since, Due          time.Time
	Tries               int
	Refused             bool   // the homeserver answered that it does not take it
	Error               string // of the last try
}

// Outbox lists what waits, the oldest first.
func (d *DB) Outbox(ctx context.Context) ([]Waiting, error) {
	const q = `SELECT localpart, device_id, since, due, tries, refused, error FROM outbox ORDER BY since, localpart, device_id`
	return list(ctx, d, q, func(scan func(...any) error) (w Waiting, err error) {
		var since, due int64
		err = scan(&w.Localpart, &w.DeviceID, &since, &due, &w.Tries, &w.Refused, &w.Error)
		w.Since, w.Due = fromMS(since), fromMS(due)
		return w, err
	})
}

// OutboxSize counts what waits.
func (d *DB) OutboxSize(ctx context.Context) (int, error) {
	n, err := one(ctx, d, `SELECT COUNT(*) FROM outbox`, scanNumber)
	return int(n), err
}

const (
	dueNow    = `SELECT due FROM outbox WHERE due <= $1 LIMIT 1`
	nextDue   = `SELECT COALESCE(MIN(due), 0) FROM outbox WHERE due > $1`
	claimable = `SELECT localpart FROM outbox AS o WHERE due <= $1
		AND NOT EXISTS (SELECT 1 FROM outbox AS h WHERE h.localpart = o.localpart AND h.held >= $1) ORDER BY due, since DESC LIMIT $2`
	claim = `UPDATE outbox SET holder = $2, held = $3, changed = FALSE WHERE localpart = $1 AND device_id IN
		(SELECT device_id FROM outbox WHERE localpart = $1 AND due <= $4 ORDER BY device_id LIMIT $5) RETURNING device_id, tries, spared`

	settled = `DELETE FROM outbox WHERE localpart = $1 AND device_id = $2 AND holder = $3 AND NOT changed`
	release = `UPDATE outbox SET holder = '', held = 0 WHERE localpart = $1 AND device_id = $2 AND holder = $3`
	setback = `UPDATE outbox SET holder = '', held = 0, tries = tries + 1, refused = $5, error = $6,
		due = CASE WHEN changed THEN due ELSE $4 END WHERE localpart = $1 AND device_id = $2 AND holder = $3`
	hurry = `UPDATE outbox SET due = 0 WHERE due > 0 AND tries > 0 AND login = '' AND NOT refused`
)

// Due says whether anything is to be sent now and, if not, when something will be; the zero time if nothing waits.
func (d *DB) Due(ctx context.Context, now time.Time) (bool, time.Time, error) {
	if _, err := one(ctx, d, dueNow, scanNumber, ms(now)); !errors.Is(err, ErrNotFound) {
		return err == nil, time.Time{}, err
	}
	next, err := one(ctx, d, nextDue, scanNumber, ms(now))
	return false, fromMS(next), err
}

// Errand is what is to be told of one account, and what is true of it.
type Errand struct {
	Localpart string
	User      *User // nil: there is no such account
	Items     []Item
}

// Item is one row: the account itself, which comes first, or a device of it.
type Item struct {
	DeviceID    string
	Tries       int
	Known       bool   // the account has a session on the device
	Spared      bool   // if it has none, the device is not to be deleted: see Announce
	DisplayName string // of the device
}

// maxErrand bounds what is claimed at once: nobody else writes while it is looked up, and it has to be told before the
// holder counts as dead.
const maxErrand = 100

// Claim takes what is due of some accounts, until a time at which the holder counts as dead. An account of which
// another holder has something is left out, so that nothing of one account is sent by two at once.
func (d *DB) Claim(ctx context.Context, holder string, now, until time.Time, accounts int) ([]Errand, error) {
	return write(ctx, d, "", func(t *Tx) (all []Errand, err error) {
		err = t.Each(claimable, []any{ms(now), maxErrand}, func(scan func(...any) error) error {
			var e Errand
			err := scan(&e.Localpart)
			if len(all) < accounts && !slices.ContainsFunc(all,
				func(o Errand) bool { return o.Localpart == e.Localpart }) {
				all = append(all, e)
			}
			return err
		})
		for i := range all {
			if err == nil {
				err = t.fill(&all[i], holder, now, until)
			}
		}
		return all, err
	})
}

// fill takes what is due of one account, and reads what is true of it.
func (t *Tx) fill(e *Errand, holder string, now, until time.Time) error {
	args := []any{e.Localpart, holder, ms(until), ms(now), maxErrand}
	err := t.Each(claim, args, func(scan func(...any) error) error {
		var i Item
		err := scan(&i.DeviceID, &i.Tries, &i.Spared)
		if i.DeviceID == "" {
			e.Items = append([]Item{i}, e.Items...)
			return err
		}
		e.Items = append(e.Items, i)
		return err
	})
	if err != nil {
		return err
	}
	err = t.Each(userByName, []any{e.Localpart}, func(scan func(...any) error) error {
		u, err := scanUser(scan)
		e.User = &u
		return err
	})
	if err != nil {
		return err
	}
	for n := range e.Items {
		i := &e.Items[n]
		if i.Known, err = t.Get(deviceName, []any{&i.DisplayName}, e.Localpart, i.DeviceID); err != nil {
			return err
		}
	}
	return nil
}

// Outcome is what came of an item. Without an error it was told.
type Outcome struct {
	DeviceID string
	Err      error
	Refused  bool
	Due      time.Time // when to try again
}

// Settle clears what was told, unless it changed since it was claimed, and gives the account back.
func (d *DB) Settle(ctx context.Context, holder, localpart string, outcomes []Outcome) error {
	return d.Write(ctx, func(t *Tx) (err error) {
		for _, o := range outcomes {
			if o.Err != nil {
				why := clip(o.Err.Error(), maxOutboxError)
				err = t.Exec(setback, localpart, o.DeviceID, holder, ms(o.Due), o.Refused, why)
			} else {
				err = errors.Join(t.Exec(settled, localpart, o.DeviceID, holder),
					t.Exec(release, localpart, o.DeviceID, holder))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// maxOutboxError bounds what is kept of another server's words.
const maxOutboxError = 300

// Hurry makes due what waits for the homeserver to come back, since it has.
func (d *DB) Hurry(ctx context.Context) error {
	return d.Write(ctx, func(t *Tx) error { return t.Exec(hurry) })
}

// Resume takes back what a server that is gone had in its hands, where only one serves the database; on a shared one
// that lapses by itself. It was a try of which nothing was heard.
func (d *DB) Resume(ctx context.Context) error {
	if d.Shared() {
		return nil
	}
	const q = `UPDATE outbox SET holder = '', held = 0, tries = CASE WHEN held > 0 THEN tries + 1 ELSE tries END, login = '', due = CASE WHEN login = '' THEN due ELSE 0 END WHERE held > 0 OR login <> ''`
	return d.Write(ctx, func(t *Tx) error { return t.Exec(q) })
}
