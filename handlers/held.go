package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
)

// held is an answer of the homeserver that is looked at before the client has it.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

var errLong = errors.New("the homeserver's answer is longer than any to such a request")

// ask sends a request on and keeps the answer. It is asked for as plain text, since it is to be read here.
func ask(next http.Handler, r *http.Request) (*held, error) {
	r.Header.Del("Accept-Encoding")
	k := &held{header: make(http.Header)}
	next.ServeHTTP(k, r)
	if k.body.Len() > maxBody {
		return nil, homeserverAway(errLong)
	}
	return k, nil
}

// Header implements http.ResponseWriter.
func (k *held) Header() http.Header { return k.header }

// WriteHeader implements http.ResponseWriter.
func (k *held) WriteHeader(status int) {
	if k.status == 0 && status >= http.StatusOK {
		k.status = status
	}
}

// Write implements http.ResponseWriter.
func (k *held) Write(text []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	if k.body.Len() > maxBody {
		return 0, errLong
	}
	return k.body.Write(text)
}

// forward gives the client the answer as it came.
func (k *held) forward(w http.ResponseWriter) {
	for name, values := range k.header {
		w.Header()[name] = values
	}
	w.WriteHeader(max(k.status, http.StatusOK))
	_, _ = w.Write(k.body.Bytes()) // if it fails the client is gone
}

// read decodes the answer, if it is JSON.
func (k *held) read(into any) error { return json.Unmarshal(k.body.Bytes(), into) }
