package handlers

import (
	"context"
	"time"

	"postern/db"
)

// A flood is more than floodRate of attempts that the rate limit refuses, by whomever. Operators may ask to be told
// (package notify), so it is an event, once an hour. An attempt that is not refused costs nothing here.

// floodRate is more than a few clients that do not obey Retry-After come to.
var floodRate = Rate{Count: 300, Period: time.Minute}

// noteLimited counts an attempt that the rate limit has refused.
func (s *Server) noteLimited(who *Caller) {
	now := s.Now()
	if s.flood.take("", now) == 0 {
		return
	}
	ctx, done := context.WithTimeout(db.By(context.Background(), who), s.Patience)
	defer done()
	if err := s.DB.RecordHourly(ctx, db.EventFlood, now); err != nil {
		s.Log.Warn("a flood of attempts was not written down", "error", err)
	}
}
