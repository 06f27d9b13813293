package front

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

const gibibyte = 1 << 30

// TestLarge: memory does not grow with a body of a gibibyte, in either direction. The client, the front and the
// homeserver are all in this process.
func TestLarge(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("moves 2 GiB")
	}
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method == "POST" {
			fmt.Fprint(w, n)
			return
		}
		if _, err := io.Copy(w, zeros(gibibyte)); err != nil {
			t.Error(err)
		}
	})
	most := watchHeap(t)
	res, err := s.ask(t.Context(), "POST", "/_matrix/media/v3/upload", zeros(gibibyte),
		"Authorization: Bearer ours-good")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.body(res); got != fmt.Sprint(gibibyte) {
		t.Errorf("%s bytes arrived", got)
	}
	res, err = s.ask(t.Context(), "GET", "/_matrix/client/v1/media/download/a/b", nil,
		"Authorization: Bearer ours-good")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != gibibyte || err != nil {
		t.Errorf("%d bytes arrived: %v", n, err)
	}
	if got := most(); got > 16<<20 {
		t.Errorf("the heap grew to %d MiB", got>>20)
	}
}

// watchHeap measures the heap from now on. most ends that and returns the largest size, in bytes.
func watchHeap(t *testing.T) (most func() uint64) {
	t.Helper()
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		select {
		case <-done:
		default:
			close(stop)
			<-done
		}
	})
	return func() uint64 { close(stop); <-done; return peak.Load() }
}
