package outbox

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the homeserver is told, and asks how much waits whenever somebody looks. The collectors are to be
// registered once; sent is for [Config.Sent].
func Metrics(q *Queue) (collectors []prometheus.Collector, sent func(outcome string)) {
	sends := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_outbox_sends_total",
		Help: "What the homeserver was told, or could not be, by outcome: sent, away, refused."},
		[]string{"outcome"})
	for _, outcome := range []string{"sent", "away", "refused"} {
		sends.WithLabelValues(outcome)
	}
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_outbox_waiting", Help: "Users and devices of which the homeserver must still be told."},
		q.waiting)
	return []prometheus.Collector{sends, size}, func(outcome string) { sends.WithLabelValues(outcome).Inc() }
}

// waiting counts the rows.
func (q *Queue) waiting() float64 {
	ctx, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	n, err := q.Size(ctx)
	if err != nil {
		return -1 // a number that nobody takes for one
	}
	return float64(n)
}
