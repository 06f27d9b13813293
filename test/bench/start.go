package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// starts is how often a start is measured.
const starts = 10

// start measures from the exec to the first answer, on a database that is there and on one that is not.
func (b *bench) start(ctx context.Context) ([]row, error) {
	s, err := b.site(ctx, 0)
	if err != nil {
		return nil, err
	}
	var there, fresh, bare figures
	for i := range starts {
		took, err := firstAnswer(s.serve(ctx))
		if err != nil {
			return nil, err
		}
		there = append(there, took)
		empty := &site{bench: b, folder: filepath.Join(s.folder, fmt.Sprint(i))}
		if took, err = firstAnswer(empty.first(ctx)); err != nil {
			return nil, err
		}
		fresh = append(fresh, took)
		if took, err = firstAnswer(b.bare(ctx, nil)); err != nil {
			return nil, err
		}
		bare = append(bare, took)
	}
	const goal = "≤ 150 ms"
	return []row{
		{"start to first answer", micros(there.median()), "bare Echo: " + micros(bare.median()), there.spread(micros),
			goal},
		{"… that makes the database and its keys", micros(fresh.median()), "", fresh.spread(micros), goal},
	}, nil
}

// first starts Postern where nothing is yet.
func (s *site) first(ctx context.Context) (*process, error) {
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		return nil, err
	}
	return s.serve(ctx)
}

// firstAnswer gives the time from the start of a server to its first answer, and stops it. The log says where it
// listens when it does, so there is nothing to poll.
func firstAnswer(p *process, err error) (float64, error) {
	if err != nil {
		return 0, err
	}
	_, err = once(p, gets(1, versionsPath))
	took := time.Since(p.server.Began)
	return float64(took), errors.Join(err, p.stop())
}
