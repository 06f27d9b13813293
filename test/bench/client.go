package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"
)

// load is what clients do: each sends a request, waits for the answer, and sends the next.
type load struct {
	clients int
	limit   int // requests of each client; 0: until the time is over
	// request appends the n-th request of a client in this run.
	request func(out []byte, client, n int) []byte
	// answer looks at the body of an answer, which is gone after it returns; nil: nobody cares.
	answer func(client int, body []byte) error
}

// result is what came of a load.
type result struct {
	perSecond   float64
	median, p99 time.Duration
	cpu         time.Duration // that the server used for one request; 0: nothing told
}

// run puts the load on a server for a time and fails at the first answer that is not 200 or 201.
func (l load) run(ctx context.Context, p *process, d time.Duration) (result, error) {
	clients := make([]*client, l.clients)
	for i := range clients {
		c, err := dial(p.replica(i).address, d)
		if err != nil {
			return result{}, err
		}
		defer c.Close()
		clients[i] = c
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	used, began := p.cpu(), time.Now()
	done := make(chan error, l.clients)
	for i, c := range clients {
		go func() {
			err := l.loop(ctx, c, i, began.Add(d))
			if err != nil {
				cancel(err)
			}
			done <- err
		}()
	}
	for range clients {
		<-done
	}
	took, used := time.Since(began), p.cpu()-used
	if err := context.Cause(ctx); err != nil {
		return result{}, err
	}
	var times []time.Duration
	for _, c := range clients {
		times = append(times, c.times...)
	}
	slices.Sort(times)
	n := len(times)
	return result{float64(n) / took.Seconds(), times[n/2], times[n*99/100], used / time.Duration(n)}, nil
}

func (l load) loop(ctx context.Context, c *client, i int, end time.Time) error {
	for n := 0; n == 0 || l.limit == 0 || n < l.limit; n++ {
		began := time.Now()
		if n > 0 && l.limit == 0 && began.After(end) || ctx.Err() != nil {
			return ctx.Err()
		}
		body, err := c.ask(l.request(c.out[:0], i, n))
		if err != nil {
			return err
		}
		c.times = append(c.times, time.Since(began))
		if l.answer != nil {
			if err := l.answer(i, body); err != nil {
				return err
			}
		}
	}
	return nil
}

// client is one connection. It speaks as much of HTTP/1.1 as it needs, because a whole client library would take as
// much of the machine as the server.
type client struct {
	net.Conn
	answers *bufio.Reader
	out, in []byte
	times   []time.Duration
}

// dial connects; the connection ends by itself long after d, so that a server that hangs is a failure.
func dial(address string, d time.Duration) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, answers: bufio.NewReader(conn), out: make([]byte, 0, 4<<10), in: make([]byte, 64<<10)}
	return c, conn.SetDeadline(time.Now().Add(d + time.Minute))
}

// ask sends a request and reads the body of its answer, which is good until the next one.
func (c *client) ask(request []byte) ([]byte, error) {
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	status, err := c.answers.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	good, first := bytes.HasPrefix(status, []byte("HTTP/1.1 20")),
		string(bytes.TrimSpace(status[:min(len(status), 40)]))
	length, chunked := -1, false
	for {
		line, err := c.answers.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			break
		}
		if name := "Content-Length: "; len(line) > len(name) && string(line[:len(name)]) == name {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return nil, err
			}
		}
		chunked = chunked || bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked"))
	}
	if chunked { // as Synapse has it
		n, err := c.readChunks()
		if err == nil && !good {
			err = fmt.Errorf("answer %s: %s", first, c.in[:n])
		}
		return c.in[:n], err
	}
	if length < 0 || length > len(c.in) {
		return nil, errors.New("an answer without a length, or a long one")
	}
	if _, err := io.ReadFull(c.answers, c.in[:length]); err != nil {
		return nil, err
	}
	if !good {
		return nil, fmt.Errorf("answer %s: %s", first, c.in[:length])
	}
	return c.in[:length], nil
}

// readChunks reads a body in chunks, without trailers. RFC 9112, section 7.1.
func (c *client) readChunks() (n int, err error) {
	for {
		line, err := c.answers.ReadSlice('\n')
		if err != nil {
			return n, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil || n+int(size)+2 > len(c.in) {
			return n, errors.New("a chunk without a length, or a long answer")
		}
		if _, err := io.ReadFull(c.answers, c.in[n:n+int(size)+2]); err != nil { // and the end of its line
			return n, err
		}
		if size == 0 {
			return n, nil
		}
		n += int(size)
	}
}
