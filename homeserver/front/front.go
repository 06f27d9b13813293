package front

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a front needs. Every field but ExposeAdmin must be set.
type Config struct {
	Homeserver *url.URL // scheme and host of the homeserver
	Login      Login

	ExposeAdmin bool            // pass /_synapse/admin on
	Patience    time.Duration   // how long a client may neither send nor read
	Stopping    context.Context // is done when the server begins to stop
	Grace       time.Duration   // from then until the requests end that only wait
	Log         *slog.Logger
}

// Front is the reverse proxy, an http.Handler.
type Front struct {
	Config
	proxy        *httputil.ReverseProxy
	pool         *pool // nil: transport sends all requests
	transport    *http.Transport
	graceOver    context.Context // is done Grace after Stopping
	id           string          // names this front in the Via header of its requests, so that it recognizes a loop
	longAfter    time.Duration   // an answer later than this is passed on only while its session lasts
	strangerTime time.Duration   // how long the body of a request without a good token may take; see strangerPace
	watch        *watch          // ends those that wait when their session ends
	away         atomic.Bool     // the homeserver cannot be reached, and the log says so already
	logLoop      sync.Once
}

// New makes a front. Close it when the server has stopped.
func New(c Config) *Front {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	f := &Front{Config: c, pool: newPool(c.Homeserver, dialer), transport: newTransport(dialer),
		id: "postern-" + rand.Text(), longAfter: time.Second, strangerTime: time.Minute}
	f.watch = newWatch(c.Login.Over, time.Second, c.Log)
	graceOver, end := context.WithCancel(context.WithoutCancel(c.Stopping))
	context.AfterFunc(c.Stopping, func() { time.AfterFunc(c.Grace, end) })
	f.graceOver = graceOver
	f.proxy = &httputil.ReverseProxy{
		Rewrite: f.rewrite, Transport: reviewer{f}, ErrorHandler: f.failed, BufferPool: &buffers{},
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return f
}

// Close closes the idle connections to the homeserver, and waits until nothing of the front runs.
func (f *Front) Close() {
	f.watch.close()
	f.pool.close()
	f.transport.CloseIdleConnections()
}

// Moving counts the requests on their way to the homeserver or back on which a side sends, such as up- and downloads.
func (f *Front) Moving() int { return f.watch.moving() }

// ServeHTTP answers a request, or has it answered.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, query, ok := target(r)
	switch {
	case !ok:
		f.Login.ServeHTTP(w, r)
		return
	case closed(path, f.ExposeAdmin):
		refuse(w, http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized request.")
		return
	}
	token := credential(r.Header, query)
	op := f.Login.Operation(r.Method, path, token)
	if op.Query != nil {
		query = op.Query(query)
	}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if op.Handler != nil {
			op.Handler.ServeHTTP(w, withPath(r, path, op.Path))
			return
		}
		f.stream(w, r, &stream{client: r, path: path, query: query, op: op, token: token})
	})
	if op.Amend != nil {
		op.Amend(w, r, answer)
		return
	}
	answer(w, r)
}

// withPath is the request as if the client had sent another path than it did.
func withPath(r *http.Request, sent, path string) *http.Request {
	if path == sent {
		return r
	}
	plain, err := url.PathUnescape(path)
	if err != nil { // unreachable: net/http has decoded it before
		return r
	}
	changed := *r.URL
	changed.Path, changed.RawPath = plain, path
	r = r.WithContext(r.Context())
	r.URL = &changed
	return r
}
