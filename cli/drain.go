package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// drain is how long running requests may take once the server is to stop, if the next one waits for that.
	drain = 10 * time.Second
	// grace is how long requests that only wait hold up a server that is told to stop. They lose nothing: a client asks
	// again.
	grace = time.Second
	// farewell is how long connections stay open without a request once another server listens on the same socket: a
	// client that asks more often than that gets one more answer, which tells it to connect anew. A request that comes
	// just when its connection is closed would fail.
	farewell = time.Second
)

// errSucceeded ends the context of a server whose successor listens already.
var errSucceeded = errors.New("another server has taken over")

// ending is how a server stops.
type ending struct {
	sockets *sockets
	linger  time.Duration // how long requests go on whose bytes move; 0: for drain, and the next server waits for that
	settle  func()        // ends all that the next server must not find, such as the use of the database
	aside   func()        // lets the next server start
}

// serve answers until the context ends, and then lets running requests end. moving counts those whose bytes move.
func (e ending) serve(ctx context.Context, listener net.Listener, handler http.Handler, moving func() int) error {
	requests := &counter{Handler: handler}
	server := e.sockets.newServer(requests)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log := e.sockets.log
	log.Info("stopping; requests that only wait are ended")
	if e.sockets.leaving.Store(true); errors.Is(context.Cause(ctx), errSucceeded) {
		e.sockets.leave()
		time.Sleep(farewell)
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.within())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Shutdown(deadline) }()
	err, left := e.drain(ended, requests, moving)
	if left {
		log.Info("draining", "requests", requests.running.Load(), "up_to", e.within().String())
		if e.linger > 0 {
			e.sockets.leave()
			e.settle()
			e.aside()
		}
		err = <-ended
	}
	if err != nil {
		log.Warn("requests were cut off", "requests", requests.running.Load(), "error", err)
		return server.Close()
	}
	return nil
}

// within is how long requests may go on whose bytes move.
func (e ending) within() time.Duration { return max(e.linger, drain) }

// drain waits for the requests, but not for those whose bytes move: left reports whether there are any.
func (e ending) drain(ended <-chan error, requests *counter, moving func() int) (err error, left bool) {
	late := time.After(drain)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			return err, false
		case <-late:
			return nil, true
		case <-look.C:
			if n := moving(); n > 0 && requests.running.Load() == int64(n) {
				return nil, true
			}
		}
	}
}

// counter counts the requests that run.
type counter struct {
	http.Handler
	running atomic.Int64
}

// ServeHTTP has the request answered.
func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.running.Add(1)
	defer c.running.Add(-1)
	c.Handler.ServeHTTP(w, r)
}
