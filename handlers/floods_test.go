package handlers

import (
	"fmt"
	"testing"
	"time"

	"postern/db"
)

// TestFloodEvent: many attempts that the rate limit refuses are an event, once an hour; a client or two that do not
// obey it are none, nor is what it lets through.
func TestFloodEvent(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 10, Period: 10_000 * time.Hour} })
	attempt := func(host int) answer {
		return s.do(call{Method: "POST", Path: loginPath, Body: `{"type":"m.login.token","token":"rubbish"}`,
			From: fmt.Sprintf("192.0.2.%d:1", host)})
	}
	for n := range 500 {
		s.want(attempt(n%50), 403, "M_FORBIDDEN")
	}
	refuse := func(times int, pause time.Duration) {
		for range times {
			s.want(attempt(9), 429, "M_LIMIT_EXCEEDED")
			s.clock.Step(pause)
		}
	}
	refuse(290, 0)
	s.clock.Step(time.Minute)
	refuse(600, 250*time.Millisecond) // four a second
	s.floods(0)
	refuse(310, 0)
	if e := s.floods(1)[0]; e.Addr != "192.0.2.9" || e.Localpart != "" || !e.At.Equal(s.clock.Now()) {
		t.Errorf("it is %+v", e)
	}
	refuse(1000, 0)
	s.clock.Step(59 * time.Minute)
	refuse(310, 0)
	s.floods(1)
	s.clock.Step(time.Minute)
	refuse(310, 0)
	s.floods(2)
}

// floods gives the events of floods, which there are so many of.
func (s *site) floods(want int) (all []db.Event) {
	s.Helper()
	events, err := s.db.Events(s.Context(), "", 1000)
	s.must(err)
	for _, e := range events {
		if e.Kind == db.EventFlood {
			all = append(all, e)
		}
	}
	if len(all) != want {
		s.Fatalf("there are %d events of floods, want %d: %+v", len(all), want, all)
	}
	return all
}
