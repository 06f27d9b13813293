package handlers

import (
	"context"
	"time"

	"postern/db"
)

// A flood is more than floodRate of attempts that the rate limit refuses, by whomever. Operators may ask to be told
// (package notify), so it is an event. An attempt that is not refused costs nothing here.

// floodRate is more than a few clients that do not obey Retry-After come to.
var floodRate = Rate{Count: 300, Period: time.Minute}

// floodEvery is how often one is an event, however long it lasts.
var floodEvery = Rate{Count: 1, Period: time.Hour}

type flood struct{ refused, told *limiter }

func newFlood() flood { return flood{refused: newLimiter(floodRate), told: newLimiter(floodEvery)} }

// noteLimited counts an attempt that the rate limit has refused.
func (s *Server) noteLimited(who *Caller) {
	now := s.Now()
	if s.flood.refused.take("", now) == 0 || s.flood.told.take("", now) > 0 {
		return
	}
	ctx, done := context.WithTimeout(db.By(context.Background(), who), s.Patience)
	defer done()
	if err := s.DB.Record(ctx, db.Event{Kind: db.EventFlood}); err != nil {
		s.Log.Warn("a flood of attempts was not written down", "error", err)
	}
}
