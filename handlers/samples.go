package handlers

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Samples are what a process has counted, each time that its housekeeping looks: enough to draw the last day for
// somebody who has no Prometheus. They cost a request nothing, and are gone with the process.

const (
	keptSamples = 25
	leastApart  = 30 * time.Minute // the first look comes soon after the start
)

// Sample is how much a process has counted up to a time.
type Sample struct {
	At               time.Time
	Refused, Limited int // logins: because of what they show, or by the rate limit
	Refreshes        int // that were answered
}

type sampled struct {
	sync.Mutex
	all []Sample // the oldest first
}

// sample notes what was counted up to now.
func (m *Metrics) sample(now time.Time) {
	m.samples.Lock()
	defer m.samples.Unlock()
	if n := len(m.samples.all); n > 0 && now.Sub(m.samples.all[n-1].At) < leastApart {
		return
	}
	m.samples.all = append(m.samples.all, m.counted(now))
	if extra := len(m.samples.all) - keptSamples; extra > 0 {
		m.samples.all = slices.Delete(m.samples.all, 0, extra)
	}
}

// Samples are those of about the last day, the oldest first, and as the last one what was counted up to now.
func (m *Metrics) Samples(now time.Time) []Sample {
	m.samples.Lock()
	defer m.samples.Unlock()
	return append(slices.Clone(m.samples.all), m.counted(now))
}

func (m *Metrics) counted(now time.Time) Sample {
	return Sample{At: now, Refused: count(m.logins.WithLabelValues("refused")),
		Limited: count(m.logins.WithLabelValues("limited")), Refreshes: count(m.refreshes.WithLabelValues("ok"))}
}

// count is what a counter has come to.
func count(c prometheus.Counter) int {
	var value dto.Metric
	if err := c.Write(&value); err != nil {
		return 0 // unreachable: a counter can always be written
	}
	return int(value.GetCounter().GetValue())
}
