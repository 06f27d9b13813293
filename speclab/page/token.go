package page

import (
	"encoding/hex"
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

// bench answers the page's macaroon bench.
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
	Addr   string `json:"addr,omitempty"` // of the client; when it is left out, that which the question came from
}

// reply is the answer to a question.
type reply struct {
	Token       string      `json:"token"`     // with the caveats
	Description description `json:"told"`      // what it says
	Signature   string      `json:"signature"` // in hexadecimal
	Before      string      `json:"before"`    // the signature without the caveats that were added
	Verdict     verdict     `json:"verdict"`   // on the token itself
	Requests    []verdict   `json:"requests"`  // in the order of the question
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
	answer, err := b.answer(w, r)
	status, body := http.StatusOK, any(answer)
	var wrong *fault
	if errors.As(err, &wrong) {
		status, body = wrong.status, map[string]*fault{"error": wrong}
	}
	writeJSON(w, status, body)
}

// writeJSON writes an answer that no cache may keep.
func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // unreachable: strings, numbers and booleans
	}
	w.Header().Set("Cache-Control", "no-store")
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
	return b.inspect(r, q)
}

// sameOrigin reports whether the question comes from a page of this server or from no page. Browsers say so in
// Sec-Fetch-Site when the connection is safe; older ones, and other connections, name the page's origin.
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

// signature is a token's signature in hexadecimal.
func signature(token *tokens.Token) string { return hex.EncodeToString(token.Inspect().Signature) }

// inspect adds the caveats to the token and says what became of it.
func (b *bench) inspect(r *http.Request, q question) (*reply, error) {
	original, err := tokens.Decode(q.Token)
	if err != nil {
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
		Token: narrower, Description: describe(token, len(q.Add), now),
		Signature: signature(token), Before: signature(original),
		Verdict: trial.alone(r.Context()), Requests: make([]verdict, len(q.Requests)),
	}
	for i, asked := range q.Requests {
		row, wrong := asked.parse(r)
		if wrong != nil {
			wrong.status, wrong.Index = http.StatusBadRequest, i
			return nil, wrong
		}
		answer.Requests[i] = trial.request(r.Context(), row)
	}
	return answer, nil
}

// parse checks a request as a person may have typed it.
func (q request) parse(r *http.Request) (tokens.Request, *fault) {
	from := q.Addr
	if from == "" {
		from = clientAddr(r)
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

// clientAddr is the address that the question came from.
func clientAddr(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return at.Addr().String()
}
