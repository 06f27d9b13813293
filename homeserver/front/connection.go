package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"syscall"
	"time"
)

// connection is one of the pool's connections to the homeserver. One request uses it at a time.
type connection struct {
	*net.TCPConn
	raw       syscall.RawConn
	pool      *pool
	in        *bufio.Reader
	left      int             // how many bytes more are read, since the head of an answer is not endless
	answered  bool            // something came since the request was sent
	client    *deadlineWriter // whose request it is
	idleSince time.Time
}

const (
	inSize     = 4 << 10 // most heads fit, and a long poll holds no more
	maxHeadIn  = 1 << 20 // bytes of an answer's head
	maxInforms = 10      // informational answers before it
)

func newConnection(p *pool, tcp *net.TCPConn) (*connection, error) {
	raw, err := tcp.SyscallConn()
	if err != nil { // unreachable: it has just been made
		return nil, err
	}
	c := &connection{TCPConn: tcp, raw: raw, pool: p}
	c.in = bufio.NewReaderSize(readerFunc(c.read), inSize)
	return c, nil
}

// read reads what the homeserver sends. What is held back of the answer is sent to the client before, since this may
// take any time.
func (c *connection) read(into []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the head of the homeserver's answer is too long")
	}
	c.client.flush()
	n, err := c.Read(into[:min(len(into), c.left)])
	c.answered = c.answered || n > 0
	c.left -= n
	return n, err
}

// roundTrip sends a request and reads the head of its answer. When the request's context ends, or after an error, the
// connection is closed.
func (c *connection) roundTrip(r *http.Request) (*http.Response, error) {
	c.client, c.answered, c.left = streamOf(r).answer, false, maxHeadIn
	stop := context.AfterFunc(r.Context(), func() { c.Close() })
	res, err := c.ask(r)
	if err != nil {
		stop()
		c.Close()
		if ended := r.Context().Err(); ended != nil {
			err = ended
		}
		return nil, err
	}
	c.left = math.MaxInt
	b := &body{ReadCloser: res.Body, c: c, stop: stop, again: !res.Close}
	if res.Body == http.NoBody {
		b.end()
	}
	res.Body = b
	return res, nil
}

var outgoing = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// ask writes a request, in one piece, and reads the head of its answer, and of those before it that are only
// informational.
func (c *connection) ask(r *http.Request) (*http.Response, error) {
	whole := outgoing.Get().(*bytes.Buffer)
	defer outgoing.Put(whole)
	whole.Reset()
	if err := r.Write(whole); err != nil {
		return nil, err
	}
	if _, err := c.Write(whole.Bytes()); err != nil {
		return nil, err
	}
	for range maxInforms {
		res, err := http.ReadResponse(c.in, r)
		if err != nil {
			return nil, err
		}
		if res.StatusCode >= http.StatusOK {
			return res, nil
		}
		trace := httptrace.ContextClientTrace(r.Context()) // ReverseProxy's
		if res.StatusCode == http.StatusSwitchingProtocols || trace == nil {
			break
		}
		if err := trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header)); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the homeserver answers something else than was asked")
}

// body is that of an answer. At its end the connection goes back to the pool.
type body struct {
	io.ReadCloser
	c     *connection
	stop  func() bool // from now on the connection outlives the request's context; false if that has ended
	again bool        // the homeserver keeps the connection open
	ended bool
}

// Read reads a part of the answer.
func (b *body) Read(into []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(into)
	if errors.Is(err, io.EOF) {
		b.end()
	}
	return n, err
}

// Close ends the answer, whether it was read or not. The rest of one that was not read is not waited for.
func (b *body) Close() error {
	b.again = false
	b.end()
	return nil
}

func (b *body) end() {
	if b.ended {
		return
	}
	b.ended, b.c.client = true, nil
	if b.stop() && b.again && b.c.in.Buffered() == 0 {
		b.c.pool.put(b.c)
		return
	}
	b.c.Close()
}
