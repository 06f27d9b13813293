package main

import (
	"context"
	"fmt"
	"time"

	rig "postern/test/rig/process"
)

// How long the memory is watched; not the measurements' seconds, because the goals speak of these.
const (
	settle   = 3 * time.Second
	storm    = 6 * time.Second
	recovery = 10 * time.Second
)

// memory measures what the server holds when nothing happens, when many log in, and some time after that. The goals are
// of private memory: whether the program's own file stays in memory the kernel decides.
func (b *bench) memory(ctx context.Context) (rows []row, err error) {
	s, err := b.site(ctx, 0)
	if err != nil {
		return nil, err
	}
	p, err := s.serve(ctx, oauthOn...)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, p) }()
	plain, err := b.bare(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, plain) }()
	wait(ctx, settle)
	idle, err := p.usage()
	if err != nil {
		return []row{{what: "memory", postern: "not measured: only Linux tells"}}, nil
	}
	bare, err := plain.usage()
	if err != nil {
		return nil, err
	}
	r, err := logins(crowd).run(ctx, p, storm)
	if err != nil {
		return nil, err
	}
	wait(ctx, recovery)
	later, err := p.usage()
	if err != nil {
		return nil, err
	}
	progress("  idle %s, peak %s, later %s", memoryOf(idle), mib(later.Peak), memoryOf(later))
	all, err := b.everything(ctx)
	if err != nil {
		return nil, err
	}
	return []row{
		{"memory, idle, everything on: pages, mail, notices, admin API", memoryOf(all), "", "", "≤ 16 MiB private"},
		{fmt.Sprintf("memory, idle, OAuth 2.0 on, %s after the start", settle), memoryOf(idle),
			"bare Echo: " + memoryOf(bare), "", "≤ 12 MiB private"},
		{fmt.Sprintf("… most of it while %d clients log in for %s", crowd, storm), mib(later.Peak) + " resident",
			"logins: " + rate(r.perSecond), "", "≤ 100 MiB"},
		{fmt.Sprintf("… %s later", recovery), memoryOf(later), "", "", "≤ 60 MiB private"},
	}, nil
}

// everything is what an idle server holds that does all it can for people and operators.
func (b *bench) everything(ctx context.Context) (used rig.Usage, err error) {
	s, err := b.site(ctx, 0)
	if err != nil {
		return used, err
	}
	p, err := s.serve(ctx, append([]string{"--smtp-url", "smtp://127.0.0.1:1", "--notify", "mailto:ops@example.org",
		"--admin-api", "--registration", "approval", "--login-tokens", "--second-factor", "admins"}, oauthOn...)...)
	if err != nil {
		return used, err
	}
	defer func() { stopAll(&err, p) }()
	wait(ctx, settle)
	return p.usage()
}

// memoryOf is the private memory of a process beside all of it.
func memoryOf(u rig.Usage) string {
	return mib(u.Private) + " private, " + mib(u.Resident) + " resident"
}

// wait sleeps, unless the run is over.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
