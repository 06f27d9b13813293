package db

import (
	"context"
	"time"
)

// Factor is something that the owner of an account shows beside the password, or instead of it. A passkey and an app's
// one-time codes are second factors: an account that has one is not let in by its password alone. A recovery code
// stands in for them once.
type Factor struct {
	ID        string // of a passkey its credential id; no two factors have the same
	Localpart string
	Kind      string // one of those below
	Name      string // as its owner calls it
	Sealed    []byte // what verifies it, which must not be readable here
	Created   time.Time
	Used      time.Time // zero: never
	Step      int64     // of one-time codes: the time step of the last one that was taken
	Failures  int64     // of one-time codes: the wrong ones since the last right one
	Blocked   time.Time // until then no code is looked at
}

// The kinds of factors.
const (
	FactorPasskey  = "passkey"
	FactorCodes    = "codes"    // one-time codes by an app. RFC 6238
	FactorRecovery = "recovery" // one recovery code
)

// MaxFactors bounds the factors of one account, apart from recovery codes.
const MaxFactors = 20

const (
	factorColumns = `id, localpart, kind, name, sealed, created, used, step, failures, blocked`

	// An account has one app for one-time codes at most: two would be no safer and twice as easy to guess.
	addFactor = `INSERT INTO factors (` + factorColumns + `)
		SELECT $1, localpart, $3, $4, $5, $6, 0, $7, 0, 0 FROM users WHERE localpart = $2 AND deactivated = 0
		AND NOT EXISTS (SELECT 1 FROM factors WHERE localpart = $2 AND kind = $3 AND kind = '` + FactorCodes + `')
		AND (SELECT COUNT(*) FROM factors WHERE localpart = $2 AND kind <> '` + FactorRecovery + `') < $8
		ON CONFLICT DO NOTHING RETURNING id`

	// of the row of users that a statement looks at
	secondFactor = `EXISTS (SELECT 1 FROM factors
		WHERE localpart = users.localpart AND kind <> '` + FactorRecovery + `')`

	hasFactor     = `SELECT id FROM factors WHERE localpart = $1 AND kind <> '` + FactorRecovery + `' LIMIT 1`
	removeFactor  = `DELETE FROM factors WHERE localpart = $1 AND id = $2 RETURNING kind`
	renameFactor  = `UPDATE factors SET name = $3 WHERE localpart = $1 AND id = $2 RETURNING id`
	clearFactors  = `DELETE FROM factors WHERE localpart = $1 RETURNING kind`
	clearRecovery = `DELETE FROM factors WHERE localpart = $1 AND kind = '` + FactorRecovery + `'`
	otherBrowsers = `DELETE FROM browsers WHERE localpart = $1 AND id <> $2`
)

func scanFactor(scan func(...any) error) (f Factor, err error) {
	var created, used, blocked int64
	err = scan(&f.ID, &f.Localpart, &f.Kind, &f.Name, &f.Sealed, &created, &used, &f.Step, &f.Failures, &blocked)
	f.Created, f.Used, f.Blocked = FromMillis(created), FromMillis(used), FromMillis(blocked)
	return f, err
}

// Factors lists an account's, the oldest first.
func (d *DB) Factors(ctx context.Context, localpart string) ([]Factor, error) {
	return list(ctx, d, `SELECT `+factorColumns+` FROM factors WHERE localpart = $1 ORDER BY created, id`, scanFactor,
		localpart)
}

// Factor finds one by its id; else ErrNotFound.
func (d *DB) Factor(ctx context.Context, id string) (Factor, error) {
	return one(ctx, d, `SELECT `+factorColumns+` FROM factors WHERE id = $1`, scanFactor, id)
}

// AddFactor adds a second factor, and with an account's first one its recovery codes. The account's browsers were
// signed in by the password alone until then: all but the one in which that was done, by its id, are signed out. Its
// sessions go on. ErrConflict if the id is taken, there are too many, or the account is deactivated.
func (d *DB) AddFactor(ctx context.Context, f Factor, browser string, recovery []Factor) error {
	return d.must(ctx, account(f.Localpart), ErrConflict, func(t *Tx) (bool, error) {
		had, err := t.Get(hasFactor, nil, f.Localpart)
		if err != nil {
			return false, err
		}
		added, err := t.addFactor(f)
		if err != nil || !added {
			return false, err
		}
		if !had {
			err = or(t.Exec(otherBrowsers, f.Localpart, browser), t.addRecovery(f.Localpart, recovery))
		}
		return true, or(err, t.Record(Event{Kind: EventFactorAdded, Localpart: f.Localpart}))
	})
}

func (t *Tx) addFactor(f Factor) (bool, error) {
	most := int64(MaxFactors)
	if f.Kind == FactorRecovery {
		most = maxTime // they are made as many as they are
	}
	return t.Get(addFactor, nil, f.ID, f.Localpart, f.Kind, Clip(f.Name, maxFactorName), f.Sealed,
		Millis(f.Created), f.Step, most)
}

// maxFactorName bounds a factor's name, in bytes.
const maxFactorName = 200

// ReplaceRecovery replaces the recovery codes of an account; ErrNotFound if it has no second factor that they could
// stand in for.
func (d *DB) ReplaceRecovery(ctx context.Context, localpart string, codes []Factor) error {
	return d.must(ctx, account(localpart), ErrNotFound, func(t *Tx) (bool, error) {
		has, err := t.Get(hasFactor, nil, localpart)
		if err != nil || !has {
			return false, err
		}
		err = t.addRecovery(localpart, codes)
		return true, or(err, t.Record(Event{Kind: EventRecoveryMade, Localpart: localpart}))
	})
}

func (t *Tx) addRecovery(localpart string, codes []Factor) error {
	err := t.Exec(clearRecovery, localpart)
	for _, code := range codes {
		if err == nil {
			_, err = t.addFactor(code)
		}
	}
	return err
}

// UseRecovery spends a recovery code; ErrNotFound if it is not there, or no longer.
func (d *DB) UseRecovery(ctx context.Context, localpart, id string) error {
	const use = `DELETE FROM factors WHERE localpart = $1 AND id = $2 AND kind = '` + FactorRecovery + `' RETURNING id`
	return d.must(ctx, account(localpart), ErrNotFound, func(t *Tx) (bool, error) {
		used, err := t.Get(use, nil, localpart, id)
		if err == nil && used {
			err = t.Record(Event{Kind: EventRecoveryUsed, Localpart: localpart})
		}
		return used, err
	})
}

// RenameFactor gives a factor of an account another name; ErrNotFound if it has no such.
func (d *DB) RenameFactor(ctx context.Context, localpart, id, name string) error {
	return d.must(ctx, account(localpart), ErrNotFound, func(t *Tx) (bool, error) {
		return t.Get(renameFactor, nil, localpart, id, Clip(name, maxFactorName))
	})
}

// RemoveFactor removes a factor of an account, and with the last second factor the recovery codes; ErrNotFound if it
// has no such.
func (d *DB) RemoveFactor(ctx context.Context, localpart, id string) error {
	return d.must(ctx, account(localpart), ErrNotFound, func(t *Tx) (bool, error) {
		removed, err := t.Get(removeFactor, nil, localpart, id)
		if err != nil || !removed {
			return false, err
		}
		left, err := t.Get(hasFactor, nil, localpart)
		if err == nil && !left {
			err = t.Exec(clearRecovery, localpart)
		}
		return true, or(err, t.Record(Event{Kind: EventFactorRemoved, Localpart: localpart}))
	})
}

// ClearFactors removes all factors of an account, signs its browsers out, and says how many second factors there were.
// It is an operator's way to let somebody in who has lost them; one may have been a thief's, who is signed in.
func (d *DB) ClearFactors(ctx context.Context, localpart string) (cleared int, err error) {
	return write(ctx, d, account(localpart), func(t *Tx) (int, error) {
		cleared, err := t.clearFactors(localpart)
		if err == nil && cleared > 0 {
			err = or(t.Exec(endBrowsers, localpart), t.Record(Event{Kind: EventFactorsCleared, Localpart: localpart}))
		}
		return cleared, err
	})
}

// SignOut takes away what the owner of an account signs in with on the pages, beside the password, and signs the
// browsers out.
func (t *Tx) SignOut(localpart string) error {
	_, err := t.clearFactors(localpart)
	return or(err, t.EndBrowsers(localpart))
}

// EndBrowsers signs an account's browsers out.
func (t *Tx) EndBrowsers(localpart string) error { return t.Exec(endBrowsers, localpart) }

func (t *Tx) clearFactors(localpart string) (cleared int, err error) {
	err = t.Each(clearFactors, []any{localpart}, func(scan func(...any) error) error {
		var kind string
		err := scan(&kind)
		if kind != FactorRecovery {
			cleared++
		}
		return err
	})
	return cleared, err
}
