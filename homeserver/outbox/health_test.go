package outbox

import (
	"testing"
	"time"

	"postern/db"
	"postern/test/rig/fakesynapse"
)

// TestFailingIsAnEvent: what the homeserver is not told of for ten minutes is an event, once an hour, and at once what
// it refuses. What it misses for a moment is none.
func TestFailingIsAnEvent(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.queue.now = x.clock
	x.user("alice")
	x.there.Be(fakesynapse.Away)
	wait := func(d time.Duration) {
		for range d / time.Minute {
			x.step(time.Minute)
			x.round()
		}
	}
	x.round()
	wait(9 * time.Minute)
	x.failings(0)
	wait(time.Minute)
	x.failings(1)
	wait(59 * time.Minute)
	x.failings(1)
	wait(2 * time.Minute)
	x.failings(2)
	x.there.Be(fakesynapse.Well)
	x.step(time.Minute)
	x.round()
	x.settled()
	x.there.Be(fakesynapse.Away) // while nothing is to be told
	wait(2 * time.Hour)
	x.failings(2)
	x.there.Be(fakesynapse.Well)
	x.user("Upper") // whom it refuses, each hour
	x.round()
	x.failings(3)
	wait(5 * time.Hour)
	x.failings(3)
}

// failings checks how often it is an event that the outbox fails.
func (x *site) failings(want int) {
	x.Helper()
	events, err := x.db.Events(x.Context(), "", 100)
	x.must(err)
	got := 0
	for _, e := range events {
		if e.Kind == db.EventOutbox {
			got++
		}
	}
	if got != want {
		x.Fatalf("it was an event %d times, want %d", got, want)
	}
}
