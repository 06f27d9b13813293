package front

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// passed is what the parts of one stream know of it.
type passed struct {
	path, query, name string // query with its question mark, and without a token that moved into the header
	sent              string // the token that the client sent
	passage           Passage
	client            *http.Request // as it came
	begun             time.Time

	sending   atomic.Bool // the client has not sent its whole body yet
	moved     atomic.Bool // the homeserver was there, and took of the body
	answering atomic.Bool // the answer has begun
	stalled   atomic.Bool // the client did not go on sending
	broken    atomic.Bool // what the client sent is not HTTP
	over      context.Context
}

func (p *passed) stopped() bool { return p.over.Err() != nil }

type passedKey struct{}

func passing(r *http.Request) *passed { return r.Context().Value(passedKey{}).(*passed) }

// stream passes a request on to the homeserver, and the answer back.
func (f *Front) stream(w http.ResponseWriter, r *http.Request, path, name string) {
	if slices.ContainsFunc(r.Header["Via"], func(via string) bool { return strings.Contains(via, f.ID) }) {
		f.looped.Do(func() {
			f.Log.Error("--homeserver leads back to this server; give it the address where Synapse listens",
				"homeserver", f.Homeserver.Host)
		})
		refuse(w, http.StatusLoopDetected, "M_UNKNOWN",
			"The homeserver's address leads back to this server. Whoever runs it has to set --homeserver to where "+
				"Synapse listens.")
		return
	}
	if bytes, lines := head(r); bytes > mostHead || lines > mostLines {
		refuse(w, http.StatusRequestHeaderFieldsTooLarge, "M_TOO_LARGE",
			"The request's address and headers are too long.")
		return
	}
	_, query, _ := target(r)
	p := &passed{path: path, query: query, name: name, client: r, begun: time.Now(), over: f.over}
	// a preflight asks for nothing
	if p.sent = credential(r.Header, query); p.sent != "" && r.Method != http.MethodOptions {
		var ok bool
		if p.passage, ok = f.Exchange(w, r, path, p.sent); !ok {
			return
		}
		if p.passage.Ours {
			p.query = withoutToken(query)
		}
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), passedKey{}, p))
	defer cancel(nil)
	stop := context.AfterFunc(f.over, func() {
		if !p.sending.Load() && !p.answering.Load() {
			cancel(errStopping) // it only waits; what moves may end within the server's own time
		}
	})
	defer stop()
	out := &patient{ResponseWriter: w, control: http.NewResponseController(w), patience: f.Patience, passed: p}
	defer out.extend() // for what net/http writes at the end
	r = r.WithContext(ctx)
	r.Body = out.reading(r)
	f.proxy.ServeHTTP(out, r)
}

// What Twisted takes of a request before its body, 16 KiB and 500 headers, less what is added here. On more it hangs
// up, which would be taken for a homeserver that is away.
const (
	mostHead  = 15 << 10
	mostLines = 480
)

// head is the length of a request before its body, and how many headers that has.
func head(r *http.Request) (bytes, lines int) {
	bytes = len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		lines += len(values)
		for _, value := range values {
			bytes += len(name) + len(value) + len(": \r\n")
		}
	}
	return bytes, lines
}

// rewrite makes the request to the homeserver. Hop-by-hop headers are gone, and so are those of proxies before us.
func (f *Front) rewrite(pr *httputil.ProxyRequest) {
	p := passing(pr.In)
	point(pr.Out.URL, f.Homeserver, p.path, p.query)
	pr.Out.Host = pr.In.Host
	h := pr.Out.Header
	addr, scheme := f.Client(p.client)
	h["X-Forwarded-For"] = []string{addr}
	h["X-Forwarded-Proto"] = []string{scheme}
	h["Via"] = append(slices.Clone(h["Via"]), "1.1 "+f.ID) // RFC 9110, section 7.6.3
	delete(h, "Upgrade")
	delete(h, "Connection")
	if p.passage.Ours {
		h["Authorization"] = []string{"Bearer " + p.passage.Token}
	} else if sent := p.client.Header["Authorization"]; sent != nil {
		// though Connection name it: the homeserver would look for a token elsewhere, where nobody has
		h["Authorization"] = sent
	}
	if h["Authorization"] == nil && formToken(pr.In, p.path) {
		delete(h, "Content-Type")
	}
	pr.Out.Close = pr.Out.Close || hangsUp(pr.Out)
	if f.Edits[p.key(pr.In)] != nil {
		delete(h, "Accept-Encoding") // it is read here
	}
}

// hangsUp reports whether the homeserver may answer and close the connection without saying so; then whoever asks next
// on it would be told that it hung up. Synapse does so with a form of files, which it does not take
// (GHSA-rfq8-j7rh-8hf2), and Twisted with what it finds malformed: there the answer ends with the connection, but for
// HEAD it ends at once.
func hangsUp(r *http.Request) bool {
	return r.Method == http.MethodHead ||
		slices.ContainsFunc(r.Header["Content-Type"],
			func(kind string) bool { return strings.Contains(strings.ToLower(kind), "multipart/form-data") })
}

// key is how Edits are found.
func (p *passed) key(r *http.Request) string { return r.Method + " " + p.name }

// newTransport makes connections to the homeserver. It follows no redirect and asks no proxy: it is told where to go.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 256,
		// Less than the minute after which Twisted closes an idle connection: a request that goes out just then fails,
		// and one with a body cannot be sent again.
		IdleConnTimeout:       20 * time.Second,
		ExpectContinueTimeout: 5 * time.Second,
		// A long poll holds its connection all day. Headers fit, and what is larger does not pass through these.
		ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

// buffers are used again.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return new([bufferSize]byte)[:]
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
