// Package mock serves an edited spec in front of a server that really works.
//
// A person who edits an OpenAPI file wants to feel the change with a real client before anybody has written code for
// it. The lab stands before the real handler and knows two specs: the contract, which the real handler implements, and
// the edited one, which is read again at every save.
//
// # Who answers
//
//   - An operation that both have, under the same method and the same shape of path, is real: the real handler answers.
//   - An operation that only the contract has stays real: spec files are often a part of an API.
//   - An operation that only the edited spec has answers from the spec: from its example, or from its schema when there
//     is none.
//   - A status that the edited spec adds to a real operation answers from the spec when a request asks for it, with
//     `Prefer: code=418` or `Postern-Status: 418`. A status that the contract knows too is the real handler's to give.
//   - Neither has it: the real handler's own 404 or 405.
//
// Every answer says who gave it, in the header `Postern-Answered-By: real` or `spec`; the spec's own add `Postern-Spec:
// file:line`.
//
// # Laws
//
//   - Requests are held against the edited spec first; what the edited spec allows and the contract does not is the
//     real handler's to judge.
//   - A real answer is changed in one way only: fields that the edited spec adds are filled in, and named in
//     `Postern-Filled`. Fields that the contract knows and the real handler left out stay out.
//   - Operations that ask for a token get none from the spec: [Config.Authorize] decides.
//   - A save that breaks the spec changes nothing but a line on the console; the last good one is served on.
//
// A client that polls (`since` or `from`, with `timeout`) waits for news that never come, ten seconds at the most;
// answered at once it would ask without end.
//
// It is a workbench, not a proxy to put before users: answers are made up, and two requests know nothing of each other.
//
//	l, err := lab.New(ctx, lab.Config{Real: server.Handler(), Contract: contract, Dir: ".", Files: []string{"login.yaml"}, Out: os.Stdout})
//	http.ListenAndServe("127.0.0.1:8008", l)
package mock

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// Config is all that a lab needs from outside.
type Config struct {
	Real     http.Handler // what really works
	Contract *spec.API    // what Real implements

	Dir   string   // the folder that nothing is read outside of
	Files []string // the edited spec files, by their names in Dir; none: everything is real

	// Authorize is asked for operations that need a token and are answered from the spec. It answers 401 itself and
	// gives false. Without it any token is good.
	Authorize func(http.ResponseWriter, *http.Request) bool
	// Alias gives today's name of an older path, as Real knows it; may be nil.
	Alias func(path string) string
	// Out is the console, which is told what a save changed; may be nil.
	Out io.Writer
	// Now is the clock; time.Now when it is nil.
	Now func() time.Time
}

// Lab is a handler in front of [Config.Real].
type Lab struct {
	config  Config
	current atomic.Pointer[edition]
	broken  bool            // whether the last save could not be used; the watching's own
	ended   <-chan struct{} // closed when the lab is closed, or its context ends
	stop    context.CancelFunc
	stopped chan struct{}
}

// New loads the edited spec and watches its files until the context ends or [Lab.Close]. When the spec cannot be used,
// the error holds every problem; it is then of type [spec.Problems].
func New(ctx context.Context, c Config) (*Lab, error) {
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Alias == nil {
		c.Alias = func(path string) string { return path }
	}
	l := &Lab{config: c, stopped: make(chan struct{})}
	seen := l.stamps(c.Files)
	first, err := l.load()
	if err != nil {
		return nil, err
	}
	l.current.Store(first)
	ctx, l.stop = context.WithCancel(ctx)
	l.ended = ctx.Done()
	if len(c.Files) == 0 {
		close(l.stopped)
		return l, nil
	}
	w, err := newWatcher(c.Dir, c.Files, first.api.Files)
	if err != nil {
		l.stop()
		return nil, err
	}
	go l.watch(ctx, w, seen)
	return l, nil
}

// Close ends the watching of files. Requests that come later are answered by the last spec.
func (l *Lab) Close() {
	l.stop()
	<-l.stopped
}

// Document is the API that is served now, as OpenAPI in JSON. Each operation carries x-postern-answered-by: real or
// spec.
func (l *Lab) Document() []byte { return []byte(l.current.Load().document) }

// Summary tells who answers what, and what the spec refers to that is not there, in lines for the console.
func (l *Lab) Summary() string { return l.current.Load().summary() }

// load reads the edited spec anew. The folder is opened each time: a checkout may have put another one in its place.
func (l *Lab) load() (*edition, error) {
	if len(l.config.Files) == 0 {
		return newEdition(l.config, nil)
	}
	root, err := os.OpenRoot(l.config.Dir)
	if err != nil {
		return nil, fmt.Errorf("the spec's folder cannot be opened: %w", err)
	}
	defer root.Close()
	api, err := spec.Load(spec.Named(root.FS(), filepath.Base(l.config.Dir)), l.config.Files...)
	if err != nil {
		return nil, err
	}
	return newEdition(l.config, api)
}

// ServeHTTP answers one request, from beginning to end by the spec that is served when it begins.
func (l *Lab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := l.current.Load()
	o, values := e.routes.find(r.Method, l.config.Alias(r.URL.EscapedPath()))
	if o == nil || o.edited == nil {
		l.real(w, r, nil)
		return
	}
	asked, wrong := o.preference(r.Header)
	fromSpec := o.contract == nil || asked.code != "" && !o.knows(asked.code)
	if wrong == nil {
		r, wrong = e.check(w, r, o, values, fromSpec)
	}
	switch {
	case wrong != nil:
		wrong.write(w, o.place)
	case !fromSpec:
		l.real(w, r, o.gains)
	default:
		specHeaders(w.Header(), o.place)
		if !o.secured || l.authorized(w, r) {
			l.linger(r, o)
			e.answer(w, o, asked)
		}
	}
}

// real lets the real handler answer.
func (l *Lab) real(w http.ResponseWriter, r *http.Request, gains gains) {
	marked := &realWriter{ResponseWriter: w, gains: gains, preflight: r.Method == http.MethodOptions}
	l.config.Real.ServeHTTP(marked, r)
	marked.finish()
}

// authorized reports whether the request's token opens an operation; if not, it has answered.
func (l *Lab) authorized(w http.ResponseWriter, r *http.Request) bool {
	if l.config.Authorize != nil {
		return l.config.Authorize(w, r)
	}
	if r.Header.Get("Authorization") != "" || r.URL.Query().Get("access_token") != "" {
		return true
	}
	(&refusal{http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token."}).send(w)
	return false
}

// longestPoll is well below the time that a server gives an answer, and that clients give a server.
const longestPoll = 10 * time.Second

// linger lets a poll wait as the spec's own parameter says. Client-Server API v1.19, "Syncing".
func (l *Lab) linger(r *http.Request, o *operation) {
	query := r.URL.Query()
	ms, err := strconv.Atoi(query.Get("timeout"))
	polls := slices.ContainsFunc(o.parameters,
		func(p param) bool { return p.In == openapi3.ParameterInQuery && p.Name == "timeout" })
	if err != nil || ms <= 0 || !polls || !query.Has("since") && !query.Has("from") {
		return
	}
	wait := time.NewTimer(time.Duration(min(ms, int(longestPoll.Milliseconds()))) * time.Millisecond)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
	case <-l.ended: // a server that stops must not wait for it
	}
}
