package db

import (
	"context"
	"time"
)

// TidyConfig says what is old. Zero values mean the defaults.
type TidyConfig struct {
	KeepExpired time.Duration // sessions past their absolute end; default 30 days
	KeepEvents  time.Duration // events; default a year
	Pause       time.Duration // between two batches; default 20 ms
}

// Tidied is how much went.
type Tidied struct{ Sessions, Events, LoginTokens, Reservations, Interactions int }

// tidyBatch bounds how many rows go in one transaction: at 100 it lasts some milliseconds, and a refresh waits no
// longer than that.
const tidyBatch = 100

// Each of them takes the oldest first, by an index.
const (
	tidySessions = `DELETE FROM sessions WHERE id IN
		(SELECT id FROM sessions WHERE expires <> 0 AND expires < $1 ORDER BY expires LIMIT $2)
		RETURNING ` + endedColumns
	tidyEvents = `DELETE FROM events WHERE (localpart, at, session_id, kind) IN
		(SELECT localpart, at, session_id, kind FROM events WHERE at < $1 ORDER BY at LIMIT $2) RETURNING session_id`
	tidyLoginTokens  = forgetLoginToken + ` RETURNING id`
	tidyReservations = `DELETE FROM registration_reservations WHERE (token, session_id) IN
		(SELECT token, session_id FROM registration_reservations WHERE expires < $1 ORDER BY expires LIMIT $2)
		RETURNING session_id`
	tidyInteractions = `DELETE FROM interactions WHERE id IN
		(SELECT id FROM interactions WHERE expires < $1 ORDER BY expires LIMIT $2) RETURNING id`
)

// Tidy removes what has been over for long, in small transactions with pauses between them, so that nobody waits for
// it.
//
// A session past its absolute end stays for KeepExpired: as long as its row is there, its client gets soft_logout
// and keeps the device and its encryption keys until somebody logs in on it again. Used login tokens and lapsed
// reservations stay for a day: a clock that steps back must not revive them. What it counts is gone, even if it returns
// an error as well.
func (d *DB) Tidy(ctx context.Context, now time.Time, c TidyConfig) (done Tidied, err error) {
	c.KeepExpired = or(c.KeepExpired, 30*24*time.Hour)
	c.KeepEvents = or(c.KeepEvents, 365*24*time.Hour)
	c.Pause = or(c.Pause, 20*time.Millisecond)
	for _, chore := range []struct {
		remove string
		keep   time.Duration
		count  *int
		run    func(t *Tx, remove string, before time.Time) (int, error)
	}{
		{tidySessions, c.KeepExpired, &done.Sessions, (*Tx).removeSessions},
		{tidyEvents, c.KeepEvents, &done.Events, (*Tx).remove},
		{tidyLoginTokens, rememberLoginTokens, &done.LoginTokens, (*Tx).remove},
		{tidyReservations, rememberLoginTokens, &done.Reservations, (*Tx).remove},
		{tidyInteractions, 0, &done.Interactions, (*Tx).remove},
	} {
		for n := tidyBatch; n == tidyBatch; {
			n, err = write(ctx, d, "",
				func(t *Tx) (int, error) { return chore.run(t, chore.remove, now.Add(-chore.keep)) })
			if err != nil {
				return done, err
			}
			*chore.count += n
			if n > 0 {
				err = pause(ctx, c.Pause)
			}
			if err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// remove runs one batch and returns how many rows went.
func (t *Tx) remove(statement string, before time.Time) (n int, err error) {
	err = t.Each(statement, []any{Millis(before), tidyBatch}, func(func(...any) error) error {
		n++
		return nil
	})
	return n, err
}

// removeSessions is remove for sessions, of whose end others must know.
func (t *Tx) removeSessions(statement string, before time.Time) (n int, err error) {
	return t.endAll(statement, Millis(before), tidyBatch)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
