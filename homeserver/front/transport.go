package front

import (
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	maxIdle = 256 // idle connections to the homeserver
	// Less than the minute after which Twisted closes an idle connection: a request that is sent just then fails, and
	// one with a body cannot be sent again.
	maxIdleTime = 20 * time.Second
)

// newTransport makes connections to the homeserver. It follows no redirect and uses no proxy of the environment.
func newTransport(dialer *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext:           dialer.DialContext,
		DisableCompression:    true,
		MaxIdleConnsPerHost:   maxIdle,
		IdleConnTimeout:       maxIdleTime,
		ExpectContinueTimeout: 5 * time.Second,
		// Each long poll holds a connection. Headers fit into these buffers, and bodies are copied past them.
		ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

// send sends a request to the homeserver.
func (f *Front) send(r *http.Request) (*http.Response, error) {
	if f.pool.takes(r) {
		return f.pool.RoundTrip(r)
	}
	res, err := f.transport.RoundTrip(r)
	if err == nil && res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &flushing{res.Body, streamOf(r).answer}
	}
	return res, err
}

// buffers is an httputil.BufferPool.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return new([bufferSize]byte)[:]
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
