package db

import (
	"context"
	"database/sql"
	"time"
)

// RootKey is a key that tokens are minted with, wrapped by a key that this database never sees. Of a retired one only the
// id is left.
type RootKey struct {
	ID               int64
	Wrapped          []byte
	Created, Retired time.Time
}

func scanRootKey(scan func(...any) error) (k RootKey, err error) {
	var created, retired int64
	err = scan(&k.ID, &k.Wrapped, &created, &retired)
	k.Created, k.Retired = at(created), at(retired)
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
	return d.must(ctx, ErrConflict, func(t *tx) (bool, error) {
		t.rekeyed = true
		return t.get(q, []any{new(int64)}, k.ID, k.Wrapped, ms(k.Created), ms(k.Retired))
	})
}

// RetireRootKey wipes a key and keeps its id from being used again. Every token minted with it is dead, also in sessions
// that go on: their next refresh token must be of another key, see SessionsOnKey.
func (d *DB) RetireRootKey(ctx context.Context, id int64, when time.Time) error {
	if ms(when) == 0 {
		return errNoTime
	}
	const q = `UPDATE root_keys SET wrapped = NULL, retired = CASE WHEN retired = 0 THEN $2 ELSE retired END
		WHERE id = $1 RETURNING id`
	return d.must(ctx, ErrNotFound, func(t *tx) (bool, error) {
		t.rekeyed = true
		return t.get(q, []any{new(int64)}, id, ms(when))
	})
}

// SessionsOnKey counts the live sessions whose tokens are of a key: who would be logged out if it was retired now.
func (d *DB) SessionsOnKey(ctx context.Context, id int64) (int, error) {
	const q = `SELECT COUNT(*) FROM sessions WHERE key_id = $1 AND state = 'live'`
	return one(ctx, d, q, func(scan func(...any) error) (n int, err error) { return n, scan(&n) }, id)
}

// keyGone says whether a key was retired. A key that was never stored here is the caller's own affair.
func (t *tx) keyGone(id int64) (gone bool, err error) {
	err = t.each(`SELECT retired FROM root_keys WHERE id = $1`, []any{id}, func(rows *sql.Rows) error {
		var retired int64
		err := rows.Scan(&retired)
		gone = retired != 0
		return err
	})
	return gone, err
}
