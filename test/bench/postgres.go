package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"postern/db"
	"postern/test/rig/postgres"
)

// way is one of the ways to refresh on PostgreSQL: it exchanges generation k of a session.
type way struct {
	name    string
	refresh func(ctx context.Context, session string, k int64) error
}

// postgres compares, without HTTP, a transaction that is shared by who waits (what Postern does) with one for each
// refresh: one after the other, and each client on a connection of its own, which is how servers usually do it. The
// server syncs its disk.
func (b *bench) postgres(ctx context.Context) (rows []row, err error) {
	url, stop, err := postgres.Serve(ctx, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ways, finish, err := waysOn(ctx, url)
	if err != nil {
		return nil, err
	}
	rates := make([]figures, len(ways))
	generations := make([][]int64, len(ways))
	for round := range b.rounds + 1 { // the first warms up
		line := ""
		for i, w := range ways {
			if generations[i] == nil {
				generations[i] = make([]int64, refreshers)
			}
			rate, err := w.run(ctx, b.seconds, generations[i])
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", w.name, err), finish())
			}
			if round > 0 {
				rates[i] = append(rates[i], rate)
			}
			line += fmt.Sprintf(" · %s %.0f/s", w.name, rate)
		}
		progress("  postgres, round %d%s", round, line)
	}
	what := fmt.Sprintf("PostgreSQL: refresh, %d clients, durable, without HTTP", refreshers)
	return []row{
		{what, rate(rates[0].median()), "a transaction each, one after the other: " + rate(rates[1].median()),
			rates[0].over(rates[1]).spread(ratio) + " times", "≥ 3 times"},
		{"…", "", fmt.Sprintf("a transaction each, on %d connections: %s", refreshers, rate(rates[2].median())),
			rates[0].over(rates[2]).spread(ratio) + " times", ""},
	}, finish()
}

// waysOn prepares one set of sessions for each way.
func waysOn(ctx context.Context, url string) (ways []way, finish func() error, err error) {
	var open []interface{ Close() error }
	finish = func() error {
		var errs []error
		for _, o := range open {
			errs = append(errs, o.Close())
		}
		return errors.Join(errs...)
	}
	for name, batch := range map[string]int{"shared": 0, "apiece": 1} {
		d, err := db.Open(ctx, db.Config{DSN: url, MaxBatch: batch})
		if err != nil {
			return nil, finish, err
		}
		open = append(open, d)
		ways = append(ways, way{name, func(ctx context.Context, session string, k int64) error {
			_, err := d.AdvanceGeneration(ctx,
				db.Refresh{Session: session, Generation: k, At: time.Now(), KeyID: 1, AccessTTL: accessTTL})
			return err
		}})
	}
	if ways[0].name != "shared" {
		ways[0], ways[1] = ways[1], ways[0]
	}
	raw, err := sql.Open("pgx", url)
	if err != nil {
		return nil, finish, err
	}
	open = append(open, raw)
	raw.SetMaxOpenConns(refreshers)
	raw.SetMaxIdleConns(refreshers)
	ways = append(ways, way{"connections",
		func(ctx context.Context, session string, k int64) error { return claim(ctx, raw, session, k) }})
	return ways, finish, people(ctx, open[0].(*db.DB), ways)
}

// people logs in as many as refresh at a time, for each way.
func people(ctx context.Context, d *db.DB, ways []way) error {
	if err := d.CreateUser(ctx, db.User{Localpart: alice, PasswordHash: "hash", Created: time.Now()}); err != nil {
		return err
	}
	for _, w := range ways {
		for i := range refreshers {
			_, err := d.StartSession(ctx, db.Login{ID: w.session(i), Localpart: alice, PasswordHash: "hash",
				DeviceID: w.session(i),
				At:       time.Now(), KeyID: 1, Refreshable: true})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (w way) session(i int) string { return fmt.Sprintf("%s-%d-0123456789abcdef", w.name, i) }

// run lets the clients refresh for a while and gives the rate.
func (w way) run(ctx context.Context, d time.Duration, generations []int64) (float64, error) {
	began, end := time.Now(), time.Now().Add(d)
	var done atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, len(generations))
	for i := range generations {
		group.Go(func() {
			for time.Now().Before(end) && errs[i] == nil {
				if errs[i] = w.refresh(ctx, w.session(i), generations[i]+1); errs[i] == nil {
					generations[i]++
					done.Add(1)
				}
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), errors.Join(errs...)
}

// claim is a refresh as one transaction of its own: the same compare-and-swap.
func claim(ctx context.Context, raw *sql.DB, session string, k int64) error {
	const q = `UPDATE sessions SET generation = generation + 1, minted = $3, prev_key_id = key_id, key_id = $4,
			access_expires = $5, used = 0
		WHERE id = $1 AND generation = $2 AND state = 'live' AND NOT locked RETURNING generation`
	tx, err := raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	now := time.Now()
	if err := tx.QueryRowContext(ctx, q, session, k, now.UnixMilli(), 1,
		now.Add(accessTTL).UnixMilli()).Scan(&k); err != nil {
		return err
	}
	return tx.Commit()
}
