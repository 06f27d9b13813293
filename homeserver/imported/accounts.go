package imported

import (
	"cmp"
	"context"
	"crypto/subtle"
	"time"

	"postern/db"
)

// Batch says what comes from another server, and how.
type Batch struct {
	Arrivals []Arrival
	At       time.Time
	KeyID    int64 // of the root key that would mint for the sessions; not looked at without devices
	Again    bool  // bring what has changed there since an earlier import; else what is here stays as it is
	DryRun   bool  // only say what would happen
}

// Arrived is what became of an Arrival.
type Arrived struct {
	Added   bool     // the account is new here
	Changed []string // what followed a change over there: password, locked, unlocked, admin, addresses, …
	Taken   []string // mail addresses that did not come, since another account has them here

	Live, Soft int // sessions that are new here: with tokens in use, and without
	Replaced   int // whose tokens are others over there
	Ended      int // whose devices are gone over there
	Here       int // as they were at the import before
	// that began or were renewed here, be they over by now, while their devices or tokens changed over there
	Own int
}

// Add takes accounts over from another server, with their devices and tokens in use, all in one transaction,
// so the caller makes batches. Each account's mark (see Arrival) is written with what came of it: killed at any moment,
// the same import goes on where it stopped.
//
// An account that is here already is not changed; only its devices are added if they have not come yet. With Again,
// what changed over there since the mark was made is changed here too: a password, unless it was set here; locks;
// deactivations; administrators; devices and tokens. A session that was begun or renewed here is left alone, and one
// that was ended here stays so.
//
// [db.Config.Follow] is not called for accounts that come with devices, since they come from the homeserver. ErrKeyGone
// if the root key was retired meanwhile.
func Add(ctx context.Context, d *db.DB, im Batch) ([]Arrived, error) {
	var all []Arrived
	err := d.Write(ctx, func(t *db.Tx) error {
		const retired = `SELECT id FROM root_keys WHERE id = $1 AND retired <> 0`
		if gone, err := t.Get(retired, nil, im.KeyID); gone || err != nil {
			return cmp.Or(err, db.ErrKeyGone)
		}
		all = make([]Arrived, len(im.Arrivals))
		for i, a := range im.Arrivals {
			var err error
			if all[i], err = importAccount(t, a, im); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err // the writer may still be at it
	}
	return all, nil
}

// Marks are those of all accounts that came from elsewhere, by localpart.
func Marks(ctx context.Context, d *db.DB) (map[string]string, error) {
	marks := make(map[string]string)
	err := d.Read(ctx, `SELECT localpart, imported FROM users WHERE imported <> ''`, nil,
		func(scan func(...any) error) error {
			var localpart, mark string
			err := scan(&localpart, &mark)
			marks[localpart] = mark
			return err
		})
	return marks, err
}

// hereAccount is an account as it is here.
type hereAccount struct {
	localpart, hash     string
	locked, deactivated int64
	admin               bool
	mark                string
	ownPassword         bool // set here since the account came
}

// findHere finds an account, or the zero value.
func findHere(t *db.Tx, localpart string) (a hereAccount, err error) {
	const q = `SELECT localpart, password_hash, locked, deactivated, admin, imported, own_password
		FROM users WHERE localpart = $1`
	_, err = t.Get(q, []any{&a.localpart, &a.hash, &a.locked, &a.deactivated, &a.admin, &a.mark, &a.ownPassword},
		localpart)
	return a, err
}

const (
	insertUser = `INSERT INTO users (localpart, password_hash, created, deactivated, locked, admin)
		VALUES ($1, $2, $3, $4, $5, $6)`
	lockImported  = `UPDATE sessions SET locked = $2 WHERE localpart = $1`
	adminImported = `UPDATE sessions SET admin = $2 WHERE localpart = $1`

	markUser   = `UPDATE users SET imported = $2, own_password = $3 WHERE localpart = $1`
	takeHash   = `UPDATE users SET password_hash = $2 WHERE localpart = $1`
	takeLock   = `UPDATE users SET locked = $2, closings = closings + 1 WHERE localpart = $1`
	takeAdmin  = `UPDATE users SET admin = $2 WHERE localpart = $1`
	takeActive = `UPDATE users SET deactivated = $2, erased = FALSE, closings = closings + 1 WHERE localpart = $1`
)

// importAccount takes one account over. If it comes with its devices it comes from the homeserver, which knows of it.
func importAccount(t *db.Tx, a Arrival, im Batch) (did Arrived, err error) {
	here, err := findHere(t, a.User.Localpart)
	if err != nil {
		return did, err
	}
	old, next := parseMark(here.mark), a.mark()
	switch {
	case here.localpart == "":
		did.Added = true
		here, err = createImported(t, a, im)
	case !old.came:
		here.ownPassword = differ(here.hash, a.User.PasswordHash) // it was made here; its devices may come all the same
	case im.Again:
		did.Changed, err = applyChanges(t, &here, old, a, im)
	}
	if err != nil {
		return did, err
	}
	if old.came && !im.Again {
		// of what was not looked at
		next.password, next.locked, next.deactivated, next.admin = old.password, old.locked, old.deactivated, old.admin
	}
	switch {
	case did.Added && here.deactivated == 0, old.came && im.Again && here.deactivated == 0 && next.emails != old.emails:
		err = importEmails(t, a, im, &did)
	case old.came && !im.Again:
		next.emails = old.emails
	}
	if err != nil {
		return did, err
	}
	switch {
	case !a.WithDevices:
		next.withDevices, next.devices = old.withDevices, old.devices
	case old.withDevices && !im.Again:
		next.devices = old.devices
		did.Here = len(a.Devices)
	case here.deactivated != 0: // nobody is logged in on a closed account
		next.devices = nil
	default:
		err = importDevices(t, here, old, a, im, &did)
	}
	if err == nil && !im.DryRun && next.String() != here.mark && (did.Added || a.WithDevices || old.came) {
		err = t.Exec(markUser, here.localpart, next.String(), here.ownPassword)
	}
	return did, err
}

// createImported makes an account as it is there.
func createImported(t *db.Tx, a Arrival, im Batch) (here hereAccount, err error) {
	u := a.User
	here = hereAccount{localpart: u.Localpart, hash: u.PasswordHash, locked: db.Millis(u.Locked),
		deactivated: db.Millis(u.Deactivated), admin: u.Admin}
	if im.DryRun {
		return here, nil
	}
	err = t.Exec(insertUser, here.localpart, here.hash, db.Millis(u.Created), here.deactivated, here.locked, here.admin)
	if err == nil && !a.WithDevices {
		err = t.Follow(here.localpart, "")
	}
	return here, err
}

const (
	ownerOfEmail = `SELECT localpart FROM emails WHERE address = $1`
	insertEmail  = `INSERT INTO emails (address, localpart, validated, added, language) VALUES ($1, $2, $3, $4, '')`
)

// importEmails gives an account the addresses that it has there. Nobody is told: they are not new to their owner. One
// that another account has here stays that one's, and one that the account has here and not there stays.
func importEmails(t *db.Tx, a Arrival, im Batch, did *Arrived) error {
	added := 0
	for _, e := range a.Emails {
		var owner string
		taken, err := t.Get(ownerOfEmail, []any{&owner}, e.Address)
		if err == nil && !taken {
			added++
			if !im.DryRun {
				err = t.Exec(insertEmail, e.Address, a.User.Localpart, db.Millis(e.Validated), db.Millis(e.Added))
			}
		}
		if err != nil {
			return err
		}
		if taken && owner != a.User.Localpart {
			did.Taken = append(did.Taken, e.Address)
		}
	}
	if did.Added || added == 0 {
		return nil
	}
	did.Changed = append(did.Changed, "addresses")
	if im.DryRun || a.WithDevices {
		return nil
	}
	return t.Follow(a.User.Localpart, "")
}

// differ compares hashes.
func differ(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 0 }

// applyChanges does to an account what was done to it over there.
func applyChanges(t *db.Tx, here *hereAccount, old accountMark, a Arrival, im Batch) (changed []string, err error) {
	now := a.mark()
	do := func(what, query string, value any) {
		changed = append(changed, what)
		if !im.DryRun && err == nil {
			err = t.Exec(query, here.localpart, value)
		}
	}
	if differ(now.password, old.password) && !here.ownPassword {
		do("password", takeHash, a.User.PasswordHash)
		if !im.DryRun && err == nil {
			err = t.EndBrowsers(here.localpart)
		}
	}
	if now.locked != old.locked && now.locked != (here.locked != 0) {
		here.locked = db.Millis(a.User.Locked)
		do(map[bool]string{true: "locked", false: "unlocked"}[now.locked], takeLock, here.locked)
		if !im.DryRun && err == nil {
			err = t.ChangeSessions(lockImported, here.localpart, now.locked)
		}
	}
	if now.admin != old.admin && now.admin != here.admin {
		do(map[bool]string{true: "admin", false: "no admin any more"}[now.admin], takeAdmin, now.admin)
		if !im.DryRun && err == nil {
			err = t.ChangeSessions(adminImported, here.localpart, now.admin)
		}
	}
	if now.deactivated != old.deactivated && now.deactivated != (here.deactivated != 0) {
		here.deactivated = db.Millis(a.User.Deactivated)
		do(map[bool]string{true: "deactivated", false: "reactivated"}[now.deactivated], takeActive, here.deactivated)
		if now.deactivated && !im.DryRun && err == nil {
			err = t.SignOut(here.localpart)
		}
		if now.deactivated && !im.DryRun && err == nil {
			err = endImported(t, a, `DELETE FROM sessions WHERE localpart = $1 RETURNING id, device_id`, here.localpart)
		}
	}
	return changed, err
}

// endImported runs a statement that ends sessions of an account. If that comes with its devices, the homeserver has
// ended them itself.
func endImported(t *db.Tx, a Arrival, query string, args ...any) error {
	type gone struct{ id, device string }
	var all []gone
	err := t.Each(query, args, func(scan func(...any) error) error {
		var g gone
		err := scan(&g.id, &g.device)
		all = append(all, g)
		return err
	})
	for _, g := range all {
		if err == nil {
			err = t.MarkEnded(g.id)
		}
		if err == nil && !a.WithDevices {
			err = t.Follow(a.User.Localpart, g.device)
		}
	}
	return err
}
