package handlers

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"postern/test/rig/matrixtest"
)

// TestPropertyQueue: whatever comes and goes, no more work at a time than may, nobody is left waiting beside a free
// place, and nothing is left behind.
func TestPropertyQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		gauge := prometheus.NewGauge(prometheus.GaugeOpts{})
		q := newQueue(gauge, matrixtest.NewClock().Now, time.Minute)
		places := rapid.IntRange(1, 3).Draw(t, "places")
		q.free = places
		var all []*place
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(-len(all)-1, len(all)-1).Draw(t, "who")
			if i < 0 {
				c := strangerAt(netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(t, "address") % 4}),
					rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "account"))
				if rapid.Bool().Draw(t, "a session") {
					c = sessionAt("S")
				}
				p := &place{claim: c, queue: q, turn: make(chan bool, 1)}
				q.join(p)
				all = append(all, p)
			} else {
				q.end(all[i], rapid.Bool().Draw(t, "right"))
				all = slices.Delete(all, i, i+1)
			}
			q.sound(t, places, all)
		}
		for _, p := range all {
			q.end(p, false)
		}
		q.sound(t, places, nil)
		if len(q.taken) > 0 {
			t.Errorf("of %v nobody could guess", q.taken)
		}
	})
}

// end ends what a place was for: the work, or the waiting.
func (q *queue) end(p *place, right bool) {
	if !p.working {
		q.abandon(p)
		return
	}
	p.done(2, right)
	p.leave()
}

func (q *queue) sound(t *rapid.T, places int, all []*place) {
	working, alone := 0, make(map[string]int)
	for _, p := range all {
		if p.working {
			working++
			if p.alone != "" {
				alone[p.alone]++
			}
		}
	}
	if working+q.free != places || q.free < 0 {
		t.Fatalf("%d work and %d places are free, of %d", working, q.free, places)
	}
	for account, n := range alone {
		if n > 1 {
			t.Fatalf("%d guess at %s at a time", n, account)
		}
	}
	for _, p := range all {
		if !p.working && q.free > 0 && alone[p.alone] == 0 {
			t.Fatalf("somebody waits beside %d free places", q.free)
		}
	}
	if len(all) != q.waits()+working {
		t.Fatalf("%d wait and %d work, of %d", q.waits(), working, len(all))
	}
}
