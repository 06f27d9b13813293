package handlers

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"
)

// Some clients ask again and again, without a pause, with a token that is refused. So a token that was refused
// repeatRate's count of times is answered later from then on, and not differently: it is a brake and no limit. A good
// token never waits, since a token is judged first.

// repeatRate is more than a client has under way, and than it shows again, before it notices that its token is dead.
var repeatRate = Rate{Count: 20, Period: time.Minute}

// maxPause is how long an answer waits. A client that asks one thing at a time asks once a second then.
const maxPause = time.Second

// newRefusals counts refusals of tokens, by their hash.
func newRefusals() *limiter { return newLimiter(repeatRate) }

// brake holds back the answer to a token that was refused often.
func (s *Server) brake(ctx context.Context, token string, err error) {
	if !IsStatus(err, http.StatusUnauthorized) {
		return // it may be good elsewhere, or a moment later
	}
	id := sha256.Sum256([]byte(token))
	if wait := s.refusals.take(string(id[:]), s.Now()); wait > 0 {
		s.pause(ctx, min(wait, maxPause))
	}
}

// pause waits, or until nobody waits for the answer any more.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
