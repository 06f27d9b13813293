package main

import (
	"context"
	"fmt"

	"postern/tokens"
)

const (
	refreshers  = 64     // clients that refresh at a time
	manyRefresh = 50_000 // in all, to see whether anything is kept of them
)

// refresh measures how many durable refreshes share a second.
func (b *bench) refresh(ctx context.Context) ([]row, error) {
	got, batch, err := b.refreshing(ctx, refreshers)
	if err != nil {
		return nil, err
	}
	rates := got[0].of(perSecond)
	return []row{
		{fmt.Sprintf("refresh, %d clients, durable", refreshers), got[0].rates(),
			"bare Echo, JSON both ways: " + got[1].rates(),
			rates.over(got[1].of(perSecond)).spread(ratio) + " of bare", "≥ 0.35"},
		{"… per second", fmt.Sprintf("%.0f in a transaction", batch), "", rates.spread(rate), "≥ 10,000/s"},
		{"… latency", got[0].times(), "bare Echo: " + got[1].times(), got[0].of(medianTime).spread(micros), ""},
	}, nil
}

// latency measures one durable refresh when nobody shares its transaction.
func (b *bench) latency(ctx context.Context) ([]row, error) {
	disk, err := b.fsync()
	if err != nil {
		return nil, err
	}
	got, _, err := b.refreshing(ctx, 1)
	if err != nil {
		return nil, err
	}
	return []row{{"refresh, one client, durable", got[0].times(),
		"bare Echo: " + got[1].times() + "; 4 KiB and fsync: " + micros(disk.median()),
		got[0].of(medianTime).spread(micros), "≤ 1.2 ms"}}, nil
}

// refreshing compares the refreshes of some clients, and tells how many shared a transaction on average.
func (b *bench) refreshing(ctx context.Context, clients int) (got []series, batch float64, err error) {
	s, err := b.site(ctx, 1+clients)
	if err != nil {
		return nil, 0, err
	}
	renew, err := s.mint(tokens.Refresh, 1+clients, 1)
	if err != nil {
		return nil, 0, err
	}
	renew = renew[1:] // the first is spent to learn the answer
	postern, bare, err := b.both(ctx, s)
	defer func() { stopAll(&err, postern, bare) }()
	if err != nil {
		return nil, 0, err
	}
	what := fmt.Sprintf("%d clients", clients)
	got, err = b.compare(ctx, what, side{"Postern", postern, refreshes(renew)}, side{"bare", bare, refreshes(renew)})
	if err != nil {
		return nil, 0, err
	}
	writes, err := metric(postern, "postern_write_batch_size_sum")
	if err != nil {
		return nil, 0, err
	}
	transactions, err := metric(postern, "postern_write_batch_size_count")
	return got, writes / transactions, err
}

// kept measures what refreshing leaves in the database.
func (b *bench) kept(ctx context.Context) ([]row, error) {
	s, err := b.site(ctx, refreshers)
	if err != nil {
		return nil, err
	}
	renew, err := s.mint(tokens.Refresh, refreshers, 1)
	if err != nil {
		return nil, err
	}
	load := refreshes(renew)
	load.limit = manyRefresh / refreshers
	before, after, err := s.kept(ctx, load)
	if err != nil {
		return nil, err
	}
	n := load.limit * refreshers
	return []row{{fmt.Sprintf("kept of %d refreshes of %d sessions", n, refreshers),
		fmt.Sprintf("%d bytes before, %d after", before.bytes, after.bytes), "",
		fmt.Sprintf("%.3g bytes each", float64(after.bytes-before.bytes)/float64(n)), "0"}}, nil
}
