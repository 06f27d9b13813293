package db

import (
	"context"
	"crypto/subtle"
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
// An account that is here already is not changed; only its devices are added if they have not come yet. With Again,
// what changed over there since the mark was made is changed here too: a password, unless it was set here; locks;
// deactivations; administrators; devices and tokens. A session that was begun or renewed here is left alone, and one
// that was ended here stays so.
//
// Config.Follow is not called for accounts that come with devices, since they come from the homeserver. ErrKeyGone if
// the root key was retired meanwhile.
func (d *DB) ImportAccounts(ctx context.Context, im Import) ([]Arrived, error) {
	return write(ctx, d, "", func(t *Tx) ([]Arrived, error) {
		if gone, err := t.keyGone(im.KeyID); gone || err != nil {
			return nil, or(err, ErrKeyGone)
		}
		all := make([]Arrived, len(im.Arrivals))
		for i, a := range im.Arrivals {
			var err error
			if all[i], err = t.importAccount(a, im); err != nil {
				return nil, err
			}
		}
		return all, nil
	})
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

// hereAccount is an account as it is here.
type hereAccount struct {
	localpart, hash     string
	locked, deactivated int64
	admin               bool
	mark                string
	ownPassword         bool // set here since the account came
}

// account finds an account, or the zero value.
func (t *Tx) account(localpart string) (a hereAccount, err error) {
	const q = `SELECT localpart, password_hash, locked, deactivated, admin, imported, own_password FROM users WHERE localpart = $1`
	_, err = t.Get(q, []any{&a.localpart, &a.hash, &a.locked, &a.deactivated, &a.admin, &a.mark, &a.ownPassword},
		localpart)
	return a, err
}

const (
	markUser   = `UPDATE users SET imported = $2, own_password = $3 WHERE localpart = $1`
	takeHash   = `UPDATE users SET password_hash = $2 WHERE localpart = $1`
	takeLock   = `UPDATE users SET locked = $2 WHERE localpart = $1`
	takeAdmin  = `UPDATE users SET admin = $2 WHERE localpart = $1`
	takeActive = `UPDATE users SET deactivated = $2, erased = FALSE WHERE localpart = $1`
)

// importAccount takes one account over. If it comes with its devices it comes from the homeserver, which knows of it.
func (t *Tx) importAccount(a Arrival, im Import) (did Arrived, err error) {
	t.silent = a.WithDevices
	defer func() { t.silent = false }()
	here, err := t.account(a.User.Localpart)
	if err != nil {
		return did, err
	}
	old, next := parseMark(here.mark), a.mark()
	switch {
	case here.localpart == "":
		did.Added = true
		here, err = t.createImported(a.User, im)
	case !old.came:
		here.ownPassword = differ(here.hash, a.User.PasswordHash) // it was made here; its devices may come all the same
	case im.Again:
		did.Changed, err = t.applyChanges(&here, old, a, im)
	}
	if err != nil {
		return did, err
	}
	if old.came && !im.Again {
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
		err = t.importDevices(here, old, a.Devices, im, &did)
	}
	if err == nil && !im.DryRun && next.String() != here.mark && (did.Added || a.WithDevices || old.came) {
		err = t.Exec(markUser, here.localpart, next.String(), here.ownPassword)
	}
	return did, err
}

// createImported makes an account as it is there.
func (t *Tx) createImported(u User, im Import) (here hereAccount, err error) {
	if !im.DryRun {
		_, err = t.createUser(u)
	}
	return hereAccount{localpart: u.Localpart, hash: u.PasswordHash, locked: ms(u.Locked),
		deactivated: ms(u.Deactivated), admin: u.Admin}, err
}

// differ compares hashes.
func differ(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 0 }

// applyChanges does to an account what was done to it over there.
func (t *Tx) applyChanges(here *hereAccount, old accountMark, a Arrival, im Import) (changed []string, err error) {
	now := a.mark()
	do := func(what, query string, value any) {
		changed = append(changed, what)
		if !im.DryRun && err == nil {
			err = t.Exec(query, here.localpart, value)
		}
	}
	if differ(now.password, old.password) && !here.ownPassword {
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

// hereSession is the session that is here on a device.
type hereSession struct {
	id       string
	imported bool
}

// importDevices makes the sessions of an account what they are over there. All that ends, ends first: a token may be on
// another device by now.
func (t *Tx) importDevices(here hereAccount, old accountMark, theirs []Device, im Import, did *Arrived) error {
	ours, err := t.sessionsByDevice(here.localpart)
	if err != nil {
		return err
	}
	ends, begins := compareDevices(ours, old, theirs, did)
	if im.DryRun {
		return nil
	}
	for _, id := range ends {
		if _, err := t.end(endSession, id); err != nil {
			return err
		}
	}
	for _, d := range begins {
		if err := t.startImported(here, d, im); err != nil {
			return err
		}
	}
	return nil
}

// compareDevices says which sessions end and which devices get one, and counts that.
func compareDevices(ours map[string]hereSession, old accountMark, theirs []Device, did *Arrived) (ends []string,
	begins []Device) {
	for device, s := range ours {
		if s.imported && !slices.ContainsFunc(theirs, func(d Device) bool { return d.DeviceID == device }) {
			ends = append(ends, s.id)
			did.Ended++
		}
	}
	for _, d := range theirs {
		s, there := ours[d.DeviceID]
		switch {
		case old.has(d):
			did.Here++
			continue
		// a login here made the second kind, and it is over
		case there && !s.imported, !there && old.withDevices && len(d.Tokens) == 0:
			did.Own++
			continue
		case there:
			ends = append(ends, s.id)
			did.Replaced++
		case d.Live:
			did.Live++
		default:
			did.Soft++
		}
		begins = append(begins, d)
	}
	return ends, begins
}

// sessionsByDevice are the sessions of an account.
func (t *Tx) sessionsByDevice(localpart string) (map[string]hereSession, error) {
	all := make(map[string]hereSession)
	err := t.Each(`SELECT device_id, id, imported FROM sessions WHERE localpart = $1`, []any{localpart},
		func(scan func(...any) error) error {
			var device string
			var s hereSession
			err := scan(&device, &s.id, &s.imported)
			all[device] = s
			return err
		})
	return all, err
}

const (
	startImported = `INSERT INTO sessions (id, localpart, device_id, display_name, created, expires, refreshable, generation,
			key_id, minted, access_expires, used, single_use, state, locked, admin, seen_at, seen_addr, seen_agent, imported)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $5, $9, 0, FALSE, $10, $11,
			(SELECT admin FROM users WHERE localpart = $2), $12, $13, $14, TRUE)`
	addImportedToken = `INSERT INTO imported_tokens (hash, session_id, refresh, expires) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
)

// startImported starts a session in its first generation, whose tokens another server gave.
func (t *Tx) startImported(here hereAccount, d Device, im Import) error {
	seen, state := d.Seen.clip(), Soft
	if d.Live {
		state = Live
	}
	_, err := t.affect(startImported, d.Session, here.localpart, d.DeviceID, clip(d.DisplayName, len(d.DisplayName)),
		ms(im.At), ms(d.Expires), d.Refreshable,
		im.KeyID, ms(d.AccessExpires), string(state), here.locked != 0, ms(seen.At), seen.Addr, seen.Agent)
	if err != nil {
		return err
	}
	if d.Unlisted {
		if err := queueImportedDevice(t, here.localpart, d.DeviceID); err != nil {
			return err
		}
	}
	for _, token := range d.Tokens {
		_, err := t.affect(addImportedToken, token.Hash[:], d.Session, token.Refresh, ms(token.Expires))
		if err != nil {
			return err
		}
	}
	return nil
}
