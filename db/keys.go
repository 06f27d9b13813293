package db

import (
	"context"
	"errors"
	"strings"
	"time"
)

// RootKey is a key that tokens are minted with, wrapped by a key that this database never sees. Of a retired one only
// the id is left.
type RootKey struct {
	ID               int64
	Wrapped          []byte
	Created, Retired time.Time
}

func scanRootKey(scan func(...any) error) (k RootKey, err error) {
	var created, retired int64
	err = scan(&k.ID, &k.Wrapped, &created, &retired)
	k.Created, k.Retired = FromMillis(created), FromMillis(retired)
	return k, err
}

// RootKeys lists all keys by id, retired ones too.
func (d *DB) RootKeys(ctx context.Context) ([]RootKey, error) {
	return list(ctx, d, `SELECT id, wrapped, created, retired FROM root_keys ORDER BY id`, scanRootKey)
}

// AddRootKey adds a key; ErrConflict if its id is or was in use.
func (d *DB) AddRootKey(ctx context.Context, k RootKey) error { return d.addRootKey(ctx, k, false) }

// AddFirstRootKey adds a key if no other one is in force; else ErrConflict. Two servers may start at the same time,
// each with a master key of its own, and neither could open the other's.
func (d *DB) AddFirstRootKey(ctx context.Context, k RootKey) error { return d.addRootKey(ctx, k, true) }

func (d *DB) addRootKey(ctx context.Context, k RootKey, first bool) error {
	const (
		another = `SELECT id FROM root_keys WHERE retired = 0 LIMIT 1`
		q       = `INSERT INTO root_keys (id, wrapped, created, retired) VALUES ($1, $2, $3, $4)
			ON CONFLICT DO NOTHING RETURNING id`
	)
	return d.must(ctx, everything, ErrConflict, func(t *Tx) (bool, error) {
		if first {
			if found, err := t.Get(another, nil); found || err != nil {
				return false, err
			}
		}
		t.AfterCommit(d.keysChanged)
		return t.Get(q, nil, k.ID, k.Wrapped, Millis(k.Created), Millis(k.Retired))
	})
}

var (
	// ErrKeyGone says that the root key that was to mint is retired: read the keys again and repeat the call.
	ErrKeyGone = errors.New("root key is retired")
	// ErrKeyInUse says that a root key cannot be retired without somebody noticing.
	ErrKeyInUse = errors.New("root key is in use")
)

// RetireRootKey wipes a key and keeps its id from being used again. Every token minted with it is dead, and the
// sessions that have no other are logged out softly. ErrKeyInUse if it is the newest, or if sessions depend on it (see
// SessionsOnKey) and it is not forced.
//
// To look through all sessions takes long, and meanwhile others write. So the key is closed first, after which no
// session can come to depend on it. One that catches up with a token of it opens it again.
func (d *DB) RetireRootKey(ctx context.Context, id int64, when time.Time, force bool) error {
	if Millis(when) == 0 {
		return errNoTime
	}
	if !force { // a look that costs nobody anything, before it is closed
		if use, err := d.SessionsOnKey(ctx, id, when); err != nil || use.Sessions > 0 {
			return or(err, ErrKeyInUse)
		}
	}
	if err := d.closeRootKey(ctx, id, when, force); err != nil {
		return err
	}
	if force {
		if err := d.softenOnKey(ctx, id, when); err != nil {
			return err
		}
	} else if use, err := d.SessionsOnKey(ctx, id, when); err != nil || use.Sessions > 0 {
		return errors.Join(or(err, ErrKeyInUse), d.exec(ctx, everything, openRootKey, id))
	}
	return d.wipeRootKey(ctx, id, when, force)
}

const openRootKey = `UPDATE root_keys SET closed = 0 WHERE id = $1 AND retired = 0 AND closed <> 0`

// closeRootKey has nobody mint with a key any more, unless there is no other one to mint with.
func (d *DB) closeRootKey(ctx context.Context, id int64, when time.Time, force bool) error {
	const (
		newer = `SELECT id FROM root_keys WHERE id > $1 AND retired = 0 LIMIT 1`
		q     = `UPDATE root_keys SET closed = $2 WHERE id = $1`
	)
	return d.must(ctx, everything, ErrNotFound, func(t *Tx) (bool, error) {
		there, err := t.Get(`SELECT id FROM root_keys WHERE id = $1`, nil, id)
		if err != nil || !there {
			return false, err
		}
		another, err := t.Get(newer, nil, id)
		switch {
		case err != nil:
			return false, err
		case another:
			return true, t.Exec(q, id, Millis(when))
		case !force:
			return false, ErrKeyInUse
		}
		return true, nil
	})
}

// wipeRootKey ends it. If a session may depend on it after all it looks through all of them.
func (d *DB) wipeRootKey(ctx context.Context, id int64, when time.Time, force bool) error {
	const q = `UPDATE root_keys SET wrapped = NULL, retired = CASE WHEN retired = 0 THEN $2 ELSE retired END
		WHERE id = $1 RETURNING id`
	return d.must(ctx, everything, ErrNotFound, func(t *Tx) (bool, error) {
		closed, err := t.keyClosed(id)
		for from := ""; err == nil && !closed; closed = from == "" {
			if !force {
				return false, ErrKeyInUse
			}
			from, err = t.softenPage(id, when, from)
		}
		if err != nil {
			return false, err
		}
		t.AfterCommit(d.keysChanged)
		return t.Get(q, nil, id, Millis(when))
	})
}

// softenOnKey goes through the sessions beside the others who write, a page at a time.
func (d *DB) softenOnKey(ctx context.Context, id int64, when time.Time) (err error) {
	for from, more := "", true; err == nil && more; more = from != "" {
		from, err = write(ctx, d, scope{}.with("key", "soften"),
			func(t *Tx) (string, error) { return t.softenPage(id, when, from) })
	}
	return err
}

// softenPage logs out softly, with an event each, the sessions of one page whose tokens die with a root key. It returns
// where the next page begins; empty: it was the last. A session lives on if its present tokens are of another key; and
// if those before them are, or of the server that it was imported from, and its client may still come with these.
func (t *Tx) softenPage(id int64, when time.Time, from string) (next string, err error) {
	const (
		end    = `SELECT id FROM sessions WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2`
		soften = `UPDATE sessions SET state = 'soft' WHERE id > $3 AND (id <= $4 OR CAST($4 AS TEXT) = '')
			AND state = 'live' AND key_id = $1 AND NOT imported AND NOT (generation > 1 AND (used = 0 OR used > $2)
			AND (prev_key_id = 0 OR prev_key_id <> $1
				AND EXISTS (SELECT 1 FROM root_keys k WHERE k.id = prev_key_id AND k.retired = 0)))
			RETURNING id, localpart, device_id, generation`
		note = `INSERT INTO events (at, kind, localpart, device_id, session_id, generation, addr, agent)
			VALUES ($1, $2, $3, $4, $5, $6, '', '') ON CONFLICT DO NOTHING`
	)
	if _, err := t.Get(end, []any{&next}, from, eachPage-1); err != nil {
		return "", err
	}
	var all []Session
	err = t.Each(soften, []any{id, Millis(when.Add(-recentUse)), from, next}, func(scan func(...any) error) error {
		var s Session
		err := scan(&s.ID, &s.Localpart, &s.DeviceID, &s.Generation)
		t.Forget(s.ID)
		all = append(all, s)
		return err
	})
	for _, s := range all {
		if err == nil {
			err = t.Exec(note, Millis(when), EventKeyRetired, s.Localpart, s.DeviceID, s.ID, s.Generation)
		}
	}
	return next, err
}

// keysChanged raises the epoch; on PostgreSQL that is counted from the keys themselves.
func (d *DB) keysChanged() {
	if d.cache != nil {
		d.epoch.Add(1)
	}
}

// KeyUse counts the sessions whose users would have to log in again if a root key was retired now.
type KeyUse struct {
	Sessions int // live sessions that hold a good token of it
	Lasting  int // those among them that cannot refresh, and so never move to another key by themselves
}

// recentUse is how long after a generation was first used its predecessor may still be asked for: longer than any
// leeway that makes sense.
const recentUse = time.Hour

// The predecessor's key counts too: while the answer with the new pair may be lost, the old refresh token is all that a
// client has. A session whose tokens another server gave depends on no key: it gets the newest with its first pair.
const keyUse = `SELECT COUNT(*), COUNT(CASE WHEN NOT refreshable THEN 1 END) FROM sessions
	WHERE state = 'live' AND (expires = 0 OR expires > $2)
		AND (key_id = $1 AND NOT imported OR (prev_key_id = $1 AND (used = 0 OR used > $3)))`

func keyUseArgs(id int64, now time.Time) []any {
	return []any{id, Millis(now), Millis(now.Add(-recentUse))}
}

// SessionsOnKey counts the sessions that depend on a key. It looks at all of them, so no check shall wait for it.
func (d *DB) SessionsOnKey(ctx context.Context, id int64, now time.Time) (use KeyUse, err error) {
	err = d.Read(ctx, keyUse, keyUseArgs(id, now), func(scan func(...any) error) error {
		return scan(&use.Sessions, &use.Lasting)
	})
	return use, err
}

// What may be done with the root key $4: 0 for a stored one that is in force. One that the database does not have it
// has forgotten, unless it has none at all: then keys are the caller's own affair.
const (
	keyMints = `COALESCE((SELECT retired + closed FROM root_keys WHERE root_keys.id = $4),
		(SELECT MAX(root_keys.id) FROM root_keys), 0) = 0`
	keyOpens = `COALESCE((SELECT retired FROM root_keys WHERE root_keys.id = $4),
		(SELECT MAX(root_keys.id) FROM root_keys), 0) = 0`
)

// keyClosed says whether nobody mints with a key any more.
func (t *Tx) keyClosed(id int64) (bool, error) { return t.isNot(keyMints, id) }

// keyGone says whether a key was retired, or forgotten.
func (t *Tx) keyGone(id int64) (bool, error) { return t.isNot(keyOpens, id) }

func (t *Tx) isNot(condition string, key int64) (bool, error) {
	return t.Get(`SELECT 1 WHERE NOT (`+strings.ReplaceAll(condition, "$4", "$1")+`)`, nil, key)
}
