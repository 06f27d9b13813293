package outbox

import (
	"context"
	"sync"
	"time"

	"postern/db"
)

// recoverInterval is the time between two recoveries. A homeserver that answers some calls and fails others would
// otherwise have everything sent again with each answer.
const recoverInterval = 30 * time.Second

// health is whether the homeserver answers, as far as the calls so far tell.
type health struct {
	mu        sync.Mutex
	down      bool      // a call failed, and the homeserver has not recovered since
	recovered time.Time // last
}

const tooLong = 10 * time.Minute // that a row waits in vain before it is an event

// fails makes it an event that the homeserver is not told of something.
func (s *Sender) fails() {
	ctx, done := context.WithTimeout(context.Background(), closeTimeout)
	defer done()
	s.logError(s.c.Queue.DB.RecordHourly(ctx, db.EventOutbox, s.c.Now()))
}

// failed notes a call without an answer, and reports whether the homeserver is down since then.
func (h *health) failed() (now bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now = !h.down
	h.down = true
	return now
}

// answered notes a call that succeeded, and reports whether the homeserver has recovered with it.
func (h *health) answered(now time.Time) (recovered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.down || now.Sub(h.recovered) < recoverInterval {
		return false
	}
	h.down, h.recovered = false, now
	return true
}

// callFailed logs, once, that the homeserver does not answer.
func (s *Sender) callFailed(err error) {
	if s.calls.Err() == nil && s.health.failed() {
		s.c.Log.Warn("the homeserver cannot be told of users and devices; it is tried again and again", "error", err)
	}
}

// callSucceeded makes all rows due that wait because the homeserver did not answer, if it does again.
func (s *Sender) callSucceeded() {
	if !s.health.answered(s.c.Now()) {
		return
	}
	s.c.Log.Info("the homeserver answers again")
	ctx, done := context.WithTimeout(context.Background(), closeTimeout)
	defer done()
	s.logError(s.c.Queue.Hurry(ctx))
}
