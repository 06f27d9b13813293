package front

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// patient replaces the server's deadlines, which are for whole requests, by one for each step of a stream: a long poll
// waits, and a large file takes its time, but a client that neither reads nor sends is hung up on.
type patient struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	passed   *passed
}

// Unwrap is for [http.ResponseController].
func (w *patient) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// extend gives the client time to read. An error says that this is no connection of net/http's; then it has no
// deadlines either.
func (w *patient) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.patience)) }

// WriteHeader begins the answer.
func (w *patient) WriteHeader(status int) {
	w.extend()
	if status >= http.StatusOK {
		w.passed.answering.Store(true)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write passes a part of the answer on.
func (w *patient) Write(b []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(b)
}

// reading gives the request's body. Once it is read, the client may wait as long as it likes: net/http takes the
// deadline away then, and goes on listening whether the client hangs up.
func (w *patient) reading(r *http.Request) io.ReadCloser {
	if r.Body == nil || r.Body == http.NoBody {
		return r.Body
	}
	w.passed.sending.Store(true)
	return &sending{ReadCloser: r.Body, to: w}
}

// sending is a body that is being sent.
type sending struct {
	io.ReadCloser
	to    *patient
	ended atomic.Bool // read to its end, or closed
}

// Read waits for the client, and no longer than it may stall.
func (b *sending) Read(into []byte) (int, error) {
	if b.ended.Load() {
		return 0, io.EOF // a deadline set now would be taken for the client's hanging up, or be the next request's
	}
	_ = b.to.control.SetReadDeadline(time.Now().Add(b.to.patience))
	n, err := b.ReadCloser.Read(into)
	b.to.passed.moved.Store(true) // nobody reads before there is a connection to the homeserver
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
		b.to.passed.sending.Store(false)
	case errors.As(err, &timeout) && timeout.Timeout():
		b.to.passed.stalled.Store(true)
	case err != nil:
		b.to.passed.broken.Store(true)
	}
	return n, err
}

// Close ends it.
func (b *sending) Close() error {
	b.ended.Store(true)
	b.to.passed.sending.Store(false)
	return b.ReadCloser.Close()
}
