package db

import (
	"context"
	"time"
)

// TidyConfig says what is old. Zero values mean the defaults.
type TidyConfig struct {
	KeepExpired time.Duration // sessions past their absolute end, and marks of ended ones; default 30 days
	KeepEvents  time.Duration // events; default a year
	KeepWaiting time.Duration // accounts that wait for an operator; default 30 days
	MaxEvents   int           // events of one account, the newest; default 10,000
	Pause       time.Duration // between two batches; default 20 ms
}

// Tidied is how much went.
type Tidied struct {
	Sessions, Events, LoginTokens, Reservations, Interactions, Clients, Browsers, Waiting, Marks, Deliveries int
}

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
// reservations stay for a day: a clock that steps back must not revive them.
// So do deliveries that have expired, since they are counted. What it counts is gone, even if it returns
// an error as well.
func (d *DB) Tidy(ctx context.Context, now time.Time, c TidyConfig) (done Tidied, err error) {
	c.KeepExpired = or(c.KeepExpired, keepExpired)
	c.KeepEvents = or(c.KeepEvents, 365*24*time.Hour)
	c.KeepWaiting = or(c.KeepWaiting, 30*24*time.Hour)
	c.MaxEvents = or(c.MaxEvents, maxEvents)
	c.Pause = or(c.Pause, 20*time.Millisecond)
	for _, chore := range []struct {
		remove string
		keep   time.Duration
		count  *int
		run    func(t *Tx, remove string, args ...any) (int, error)
	}{
		{tidySessions, c.KeepExpired, &done.Sessions, (*Tx).removeSessions},
		{tidyMarks, c.KeepExpired, &done.Marks, (*Tx).remove},
		{tidyEvents, c.KeepEvents, &done.Events, (*Tx).remove},
		{tidyLoginTokens, rememberLoginTokens, &done.LoginTokens, (*Tx).remove},
		{tidyReservations, rememberLoginTokens, &done.Reservations, (*Tx).remove},
		{tidyInteractions, 0, &done.Interactions, (*Tx).remove},
		{tidyClients, 0, &done.Clients, (*Tx).remove},
		{tidyBrowsers, 0, &done.Browsers, (*Tx).remove},
		{tidyDeliveries, keepDeliveries, &done.Deliveries, (*Tx).remove},
		{tidyWaiting, c.KeepWaiting, &done.Waiting, (*Tx).removeWaiting},
	} {
		for n := tidyBatch; n == tidyBatch; {
			n, err = write(ctx, d, everything,
				func(t *Tx) (int, error) { return chore.run(t, chore.remove, Millis(now.Add(-chore.keep)), tidyBatch) })
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
	return done, d.tidyCrowded(ctx, c, &done.Events)
}

// tidyCrowded removes the oldest events of accounts that have too many. It looks for them beside the writer, by the
// index that is the table's key.
func (d *DB) tidyCrowded(ctx context.Context, c TidyConfig, count *int) error {
	type crowd struct {
		localpart string
		over      int
	}
	const q = `SELECT localpart, COUNT(*) - $1 FROM events GROUP BY localpart HAVING COUNT(*) > $1`
	const remove = `DELETE FROM events WHERE (localpart, at, session_id, kind) IN
		(SELECT localpart, at, session_id, kind FROM events WHERE localpart = $1
			ORDER BY at, session_id, kind LIMIT $2) RETURNING session_id`
	all, err := list(ctx, d, q, func(scan func(...any) error) (x crowd, err error) {
		err = scan(&x.localpart, &x.over)
		return x, err
	}, c.MaxEvents)
	for _, x := range all {
		for n := 1; err == nil && x.over > 0 && n > 0; x.over -= n {
			n, err = write(ctx, d, everything,
				func(t *Tx) (int, error) { return t.remove(remove, x.localpart, min(tidyBatch, x.over)) })
			if *count += n; err == nil {
				err = pause(ctx, c.Pause)
			}
		}
	}
	return err
}

// remove runs one batch and returns how many rows went.
func (t *Tx) remove(statement string, args ...any) (n int, err error) {
	err = t.Each(statement, args, func(func(...any) error) error {
		n++
		return nil
	})
	return n, err
}

// removeSessions is remove for sessions, of whose end others must know.
func (t *Tx) removeSessions(statement string, args ...any) (n int, err error) {
	return t.endAll("", statement, args...)
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
