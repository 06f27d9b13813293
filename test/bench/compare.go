package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// side is one of the things that are compared.
type side struct {
	name   string
	server *process
	load   load
}

// series are the results of one side, by round.
type series []result

// compare runs the sides in turn, round after round. Before the first, each warms up.
func (b *bench) compare(ctx context.Context, what string, sides ...side) ([]series, error) {
	all := make([]series, len(sides))
	for _, s := range sides {
		if _, err := s.load.run(ctx, s.server, min(b.seconds, time.Second)); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for round := range b.rounds {
		line := ""
		for i, s := range sides {
			r, err := s.load.run(ctx, s.server, b.seconds)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			all[i] = append(all[i], r)
			line += fmt.Sprintf(" · %s %.0f/s, median %s, CPU %s", s.name, r.perSecond, micros(float64(r.median)),
				micros(float64(r.cpu)))
		}
		progress("  %s, round %d%s", what, round+1, line)
	}
	return all, nil
}

// of collects one figure of each round.
func (s series) of(figure func(result) float64) figures {
	var f figures
	for _, r := range s {
		f = append(f, figure(r))
	}
	return f
}

func perSecond(r result) float64  { return r.perSecond }
func medianTime(r result) float64 { return float64(r.median) }
func p99Time(r result) float64    { return float64(r.p99) }

// rates tells the median of the answers per second, and the CPU time of the server for one, where that is known.
func (s series) rates() string {
	text := rate(s.of(perSecond).median())
	if cpu := s.of(func(r result) float64 { return float64(r.cpu) }).median(); cpu > 0 {
		text += ", " + micros(cpu) + " CPU each"
	}
	return text
}

// times tells the medians over the rounds of the median and of the 99th percentile.
func (s series) times() string {
	return fmt.Sprintf("%s, p99 %s", micros(s.of(medianTime).median()), micros(s.of(p99Time).median()))
}

// stopAll stops servers and adds what went wrong to an error.
func stopAll(err *error, servers ...*process) {
	for _, p := range servers {
		if p != nil {
			*err = errors.Join(*err, p.stop())
		}
	}
}
