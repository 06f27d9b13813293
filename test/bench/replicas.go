package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/test/rig/postgres"
	"postern/tokens"
)

// mostReplicas is how many share a PostgreSQL.
const mostReplicas = 3

// replicas measures what servers on one PostgreSQL do together: the replicas, the PostgreSQL and the clients share this
// machine, so more of them show what they cost each other, and not what more machines would do. The server syncs its
// disk.
func (b *bench) replicas(ctx context.Context) (rows []row, err error) {
	url, stop, err := postgres.Serve(ctx, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	s, err := b.siteAt(ctx, url, setSize)
	if err != nil {
		return nil, err
	}
	all, bare, err := b.allOf(ctx, s)
	defer func() { stopAll(&err, append(all, bare)...) }()
	if err != nil {
		return nil, err
	}
	for _, measure := range []func(*bench, context.Context, *site, []*process, *process) ([]row, error){
		(*bench).checkedBy, (*bench).refreshedBy, (*bench).loggedInBy} {
		more, err := measure(b, ctx, s, all, bare)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// allOf starts the replicas, and a bare server that answers what they do.
func (b *bench) allOf(ctx context.Context, s *site) (all []*process, bare *process, err error) {
	first, bare, err := b.both(ctx, s)
	all = append(all, first)
	for err == nil && len(all) < mostReplicas {
		var p *process
		if p, err = s.serve(ctx); err == nil {
			all = append(all, p)
		}
	}
	return all, bare, err
}

// byCount compares a load on a bare server, if there is one, with the same on some of the replicas.
func (b *bench) byCount(ctx context.Context, what, goal string, loads func(i int) load, all []*process, bare *process,
	counts ...int) (rows []row, err error) {
	sides := make([]side, 0, 1+len(counts))
	for i, n := range counts {
		sides = append(sides, side{fmt.Sprint(n, " replicas"), together(all[:n]), loads(i)})
	}
	if bare != nil {
		sides = append(sides, side{"bare", bare, loads(0)})
	}
	got, err := b.compare(ctx, what, sides...)
	if err != nil {
		return nil, err
	}
	than, beside := got[len(got)-1], "bare Echo: "
	if bare == nil {
		than, beside = got[0], "1 replica: "
	}
	for i, n := range counts {
		rows = append(rows, row{fmt.Sprintf("PostgreSQL, %d replicas: %s", n, what), got[i].rates(),
			beside + than.rates(), got[i].of(perSecond).over(than.of(perSecond)).spread(ratio) + " of it", ""})
	}
	rows[len(rows)-1].goal = goal
	return rows, nil
}

func (b *bench) checkedBy(ctx context.Context, s *site, all []*process, bare *process) ([]row, error) {
	access, err := s.mint(tokens.Access, setSize, 1)
	if err != nil {
		return nil, err
	}
	loads := func(int) load { return whoamis(checkers, access[:setSize/2], inTurn(checkers, setSize/2)) }
	return b.byCount(ctx, fmt.Sprintf("token check (`whoami`), %d connections", checkers), "≥ 0.35", loads, all, bare,
		1, mostReplicas)
}

// refreshedBy measures refreshes, and how many of them PostgreSQL made in place: no index was touched, and nothing is
// left for VACUUM.
func (b *bench) refreshedBy(ctx context.Context, s *site, all []*process, bare *process) ([]row, error) {
	renew, err := s.mint(tokens.Refresh, setSize, 1)
	if err != nil {
		return nil, err
	}
	loads := func(i int) load { // each has sessions of its own, and those that are checked have none of them
		renew := renew[setSize/2+i*refreshers:]
		return refreshes(renew[:refreshers])
	}
	rows, err := b.byCount(ctx, fmt.Sprintf("refresh, %d clients, durable", refreshers), "", loads, all, bare, 1, 2,
		mostReplicas)
	if err != nil {
		return nil, err
	}
	inPlace, updates, err := s.inPlace(ctx)
	return append(rows, row{"… rows that PostgreSQL updated in place (HOT)", fmt.Sprintf("%d updates", updates), "",
		fmt.Sprintf("%.1f %%", 100*float64(inPlace)/float64(updates)), "≥ 99 %"}), err
}

// inPlace counts the updates of sessions; the server counts them some time after they were made.
func (s *site) inPlace(ctx context.Context) (inPlace, updates int64, err error) {
	wait(ctx, 2*time.Second)
	d, err := s.open()
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	err = d.QueryRowContext(ctx, `SELECT n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sessions'`).
		Scan(&inPlace, &updates)
	return inPlace, updates, err
}

// loggedInBy measures logins, each on a new device; their hashes fill the cores.
func (b *bench) loggedInBy(ctx context.Context, _ *site, all []*process, _ *process) ([]row, error) {
	return b.byCount(ctx, fmt.Sprintf("login, %d clients", crowd), "",
		func(int) load { return logins(crowd) }, all, nil, 1, mostReplicas)
}
