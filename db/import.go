package db

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"slices"
	"time"
)

// Import says what comes from another server, and how.
type Import struct {
	Arrivals []Arrival
	At       time.Time
	KeyID    int64 // of the root key that would mint for the sessions; not looked at without devices
	Again    bool  // bring what has changed there since an earlier import; else what is here stays as it is
	DryRun   bool  // only say what would happen
}

// Arrived is what became of an Arrival.
type Arrived struct {
	Added   bool     // the account is new here
	Changed []string // what followed a change over there: password, locked, unlocked, admin, …

	Live, Soft int // sessions that are new here: with tokens in use, and without
	Replaced   int // whose tokens are others over there
	Ended      int // whose devices are gone over there
	Here       int // as they were at the import before
	// that began or were renewed here, be they over by now, while their devices or tokens changed over there
	Own int
}

// ImportAccounts takes accounts over from another server, with their devices and tokens in use, all in one transaction,
// so the caller makes batches. Each account's mark (see Arrival) is written with what came of it: killed at any moment,
// the same import goes on where it stopped.
//
// Who is here is not changed, only the devices come if they have not yet. With Again, what changed over there since the
// mark was made is changed here too: a password, unless it was set here; locks; deactivations; who is an administrator;
// devices and tokens. A session that was begun or renewed here is left alone, and one that was ended here stays so.
//
// A homeserver behind is told nothing of accounts that come with devices, since they come from there. ErrKeyGone if the
// root key was retired meanwhile.
func (d *DB) ImportAccounts(ctx context.Context, im Import) ([]Arrived, error) {
	return write(ctx, d.writer, "", func(t *tx) ([]Arrived, error) {
		if gone, err := t.keyGone(im.KeyID); gone || err != nil {
			return nil, or(err, ErrKeyGone)
		}
		all := make([]Arrived, len(im.Arrivals))
		for i, a := range im.Arrivals {
			var err error
			if all[i], err = t.welcome(a, im); err != nil {
				return nil, err
			}
		}
		return all, nil
	})
}

// ImportUser takes accounts over without devices. It returns how many are new, and names those that were here.
func (d *DB) ImportUser(ctx context.Context, users []User) (added int, skipped []string, err error) {
	im := Import{}
	for _, u := range users {
		im.Arrivals = append(im.Arrivals, Arrival{User: u})
	}
	all, err := d.ImportAccounts(ctx, im)
	for i, a := range all {
		if a.Added {
			added++
		} else {
			skipped = append(skipped, users[i].Localpart)
		}
	}
	return added, skipped, err
}

// Marks are those of all accounts that came from elsewhere, by localpart.
func (d *DB) Marks(ctx context.Context) (map[string]string, error) {
	type pair struct{ localpart, mark string }
	all, err := list(ctx, d, `SELECT localpart, imported FROM users WHERE imported <> ''`,
		func(scan func(...any) error) (p pair, err error) {
			err = scan(&p.localpart, &p.mark)
			return p, err
		})
	marks := make(map[string]string, len(all))
	for _, p := range all {
		marks[p.localpart] = p.mark
	}
	return marks, err
}

// resident is an account as it is here.
type resident struct {
	localpart, hash     string
	locked, deactivated int64
	admin               bool
	mark                string
	own                 bool
}

// resident finds an account, or the zero value.
func (t *tx) resident(localpart string) (r resident, err error) {
	const q = `SELECT localpart, password_hash, locked, deactivated, admin, imported, own_password FROM users WHERE localpart = $1`
	_, err = t.get(q, []any{&r.localpart, &r.hash, &r.locked, &r.deactivated, &r.admin, &r.mark, &r.own}, localpart)
	return r, err
}

const (
	markUser   = `UPDATE users SET imported = $2, own_password = $3 WHERE localpart = $1`
	takeHash   = `UPDATE users SET password_hash = $2 WHERE localpart = $1`
	takeLock   = `UPDATE users SET locked = $2 WHERE localpart = $1`
	takeAdmin  = `UPDATE users SET admin = $2 WHERE localpart = $1`
	takeActive = `UPDATE users SET deactivated = $2, erased = FALSE WHERE localpart = $1`
)

// welcome is arrival, of which a homeserver behind is not told if the account comes with its devices: then it comes
// from there.
func (t *tx) welcome(a Arrival, im Import) (Arrived, error) {
	if a.WithDevices {
		tells := t.tells
		t.tells = nobody
		defer func() { t.tells = tells }()
	}
	return t.arrival(a, im)
}

// arrival takes one account over.
func (t *tx) arrival(a Arrival, im Import) (did Arrived, err error) {
	here, err := t.resident(a.User.Localpart)
	if err != nil {
		return did, err
	}
	old, next := parseBase(here.mark), a.base()
	switch {
	case here.localpart == "":
		did.Added = true
		here = resident{localpart: a.User.Localpart, hash: a.User.PasswordHash, locked: ms(a.User.Locked),
			deactivated: ms(a.User.Deactivated), admin: a.User.Admin}
		if !im.DryRun {
			_, err = t.createUser(a.User)
		}
	case !old.known:
		here.own = differ(here.hash, a.User.PasswordHash) // it was made here; its devices may come all the same
	case im.Again:
		did.Changed, err = t.follow(&here, old, a, im)
	}
	if err != nil {
		return did, err
	}
	if old.known && !im.Again {
		// of what was not looked at
		next.password, next.locked, next.deactivated, next.admin = old.password, old.locked, old.deactivated, old.admin
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
		err = t.devices(here, old, a.Devices, im, &did)
	}
	if mark := next.String(); err == nil && mark != here.mark && !im.DryRun &&
		(did.Added || a.WithDevices || old.known) {
		err = t.exec(markUser, here.localpart, mark, here.own)
	}
	return did, err
}

// differ compares hashes.
func differ(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 0 }

// follow does to an account what was done to it over there.
func (t *tx) follow(here *resident, old base, a Arrival, im Import) (changed []string, err error) {
	now := a.base()
	do := func(what, query string, value any) {
		changed = append(changed, what)
		if !im.DryRun && err == nil {
			err = t.exec(query, here.localpart, value)
		}
	}
	if differ(now.password, old.password) && !here.own {
		do("password", takeHash, a.User.PasswordHash)
	}
	if now.locked != old.locked && now.locked != (here.locked != 0) {
		here.locked = ms(a.User.Locked)
		do(map[bool]string{true: "locked", false: "unlocked"}[now.locked], takeLock, here.locked)
		if !im.DryRun && err == nil {
			err = t.onSessions(lockSessions, here.localpart, now.locked)
		}
	}
	if now.admin != old.admin && now.admin != here.admin {
		do(map[bool]string{true: "admin", false: "no admin any more"}[now.admin], takeAdmin, now.admin)
		if !im.DryRun && err == nil {
			err = t.onSessions(adminSessions, here.localpart, now.admin)
		}
	}
	if now.deactivated != old.deactivated && now.deactivated != (here.deactivated != 0) {
		here.deactivated = ms(a.User.Deactivated)
		do(map[bool]string{true: "deactivated", false: "reactivated"}[now.deactivated], takeActive, here.deactivated)
		if now.deactivated && !im.DryRun && err == nil {
			_, err = t.endSessions(here.localpart, "")
		}
	}
	return changed, err
}

// lodger is a session that is here on a device.
type lodger struct {
	id       string
	imported bool
}

// devices makes the sessions of an account what they are over there. All that ends, ends first: a token may be on
// another device by now.
func (t *tx) devices(here resident, old base, theirs []Device, im Import, did *Arrived) error {
	ours, err := t.lodgers(here.localpart)
	if err != nil {
		return err
	}
	var ends []string
	for device, s := range ours {
		if s.imported && !slices.ContainsFunc(theirs, func(d Device) bool { return d.DeviceID == device }) {
			ends = append(ends, s.id)
			did.Ended++
		}
	}
	var begins []Device
	for _, d := range theirs {
		s, known := ours[d.DeviceID]
		switch {
		case old.has(d):
			did.Here++
			continue
		// a login here made the second kind, and it is over
		case known && !s.imported, !known && old.withDevices && len(d.Tokens) == 0:
			did.Own++
			continue
		case known:
			ends = append(ends, s.id)
			did.Replaced++
		case d.Live:
			did.Live++
		default:
			did.Soft++
		}
		begins = append(begins, d)
	}
	if im.DryRun {
		return nil
	}
	for _, id := range ends {
		if _, err := t.end(endSession, id); err != nil {
			return err
		}
	}
	for _, d := range begins {
		if err := t.lodge(here, d, im); err != nil {
			return err
		}
	}
	return nil
}

// lodgers are the sessions of an account by device.
func (t *tx) lodgers(localpart string) (map[string]lodger, error) {
	all := make(map[string]lodger)
	err := t.each(`SELECT device_id, id, imported FROM sessions WHERE localpart = $1`, []any{localpart},
		func(rows *sql.Rows) error {
			var device string
			var s lodger
			err := rows.Scan(&device, &s.id, &s.imported)
			all[device] = s
			return err
		})
	return all, err
}

const (
	lodgeSession = `INSERT INTO sessions (id, localpart, device_id, display_name, created, expires, refreshable, generation,
			key_id, minted, access_expires, used, single_use, state, locked, admin, seen_at, seen_addr, seen_agent, imported)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $5, $9, 0, FALSE, $10, $11,
			(SELECT admin FROM users WHERE localpart = $2), $12, $13, $14, TRUE)`
	lodgeToken = `INSERT INTO imported_tokens (hash, session_id, refresh, expires) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
)

// lodge begins a session in its first generation, whose tokens another server gave.
func (t *tx) lodge(here resident, d Device, im Import) error {
	seen, state := d.Seen.clip(), Soft
	if d.Live {
		state = Live
	}
	_, err := t.affect(lodgeSession, d.Session, here.localpart, d.DeviceID, clip(d.DisplayName, len(d.DisplayName)),
		ms(im.At), ms(d.Expires), d.Refreshable,
		im.KeyID, ms(d.AccessExpires), string(state), here.locked != 0, ms(seen.At), seen.Addr, seen.Agent)
	if err != nil {
		return err
	}
	if d.Unlisted { // though there may be nobody to tell yet: that is for the first start before the homeserver
		t.told = true
		if err := t.exec(tell, here.localpart, d.DeviceID, ms(im.At)); err != nil {
			return err
		}
	}
	t.brought = t.brought || len(d.Tokens) > 0
	for _, token := range d.Tokens {
		if _, err := t.affect(lodgeToken, token.Hash[:], d.Session, token.Refresh, ms(token.Expires)); err != nil {
			return err
		}
	}
	return nil
}
