package outbox

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"postern/db"
)

// Waiting is something that the homeserver was not told yet.
type Waiting struct {
	Localpart, DeviceID string // without a device id: the account itself
	Since, Due          time.Time
	Tries               int
	Refused             bool   // the homeserver answered that it does not take it
	Error               string // of the last try
}

// List lists what waits, the oldest first.
func (q *Queue) List(ctx context.Context) ([]Waiting, error) { return q.Some(ctx, math.MaxInt32) }

// Some lists at most limit of what waits, the oldest first.
func (q *Queue) Some(ctx context.Context, limit int) ([]Waiting, error) {
	const query = `SELECT localpart, device_id, since, due, tries, refused, error FROM outbox
		ORDER BY since, localpart, device_id LIMIT $1`
	var all []Waiting
	err := q.DB.Read(ctx, query, []any{limit}, func(scan func(...any) error) error {
		var w Waiting
		var since, due int64
		err := scan(&w.Localpart, &w.DeviceID, &since, &due, &w.Tries, &w.Refused, &w.Error)
		w.Since, w.Due = db.FromMillis(since), db.FromMillis(due)
		all = append(all, w)
		return err
	})
	return all, err
}

// Size counts what waits.
func (q *Queue) Size(ctx context.Context) (int, error) {
	var n int
	err := q.DB.Read(ctx, `SELECT COUNT(*) FROM outbox`, nil, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

const (
	dueNow    = `SELECT due FROM outbox WHERE due <= $1 LIMIT 1`
	nextDue   = `SELECT COALESCE(MIN(due), 0) FROM outbox WHERE due > $1`
	claimable = `SELECT localpart FROM outbox AS o WHERE due <= $1
		AND NOT EXISTS (SELECT 1 FROM outbox AS h WHERE h.localpart = o.localpart AND h.held >= $1)
		ORDER BY due, since DESC LIMIT $2`
	claim = `UPDATE outbox SET holder = $2, held = $3, changed = FALSE WHERE localpart = $1 AND device_id IN
		(SELECT device_id FROM outbox WHERE localpart = $1 AND due <= $4 ORDER BY device_id LIMIT $5)
		RETURNING device_id, since, tries, spared, reopen`

	settled = `DELETE FROM outbox WHERE localpart = $1 AND device_id = $2 AND holder = $3 AND NOT changed`
	release = `UPDATE outbox SET holder = '', held = 0 WHERE localpart = $1 AND device_id = $2 AND holder = $3`
	setback = `UPDATE outbox SET holder = '', held = 0, tries = tries + 1, refused = $5, error = $6,
		due = CASE WHEN changed THEN due ELSE $4 END WHERE localpart = $1 AND device_id = $2 AND holder = $3`
	hurry = `UPDATE outbox SET due = 0 WHERE due > 0 AND tries > 0 AND held = 0 AND NOT refused`
)

// Due says whether anything is to be sent now and, if not, when something will be; the zero time if nothing waits.
func (q *Queue) Due(ctx context.Context, now time.Time) (bool, time.Time, error) {
	var next int64
	due, err := q.DB.Get(ctx, dueNow, []any{&next}, db.Millis(now))
	if due || err != nil {
		return due, time.Time{}, err
	}
	_, err = q.DB.Get(ctx, nextDue, []any{&next}, db.Millis(now))
	return false, db.FromMillis(next), err
}

// Account is an account with rows that were claimed, and what is true of it.
type Account struct {
	Localpart                          string
	Exists, Deactivated, Erase, Locked bool // Erase: the homeserver shall forget of a deactivated one what it can
	Rows                               []Row
	// Emails are the account's mail addresses, if it is to be told of, and if it has, or had, any here: another
	// account may have some at the homeserver that were never brought here.
	Emails *[]string
}

// Row is one row: the account itself, which comes first, or a device of it.
type Row struct {
	DeviceID    string
	Since       time.Time // when it was written
	Tries       int
	HasSession  bool   // the account has a session on the device
	Keep        bool   // if it has none, the device is not to be deleted: see ClaimLogin
	DisplayName string // of the device
	Reopen      bool   // the account was reactivated here, and is to be there
}

// maxRows bounds what is claimed at once: nobody else writes while it is looked up, and it has to be told before the
// claim ends.
const maxRows = 100

// Claim takes what is due of some accounts for a holder, until a time at which the claim ends by itself. An account of
// which another holder has something is left out, so that nothing of one account is sent by two at once.
func (q *Queue) Claim(ctx context.Context, holder string, now, until time.Time, accounts int) ([]Account, error) {
	var due []string
	err := q.DB.Read(ctx, claimable, []any{db.Millis(now), maxRows}, func(scan func(...any) error) error {
		var localpart string
		err := scan(&localpart)
		if len(due) < accounts && !slices.Contains(due, localpart) {
			due = append(due, localpart)
		}
		return err
	})
	claimed, errs := make([]Account, len(due)), make([]error, len(due))
	var together sync.WaitGroup // so that they share a transaction
	for i, localpart := range due {
		together.Go(func() { claimed[i], errs[i] = q.claim(ctx, localpart, holder, now, until) })
	}
	together.Wait()
	claimed = slices.DeleteFunc(claimed, func(a Account) bool { return len(a.Rows) == 0 })
	return claimed, errors.Join(append(errs, err)...)
}

// claim takes what is due of one account.
func (q *Queue) claim(ctx context.Context, localpart, holder string, now, until time.Time) (Account, error) {
	var a Account
	err := q.DB.WriteFor(ctx, localpart, func(t *db.Tx) error {
		a = Account{Localpart: localpart}
		if taken, err := t.Get(busy, nil, localpart, db.Millis(now)); taken || err != nil {
			return err // since it was found
		}
		return a.claim(t, holder, now, until)
	})
	if err != nil {
		return Account{}, err // the writer may still be at it
	}
	return a, nil
}

// claim takes what is due of the account, and reads what is true of it.
func (a *Account) claim(t *db.Tx, holder string, now, until time.Time) error {
	args := []any{a.Localpart, holder, db.Millis(until), db.Millis(now), maxRows}
	err := t.Each(claim, args, func(scan func(...any) error) error {
		var r Row
		var since int64
		err := scan(&r.DeviceID, &since, &r.Tries, &r.Keep, &r.Reopen)
		r.Since = db.FromMillis(since)
		if r.DeviceID == "" {
			a.Rows = append([]Row{r}, a.Rows...)
			return err
		}
		a.Rows = append(a.Rows, r)
		return err
	})
	if err != nil {
		return err
	}
	a.Exists, err = t.Get(account, []any{&a.Deactivated, &a.Locked, &a.Erase}, a.Localpart)
	if err != nil {
		return err
	}
	if len(a.Rows) > 0 && a.Rows[0].DeviceID == "" {
		if err := a.readEmails(t); err != nil {
			return err
		}
	}
	for n := range a.Rows {
		r := &a.Rows[n]
		if r.HasSession, err = t.Get(deviceName, []any{&r.DisplayName}, a.Localpart, r.DeviceID); err != nil {
			return err
		}
	}
	return nil
}

const (
	emails  = `SELECT address FROM emails WHERE localpart = $1 ORDER BY added, address`
	noEmail = `SELECT kind FROM events WHERE localpart = $1 AND kind = '` + db.EventEmailRemoved + `' LIMIT 1`
)

func (a *Account) readEmails(t *db.Tx) error {
	all := []string{}
	err := t.Each(emails, []any{a.Localpart}, func(scan func(...any) error) error {
		var address string
		err := scan(&address)
		all = append(all, address)
		return err
	})
	known := len(all) > 0
	if err == nil && !known {
		known, err = t.Get(noEmail, nil, a.Localpart)
	}
	if known {
		a.Emails = &all
	}
	return err
}

// Outcome is what came of a row. Without an error it was told.
type Outcome struct {
	DeviceID string
	Err      error
	Refused  bool
	Due      time.Time // when to try again
}

// Settle clears what was told, unless it changed since it was claimed, and gives the account back.
func (q *Queue) Settle(ctx context.Context, holder, localpart string, outcomes []Outcome) error {
	return q.DB.WriteFor(ctx, localpart, func(t *db.Tx) (err error) {
		t.AfterCommit(q.wake) // to what is left of the account
		for _, o := range outcomes {
			if o.Err != nil {
				why := db.Clip(o.Err.Error(), maxError)
				err = t.Exec(setback, localpart, o.DeviceID, holder, db.Millis(o.Due), o.Refused, why)
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

// maxError bounds what is kept of another server's words.
const maxError = 300

// Hurry makes due what waits for the homeserver to come back, since it has.
func (q *Queue) Hurry(ctx context.Context) error {
	return q.DB.Write(ctx, func(t *db.Tx) error { return t.Exec(hurry) })
}

// Resume takes back what a server that is gone had in its hands, where only one serves the database; on a shared one
// that lapses by itself. It was a try of which nothing was heard.
func (q *Queue) Resume(ctx context.Context) error {
	if q.DB.Shared() {
		return nil
	}
	const resume = `UPDATE outbox SET holder = '', held = 0, tries = tries + 1, due = 0 WHERE held > 0`
	return q.DB.Write(ctx, func(t *db.Tx) error { return t.Exec(resume) })
}
