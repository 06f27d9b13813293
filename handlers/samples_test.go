package handlers

import (
	"testing"
	"time"
)

// TestSamples: what a process has counted is kept for about a day, half an hour apart at least, and nothing is older.
func TestSamples(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	begun := s.clock.Now()
	s.want(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", "wrong", "")}), 403, "M_FORBIDDEN")
	pair := s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", password, `"refresh_token":true`)})
	s.ok(s.refresh(s.ok(pair).Text("refresh_token")))
	if all := s.server.Metrics.Samples(begun); len(all) != 2 || all[0] != (Sample{At: begun}) ||
		all[1] != (Sample{At: begun, Refused: 1, Refreshes: 1}) {
		t.Errorf("at first there are %+v", all)
	}
	for range 4 * keptSamples {
		s.clock.Step(leastApart / 2)
		s.server.Metrics.sample(s.clock.Now())
	}
	all := s.server.Metrics.Samples(s.clock.Now())
	if len(all) != keptSamples+1 || all[0].At.Equal(begun) || all[0].Refused != 1 {
		t.Fatalf("there are %d, the first %+v", len(all), all[0])
	}
	for i, one := range all[1 : len(all)-1] {
		if apart := one.At.Sub(all[i].At); apart < leastApart || apart > time.Hour {
			t.Errorf("%v lie between two", apart)
		}
	}
}
