package db

import (
	"context"
	"slices"
	"time"
)

// Email is a mail address that the owner of an account has shown to be theirs, or of which an operator says so. No two
// accounts have the same.
type Email struct {
	Address   string // as it is compared: see handlers.Address
	Localpart string
	Validated time.Time // when its owner has shown that, or an operator said so
	Added     time.Time // when it was bound to the account
	Language  string    // in which its owner reads, such as "de"; empty: not known
}

// MaxEmails bounds the addresses of one account.
const MaxEmails = 10

const (
	emailColumns = `address, localpart, validated, added, language`

	findEmail = `SELECT ` + emailColumns + ` FROM emails WHERE address = $1`
	addEmail  = `INSERT INTO emails (` + emailColumns + `)
		SELECT $1, localpart, $3, $4, $5 FROM users WHERE localpart = $2 AND deactivated = 0
		AND (SELECT COUNT(*) FROM emails WHERE localpart = $2) < $6 ON CONFLICT DO NOTHING RETURNING address`
	ownEmail     = `SELECT address FROM emails WHERE address = $1 AND localpart = $2`
	othersEmail  = `SELECT address FROM emails WHERE address = $1 AND localpart <> $2`
	removeEmail  = `DELETE FROM emails WHERE localpart = $1 AND address = $2 RETURNING address`
	removeEmails = `DELETE FROM emails WHERE localpart = $1`
)

func scanEmail(scan func(...any) error) (e Email, err error) {
	var validated, added int64
	err = scan(&e.Address, &e.Localpart, &validated, &added, &e.Language)
	e.Validated, e.Added = FromMillis(validated), FromMillis(added)
	return e, err
}

// Email finds an address; else ErrNotFound.
func (d *DB) Email(ctx context.Context, address string) (Email, error) {
	return one(ctx, d, findEmail, scanEmail, address)
}

// Emails lists the addresses of an account, the oldest first.
func (d *DB) Emails(ctx context.Context, localpart string) ([]Email, error) {
	const q = `SELECT ` + emailColumns + ` FROM emails WHERE localpart = $1 ORDER BY added, address`
	return list(ctx, d, q, scanEmail, localpart)
}

// AddEmail binds an address to an account; one that the account has already stays as it is. ErrConflict if it is
// another account's, the account has MaxEmails, is deactivated, or is none.
func (d *DB) AddEmail(ctx context.Context, e Email) error {
	if Millis(e.Added) == 0 {
		return errNoTime
	}
	return d.must(ctx, account(e.Localpart), ErrConflict, func(t *Tx) (bool, error) { return t.AddEmail(e) })
}

// AddEmail is DB.AddEmail within a transaction about the account. It says whether the account has the address now.
func (t *Tx) AddEmail(e Email) (bool, error) {
	added, err := t.bindEmail(e)
	switch {
	case err != nil:
		return false, err
	case !added:
		return t.Get(ownEmail, nil, e.Address, e.Localpart)
	}
	return true, t.Record(Event{Kind: EventEmailAdded, Localpart: e.Localpart})
}

// bindEmail is AddEmail of an account that is made with the address, which is no event of its own. It says whether the
// address was free.
func (t *Tx) bindEmail(e Email) (bool, error) {
	added, err := t.Get(addEmail, nil, e.Address, e.Localpart, Millis(e.Validated), Millis(e.Added), e.Language,
		MaxEmails)
	if err == nil && added {
		err = t.Follow(e.Localpart, "")
	}
	return added, err
}

// RemoveEmail unbinds an address; ErrNotFound if the account does not have it.
func (d *DB) RemoveEmail(ctx context.Context, localpart, address string) error {
	return d.must(ctx, account(localpart), ErrNotFound, func(t *Tx) (bool, error) {
		return t.removeEmail(localpart, address)
	})
}

func (t *Tx) removeEmail(localpart, address string) (found bool, err error) {
	// While the address is still bound, so that its owner hears of it.
	if found, err = t.Get(ownEmail, nil, address, localpart); err != nil || !found {
		return false, err
	}
	if err = t.Record(Event{Kind: EventEmailRemoved, Localpart: localpart}); err != nil {
		return false, err
	}
	return true, or(t.Exec(removeEmail, localpart, address), t.Follow(localpart, ""))
}

// SetEmails has an account have these addresses and no others; those that it has stay as they are. ErrConflict if one
// is another account's, which taken says, or there are more than MaxEmails; then nothing changes.
func (d *DB) SetEmails(ctx context.Context, localpart string, wanted []Email) (taken string, err error) {
	if len(wanted) > MaxEmails {
		return "", ErrConflict
	}
	return write(ctx, d, account(localpart), func(t *Tx) (string, error) {
		had, err := listIn(t, `SELECT address FROM emails WHERE localpart = $1`, scanText, localpart)
		if err != nil {
			return "", err
		}
		for _, e := range wanted { // before anything is written, which would stand
			found, err := t.Get(othersEmail, nil, e.Address, localpart)
			if err != nil || found {
				return e.Address, or(err, ErrConflict)
			}
		}
		for _, address := range had {
			if slices.ContainsFunc(wanted, func(e Email) bool { return e.Address == address }) {
				continue
			}
			if _, err := t.removeEmail(localpart, address); err != nil {
				return "", err
			}
		}
		for _, e := range wanted {
			e.Localpart = localpart
			if has, err := t.AddEmail(e); err != nil || !has {
				return e.Address, t.require(or(err, ErrConflict)) // by another process just now
			}
		}
		return "", nil
	})
}
