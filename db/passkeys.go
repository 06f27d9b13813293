package db

import (
	"context"
	"time"
)

// ShownPasskey is a passkey that somebody has shown.
type ShownPasskey struct {
	Factor    Factor // as it was found
	Sealed    []byte // as it is from now on: its signature counter has risen
	At        time.Time
	Challenge string // what it answers, which is good once
	Ends      time.Time
}

// TakePasskey notes that a passkey was shown, and spends the challenge. ErrTokenSpent if that was spent before;
// ErrConflict if the passkey is not what it was, or gone.
func (d *DB) TakePasskey(ctx context.Context, p ShownPasskey) error {
	const take = `UPDATE factors SET sealed = $3, used = $4 WHERE id = $1 AND localpart = $2 AND sealed = $5
		AND kind = '` + FactorPasskey + `' RETURNING id`
	return d.must(ctx, account(p.Factor.Localpart), ErrConflict, func(t *Tx) (bool, error) {
		if err := t.Spend(p.Challenge, p.At, p.Ends); err != nil {
			return false, err
		}
		return t.Get(take, nil, p.Factor.ID, p.Factor.Localpart, p.Sealed, Millis(p.At), p.Factor.Sealed)
	})
}

// Spend spends something that is good once, and until then; ErrTokenSpent if that was done before.
func (d *DB) Spend(ctx context.Context, id string, now, ends time.Time) error {
	return d.in(ctx, onRow(id), func(t *Tx) error { return t.Spend(id, now, ends) })
}
