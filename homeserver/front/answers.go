package front

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// refuse answers with a Matrix error that pages of any origin may read. Client-Server API v1.19, "Web Browser Clients".
func refuse(w http.ResponseWriter, status int, code, message string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	body, err := json.Marshal(map[string]string{"errcode": code, "error": message})
	if err != nil { // unreachable: strings
		body = []byte(`{"errcode":"M_UNKNOWN"}`)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has gone does not read it
}

// later is a refusal after which a client tries again by itself.
func later(w http.ResponseWriter, seconds int, message string) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	refuse(w, http.StatusServiceUnavailable, "M_UNKNOWN", message)
}

// errStopping is why a request was ended when the server stops.
var errStopping = errors.New("the server is stopping")

// failed answers for a homeserver that did not.
func (f *Front) failed(w http.ResponseWriter, r *http.Request, err error) {
	p := passing(r)
	switch {
	case p.stopped():
		later(w, 2, "The server is restarting. Try again.")
	case p.stalled.Load():
		refuse(w, http.StatusRequestTimeout, "M_UNKNOWN", "The request was not sent whole in time. Send it again.")
	case r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // the client has gone
	case p.broken.Load():
		refuse(w, http.StatusBadRequest, "M_UNKNOWN", "The body is not as its headers say.")
	case p.moved.Load():
		f.Log.Info("the homeserver hung up on a request with a body; it does so at one that is larger than it takes",
			"path", p.name, "error", err)
		refuse(w, http.StatusBadGateway, "M_UNKNOWN",
			"The homeserver behind this server hung up on the request. Its body may be larger than it takes; if not, "+
				"try again.")
	default:
		if !f.away.Swap(true) {
			f.Log.Error("the homeserver does not answer; look whether it runs, and whether --homeserver is where it "+
				"listens",
				"homeserver", f.Homeserver.Host, "error", err)
		}
		refuse(w, http.StatusBadGateway, "M_UNKNOWN",
			"The homeserver behind this server does not answer. Try again in a while; if it lasts, tell whoever runs "+
				"it.")
	}
}

// answered notes that the homeserver is there.
func (f *Front) answered() {
	if f.away.Load() && f.away.Swap(false) {
		f.Log.Info("the homeserver answers again", "homeserver", f.Homeserver.Host)
	}
}

// A page is an answer that is written into memory first.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newPage() *page { return &page{header: make(http.Header), status: http.StatusOK} }

func (p *page) Header() http.Header         { return p.header }
func (p *page) WriteHeader(status int)      { p.status = status }
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }

// response is the page as if the homeserver had sent it.
func (p *page) response(r *http.Request) *http.Response {
	return remade(&http.Response{
		StatusCode: p.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: p.header, Request: r,
	}, p.body.Bytes())
}

// remade is a response with another body.
func remade(res *http.Response, body []byte) *http.Response {
	res.Status = strconv.Itoa(res.StatusCode) + " " + http.StatusText(res.StatusCode)
	res.Body = whole{bytes.NewReader(body)}
	res.ContentLength, res.TransferEncoding, res.Trailer = int64(len(body)), nil, nil
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return res
}

// whole needs no closing.
type whole struct{ *bytes.Reader }

func (whole) Close() error { return nil }

// isJSON reports whether a response can be read as JSON: it is, and not compressed.
func isJSON(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/json") && h.Get("Content-Encoding") == ""
}
