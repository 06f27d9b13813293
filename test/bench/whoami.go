package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"postern/tokens"
)

const (
	checkers = 16    // connections that check tokens
	setSize  = 1_000 // sessions that are in use at a time
)

// whoami measures the token check against a handler that answers the same bytes without checking anything.
func (b *bench) whoami(ctx context.Context) (rows []row, err error) {
	s, err := b.site(ctx, setSize)
	if err != nil {
		return nil, err
	}
	access, err := s.mint(tokens.Access, setSize, 1)
	if err != nil {
		return nil, err
	}
	postern, bare, err := b.both(ctx, s)
	defer func() { stopAll(&err, postern, bare) }()
	if err != nil {
		return nil, err
	}
	for _, set := range []int{1, checkers, setSize} {
		load := whoamis(checkers, access[:set], inTurn(checkers, set))
		got, err := b.compare(ctx, fmt.Sprintf("sessions in use: %d", set), side{"Postern", postern, load},
			side{"bare", bare, load})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{
			fmt.Sprintf("token check (`whoami`), %d connections, sessions in use: %d", checkers, set), got[0].rates(),
			"bare Echo: " + got[1].rates(),
			got[0].of(perSecond).over(got[1].of(perSecond)).spread(ratio) + " of bare", "≥ 0.70",
		})
	}
	return rows, nil
}

// both starts Postern on a site, and a bare server that answers what Postern does.
func (b *bench) both(ctx context.Context, s *site) (postern, plain *process, err error) {
	if postern, err = s.serve(ctx); err != nil {
		return nil, nil, err
	}
	access, err := s.mint(tokens.Access, 1, 1)
	if err != nil {
		return postern, nil, err
	}
	who, err := once(postern, whoamis(1, access, inTurn(1, 1)))
	if err != nil {
		return postern, nil, err
	}
	renew, err := s.mint(tokens.Refresh, 1, 1)
	if err != nil {
		return postern, nil, err
	}
	pair, err := once(postern, refreshes(renew))
	if err != nil {
		return postern, nil, err
	}
	plain, err = b.bare(ctx, map[string]json.RawMessage{"Whoami": who, "Refresh": pair})
	if err != nil {
		return postern, nil, err
	}
	same, err := once(plain, whoamis(1, access, inTurn(1, 1)))
	if err == nil && !bytes.Equal(same, who) {
		err = fmt.Errorf("the bare server answers %s and Postern %s", same, who)
	}
	return postern, plain, err
}

// once sends the first request of a load and gives the body of its answer.
func once(p *process, l load) ([]byte, error) {
	c, err := dial(p.address, 0)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ask(l.request(nil, 0, 0))
}

// metric reads the sum of the series of one name at /metrics.
func metric(p *process, name string) (sum float64, err error) {
	response, err := http.Get("http://" + p.address + "/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		return 0, err
	}
	for line := range strings.Lines(text.String()) {
		var value float64
		if n, _ := fmt.Sscanf(line, name+" %g", &value); n == 1 {
			return value, nil
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}
