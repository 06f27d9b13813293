package main

import (
	"context"
	"fmt"
	"time"
)

// How long the memory is watched; not the measurements' seconds, because the goals speak of these.
const (
	settle   = 3 * time.Second
	storm    = 6 * time.Second
	recovery = 10 * time.Second
)

// memory measures what the server holds when nothing happens, when many log in, and some time after that.
func (b *bench) memory(ctx context.Context) (rows []row, err error) {
	s, err := b.site(ctx, 0)
	if err != nil {
		return nil, err
	}
	p, err := s.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, p) }()
	plain, err := launch(ctx, b.binary("bench"), "bare", "{}", "{}")
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, plain) }()
	wait(ctx, settle)
	idle, _, err := p.resident()
	if err != nil {
		return []row{{what: "resident memory", postern: "not measured: only Linux tells"}}, nil
	}
	bare, _, err := plain.resident()
	if err != nil {
		return nil, err
	}
	r, err := logins(crowd).run(ctx, p, storm)
	if err != nil {
		return nil, err
	}
	_, peak, err := p.resident()
	if err != nil {
		return nil, err
	}
	wait(ctx, recovery)
	later, _, err := p.resident()
	if err != nil {
		return nil, err
	}
	progress("  idle %s, peak %s, later %s", mib(float64(idle)), mib(float64(peak)), mib(float64(later)))
	return []row{
		{fmt.Sprintf("resident memory, idle, %s after the start", settle), mib(float64(idle)),
			"bare Echo: " + mib(float64(bare)), "", "≤ 22 MiB"},
		{fmt.Sprintf("… most of it while %d clients log in for %s", crowd, storm), mib(float64(peak)),
			"logins: " + rate(r.perSecond), "", "≤ 100 MiB"},
		{fmt.Sprintf("… %s later", recovery), mib(float64(later)), "", "", "comes back"},
	}, nil
}

// wait sleeps, unless the run is over.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
