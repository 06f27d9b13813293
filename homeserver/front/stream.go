package front

import (
	"context"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// stream is a request on its way to the homeserver. All parts of this package find it in the request's context.
type stream struct {
	client      *http.Request // as the client sent it
	path, query string        // as target returns them; the query without a token that moved into the header
	op          Operation
	token       string // the access token that the client sent; "" if none
	pass        Pass   // what it is good for
	refusal     error  // the token is not good, and the operation needs none
	begun       time.Time
	answer      *deadlineWriter // to the client
	progress    progress
}

// progress is how far a stream has come. It is written by the goroutine that reads the client's body and by the one
// that writes the answer.
type progress struct {
	sending   atomic.Bool // the client has a body and has not sent all of it
	taken     atomic.Bool // the homeserver was reached, and the body was read from for it
	answering atomic.Bool // the answer has begun
	stalled   atomic.Bool // the client stopped sending its body
	broken    atomic.Bool // the body is not valid HTTP, or the connection broke
	over      atomic.Bool // the session ended while the request waited
}

// waiting reports whether neither side sends anything.
func (p *progress) waiting() bool { return !p.sending.Load() && !p.answering.Load() }

type streamKey struct{}

// ours reports whether the token is Postern's, and good.
func (s *stream) ours() bool { return s.pass.Session != "" }

// bare reports whether the homeserver gets no token: it needs none, and the client's is refused, or so odd that there
// is none to check.
func (s *stream) bare() bool { return s.refusal != nil || s.op.Open && s.token == "" }

func streamOf(r *http.Request) *stream { return r.Context().Value(streamKey{}).(*stream) }

// stream passes a request on to the homeserver, and the answer back.
func (f *Front) stream(w http.ResponseWriter, r *http.Request, s *stream) {
	if f.refuseLoop(w, r) || refuseLongHead(w, r) {
		return
	}
	s.begun = time.Now()
	if s.token != "" && r.Method != http.MethodOptions { // a preflight request needs no token
		if s.pass, s.refusal = f.Login.Exchange(r, s.path, s.token); s.refusal != nil && !s.op.Open {
			f.Login.Refuse(w, r, s.token, s.refusal)
			return
		}
	}
	if s.ours() || s.bare() {
		s.query = withoutToken(s.query)
	}
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), streamKey{}, s))
	defer cancel()
	until := f.graceOver
	if s.since() != "" {
		until = f.Stopping
	}
	stop := context.AfterFunc(until, func() {
		if s.progress.waiting() {
			cancel() // what moves may finish within the time that the server gives itself
		}
	})
	defer stop()
	defer f.watch.add(s, cancel)()
	s.answer = &deadlineWriter{ResponseWriter: w, control: http.NewResponseController(w), patience: f.Patience,
		progress: &s.progress}
	defer s.answer.extend() // for what net/http writes at the end
	r = r.WithContext(ctx)
	if err := f.awaitBody(r, s); err != nil {
		f.failed(s.answer, r, err)
		return
	}
	f.proxy.ServeHTTP(s.answer, r)
}

// awaitBody waits until there is something to send to the homeserver, since each request holds a connection to it. A
// client without a good token has to send all of its body first, up to what fits a buffer, and the rest in time.
func (f *Front) awaitBody(r *http.Request, s *stream) error {
	switch body := s.answer.bodyOf(r); {
	case body == nil:
		return nil
	case !s.pass.Trusted:
		return body.fetchAll(f.strangerTime)
	case r.Header["Expect"] != nil:
		return nil // it waits for the homeserver's answer to that
	default:
		return body.fetch()
	}
}

// refuseLoop refuses a request that this front has sent itself, and reports whether it did.
func (f *Front) refuseLoop(w http.ResponseWriter, r *http.Request) bool {
	if !slices.ContainsFunc(r.Header["Via"], func(via string) bool { return strings.Contains(via, f.id) }) {
		return false
	}
	f.logLoop.Do(func() {
		f.Log.Error("--homeserver leads back to this server; give it the address where Synapse listens",
			"homeserver", f.Homeserver.Host)
	})
	refuse(w, http.StatusLoopDetected, "M_UNKNOWN",
		"The homeserver's address leads back to this server. Whoever runs it has to set --homeserver to where "+
			"Synapse listens.")
	return true
}

// Twisted takes 16 KiB and 500 headers before the body of a request; these are less by what is added here. On more it
// closes the connection, as if the homeserver were away.
const (
	maxHeadBytes = 15 << 10
	maxHeaders   = 480
)

// refuseLongHead refuses a request whose head Twisted would not take, and reports whether it did.
func refuseLongHead(w http.ResponseWriter, r *http.Request) bool {
	bytes, headers := headSize(r)
	if bytes <= maxHeadBytes && headers <= maxHeaders {
		return false
	}
	refuse(w, http.StatusRequestHeaderFieldsTooLarge, "M_TOO_LARGE", "The request's address and headers are too long.")
	return true
}

// headSize is the length of a request before its body, and the number of its headers.
func headSize(r *http.Request) (bytes, headers int) {
	bytes = len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		headers += len(values)
		for _, value := range values {
			bytes += len(name) + len(value) + len(": \r\n")
		}
	}
	return bytes, headers
}

// rewrite makes the request to the homeserver. [httputil.ReverseProxy] has removed the hop-by-hop headers and the
// forwarding headers of other proxies before.
func (f *Front) rewrite(pr *httputil.ProxyRequest) {
	s := streamOf(pr.In)
	setTarget(pr.Out.URL, f.Homeserver, s.path, s.query)
	pr.Out.Host = pr.In.Host
	h := pr.Out.Header
	addr, scheme := f.Login.Client(s.client)
	h["X-Forwarded-For"] = []string{addr}
	h["X-Forwarded-Proto"] = []string{scheme}
	h["Via"] = append(slices.Clone(h["Via"]), "1.1 "+f.id) // RFC 9110, section 7.6.3
	delete(h, "Upgrade")
	delete(h, "Connection")
	switch sent := s.client.Header["Authorization"]; {
	case s.bare():
		delete(h, "Authorization")
	case s.ours():
		h["Authorization"] = []string{"Bearer " + s.pass.Token}
	case sent != nil:
		// Even if Connection names it and ReverseProxy has removed it: without this header the homeserver would take a
		// token from the query, which was not checked.
		h["Authorization"] = sent
	}
	if h["Authorization"] == nil && mayHoldToken(pr.In, s.path) {
		delete(h, "Content-Type")
	}
	pr.Out.Close = pr.Out.Close || mayHangUp(pr.Out)
	if s.op.Edit != nil {
		delete(h, "Accept-Encoding") // the answer is parsed here
	}
}

// mayHangUp reports whether the homeserver may close the connection after its answer without saying so; the next
// request on the connection would fail. Synapse does so after a multipart/form-data body, which it does not accept
// (GHSA-rfq8-j7rh-8hf2), and Twisted after a request that it finds malformed. There the end of the answer is the end of
// the connection, so nothing is sent after it; but an answer to HEAD ends with its headers.
func mayHangUp(r *http.Request) bool {
	return r.Method == http.MethodHead ||
		slices.ContainsFunc(r.Header["Content-Type"],
			func(kind string) bool { return strings.Contains(strings.ToLower(kind), "multipart/form-data") })
}
