// Package mock answers the part of an API that nobody has implemented yet, from its spec.
//
// A person who edits an OpenAPI file wants to try the change with a real client before anybody has written code for it.
// The mock server is in front of the real handler and has two specs: the contract, which the real handler implements,
// and the edited one, which is read again after every save.
//
// # Who answers
//
//   - An operation that both have, under the same method and the same shape of path, is real: the real handler answers.
//   - An operation that only the contract has stays real: spec files are often a part of an API.
//   - An operation that only the edited spec has answers from the spec: from its example, or from its schema when there
//     is none.
//   - A status that the edited spec adds to a real operation answers from the spec when a request asks for it, with
//     `Prefer: code=418` or `Postern-Status: 418`. A status that the contract knows too is the real handler's to give.
//   - An example of an operation of the edited spec answers when a request asks for it by name, with
//     `Prefer: example=NAME`, real operation or not. So does a value made at random of its schema, with
//     `Prefer: dynamic=true`.
//   - A method that a path of the spec's does not have is 405 with those that it has.
//   - Neither has it: the real handler's own 404 or 405.
//
// Every answer says which of the two gave it, in the header `Postern-Answered-By: real` or `spec`; the spec's own add
// `Postern-Spec: file:line`.
//
// # Laws
//
//   - Requests are validated against the edited spec first. The real handler decides about what the edited spec allows
//     and the contract does not.
//   - A real answer is changed in one way only: fields that the edited spec adds are filled in, and named in
//     `Postern-Filled`. Fields that the contract knows and the real handler left out stay out.
//   - An operation that needs a token is answered from the spec only if [Config.Authorize] accepts the token.
//   - A save that breaks the spec prints why. The last good spec is served on.
//
// A client that polls (`since` or `from`, with `timeout`) waits for news that never come, ten seconds at the most;
// answered at once it would ask without end.
//
// It is for development, not a proxy to put before users: answers are made up, and no request changes the answer of
// another.
//
//	s, err := mock.New(ctx, mock.Config{
//		Real: handler, Contract: contract, Dir: ".", Files: []string{"login.yaml"}, Out: os.Stdout,
//	})
//	http.ListenAndServe("127.0.0.1:8008", s)
//
// # The files, in reading order
//
// server.go sends each request to the real handler or to the spec; routes.go finds its operation. edition.go is one
// version of the edited spec, reload.go and watcher.go replace it after a save, summary.go and document.go describe it
// on the console and for the page; choices.go lists which answers one may ask for.
//
// preference.go reads what a request asks of the answer, request.go validates it (validate.go its values), answer.go
// makes the answer. Where the spec has no example, value.go makes a value that fits its schema: scalar.go the strings
// and numbers, flatten.go one schema of several, dynamic.go draws at random.
//
// realanswer.go passes on the real handler's answer, with the fields that additions.go found. headers.go has the
// headers of all answers, refusal.go the errors.
package mock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/requests"
	"postern/speclab/spec"
)

// Config is what a server needs.
type Config struct {
	Real     http.Handler // implements Contract
	Contract *spec.API

	Dir   string   // the folder that nothing is read outside of
	Files []string // the edited spec files, by their names in Dir; none: everything is real

	// Authorize reports whether a request's token is good; if not, it has written the answer. It is called for
	// operations that need a token and are answered from the spec. Without it any token is good.
	Authorize func(http.ResponseWriter, *http.Request) bool
	// Alias gives the path that Real has for another name of it (r0 for v3), or the path itself; may be nil.
	Alias func(path string) string
	// Out gets a line about each save: what it changed, or why it cannot be served; may be nil.
	Out io.Writer
	// Now is the clock; time.Now when it is nil.
	Now func() time.Time
}

// Server is a handler in front of [Config.Real].
type Server struct {
	config   Config
	current  atomic.Pointer[edition]
	document atomic.Value    // a string: that of current, and what is wrong with a later save
	broken   bool            // whether the last save could not be used; only watch uses it
	ended    <-chan struct{} // closed when the server is closed, or its context ends
	stop     context.CancelFunc
	stopped  chan struct{}
}

// New loads the edited spec and watches its files until the context ends or [Server.Close]. When the spec cannot be
// used, the error holds every problem; it is then of type [spec.Problems].
func New(ctx context.Context, c Config) (*Server, error) {
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Alias == nil {
		c.Alias = func(path string) string { return path }
	}
	s := &Server{config: c, stopped: make(chan struct{})}
	before := stamps(c.Dir, c.Files)
	first, err := s.load()
	if err != nil {
		return nil, err
	}
	s.serve(first)
	ctx, s.stop = context.WithCancel(ctx)
	s.ended = ctx.Done()
	if len(c.Files) == 0 {
		close(s.stopped)
		return s, nil
	}
	w, err := newWatcher(c.Dir, slices.Concat(c.Files, first.api.Files))
	if err != nil {
		s.stop()
		return nil, err
	}
	go s.watch(ctx, w, before)
	return s, nil
}

// Close stops watching the files. Requests that come later are answered by the last spec.
func (s *Server) Close() {
	s.stop()
	<-s.stopped
}

// Document is the API that is served now, as OpenAPI in JSON. Each operation carries x-postern-answered-by: real or
// spec. While the last save is broken, x-postern-broken says why.
func (s *Server) Document() string { return s.document.Load().(string) }

// serve makes an edition the current one.
func (s *Server) serve(e *edition) {
	s.current.Store(e)
	s.document.Store(e.document)
}

// Summary lists, for the console, which operations are real, and the warnings of the spec.
func (s *Server) Summary() string {
	e := s.current.Load()
	return e.summary() + warningLines(nil, e.warnings())
}

// load reads the edited spec.
func (s *Server) load() (*edition, error) {
	if len(s.config.Files) == 0 {
		return newEdition(s.config, nil)
	}
	files := spec.Files{Dir: s.config.Dir, Names: s.config.Files}
	api, err := files.Load()
	var problems spec.Problems
	if errors.As(err, &problems) {
		return nil, problems.In(files.Folder())
	}
	if err != nil {
		return nil, err
	}
	e, err := newEdition(s.config, api)
	if err == nil {
		e.warnings = func() spec.Problems { return api.Warnings().In(files.Folder()) }
	}
	return e, err
}

// ServeHTTP answers one request by the spec that is current when it begins.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, path := s.current.Load(), s.config.Alias(r.URL.EscapedPath())
	asked, r := readPreference(r)
	o, values := e.routes.find(r.Method, path)
	note := requests.NoteOf(r.Context())
	if o != nil {
		note.Operation = o.id
	} else if e.refusesMethod(w, r.Method, path) {
		return
	}
	if o == nil || o.edited == nil {
		s.real(w, r, nil)
		return
	}
	asked, wrong := asked.check(o)
	fromSpec := o.contract == nil || asked.example != "" || asked.isDynamic() || asked.code != "" &&
		!o.inContract(asked.code)
	if wrong == nil {
		r, wrong = e.check(w, r, o, values, fromSpec)
	}
	switch {
	case wrong != nil:
		note.Violation = wrong.message
		wrong.write(w, o.place)
	case !fromSpec:
		s.real(w, r, o.additions)
	default:
		specHeaders(w.Header(), o.place)
		if !o.secured || s.authorized(w, r) {
			s.waitForPoll(r, o)
			e.answer(w, o, asked)
		}
	}
}

// refusesMethod refuses a method that a path does not have, and reports whether it did. Where all of the path is real,
// the real handler refuses, and it answers all preflights. RFC 9110, section 15.5.6.
func (e *edition) refusesMethod(w http.ResponseWriter, method, path string) bool {
	there := e.routes.at(path)
	methods := slices.Sorted(maps.Keys(there))
	i := slices.IndexFunc(methods, func(method string) bool { return there[method].contract == nil })
	if i < 0 || method == http.MethodOptions {
		return false
	}
	place := there[methods[i]].place
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	methods = slices.Compact(append([]string{http.MethodOptions}, methods...))
	w.Header().Set("Allow", strings.Join(methods, ", "))
	(&refusal{http.StatusMethodNotAllowed, "M_UNRECOGNIZED",
		fmt.Sprintf("%s is not one of this path's methods: %s (%s)", method, strings.Join(methods, ", "), place),
	}).write(w, place)
	return true
}

// real lets the real handler answer.
func (s *Server) real(w http.ResponseWriter, r *http.Request, additions additions) {
	marked := &realWriter{ResponseWriter: w, additions: additions, preflight: r.Method == http.MethodOptions}
	s.config.Real.ServeHTTP(marked, r)
	marked.finish()
}

// authorized reports whether the request's token opens an operation; if not, it has answered.
func (s *Server) authorized(w http.ResponseWriter, r *http.Request) bool {
	if s.config.Authorize != nil {
		return s.config.Authorize(w, r)
	}
	if r.Header.Get("Authorization") != "" || r.URL.Query().Get("access_token") != "" {
		return true
	}
	(&refusal{http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token."}).send(w)
	return false
}

// longestPoll is well below the write timeout of the server, and the patience of clients.
const longestPoll = 10 * time.Second

// waitForPoll lets a poll wait as long as its parameter says. Client-Server API v1.19, "Syncing".
func (s *Server) waitForPoll(r *http.Request, o *operation) {
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
	case <-s.ended: // a server that stops must not wait for it
	}
}
