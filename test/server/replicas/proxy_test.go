package replicas

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"postern/test/rig/process"
)

// proxy sends each request to the next replica. When that one is away it cuts the connection and tries no other one:
// what the client gets to know of a replica that dies is the least that it may.
type proxy struct {
	url      string
	turn     atomic.Uint64
	replicas atomic.Pointer[[]*url.URL]
}

func newProxy(t testing.TB, replicas []*process.Server) *proxy {
	t.Helper()
	p := &proxy{}
	p.serve(t, replicas)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	server := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			all := *p.replicas.Load()
			r.SetURL(all[p.turn.Add(1)%uint64(len(all))])
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// serve says which replicas there are from now on.
func (p *proxy) serve(t testing.TB, replicas []*process.Server) {
	t.Helper()
	var all []*url.URL
	for _, replica := range replicas {
		u, err := url.Parse(replica.URL)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	p.replicas.Store(&all)
}
