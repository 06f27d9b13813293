package mail

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/db"
)

// Metrics counts what is sent, and asks how much of what this server sends waits whenever somebody looks. The
// collectors are to be registered once; sent is for [Config.Sent].
func Metrics(d *db.DB, to db.To, now func() time.Time) (collectors []prometheus.Collector, sent func(result string)) {
	sends := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postern_mail_sends_total",
		Help: "Mails and other messages to people that were tried, by result: sent, later, refused."},
		[]string{"result"})
	for _, result := range []string{"sent", "later", "refused"} {
		sends.WithLabelValues(result)
	}
	gauge := func(name, help string, read func(n int, since time.Time) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			ctx, done := context.WithTimeout(context.Background(), time.Second)
			defer done()
			n, since, err := d.WaitingDeliveries(ctx, to, now())
			if err != nil {
				return -1 // a number that nobody takes for one
			}
			return read(n, since)
		})
	}
	size := gauge("postern_mail_waiting", "Mails and other messages to people that wait to be sent.",
		func(n int, _ time.Time) float64 { return float64(n) })
	age := gauge("postern_mail_oldest_seconds", "How long the oldest of them has waited; 0: none waits.",
		func(n int, since time.Time) float64 {
			if n == 0 {
				return 0
			}
			return max(0, now().Sub(since).Seconds())
		})
	return []prometheus.Collector{sends, size, age}, func(result string) { sends.WithLabelValues(result).Inc() }
}
