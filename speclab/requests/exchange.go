package requests

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// exchange is a request and its answer while they pass.
type exchange struct {
	note    Note
	began   time.Time
	took    time.Duration
	url     url.URL // as it came: handlers know some paths by another name, and write it there
	request *http.Request
	body    requestBody
	answer  answer
	ended   bool // whether the handler came to its end
}

// preflight reports whether a browser asks whether it may ask. Fetch Standard, "CORS-preflight request".
func (x *exchange) preflight() bool {
	return x.request.Method == http.MethodOptions && x.request.Header.Get("Access-Control-Request-Method") != ""
}

// sample is the beginning of a body, and how long all of it was.
type sample struct {
	kept []byte
	size int64
}

func (s *sample) take(p []byte) {
	s.size += int64(len(p))
	s.kept = append(s.kept, p[:min(len(p), maxBody-len(s.kept))]...)
}

// cut reports whether there was more than was kept.
func (s *sample) cut() bool { return s.size > int64(len(s.kept)) }

// requestBody notes what a handler reads. What it leaves unread is not in the log.
type requestBody struct {
	io.ReadCloser
	sample
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.take(p[:n])
	return n, err
}

// answer passes on what a handler writes, and notes it.
type answer struct {
	http.ResponseWriter
	status int
	header http.Header // as it was sent
	sample
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 { // else more is to come
		a.status, a.header = status, a.Header().Clone()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	n, err := a.ResponseWriter.Write(p)
	a.take(p[:n])
	return n, err
}

// Flush implements http.Flusher, for what streams.
func (a *answer) Flush() {
	a.begin()
	_ = http.NewResponseController(a.ResponseWriter).Flush() // not every writer can
}

// Hijack implements http.Hijacker: what takes the connection has answered.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil && a.status == 0 {
		a.status = http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// begin notes the status of an answer whose handler says none.
func (a *answer) begin() {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
}

// plain reports whether a body is sent as it is, and not compressed.
func plain(h http.Header) bool {
	coding := h.Get("Content-Encoding")
	return coding == "" || strings.EqualFold(coding, "identity")
}
