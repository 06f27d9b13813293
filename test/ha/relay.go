package main

import (
	"net"
	"sync"
	"testing"
)

// relay stands between the network and one port of a server. When it is cut, nothing passes and nobody is told so, as
// with packets that get lost: connections stay open.
type relay struct {
	port     string
	to       string
	listener net.Listener

	mu    sync.Mutex
	open  map[net.Conn]bool
	whole chan struct{} // closed: not cut
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := &relay{port: port, to: "127.0.0.1:" + to, listener: l, open: make(map[net.Conn]bool),
		whole: make(chan struct{})}
	close(r.whole)
	go r.accept()
	t.Cleanup(func() {
		_ = l.Close()
		r.heal()
		r.drop()
	})
	return r
}

func (r *relay) address() string { return "127.0.0.1:" + r.port }

func (r *relay) accept() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.pass(c)
	}
}

// pass connects a connection with the server.
func (r *relay) pass(c net.Conn) {
	r.keep(c)
	<-r.passable()
	s, err := net.Dial("tcp", r.to)
	if err != nil {
		r.end(c)
		return
	}
	r.keep(s)
	go r.copy(s, c)
	r.copy(c, s)
}

func (r *relay) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		<-r.passable()
		if n > 0 {
			if _, wrong := to.Write(buffer[:n]); wrong != nil {
				err = wrong
			}
		}
		if err != nil {
			r.end(to)
			r.end(from)
			return
		}
	}
}

func (r *relay) keep(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[c] = true
}

func (r *relay) end(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

func (r *relay) passable() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.whole
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.whole = make(chan struct{})
}

// heal lets pass again what comes from now on. What was under way when the relay was cut is lost with its connection.
func (r *relay) heal() {
	r.drop()
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.whole:
	default:
		close(r.whole)
	}
}

func (r *relay) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		_ = c.Close()
	}
}
