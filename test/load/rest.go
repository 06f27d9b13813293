package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"postern/test/rig/process"
)

// held is what a server at rest holds.
type held struct {
	process.Usage
	goroutines int
}

// How much more a server may hold after the load than before, in which it was warmed up. Memory is what the collector
// leaves when it sees fit, so there is room for that; a leak of a hundred bytes per request would be 50 MiB in a short
// run.
const (
	moreMemory      = 16 << 20
	moreGoroutines  = 4
	moreDescriptors = 4
)

// rest lets the server come to rest, without any connection of ours, and looks what it holds. Memory goes back to the
// system by and by, so it looks until nothing changes any more, or for a minute.
func (m *mix) rest(ctx context.Context, server *process.Server) (now held, err error) {
	m.http.CloseIdleConnections()
	m.client.Close()
	last := held{}
	for range 12 {
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-time.After(5 * time.Second):
		}
		if now, err = look(ctx, server); err != nil {
			return now, err
		}
		if last.goroutines == now.goroutines && last.Descriptors == now.Descriptors &&
			now.Resident > last.Resident-1<<20 {
			break
		}
		last = now
	}
	return now, nil
}

var goroutinesMetric = regexp.MustCompile(`(?m)^go_goroutines (\d+)$`)

func look(ctx context.Context, server *process.Server) (h held, err error) {
	client := process.NewClient(1)
	defer client.Close()
	metrics, err := client.Ask(ctx, http.MethodGet, server.URL+"/metrics", "", nil)
	if err != nil {
		return h, err
	}
	found := goroutinesMetric.FindSubmatch(metrics)
	if found == nil {
		return h, errors.New("GET /metrics does not tell go_goroutines")
	}
	if h.goroutines, err = strconv.Atoi(string(found[1])); err != nil {
		return h, err
	}
	h.Usage, err = server.Usage()
	return h, err
}

// grown is what the server holds more than before, as an error.
func (h held) grown(before held) error {
	var grown []error
	if h.Resident > before.Resident+moreMemory {
		grown = append(grown, fmt.Errorf("memory grew from %s to %s", mib(before.Resident), mib(h.Resident)))
	}
	if h.goroutines > before.goroutines+moreGoroutines {
		grown = append(grown, fmt.Errorf("goroutines grew from %d to %d", before.goroutines, h.goroutines))
	}
	if h.Descriptors > before.Descriptors+moreDescriptors {
		grown = append(grown, fmt.Errorf("descriptors grew from %d to %d", before.Descriptors, h.Descriptors))
	}
	return errors.Join(grown...)
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
