package front

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// deadlineWriter writes an answer to a client. It replaces the server's deadlines, which are for whole requests, by a
// new one for each write, and deadlineBody does so for each read. So a long poll may wait and a large file may take its
// time, but a client that neither reads nor sends is disconnected.
type deadlineWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	progress *progress
	held     bool // a part of the answer may wait in net/http's buffers
}

// Unwrap is for [http.ResponseController].
func (w *deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// extend gives the client time to read. The error, which is ignored, says that this is not a connection of net/http; it
// has no deadlines then.
func (w *deadlineWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.patience)) }

// WriteHeader begins the answer.
func (w *deadlineWriter) WriteHeader(status int) {
	w.extend()
	if status >= http.StatusOK {
		w.progress.answering.Store(true)
		w.held = true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the answer.
func (w *deadlineWriter) Write(b []byte) (int, error) {
	w.extend()
	w.held = true
	return w.ResponseWriter.Write(b)
}

// flush sends the client what is held back. It is called before each wait for more of the answer, and not after each
// write: a small answer, which comes in one piece, goes in one piece.
func (w *deadlineWriter) flush() {
	if w.held {
		w.held = false
		_ = w.control.Flush() // if it fails the client is gone, which the next write tells
	}
}

// FlushError does nothing: [httputil.ReverseProxy] would flush after each write of some answers.
func (w *deadlineWriter) FlushError() error { return nil }

// flushing is the body of an answer by http.Transport.
type flushing struct {
	io.ReadCloser
	client *deadlineWriter
}

// Read reads a part of the answer. What is held back is sent first, since this may take any time.
func (b *flushing) Read(into []byte) (int, error) {
	b.client.flush()
	return b.ReadCloser.Read(into)
}

// bodyOf gives the client's request a body with deadlines. It is nil for a request without one.
func (w *deadlineWriter) bodyOf(r *http.Request) *deadlineBody {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	w.progress.sending.Store(true)
	b := &deadlineBody{ReadCloser: r.Body, writer: w}
	r.Body = b
	return b
}

// deadlineBody is the body of a client's request. When it is read to its end, the client may wait as long as it likes:
// net/http removes the deadline then, and only watches whether the client closes the connection.
type deadlineBody struct {
	io.ReadCloser
	writer *deadlineWriter
	until  time.Time    // when a stranger's must have been sent; zero: any time
	head   bytes.Buffer // its beginning, if it was read before the homeserver is asked
}

// strangerPace is how many bytes of a stranger's body earn it another second. An honest one comes faster, and one that
// holds a connection to the homeserver has to pay for it.
const strangerPace = 16 << 10

// fetchAll reads the beginning of a stranger's body, or all of it if it is short. It may take that time, and more as
// strangerPace says.
func (b *deadlineBody) fetchAll(within time.Duration) error {
	b.until = time.Now().Add(within)
	_, err := b.head.ReadFrom(io.LimitReader(readerFunc(b.read), bufferSize))
	return err
}

// fetch waits until the client sends something. That may be all, as of most messages.
func (b *deadlineBody) fetch() error {
	first := make([]byte, 4<<10)
	n, err := b.read(first)
	b.head.Write(first[:n])
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(into []byte) (int, error) { return f(into) }

// Read reads for the homeserver.
func (b *deadlineBody) Read(into []byte) (int, error) {
	b.writer.progress.taken.Store(true) // the transport reads only when it has a connection to the homeserver
	if b.head.Len() > 0 {
		return b.head.Read(into)
	}
	return b.read(into)
}

// read waits for the client, but no longer than its patience.
func (b *deadlineBody) read(into []byte) (int, error) {
	progress := b.writer.progress
	if !progress.sending.Load() {
		// At its end or closed. A deadline that is set now would look as if the client closed the connection, or hit
		// the next request on it.
		return 0, io.EOF
	}
	deadline := time.Now().Add(b.writer.patience)
	if !b.until.IsZero() && b.until.Before(deadline) {
		deadline = b.until
	}
	_ = b.writer.control.SetReadDeadline(deadline)
	n, err := b.ReadCloser.Read(into)
	if !b.until.IsZero() {
		b.until = b.until.Add(time.Duration(n) * time.Second / strangerPace)
	}
	var network net.Error
	switch {
	case errors.Is(err, io.EOF):
		progress.sending.Store(false)
	case errors.As(err, &network) && network.Timeout():
		progress.stalled.Store(true)
	case err != nil:
		progress.broken.Store(true)
	}
	return n, err
}

// Close ends the body, read or not.
func (b *deadlineBody) Close() error {
	b.writer.progress.sending.Store(false)
	return b.ReadCloser.Close()
}
