package front

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Passage is what a homeserver gets for an access token that a client has sent.
type Passage struct {
	Token string // to send on
	Ours  bool   // it is Postern's, and good; else it is the very one that the client sent
}

// Config is all that a front needs from outside.
type Config struct {
	Homeserver *url.URL     // where everything goes that is not answered here: scheme and host
	Real       http.Handler // Postern's own

	// Name gives today's name of a path that clients may write in other ways. It gets the path as it came, escaped.
	Name func(path string) string

	// Mine says whether Real answers a path, by today's name.
	Mine func(name string) bool

	// Through says whether the homeserver answers a request that Real would, because of the token that it brings: an
	// application service's, say. It may be nil.
	Through func(method, name, token string) bool

	// Exchange checks an access token for a request with this path, escaped as it came. When the token is not good it
	// has answered, and gives false.
	Exchange func(w http.ResponseWriter, r *http.Request, path, token string) (Passage, bool)

	// Ended says that the session of a token which was good is over by now, and answers then. It is asked before a late
	// answer is passed on, such as that of a long poll.
	Ended func(w http.ResponseWriter, r *http.Request, token string) bool

	// Disowned is told of a token that is good, but whose session the homeserver does not know: somebody has to tell
	// it.
	Disowned func(r *http.Request, token string)

	// Client says where a client is, and by which scheme it came.
	Client func(r *http.Request) (addr, scheme string)

	// Internal answers what the homeserver asks, at InternalPaths; nil when it is asked elsewhere.
	Internal      http.Handler
	InternalPaths []string

	// Edits change the homeserver's JSON answers, by method and today's name: `GET /_matrix/client/v3/capabilities`.
	Edits map[string]Edit

	// Intercept lets others look at a request before anything else is done with it, by the same key, or by one that
	// ends in a slash, for whatever is one segment below. They may change its body, and call next, which goes on.
	Intercept map[string]func(w http.ResponseWriter, r *http.Request, next http.Handler)

	ExposeAdmin bool            // let /_synapse/admin through
	Patience    time.Duration   // how long a client may stall while it sends or receives
	Stopping    context.Context // ends when the server shall stop; what only waits is then ended after Grace
	Grace       time.Duration
	ID          string // unlike any other's, so that a front recognises what it sent itself
	Log         *slog.Logger
}

// Front is an http.Handler.
type Front struct {
	Config
	proxy  *httputil.ReverseProxy
	wire   *http.Transport
	over   context.Context // ends Grace after Stopping
	away   atomic.Bool     // the homeserver could not be reached, and the log says so already
	looped sync.Once
}

// New makes a front. Close it when the server has stopped.
func New(c Config) *Front {
	f := &Front{Config: c, wire: newTransport()}
	over, end := context.WithCancel(context.WithoutCancel(c.Stopping))
	context.AfterFunc(c.Stopping, func() { time.AfterFunc(c.Grace, end) })
	f.over = over
	f.proxy = &httputil.ReverseProxy{
		Rewrite: f.rewrite, Transport: upstream{f}, FlushInterval: -1, ErrorHandler: f.failed, BufferPool: &buffers{},
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return f
}

// Close closes the connections to the homeserver that are idle.
func (f *Front) Close() { f.wire.CloseIdleConnections() }

// ServeHTTP sends a request on its way.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, _, ok := target(r)
	switch {
	case !ok:
		f.Real.ServeHTTP(w, r) // `OPTIONS *`, or a tunnel: there is no path, so it is not found
		return
	case closed(path, f.ExposeAdmin):
		refuse(w, http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized request.")
		return
	case f.Internal != nil && slices.Contains(f.InternalPaths, path):
		f.Internal.ServeHTTP(w, r)
		return
	}
	name := f.Name(path)
	first := f.Intercept[r.Method+" "+name]
	if first == nil {
		first = f.Intercept[r.Method+" "+name[:strings.LastIndexByte(name, '/')+1]]
	}
	if first != nil {
		first(w, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.route(w, r, path, name) }))
		return
	}
	f.route(w, r, path, name)
}

// route chooses who answers.
func (f *Front) route(w http.ResponseWriter, r *http.Request, path, name string) {
	if !f.Mine(name) || f.through(r, name) {
		f.stream(w, r, path, name)
		return
	}
	if name != path {
		r = renamed(r, name)
	}
	f.Real.ServeHTTP(w, r)
}

func (f *Front) through(r *http.Request, name string) bool {
	if f.Through == nil {
		return false
	}
	_, query, _ := target(r)
	token := credential(r.Header, query)
	return token != "" && f.Through(r.Method, name, token)
}

// renamed is the request as if the client had written today's name.
func renamed(r *http.Request, name string) *http.Request {
	plain, err := url.PathUnescape(name)
	if err != nil { // unreachable: net/http has decoded it before
		return r
	}
	at := *r.URL
	at.Path, at.RawPath = plain, name
	r = r.WithContext(r.Context())
	r.URL = &at
	return r
}
