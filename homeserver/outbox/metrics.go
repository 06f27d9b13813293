package outbox

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the homeserver is told, and asks how much waits whenever somebody looks. The collectors are to be
// registered once; sent is for [Config.Sent].
func Metrics(waiting func() float64) (collectors []prometheus.Collector, sent func(outcome string)) {
	sends := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_outbox_sends_total",
		Help: "What the homeserver was told, or could not be, by outcome: sent, away, refused."},
		[]string{"outcome"})
	for _, outcome := range []string{"sent", "away", "refused"} {
		sends.WithLabelValues(outcome)
	}
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_outbox_waiting", Help: "Users and devices of which the homeserver must still be told."},
		waiting)
	return []prometheus.Collector{sends, size}, func(outcome string) { sends.WithLabelValues(outcome).Inc() }
}
