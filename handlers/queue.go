package handlers

import (
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// queue gives out the places in which passwords are hashed, one for each core. Who gets the next one is decided by
// three rules:
//
//   - A half is kept for sessions: for logins on a device that the account has, and for whatever a session asks for.
//     What one lane does not use, the other gets.
//   - In each lane the one that ranks first is next. The rank is an instant, as in the [limiter]: the time of arrival
//     or, if that is later, the time up to which an earlier guess has put back the address, the account or the session.
//     So whoever fails again and again waits behind everybody who has not failed lately.
//   - Of one account a stranger's guess is answered before the next one begins, whether or not it exists: otherwise
//     guesses at a hash that takes long would wait for each other longer than those at an account that is not there.
//
// Waiting ends after a while with M_LIMIT_EXCEEDED, long before the connection does. It does not tell accounts that
// exist from others: a refusal puts back the same, whatever hash it was held against.
type queue struct {
	now      func() time.Time
	patience time.Duration // how long anybody waits
	gauge    prometheus.Gauge

	mu      sync.Mutex
	free    int
	waiting [lanes][]*place
	given   [lanes]int // the work that each lane has had, in hashes of ours
	taken   map[string]bool
	debts   instants
	arrived int
}

// lane is one of the two halves of a queue.
type lane int

const (
	ofSessions lane = iota
	ofStrangers
	lanes
)

const (
	// maxWaiting bounds each lane. A place in it costs some 30 KiB, and whoever waits does not ask again meanwhile. Two
	// cores make about 800 hashes in ten seconds.
	maxWaiting = 512

	// putBack is how much later a guess makes the next one rank, maxDebt the most that several add up to. For its
	// guesses to rank with those of honest people a flood needs as many addresses, and as many names, as the server
	// hashes passwords in that minute: some 4,800 with two cores.
	putBack = time.Minute
	maxDebt = 5 * time.Minute
)

// claim is who asks for a place.
type claim struct {
	lane  lane
	keys  []string // what a guess puts back
	alone string   // the account of which one guess is answered at a time; empty: none
}

// strangerAt is the claim of a caller who has shown nothing yet; without a localpart there is no account to guess at.
func strangerAt(addr netip.Addr, localpart string) claim {
	c := claim{lane: ofStrangers, keys: []string{network(addr)}, alone: localpart}
	if localpart != "" {
		c.keys = append(c.keys, "account "+localpart)
	}
	return c
}

// sessionAt is the claim of a session, or of a login on its device.
func sessionAt(id string) claim { return claim{lane: ofSessions, keys: []string{id}} }

// place is one claim's, from its arrival on.
type place struct {
	claim
	queue   *queue
	rank    time.Time
	put     []time.Duration // how far the claim has put back each of its keys
	arrival int
	turn    chan bool // true when it is its turn, false when there is no room
	working bool
}

func newQueue(gauge prometheus.Gauge, now func() time.Time, patience time.Duration) *queue {
	return &queue{now: now, patience: patience, gauge: gauge, free: runtime.GOMAXPROCS(0),
		taken: make(map[string]bool), debts: make(instants)}
}

// wait waits for a place. Whoever gets one calls [place.done] when the hash is made, and [place.leave] in any case.
func (q *queue) wait(ctx context.Context, c claim) (*place, error) {
	p := &place{claim: c, queue: q, turn: make(chan bool, 1)}
	q.join(p)
	timer := time.NewTimer(q.patience)
	defer timer.Stop()
	err := error(limitExceeded(q.patience))
	select {
	case got := <-p.turn:
		if got && ctx.Err() == nil {
			return p, nil
		}
	case <-timer.C:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	q.abandon(p)
	return nil, err
}

// join gives a place its rank. When there are too many, the last one has to go.
func (q *queue) join(p *place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	p.rank = now
	for _, key := range p.keys {
		owes := q.debts.after(key, now, maxDebt)
		p.rank = later(p.rank, owes)
		next := earlier(owes.Add(putBack), now.Add(maxDebt))
		p.put = append(p.put, next.Sub(owes))
		q.debts.set(key, next, now)
	}
	q.arrived++
	p.arrival = q.arrived
	q.gauge.Inc()
	q.waiting[p.lane] = append(q.waiting[p.lane], p)
	if all := q.waiting[p.lane]; len(all) > maxWaiting {
		last := slices.MaxFunc(all, (*place).compare)
		q.remove(last)
		last.turn <- false
	}
	q.next()
}

func (p *place) compare(other *place) int {
	if order := p.rank.Compare(other.rank); order != 0 {
		return order
	}
	return p.arrival - other.arrival
}

// next hands out the places that are free.
func (q *queue) next() {
	for q.free > 0 {
		p := q.first()
		if p == nil {
			return
		}
		q.remove(p)
		q.free--
		q.given[p.lane]++
		if p.alone != "" {
			q.taken[p.alone] = true
		}
		p.working = true
		p.turn <- true
	}
}

// first is who is next: of the lane that has had less, if anybody can begin there.
func (q *queue) first() (first *place) {
	most := slices.Max(q.given[:])
	for l, all := range q.waiting {
		if len(all) == 0 {
			q.given[l] = most // a lane that wants nothing saves nothing up
		}
		var best *place
		for _, p := range all {
			if !q.taken[p.alone] && (best == nil || p.compare(best) < 0) {
				best = p
			}
		}
		if best != nil && (first == nil || q.given[l] < q.given[first.lane]) {
			first = best
		}
	}
	return first
}

func (q *queue) remove(p *place) {
	q.waiting[p.lane] = slices.DeleteFunc(q.waiting[p.lane], func(other *place) bool { return other == p })
}

// abandon takes back a claim that has come to nothing, even if its turn has just come.
func (q *queue) abandon(p *place) {
	q.mu.Lock()
	working := p.working
	if !working {
		q.remove(p)
		q.forgive(p)
		q.gauge.Dec()
	}
	q.mu.Unlock()
	if working {
		p.done(1, true)
		p.leave()
	}
}

// forgive takes back what a claim has put back.
func (q *queue) forgive(p *place) {
	now := q.now()
	for i, key := range p.keys {
		q.debts.set(key, q.debts.after(key, now, maxDebt).Add(-p.put[i]), now)
	}
}

// done gives the core to the next one. The work is in hashes of ours. What was right was no guess, and puts nobody
// back.
func (p *place) done(work int, right bool) {
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	p.working = false
	q.free++
	q.given[p.lane] += work - 1
	if right {
		q.forgive(p)
	}
	q.gauge.Dec()
	q.next()
}

// leave lets the next one at the same account; the answer is on its way.
func (p *place) leave() {
	if p.working {
		p.done(1, false) // it panicked
	}
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.alone != "" {
		delete(q.taken, p.alone)
	}
	q.next()
}

// delays reports whether a claim would have to wait now.
func (q *queue) delays(c claim) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.free == 0 || q.taken[c.alone]
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
