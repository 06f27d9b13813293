package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"postern/db"
)

// Metrics are what Postern counts, for Prometheus. They stand outside of the database, which reports its
// batches through [Metrics.Batch].
type Metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	logins    *prometheus.CounterVec
	refreshes *prometheus.CounterVec
	replays   prometheus.Counter
	caughtUp  prometheus.Counter
	tidied    *prometheus.CounterVec
	hashQueue prometheus.Gauge
	batches   prometheus.Histogram
	commits   prometheus.Histogram

	samples sampled
}

// NewMetrics makes a set of metrics, all zero, in a registry of its own.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postern_" + name, Help: help}, labels)
	}
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		requests:  counter("requests_total", "Requests by operation and HTTP status.", "operation", "code"),
		logins:    counter("logins_total", "Login attempts by result.", "result"),
		refreshes: counter("refreshes_total", "Refreshes at both APIs by result.", "result"),
		replays: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_replays_total", Help: "Refresh tokens replayed; each logged a session out softly."}),
		caughtUp: prometheus.NewCounter(prometheus.CounterOpts{Name: "postern_caught_up_total",
			Help: "Sessions that caught up with a token newer than the database, which had lost commits."}),
		tidied: counter("tidied_total", "Rows that housekeeping has removed, by kind.", "kind"),
		hashQueue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postern_hash_queue", Help: "Passwords being hashed or waiting for it."}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "postern_write_batch_size", Help: "Writes that shared one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9)}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "postern_write_batch_seconds", Help: "Time from the start of a write transaction to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12)}),
	}
	m.registry.MustRegister(m.requests, m.logins, m.refreshes, m.replays, m.caughtUp, m.tidied, m.hashQueue, m.batches,
		m.commits,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Batch notes a write transaction: db.Config.OnBatch.
func (m *Metrics) Batch(size int, took time.Duration) {
	m.batches.Observe(float64(size))
	m.commits.Observe(took.Seconds())
}

func (m *Metrics) login(err error)   { m.logins.WithLabelValues(result(err)).Inc() }
func (m *Metrics) refresh(err error) { m.refreshes.WithLabelValues(result(err)).Inc(); m.replay(err) }

func (m *Metrics) replay(err error) {
	if errors.Is(err, db.ErrReplay) {
		m.replays.Inc()
	}
}

// result is the label of an outcome: few values, whatever happens.
func result(err error) string {
	if err == nil {
		return "ok"
	}
	if errors.Is(err, db.ErrSecondFactor) {
		return "second_factor" // the password was right
	}
	switch AsError(err).Status {
	case http.StatusTooManyRequests:
		return "limited"
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return "refused"
	default:
		return "failed"
	}
}

// observe is the middleware that counts, and answers errors so that it knows the code. A page is
// counted by its path, and what the contract does not know as "unrecognized": a stranger must not make labels.
func (m *Metrics) observe(c *contract) echo.MiddlewareFunc {
	served := make(map[route]prometheus.Counter) // the common case, found without spelling labels
	for r, op := range c.operations {
		served[r] = m.requests.WithLabelValues(op.id, "200")
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(ctx echo.Context) error {
			if err := next(ctx); err != nil {
				ctx.Error(err)
			}
			if Operational(ctx.Path()) {
				return nil
			}
			at, status := route{ctx.Request().Method, ctx.Path()}, ctx.Response().Status
			if ok := served[at]; ok != nil && status == http.StatusOK {
				ok.Inc()
				return nil
			}
			label := "unrecognized"
			if op, known := c.operations[at]; known {
				label = op.id
			} else if slices.Contains(PagePaths, at.path) {
				label = at.path
			}
			m.requests.WithLabelValues(label, strconv.Itoa(status)).Inc()
			return nil
		}
	}
}

// Register adds metrics of others. It is called before anybody reads them.
func (m *Metrics) Register(all ...prometheus.Collector) { m.registry.MustRegister(all...) }

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}
