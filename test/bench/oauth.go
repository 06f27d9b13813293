package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	rig "postern/test/rig/process"
	"postern/tokens"
)

// oauthOn serves the OAuth 2.0 API. Nobody goes where the server says that it is.
var oauthOn = []string{"--oauth", "on", "--public-url", "http://127.0.0.1:8448"}

// app is a client of the OAuth 2.0 API, which is registered.
type app struct {
	*rig.Client
	id, url string
	devices int // on which alice has signed in
}

// app starts Postern with the OAuth 2.0 API on the site, and registers a client.
func (s *site) app(ctx context.Context) (p *process, a *app, err error) {
	if p, err = s.serve(ctx, oauthOn...); err != nil {
		return nil, nil, err
	}
	a = &app{Client: rig.NewClient(1), url: "http://" + p.address}
	if a.id, err = a.RegisterOAuth(ctx, a.url); err != nil {
		stopAll(&err, p)
	}
	return p, a, err
}

// code has alice sign in on the pages, for a new device, and gives the code.
func (a *app) code(ctx context.Context) (string, error) {
	a.devices++
	return a.Authorize(ctx, a.url, rig.Consent{Client: a.id, Device: fmt.Sprintf("BENCH%07d", a.devices), User: alice,
		Password: password})
}

// pair gives the tokens of a new session.
func (a *app) pair(ctx context.Context) (rig.Pair, error) {
	code, err := a.code(ctx)
	if err != nil {
		return rig.Pair{}, err
	}
	return a.Redeem(ctx, a.url, a.id, code)
}

// oauth measures what the OAuth 2.0 API costs: a refresh and the metadata beside a bare handler, and a check of its
// sessions beside a check of a legacy one's.
func (b *bench) oauth(ctx context.Context) (rows []row, err error) {
	s, err := b.site(ctx, refreshers)
	if err != nil {
		return nil, err
	}
	legacy, err := s.mint(tokens.Access, refreshers, 1)
	if err != nil {
		return nil, err
	}
	p, a, err := s.app(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, p) }()
	defer a.Close()
	var access, renew []string
	for range refreshers {
		pair, err := a.pair(ctx)
		if err != nil {
			return nil, err
		}
		access, renew = append(access, pair.Access), append(renew, pair.Refresh)
	}
	if rows, err = b.grantsChecked(ctx, p, legacy, access); err != nil { // before a refresh supersedes the tokens
		return nil, err
	}
	more, err := b.besideBare(ctx, p, a.id, renew)
	return append(rows, more...), err
}

func (b *bench) grantsChecked(ctx context.Context, p *process, legacy, access []string) ([]row, error) {
	pick := inTurn(checkers, refreshers)
	got, err := b.compare(ctx, "check", side{"OAuth 2.0", p, whoamis(checkers, access, pick)},
		side{"legacy", p, whoamis(checkers, legacy, pick)})
	if err != nil {
		return nil, err
	}
	return []row{{
		fmt.Sprintf("token check of an OAuth 2.0 session, %d connections, sessions in use: %d", checkers, refreshers),
		got[0].rates(), "of a legacy session: " + got[1].rates(),
		got[0].of(perSecond).over(got[1].of(perSecond)).spread(ratio) + " of it", "1: the same",
	}}, nil
}

// besideBare compares with a bare server that answers the same JSON: the metadata, and a refresh of each session.
func (b *bench) besideBare(ctx context.Context, p *process, client string, renew []string) (rows []row, err error) {
	metadata, err := once(p, gets(1, metadataPath))
	if err != nil {
		return nil, err
	}
	first, err := once(p, grantRefreshes(client, renew[:1]))
	if err != nil {
		return nil, err
	}
	renew[0], err = refreshToken(first)
	if err != nil {
		return nil, err
	}
	plain, err := b.bare(ctx, map[string]json.RawMessage{"Grant": first, "Metadata": metadata})
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, plain) }()
	if same, err := once(plain, gets(1, metadataPath)); err != nil || !bytes.Equal(same, metadata) {
		return nil, errors.Join(err, fmt.Errorf("the bare server answers %s and Postern %s", same, metadata))
	}
	for _, m := range []struct {
		what, goal    string
		postern, bare load
	}{
		{fmt.Sprintf("OAuth 2.0 metadata, %d connections", checkers), "≥ 0.80", gets(checkers, metadataPath),
			gets(checkers, metadataPath)},
		{fmt.Sprintf("OAuth 2.0 refresh, %d clients, durable", refreshers), "≥ 0.33", grantRefreshes(client, renew),
			grantRefreshes(client, renew)},
	} {
		got, err := b.compare(ctx, m.what, side{"Postern", p, m.postern}, side{"bare", plain, m.bare})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{m.what, got[0].rates(), "bare Echo: " + got[1].rates(),
			got[0].of(perSecond).over(got[1].of(perSecond)).spread(ratio) + " of bare", m.goal})
	}
	return rows, nil
}

// redeem takes turns between the redemption of a code and a refresh of the session that it starts.
func (b *bench) redeem(ctx context.Context) (rows []row, err error) {
	s, err := b.site(ctx, 0)
	if err != nil {
		return nil, err
	}
	p, a, err := s.app(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { stopAll(&err, p) }()
	defer a.Close()
	var redeemed, refreshed figures
	for round := range b.rounds {
		var redeem, refresh figures
		for end := time.Now().Add(b.seconds); len(redeem) == 0 || time.Now().Before(end); {
			if err := a.once(ctx, &redeem, &refresh); err != nil {
				return nil, err
			}
		}
		redeemed, refreshed = append(redeemed, redeem.median()), append(refreshed, refresh.median())
		progress("  redemption, round %d · %s, refresh %s", round+1, micros(redeem.median()), micros(refresh.median()))
	}
	return []row{{"redemption of a code, one client, durable", micros(redeemed.median()),
		"a refresh after it: " + micros(refreshed.median()),
		redeemed.less(refreshed).spread(micros) + " over a refresh", "≤ 1.5 ms over"}}, nil
}

// once gets a code and times its redemption and the refresh after that.
func (a *app) once(ctx context.Context, redeem, refresh *figures) error {
	code, err := a.code(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	pair, err := a.Redeem(ctx, a.url, a.id, code)
	if err != nil {
		return err
	}
	*redeem = append(*redeem, float64(time.Since(began)))
	began = time.Now()
	_, err = a.RefreshOAuth(ctx, a.url, a.id, pair.Refresh)
	*refresh = append(*refresh, float64(time.Since(began)))
	return err
}
