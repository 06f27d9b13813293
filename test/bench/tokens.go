package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"postern/tokens"
)

// tokens measures the tokens alone, on one core.
func (b *bench) tokens(context.Context) ([]row, error) {
	key, err := tokens.NewKey(1, rand.Reader)
	if err != nil {
		return nil, err
	}
	claims := (&site{expires: time.Now().Add(accessTTL)}).claims(0, tokens.Access)
	minted, err := tokens.Mint(serverName, key, claims)
	if err != nil {
		return nil, err
	}
	ring, table, request := tokens.NewKeyring(key), tokens.Caveats(), tokens.Request{Now: time.Now()}
	verify, err := micro(func() error {
		_, err := tokens.Verify(minted, serverName, ring, tokens.Access, table, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	mint, err := micro(func() error {
		_, err := tokens.Mint(serverName, key, claims)
		return err
	})
	return []row{
		{what: "verify a token", postern: verify},
		{what: "mint a token", postern: mint, beside: fmt.Sprintf("%d bytes long", len(minted))},
	}, err
}

// micro times a function that takes microseconds.
func micro(f func() error) (string, error) {
	var failed error
	r := testing.Benchmark(func(t *testing.B) {
		for t.Loop() {
			if err := f(); err != nil {
				failed = err
				t.FailNow()
			}
		}
	})
	return fmt.Sprintf("%.1f µs, %d allocations, %d bytes", float64(r.NsPerOp())/1e3, r.AllocsPerOp(),
		r.AllocedBytesPerOp()), failed
}
