package page

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"postern/tokens"
)

// maxBody is far more than the longest token, all the caveats it can take, and a request for every operation of Matrix.
const maxBody = 64 << 10

// bench works the macaroon bench.
type bench struct {
	judge judge
	now   func() time.Time
}

// question is the body of POST …/token.
type question struct {
	Token    string    `json:"token"`
	Add      []string  `json:"add"`      // caveats, to be appended in this order
	Requests []request `json:"requests"` // to hold the token against
}

// request is a row of the table.
type request struct {
	Method string `json:"method"`
	Path   string `json:"path"`           // percent-encoded, without the query
	Addr   string `json:"addr,omitempty"` // of the client; the asker's own when it is left out
}

// reply is the answer to a question.
type reply struct {
	Token     string    `json:"token"`     // with the caveats
	Told      told      `json:"told"`      // what it says
	Signature string    `json:"signature"` // in hexadecimal
	Before    string    `json:"before"`    // the signature without the caveats that were added
	Verdict   verdict   `json:"verdict"`   // on the token itself
	Requests  []verdict `json:"requests"`  // in the order of the question
}

// fault is what is wrong with a question, and at which field.
type fault struct {
	status  int
	Field   string `json:"field,omitempty"` // token, add, or of a request method, path or addr
	Index   int    `json:"index"`           // which caveat of add, or which request
	Message string `json:"message"`
}

func (f *fault) Error() string { return f.Message }

func (b *bench) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	answer, err := b.answer(w, r)
	status, body := http.StatusOK, any(answer)
	var wrong *fault
	if errors.As(err, &wrong) {
		status, body = wrong.status, map[string]*fault{"error": wrong}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // unreachable: strings, numbers and booleans
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text) // what fails here, the client has given up
}

// answer gives the reply or a fault.
func (b *bench) answer(w http.ResponseWriter, r *http.Request) (*reply, error) {
	if !sameOrigin(r) {
		return nil, &fault{status: http.StatusForbidden, Message: "The page of another site may not ask this."}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &fault{status: http.StatusUnsupportedMediaType, Message: "Send JSON, as application/json."}
	}
	var q question
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&q); err != nil {
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			return nil, &fault{status: http.StatusRequestEntityTooLarge, Message: "That is more than 64 KiB."}
		}
		return nil, &fault{status: http.StatusBadRequest, Message: "The body is not the JSON that this endpoint reads."}
	}
	return b.look(r, q)
}

// sameOrigin reports whether a page of this server asks, or no page at all. Browsers of today say so in Sec-Fetch-Site,
// where they believe the connection safe; older ones, and those elsewhere, name the page's origin.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true // a program; it has only what it brings
	}
	from, err := url.Parse(origin)
	return err == nil && from.Host == r.Host
}

func (b *bench) look(r *http.Request, q question) (*reply, error) {
	if _, err := tokens.Decode(q.Token); err != nil {
		return nil, &fault{status: http.StatusBadRequest, Field: "token", Message: badToken(q.Token, err)}
	}
	narrower := q.Token
	for i, text := range q.Add {
		caveat, err := tokens.ParseCaveat(text)
		if err == nil {
			narrower, err = tokens.Restrict(narrower, caveat)
		}
		if err != nil {
			return nil, &fault{status: http.StatusBadRequest, Field: "add", Index: i, Message: badCaveat(err)}
		}
	}
	token, err := tokens.Decode(narrower)
	if err != nil {
		// unreachable
		return nil, &fault{status: http.StatusBadRequest, Field: "token", Message: badToken(narrower, err)}
	}
	now := b.now()
	trial := trial{judge: b.judge, token: narrower, kind: claimedType(token), now: now}
	answer := &reply{
		Token: narrower, Told: tell(token, len(q.Add), now), Signature: signature(narrower), Before: signature(q.Token),
		Verdict: trial.itself(r.Context()), Requests: make([]verdict, len(q.Requests)),
	}
	for i, asked := range q.Requests {
		row, wrong := asked.read(r)
		if wrong != nil {
			wrong.status, wrong.Index = http.StatusBadRequest, i
			return nil, wrong
		}
		answer.Requests[i] = trial.request(r.Context(), row)
	}
	return answer, nil
}

// read checks what a person may have typed.
func (q request) read(r *http.Request) (tokens.Request, *fault) {
	from := q.Addr
	if from == "" {
		from = asker(r)
	}
	addr, err := netip.ParseAddr(from)
	if err != nil {
		return tokens.Request{}, &fault{Field: "addr",
			Message: "That is not an address; write it like 192.0.2.1 or 2001:db8::1."}
	}
	if !slices.Contains(methods, q.Method) {
		return tokens.Request{}, &fault{Field: "method",
			Message: "That is not a method; GET, POST, PUT and DELETE are, in capitals."}
	}
	if at, err := url.ParseRequestURI(q.Path); err != nil || q.Path[0] != '/' || at.RawQuery != "" {
		return tokens.Request{}, &fault{Field: "path",
			Message: "A path begins with a slash and has no question mark; write it like /_matrix/client/v3/sync."}
	}
	return tokens.Request{Method: q.Method, Path: q.Path, Addr: addr.Unmap()}, nil
}

// methods are those that an OpenAPI document can have operations for.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodTrace,
}

// asker is the address of who asks.
func asker(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return at.Addr().String()
}
