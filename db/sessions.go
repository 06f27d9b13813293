package db

import (
	"context"
	"database/sql"
	"errors"
)

const sessionColumns = `id, localpart, device_id, display_name, created, expires, refreshable, generation, key_id, minted,
	access_expires, used, single_use, state, locked, admin, seen_at, seen_addr, seen_agent, imported`

func scanSession(scan func(...any) error) (s Session, err error) {
	var created, expires, minted, accessExpires, used, seen int64
	var state string
	err = scan(&s.ID, &s.Localpart, &s.DeviceID, &s.DisplayName, &created, &expires, &s.Refreshable, &s.Generation,
		&s.KeyID,
		&minted, &accessExpires, &used, &s.SingleUse, &state, &s.Locked, &s.Admin, &seen, &s.Seen.Addr, &s.Seen.Agent,
		&s.Imported)
	s.Created, s.Expires, s.Minted, s.AccessExpires = at(created), at(expires), at(minted), at(accessExpires)
	s.Used, s.Seen.At, s.State = at(used), at(seen), State(state)
	return s, err
}

// session runs a statement that gives at most one session, and tells the cache about it.
func (t *tx) session(query string, args ...any) (s Session, found bool, err error) {
	err = t.each(query, args, func(rows *sql.Rows) (err error) {
		found = true
		s, err = scanSession(rows.Scan)
		return err
	})
	if err != nil || !found {
		return Session{}, false, err
	}
	t.put(s)
	return s, true, nil
}

const (
	sessionByID = `SELECT ` + sessionColumns + ` FROM sessions WHERE id = $1`

	// Keys are added and retired, never removed, so this number rises with each change.
	keyEpoch        = `SELECT COUNT(*) + COUNT(CASE WHEN retired <> 0 THEN 1 END) FROM root_keys`
	sessionAndEpoch = `SELECT ` + sessionColumns + `, (` + keyEpoch + `), COALESCE((` + findMark +
		`), '') FROM sessions WHERE id = $1`
)

// Session finds a session as it is now, whoever wrote it last, and whatever was noted of it; else ErrNotFound. With it
// comes the epoch it was read in. It answers from memory where there is one, after making sure that memory is right.
func (d *DB) Session(ctx context.Context, id string) (Session, uint64, error) {
	if d.cache != nil {
		if err := d.ready(ctx); err != nil {
			return Session{}, 0, err
		}
	}
	for {
		// The note first: when it has left pending, the row that counts it is in the cache or in the database.
		n, noted := d.pending.get(id)
		s, epoch, ok, err := d.find(ctx, id)
		if err != nil {
			return Session{}, 0, err
		}
		if !ok {
			continue // a commit overtook the load
		}
		if noted {
			s = n.over(s)
		}
		return s, epoch, nil
	}
}

// find looks into the cache, or into the database; not ok if a commit overtook it.
func (d *DB) find(ctx context.Context, id string) (s Session, epoch uint64, ok bool, err error) {
	if d.cache == nil {
		s, epoch, err = d.row(ctx, id)
		return s, epoch, err == nil, err
	}
	if s, ok = d.cache.get(id); !ok {
		s, ok, err = d.load(ctx, id)
	}
	return s, d.Epoch(), ok, err
}

// row reads a session, the epoch that it was read in, and whether the database has moved: a session that is not here
// may well be there.
func (d *DB) row(ctx context.Context, id string) (s Session, epoch uint64, err error) {
	if err := ctx.Err(); err != nil {
		return Session{}, 0, err
	}
	ctx, done := d.bounded(ctx)
	defer done()
	var place string
	s, err = found(twice(func() (Session, error) {
		row := d.sessionByID.QueryRowContext(ctx, id)
		return scanSession(func(dest ...any) error { return row.Scan(append(dest, &epoch, &place)...) })
	}))
	switch {
	case place != "":
		return Session{}, 0, movedError{place}
	case errors.Is(err, ErrNotFound):
		if err := d.ready(ctx); err != nil {
			return Session{}, 0, err
		}
	}
	return s, d.raise(epoch), err
}

// keyEpoch asks for the epoch alone.
func (d *DB) keyEpoch(ctx context.Context) (uint64, error) {
	epoch, err := one(ctx, d, keyEpoch, func(scan func(...any) error) (n uint64, err error) {
		err = scan(&n)
		return n, err
	})
	return d.raise(epoch), err
}

// raise notes an epoch that was read, and returns it.
func (d *DB) raise(epoch uint64) uint64 {
	for {
		known := d.epoch.Load()
		if known >= epoch || d.epoch.CompareAndSwap(known, epoch) {
			return epoch
		}
	}
}

// load fetches a row for the cache; not ok if a commit overtook it.
func (d *DB) load(ctx context.Context, id string) (s Session, ok bool, err error) {
	l := d.cache.begin(id)
	s, err = found(scanSession(d.sessionByID.QueryRowContext(context.WithoutCancel(ctx), id).Scan))
	if err != nil {
		d.cache.finish(id, l, nil)
		return Session{}, false, err
	}
	return s, d.cache.finish(id, l, &s), nil
}

// Sessions lists sessions by account and age; of one account, or all if localpart is empty.
func (d *DB) Sessions(ctx context.Context, localpart string) ([]Session, error) {
	const q = `SELECT ` + sessionColumns + ` FROM sessions`
	var all []Session
	var err error
	if localpart == "" {
		all, err = list(ctx, d, q+` ORDER BY localpart, created, id`, scanSession)
	} else {
		all, err = list(ctx, d, q+` WHERE localpart = $1 ORDER BY created, id`, scanSession, localpart)
	}
	for i, s := range all {
		if n, ok := d.pending.get(s.ID); ok {
			all[i] = n.over(s)
		}
	}
	return all, err
}

const (
	endSession = `DELETE FROM sessions WHERE id = $1 RETURNING ` + endedColumns
	// No session's id is empty, so an empty $2 keeps none.
	endSessions = `DELETE FROM sessions WHERE localpart = $1 AND id <> $2 RETURNING ` + endedColumns

	endedColumns = `id, localpart, device_id`
)

// EndSession logs one session out; ErrNotFound if there is none.
func (d *DB) EndSession(ctx context.Context, id string) error {
	return d.must(ctx, ErrNotFound, func(t *tx) (bool, error) { return t.end(endSession, id) })
}

// SoftenSession takes a session's tokens and keeps its device; ErrNotFound if there is none.
func (d *DB) SoftenSession(ctx context.Context, id string) error {
	const q = `UPDATE sessions SET state = 'soft' WHERE id = $1 RETURNING ` + sessionColumns
	return d.must(ctx, ErrNotFound, func(t *tx) (bool, error) {
		_, found, err := t.session(q, id)
		return found, err
	})
}

// end runs a statement that ends at most one session.
func (t *tx) end(query string, args ...any) (found bool, err error) {
	ended, err := t.endAll(query, args...)
	return ended > 0, err
}

// EndSessions logs an account out everywhere, and returns how many sessions ended.
func (d *DB) EndSessions(ctx context.Context, localpart string) (int, error) {
	return write(ctx, d.writer, "", func(t *tx) (int, error) { return t.endSessions(localpart, "") })
}

// endSessions ends every session of an account but one.
func (t *tx) endSessions(localpart, keep string) (ended int, err error) {
	return t.endAll(endSessions, localpart, keep)
}

// endAll runs a statement that ends sessions, and returns how many ended. The cache learns of each, and so does a
// homeserver.
func (t *tx) endAll(query string, args ...any) (int, error) {
	var gone []Session
	err := t.each(query, args, func(rows *sql.Rows) error {
		var s Session
		err := rows.Scan(&s.ID, &s.Localpart, &s.DeviceID)
		gone = append(gone, s)
		return err
	})
	for _, s := range gone {
		if err == nil {
			t.drop(s.ID)
			err = t.tell(s.Localpart, s.DeviceID)
		}
	}
	return len(gone), err
}

// onSessions has all sessions of an account say something that is true of the account.
func (t *tx) onSessions(query, localpart string, value bool) error {
	return t.each(query, []any{localpart, value}, func(rows *sql.Rows) error {
		s, err := scanSession(rows.Scan)
		t.put(s)
		return err
	})
}
