package amend

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"postern/handlers"
)

// Answer keeps an answer of the homeserver, to be looked at before the client has it.
type Answer struct {
	Status int
	header http.Header
	body   bytes.Buffer
}

// forwardTime is how long a client may take to read an answer.
const forwardTime = 30 * time.Second

var errLong = errors.New("the homeserver's answer is longer than any to such a request")

// Ask sends a request on and keeps the answer. It is asked for as plain text, since it is to be read here.
func Ask(next http.Handler, r *http.Request) (*Answer, error) {
	r.Header.Del("Accept-Encoding")
	rec := &Answer{header: make(http.Header)}
	next.ServeHTTP(rec, r)
	if rec.body.Len() > handlers.MaxBody {
		return nil, Away(errLong)
	}
	return rec, nil
}

// Header implements http.ResponseWriter.
func (rec *Answer) Header() http.Header { return rec.header }

// WriteHeader implements http.ResponseWriter.
func (rec *Answer) WriteHeader(status int) {
	if rec.Status == 0 && status >= http.StatusOK {
		rec.Status = status
	}
}

// Write implements http.ResponseWriter.
func (rec *Answer) Write(text []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	if rec.body.Len() > handlers.MaxBody {
		return 0, errLong
	}
	return rec.body.Write(text)
}

// Forward gives the client the answer as it came.
func (rec *Answer) Forward(w http.ResponseWriter) {
	Late(w)
	for name, values := range rec.header {
		w.Header()[name] = values
	}
	w.WriteHeader(max(rec.Status, http.StatusOK))
	_, _ = w.Write(rec.body.Bytes()) // if it fails the client is gone
}

// Late gives a client time to read an answer for which the homeserver may have taken longer than this server may.
func Late(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(forwardTime))
}

// Read decodes the answer, if it is JSON.
func (rec *Answer) Read(into any) error { return json.Unmarshal(rec.body.Bytes(), into) }
