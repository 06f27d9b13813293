package front

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// newTransport makes connections to the homeserver. It follows no redirect and uses no proxy of the environment.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 256,
		// Less than the minute after which Twisted closes an idle connection: a request that is sent just then fails,
		// and one with a body cannot be sent again.
		IdleConnTimeout:       20 * time.Second,
		ExpectContinueTimeout: 5 * time.Second,
		// Each long poll holds a connection. Headers fit into these buffers, and bodies are copied past them.
		ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10,
		TLSHandshakeTimeout: 10 * time.Second,
	}
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
