package mock

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"postern/speclab/spec"
)

// realWriter marks the real handler's answer. JSON that the edited spec may add fields to is held back until it is
// whole; everything else streams through.
type realWriter struct {
	http.ResponseWriter
	additions additions
	preflight bool

	begun  bool
	status int
	added  []addition // to an answer of this status
	held   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (w *realWriter) WriteHeader(status int) {
	if w.begun {
		return
	}
	if status < 200 { // more is to come
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.begun, w.status = true, status
	h := w.Header()
	h.Set(answeredBy, "real")
	if h.Get("Access-Control-Allow-Origin") != "" {
		expose(h, answeredBy, filled)
		if w.preflight {
			allowAsking(h)
			extend(h, "Access-Control-Allow-Methods", http.MethodPatch) // Matrix has none, other specs do
		}
	}
	if spec.IsJSON(h.Get("Content-Type")) && h.Get("Content-Encoding") == "" {
		w.added = w.additions.of(status)
	}
	if len(w.added) == 0 {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements io.Writer.
func (w *realWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if len(w.added) > 0 {
		return w.held.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, for what streams.
func (w *realWriter) Flush() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if len(w.added) == 0 {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // not every writer can
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *realWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish sends what was held back, with the fields that are added.
func (w *realWriter) finish() {
	if !w.begun {
		w.WriteHeader(http.StatusOK) // a handler that writes nothing has answered 200
	}
	if len(w.added) == 0 {
		return
	}
	raw := w.held.Bytes()
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // numbers are to go out as they came
	var value any
	if err := decoder.Decode(&value); err == nil {
		if names := fill(value, w.added); len(names) > 0 {
			if more, err := spec.JSON(value); err == nil {
				raw = more
				w.Header().Set(filled, strings.Join(names, ", "))
			}
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.ResponseWriter.WriteHeader(w.status)
	_, _ = w.ResponseWriter.Write(raw) // the client may be gone
}
