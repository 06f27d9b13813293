package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"postern/tokens"
)

// scale measures whether a check costs more when there are many sessions: with a thousand of them in use, spread over
// all, and with every session as likely as any other, so that most are not in memory.
func (b *bench) scale(ctx context.Context) (rows []row, err error) {
	small, err := b.site(ctx, setSize)
	if err != nil {
		return nil, err
	}
	progress("  filling a database with %d sessions", b.sessions)
	large, err := b.site(ctx, b.sessions)
	if err != nil {
		return nil, err
	}
	few, err := small.mint(tokens.Access, setSize, 1)
	if err != nil {
		return nil, err
	}
	spread, err := large.mint(tokens.Access, setSize, b.sessions/setSize)
	if err != nil {
		return nil, err
	}
	progress("  minting a token of each")
	all, err := large.mint(tokens.Access, b.sessions, 1)
	if err != nil {
		return nil, err
	}
	one, err := small.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, one) }()
	two, err := large.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, two) }()
	return b.scaled(ctx, one, two, few, spread, all)
}

func (b *bench) scaled(ctx context.Context, small, large *process, few, spread, all []string) ([]row, error) {
	atRandom := func(int, int) int { return rand.IntN(len(all)) }
	inUse := inTurn(checkers, setSize)
	got, err := b.compare(ctx, "scale",
		side{"small", small, whoamis(checkers, few, inUse)},
		side{"large", large, whoamis(checkers, spread, inUse)})
	if err != nil {
		return nil, err
	}
	random, err := b.compare(ctx, "random",
		side{"small", small, whoamis(checkers, few, inUse)},
		side{"large", large, whoamis(checkers, all, atRandom)})
	if err != nil {
		return nil, err
	}
	beside := func(s series) string { return fmt.Sprintf("%d sessions: %s", setSize, s.rates()) }
	rows := []row{
		{fmt.Sprintf("token check with %d sessions, %d in use", b.sessions, setSize), got[1].rates(), beside(got[0]),
			got[1].of(perSecond).over(got[0].of(perSecond)).spread(ratio), "≥ 0.77: costs at most 30 % more"},
		{"… with any of them at random", random[1].rates(), beside(random[0]),
			random[1].of(perSecond).over(random[0].of(perSecond)).spread(ratio), "≥ 0.60"},
	}
	if now, err := large.usage(); err == nil {
		rows = append(rows, row{what: "… memory after that", postern: memoryOf(now)})
	}
	return rows, nil
}
