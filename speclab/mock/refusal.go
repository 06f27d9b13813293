package mock

import (
	"encoding/json"
	"net/http"
	"strings"
)

// refusal is a Matrix error.
type refusal struct {
	status  int
	code    string
	message string
}

func badRequest(code, message string) *refusal {
	return &refusal{http.StatusBadRequest, code, message}
}

// write answers for the spec.
func (f *refusal) write(w http.ResponseWriter, place string) {
	specHeaders(w.Header(), place)
	f.send(w)
}

func (f *refusal) send(w http.ResponseWriter) {
	raw, err := json.Marshal(map[string]string{"errcode": f.code, "error": f.message})
	if err != nil { // unreachable: strings
		raw = []byte(`{"errcode":"M_UNKNOWN"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_, _ = w.Write(append(raw, '\n')) // a line in a terminal, as the real answers are; who asked may be gone
}

// The headers of the lab.
const (
	answeredBy = "Postern-Answered-By"
	filled     = "Postern-Filled"
	specPlace  = "Postern-Spec"
	statusAsk  = "Postern-Status"
)

// specHeaders are on every answer of the spec: the lab's own, and those that Postern sets, so that a web client can
// call both. Client-Server API v1.19, "Web Browser Clients".
func specHeaders(h http.Header, place string) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// an example may be HTML, and the page's session is on this origin
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization")
	allowAsking(h)
	h.Set(answeredBy, "spec")
	h.Set(specPlace, place)
	expose(h, answeredBy, specPlace, "Retry-After")
}

// allowAsking lets web clients ask for a status where they may ask at all.
func allowAsking(h http.Header) { extend(h, "Access-Control-Allow-Headers", "Prefer", statusAsk) }

// expose lets web clients read headers.
func expose(h http.Header, names ...string) { extend(h, "Access-Control-Expose-Headers", names...) }

// extend adds to a header that is a list.
func extend(h http.Header, list string, names ...string) {
	have := h.Get(list)
	for _, name := range names {
		if !strings.Contains(strings.ToLower(", "+have+","), strings.ToLower(", "+name+",")) {
			have = strings.TrimPrefix(have+", "+name, ", ")
		}
	}
	h.Set(list, have)
}
