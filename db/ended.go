package db

import (
	"context"
	"time"
)

// A session that has ended leaves a mark, until it would be as old as sessions are kept for. Of a session that has no
// row and is younger the mark says why: it has ended, or the database has lost it. Then its client must not be told
// that it has ended, or it drops the encryption keys of a device that lives on at the homeserver.

// keepExpired is TidyConfig.KeepExpired unless it is said.
const keepExpired = 30 * 24 * time.Hour

// markBits is how many bits of a session's secret its mark holds, below the second of its birth: so marks are in the
// order of time. That two sessions of one second have the same mark happens once in 2^31 pairs, and then a lost session
// is taken for an ended one.
const markBits = 31

// mark is what a session leaves. One that does not tell when it was born leaves none.
func mark(id string) (n int64, ok bool) {
	born, secret, ok := parts(id)
	return born<<markBits | secret>>(32-markBits), ok
}

const (
	findMark  = `SELECT mark FROM ended_sessions WHERE mark = $1`
	leaveMark = `INSERT INTO ended_sessions (mark) VALUES ($1) ON CONFLICT DO NOTHING`
	tidyMarks = `DELETE FROM ended_sessions WHERE mark IN
		(SELECT mark FROM ended_sessions WHERE mark < CAST($1 AS BIGINT) / 1000 * 2147483648 ORDER BY mark LIMIT $2)
		RETURNING mark`
)

// MarkEnded forgets a session that has ended, as Forget does, and leaves its mark.
func (t *Tx) MarkEnded(sessionID string) error {
	t.Forget(sessionID)
	if n, ok := mark(sessionID); ok {
		return t.Exec(leaveMark, n)
	}
	return nil
}

// MayBeLost reports whether a session that is not here may have been lost with commits of the database, and is not
// known to have ended: it is younger than sessions are kept for (0: the default) and has left no mark.
func (d *DB) MayBeLost(ctx context.Context, id string, now time.Time, keep time.Duration) (bool, error) {
	born, _, ok := parts(id)
	if !ok || now.Sub(time.Unix(born, 0)) >= or(keep, keepExpired) {
		return false, nil
	}
	n, _ := mark(id)
	marked, err := d.Get(ctx, findMark, []any{&n}, n)
	return err == nil && !marked, err
}
