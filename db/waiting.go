package db

import (
	"context"
	"time"
)

// WaitingUser is an account that somebody has asked for, and that an operator approves or rejects. It is none yet: no
// other method of this package finds it, but Taken knows its name.
type WaitingUser struct {
	Localpart, PasswordHash string
	Since                   time.Time
	Network                 string // that it was asked for from
	Email                   Email  // that its owner has shown; without an address: none
}

// Strangers make the rows, so there are at most so many: of all, and of one network. When an operator decides there is
// room again.
const (
	maxWaiting          = 1000
	maxWaitingOfNetwork = 50
)

const (
	waitingColumns = `localpart, password_hash, since, network, email, validated, language`

	waitingAfter = `SELECT ` + waitingColumns + ` FROM waiting_users WHERE (since, localpart) > ($1, $2)
		ORDER BY since, localpart LIMIT $3`
	findWaiting  = `SELECT ` + waitingColumns + ` FROM waiting_users WHERE localpart = $1`
	countWaiting = `SELECT COUNT(*), COALESCE(SUM(CASE WHEN network = $1 THEN 1 ELSE 0 END), 0) FROM waiting_users`
	takeWaiting  = `DELETE FROM waiting_users WHERE localpart = $1 RETURNING ` + waitingColumns
	showWaiting  = `UPDATE waiting_users SET email = $3, validated = $4, language = $5
		WHERE localpart = $1 AND password_hash = $2 RETURNING localpart`
	tidyWaiting = `DELETE FROM waiting_users WHERE localpart IN
		(SELECT localpart FROM waiting_users WHERE since < $1 ORDER BY since LIMIT $2) RETURNING localpart`
)

func scanWaiting(scan func(...any) error) (u WaitingUser, err error) {
	var since, validated int64
	err = scan(&u.Localpart, &u.PasswordHash, &since, &u.Network, &u.Email.Address, &validated, &u.Email.Language)
	u.Since, u.Email.Localpart, u.Email.Validated = FromMillis(since), u.Localpart, FromMillis(validated)
	return u, err
}

// WaitingUser finds one by its name; else ErrNotFound.
func (d *DB) WaitingUser(ctx context.Context, localpart string) (WaitingUser, error) {
	return one(ctx, d, findWaiting, scanWaiting, localpart)
}

// WaitingUsers lists them, who has waited longest first.
func (d *DB) WaitingUsers(ctx context.Context) ([]WaitingUser, error) {
	return d.WaitingPage(ctx, WaitingUser{}, everyRow)
}

// WaitingPage lists at most limit of them, after one.
func (d *DB) WaitingPage(ctx context.Context, after WaitingUser, limit int) ([]WaitingUser, error) {
	return list(ctx, d, waitingAfter, scanWaiting, Millis(after.Since), after.Localpart, limit)
}

// CountWaiting counts them.
func (d *DB) CountWaiting(ctx context.Context) (n int, err error) {
	_, err = d.Get(ctx, `SELECT COUNT(*) FROM waiting_users`, []any{&n})
	return n, err
}

// crowded says ErrFull if no more accounts may wait.
func (t *Tx) crowded(network string) error {
	var all, ofNetwork int
	_, err := t.Get(countWaiting, []any{&all, &ofNetwork}, network)
	if err == nil && (all >= maxWaiting || ofNetwork >= maxWaitingOfNetwork) {
		err = ErrFull
	}
	return err
}

// wait writes an account that waits, once all that can be refused has been.
func (t *Tx) wait(r Registration) error {
	const q = `INSERT INTO waiting_users (` + waitingColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	if err := t.Exec(q, r.Localpart, r.PasswordHash, Millis(r.At), r.Network, r.Email.Address,
		Millis(r.Email.Validated), r.Email.Language); err != nil {
		return err
	}
	if err := t.saveInteraction(r.Interaction); err != nil {
		return err
	}
	return t.Record(Event{At: r.At, Kind: EventWaiting, Localpart: r.Localpart})
}

// ShowWaiting has an account wait with an address that its owner has shown, within a transaction about the account. The
// hash says which: another account of that name may wait meanwhile. ErrNotFound if none waits, ErrConflict if another
// account has the address.
func (t *Tx) ShowWaiting(e Email, passwordHash string) error {
	taken, err := t.Get(findEmail, nil, e.Address)
	if err != nil || taken {
		return or(err, ErrConflict)
	}
	waits, err := t.Get(showWaiting, nil, e.Localpart, passwordHash, e.Address, Millis(e.Validated), e.Language)
	if err == nil && !waits {
		err = ErrNotFound
	}
	return err
}

// ApproveUser makes an account of one that waits, with its password, and with its mail address unless another account
// has that by now. ErrNotFound if none waits, ErrConflict if there is an account of that name by now.
func (d *DB) ApproveUser(ctx context.Context, localpart string, when time.Time) error {
	return d.WriteFor(ctx, localpart, func(t *Tx) error {
		var was bool
		u, err := t.waiting(findWaiting, localpart)
		if err == nil {
			was, err = t.Get(userByName, nil, localpart)
		}
		if err != nil || was {
			return or(err, ErrConflict)
		}
		if _, err := t.waiting(takeWaiting, localpart); err != nil {
			return err
		}
		_, err = t.createUser(User{Localpart: u.Localpart, PasswordHash: u.PasswordHash, Created: when})
		if err != nil {
			return err
		}
		if u.Email.Address != "" {
			u.Email.Added = when
			_, err = t.bindEmail(u.Email)
		}
		return or(err, t.Record(Event{Kind: EventApproved, Localpart: localpart}))
	})
}

// RejectUser removes an account that waits; its name is free again. ErrNotFound if none waits.
func (d *DB) RejectUser(ctx context.Context, localpart string) error {
	return d.WriteFor(ctx, localpart, func(t *Tx) error {
		if _, err := t.waiting(takeWaiting, localpart); err != nil {
			return err
		}
		return t.Record(Event{Kind: EventRejected, Localpart: localpart})
	})
}

// waiting is the one row of a statement; else ErrNotFound.
func (t *Tx) waiting(query, localpart string) (u WaitingUser, err error) {
	found := false
	err = t.Each(query, []any{localpart}, func(scan func(...any) error) error {
		found = true
		u, err = scanWaiting(scan)
		return err
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return u, err
}

// removeWaiting is remove for accounts that nobody has decided about.
func (t *Tx) removeWaiting(statement string, args ...any) (int, error) {
	names, err := listIn(t, statement, scanText, args...)
	for _, name := range names {
		if err == nil {
			err = t.Record(Event{Kind: EventRejected, Localpart: name})
		}
	}
	return len(names), err
}
