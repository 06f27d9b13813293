package db

import (
	"context"
	"errors"
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
func (d *DB) AddRootKey(ctx context.Context, k RootKey) error {
	const q = `INSERT INTO root_keys (id, wrapped, created, retired) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING RETURNING id`
	return d.must(ctx, everything, ErrConflict, func(t *Tx) (bool, error) {
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

// RetireRootKey wipes a key and keeps its id from being used again. Every token minted with it is dead, and
// the sessions that have no other are logged out softly. ErrKeyInUse if
// it is the newest, or if sessions depend on it (see SessionsOnKey) and it is not forced; the look and the deed are one
// transaction.
func (d *DB) RetireRootKey(ctx context.Context, id int64, when time.Time, force bool) error {
	if Millis(when) == 0 {
		return errNoTime
	}
	const newer = `SELECT id FROM root_keys WHERE id > $1 AND retired = 0 LIMIT 1`
	const q = `UPDATE root_keys SET wrapped = NULL, retired = CASE WHEN retired = 0 THEN $2 ELSE retired END
		WHERE id = $1 RETURNING id`
	return d.must(ctx, everything, ErrNotFound, func(t *Tx) (bool, error) {
		another, err := t.Get(newer, nil, id)
		if err != nil {
			return false, err
		}
		var use KeyUse
		if _, err := t.Get(keyUse, []any{&use.Sessions, &use.Lasting}, keyUseArgs(id, when)...); err != nil {
			return false, err
		}
		there, err := t.Get(`SELECT id FROM root_keys WHERE id = $1`, nil, id)
		switch {
		case err != nil, !there:
			return false, err
		case !force && (!another || use.Sessions > 0):
			return false, ErrKeyInUse
		}
		t.AfterCommit(d.keysChanged)
		if err := t.softenOnKey(id, when); err != nil {
			return false, err
		}
		return t.Get(q, nil, id, Millis(when))
	})
}

// softenOnKey logs out softly, with an event each, the sessions whose tokens die with a root key. A session lives on if
// its present tokens are of another key; and if those before them are, or of the server that it was imported from, and
// its client may still come with these.
func (t *Tx) softenOnKey(id int64, when time.Time) error {
	const (
		dead = `state = 'live' AND key_id = $1 AND NOT imported AND NOT (generation > 1 AND (used = 0 OR used > $2)
			AND (prev_key_id = 0 OR prev_key_id <> $1
				AND EXISTS (SELECT 1 FROM root_keys k WHERE k.id = prev_key_id AND k.retired = 0)))`
		note = `INSERT INTO events (at, kind, localpart, device_id, session_id, generation, addr, agent)
			SELECT CAST($3 AS BIGINT), CAST($4 AS TEXT), localpart, device_id, id, generation, '', '' FROM sessions
			WHERE ` + dead + ` ON CONFLICT DO NOTHING`
	)
	recent := Millis(when.Add(-recentUse))
	if err := t.Exec(note, id, recent, Millis(when), EventKeyRetired); err != nil {
		return err
	}
	return t.ChangeSessions(`UPDATE sessions SET state = 'soft' WHERE `+dead+` RETURNING id`, id, recent)
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

// keyGone says whether a key was retired. A key that was never stored here is the caller's own affair.
func (t *Tx) keyGone(id int64) (bool, error) {
	return t.Get(`SELECT id FROM root_keys WHERE id = $1 AND retired <> 0`, nil, id)
}
