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

	mu    sync.Mutex
	idle  []*connection // the one that was used last is the last
	sweep *time.Timer   // closes those that are idle for too long; nil while none is idle
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
	return &pool{address: net.JoinHostPort(homeserver.Hostname(), port), dialer: dialer, keep: maxIdleTime}
}

// takes reports whether the pool can send a request.
func (p *pool) takes(r *http.Request) bool {
	return p != nil && !r.Close && !streamOf(r).progress.sending.Load()
}

// RoundTrip sends a request. The homeserver may close an idle connection just when it is used; then a request that
// changes nothing is sent again.
func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	if c := p.take(); c != nil {
		res, err := c.roundTrip(r)
		if err == nil || c.answered || r.Context().Err() != nil || r.Body != nil ||
			r.Method != http.MethodGet && r.Method != http.MethodOptions {
			return res, err
		}
		p.close() // if the homeserver has closed one, it has most likely closed all
	}
	c, err := p.dial(r.Context())
	if err != nil {
		return nil, err
	}
	return c.roundTrip(r)
}

func (p *pool) dial(ctx context.Context) (*connection, error) {
	c, err := p.dialer.DialContext(ctx, "tcp", p.address)
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

// put keeps a connection for another request.
func (p *pool) put(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == maxIdle {
		c.Close()
		return
	}
	c.idleSince = time.Now()
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

// close closes all connections that are idle.
func (p *pool) close() {
	if p == nil {
		return
	}
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
