package front

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// pool sends requests to the homeserver whose body is here already, if they have one: that is all but uploads. It has
// connections of its own. [http.Transport] has two goroutines for each connection, so that a request and its answer
// pass from thread to thread; here the goroutine of the request writes and reads by itself. That takes a quarter less
// processor time for a small request, and 10 KiB less memory for a long poll.
type pool struct {
	address string
	dialer  *net.Dialer
	keep    time.Duration // how long an idle connection is kept

	mu      sync.Mutex
	idle    []*connection // the one that was used last is the last
	sweep   *time.Timer   // closes those that are idle for too long; nil while none is idle
	waiting []chan dialed // requests for which no connection was idle
	dials   sync.WaitGroup
	open    context.Context // is done when the pool is closed for good
	shut    context.CancelFunc
}

// dialed is a connection for a request that waits, or why there is none.
type dialed struct {
	*connection
	err error
}

// newPool returns nil where [http.Transport] has to send all requests: by TLS, or on a system that lacks quiet.
func newPool(homeserver *url.URL, dialer *net.Dialer) *pool {
	if homeserver.Scheme != "http" || !canTellQuiet {
		return nil
	}
	port := homeserver.Port()
	if port == "" {
		port = "80"
	}
	p := &pool{address: net.JoinHostPort(homeserver.Hostname(), port), dialer: dialer, keep: maxIdleTime}
	p.open, p.shut = context.WithCancel(context.Background())
	return p
}

// takes reports whether the pool can send a request.
func (p *pool) takes(r *http.Request) bool {
	return p != nil && !r.Close && !streamOf(r).progress.sending.Load()
}

// RoundTrip sends a request. The homeserver may close an idle connection just when it is used; then a request that
// changes nothing is sent again.
func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	twice := r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodOptions)
	for {
		c := p.take()
		if c == nil {
			var err error
			if c, err = p.dial(r.Context()); err != nil {
				return nil, err
			}
		}
		used := c.used
		res, err := c.roundTrip(r)
		if err == nil || !used || !twice || c.answered || r.Context().Err() != nil {
			return res, err
		}
		p.closeIdle() // if the homeserver has closed one, it has most likely closed all
	}
}

// dial waits for a new connection, or for one that another request has done with before that: a homeserver that is busy
// may take seconds to accept one. What is dialed goes to the request that has waited longest, and there is always a
// dial for each.
func (p *pool) dial(ctx context.Context) (*connection, error) {
	mine := make(chan dialed, 1)
	p.mu.Lock()
	p.waiting = append(p.waiting, mine)
	p.dials.Go(func() {
		if c, err := p.newConnection(); err != nil {
			p.give(dialed{nil, err})
		} else {
			p.put(c)
		}
	})
	p.mu.Unlock()
	select {
	case d := <-mine:
		return d.connection, d.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.waiting = slices.DeleteFunc(p.waiting, func(other chan dialed) bool { return other == mine })
	p.mu.Unlock()
	select {
	case d := <-mine: // in the same moment
		if d.err == nil {
			p.put(d.connection)
		}
	default:
	}
	return nil, ctx.Err()
}

// give gives the request that has waited longest what it waits for, and reports whether there is one.
func (p *pool) give(d dialed) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return false
	}
	p.waiting[0] <- d
	p.waiting = slices.Delete(p.waiting, 0, 1)
	return true
}

func (p *pool) newConnection() (*connection, error) {
	c, err := p.dialer.DialContext(p.open, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	return newConnection(p, c.(*net.TCPConn))
}

// take returns an idle connection, nil if there is none. One that has ended is dropped, and so is one on which
// something came unasked: it would be taken for the answer to the next request.
func (p *pool) take() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	for last := len(p.idle) - 1; last >= 0; last-- {
		c := p.idle[last]
		p.idle = slices.Delete(p.idle, last, last+1)
		if quiet(c.raw) {
			return c
		}
		c.Close()
	}
	return nil
}

// put gives a connection to a request that waits, or keeps it for another. For one on which something came unasked see
// take; a request that waits has its own dial.
func (p *pool) put(c *connection) {
	if c.used && !quiet(c.raw) {
		c.Close()
		return
	}
	if p.give(dialed{c, nil}) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == maxIdle || p.open.Err() != nil {
		c.Close()
		return
	}
	c.used, c.idleSince = true, time.Now()
	p.idle = append(p.idle, c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.keep, p.closeOld)
	}
}

// closeOld closes the connections that are idle for too long.
func (p *pool) closeOld() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = nil
	for len(p.idle) > 0 {
		left := p.keep - time.Since(p.idle[0].idleSince)
		if left > 0 {
			p.sweep = time.AfterFunc(left, p.closeOld)
			return
		}
		p.idle[0].Close()
		p.idle = slices.Delete(p.idle, 0, 1)
	}
}

// closeIdle closes all connections that are idle.
func (p *pool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sweep != nil {
		p.sweep.Stop()
	}
	for _, c := range p.idle {
		c.Close()
	}
	p.idle, p.sweep = nil, nil
}

// close ends the pool when no request needs it any more.
func (p *pool) close() {
	if p == nil {
		return
	}
	p.shut()
	p.dials.Wait()
	p.closeIdle()
}
