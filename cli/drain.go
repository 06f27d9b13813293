package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
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
	server.ConnState = requests.watch
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log := e.sockets.log
	log.Info("stopping; requests that only wait are ended")
	e.sockets.leaving.Store(true)
	_ = listener.Close() // Shutdown would drop requests of connections that were accepted just now
	if errors.Is(context.Cause(ctx), errSucceeded) {
		e.sockets.leave()
		time.Sleep(farewell)
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.within())
	defer cancel()
	if e.drain(requests, moving) {
		log.Info("draining", "requests", requests.running.Load(), "up_to", e.within().String())
		if e.linger > 0 {
			server.SetKeepAlivesEnabled(false) // which closes those that wait for a request
			requests.turnAway(moving)
			e.sockets.leave()
			e.settle()
			e.aside()
		}
	}
	if err := server.Shutdown(deadline); err != nil {
		log.Warn("requests were cut off", "requests", requests.running.Load(), "error", err)
		return server.Close()
	}
	return nil
}

// within is how long requests may go on whose bytes move.
func (e ending) within() time.Duration { return max(e.linger, drain) }

// lastAnswer is how long a server waits at least for what comes on connections that it has: each answer says that its
// connection ends, so a client that asks often asks the next server.
const lastAnswer = 30 * time.Millisecond

// drain waits for the requests, but not for those whose bytes move: left reports whether there are any.
func (e ending) drain(requests *counter, moving func() int) (left bool) {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for began := time.Now(); time.Since(began) < drain; <-look.C {
		busy := requests.connections.Load()
		if time.Since(began) > grace/4 { // who has said nothing until now may say it to the next server
			busy = requests.running.Load()
		}
		if n := int64(moving()); busy == n && time.Since(began) >= lastAnswer {
			return n > 0
		}
	}
	return true
}

// counter counts the requests that run, and the connections on which one runs or is about to: a client has connected
// and its request is not read yet.
type counter struct {
	http.Handler
	running, connections atomic.Int64
	away                 atomic.Bool // what comes now finds nothing to answer it

	idle sync.Map // of connections, those that wait for another request
}

// watch is [http.Server.ConnState].
func (c *counter) watch(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.connections.Add(1)
	case http.StateActive:
		if _, was := c.idle.LoadAndDelete(conn); was {
			c.connections.Add(1)
		}
	case http.StateIdle:
		c.idle.Store(conn, true)
		c.connections.Add(-1)
	case http.StateClosed, http.StateHijacked:
		if _, was := c.idle.LoadAndDelete(conn); !was {
			c.connections.Add(-1)
		}
	}
}

// ServeHTTP has the request answered.
func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.running.Add(1)
	defer c.running.Add(-1)
	if c.away.Load() {
		panic(http.ErrAbortHandler) // as if it had come when its connection was closed already: it is sent again
	}
	c.Handler.ServeHTTP(w, r)
}

// turnAway answers nothing from now on but what runs, and waits for that, except for requests whose bytes move.
func (c *counter) turnAway(moving func() int) {
	c.away.Store(true)
	for began := time.Now(); c.running.Load() > int64(moving()) && time.Since(began) < grace; {
		time.Sleep(time.Millisecond)
	}
}
