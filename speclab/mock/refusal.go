package mock

import (
	"encoding/json"
	"net/http"
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
	_, _ = w.Write(append(raw, '\n')) // a line in a terminal, as the real answers are; the client may be gone
}
