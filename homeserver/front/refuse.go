package front

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// refuse answers with a Matrix error that pages of any origin may read. Client-Server API v1.19, "Web Browser Clients".
func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]string{"errcode": code, "error": message})
}

// answer writes a JSON object that pages of any origin may read.
func answer(w http.ResponseWriter, status int, object map[string]string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	body, err := json.Marshal(object)
	if err != nil { // unreachable: strings
		body = []byte(`{}`)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // if it fails the client is gone
}

// tryAgain answers 503, after which a client repeats its request by itself in two seconds.
func tryAgain(w http.ResponseWriter, message string) {
	w.Header().Set("Retry-After", strconv.Itoa(2))
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	refuse(w, http.StatusServiceUnavailable, "M_UNKNOWN", message)
}

// errRefused ends a request to the homeserver when the client has its answer already.
var errRefused = errors.New("the request was refused")

// failed answers a request that got no answer from the homeserver.
func (f *Front) failed(w http.ResponseWriter, r *http.Request, err error) {
	s := streamOf(r)
	switch {
	case errors.Is(err, errRefused):
	case s.progress.over.Load():
		f.refuseOver(w, s)
	case f.Stopping.Err() != nil && s.since() != "":
		noNews(w, s.since())
	case f.graceOver.Err() != nil:
		tryAgain(w, "The server is restarting. Try again.")
	case s.progress.stalled.Load():
		refuse(w, http.StatusRequestTimeout, "M_UNKNOWN", "The request was not sent whole in time. Send it again.")
	case r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // the client is gone
	case s.progress.broken.Load():
		refuse(w, http.StatusBadRequest, "M_UNKNOWN", "The body is not as its headers say.")
	case s.progress.taken.Load():
		f.Log.Info("the homeserver hung up on a request with a body; it does so at one that is larger than it takes",
			"path", s.op.Path, "error", err)
		refuse(w, http.StatusBadGateway, "M_UNKNOWN",
			"The homeserver behind this server hung up on the request. Its body may be larger than it takes; if not, "+
				"try again.")
	default:
		f.unreachable(err)
		refuse(w, http.StatusBadGateway, "M_UNKNOWN",
			"The homeserver behind this server does not answer. Try again in a while; if it lasts, tell whoever runs "+
				"it.")
	}
}

// unreachable logs, once, that the homeserver cannot be reached.
func (f *Front) unreachable(err error) {
	if !f.away.Swap(true) {
		f.Log.Error("the homeserver does not answer; look whether it runs, and whether --homeserver is where it "+
			"listens",
			"homeserver", f.Homeserver.Host, "error", err)
	}
}

// reachable logs that the homeserver can be reached again.
func (f *Front) reachable() {
	if f.away.Load() && f.away.Swap(false) {
		f.Log.Info("the homeserver answers again", "homeserver", f.Homeserver.Host)
	}
}
