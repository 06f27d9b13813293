package handlers

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"postern/tokens"
)

// pauses has a site note how long each answer is held back, and go on at once.
func (s *site) pauses() (held *[]time.Duration) {
	held = new([]time.Duration)
	s.server.pause = func(_ context.Context, d time.Duration) { *held = append(*held, d) }
	return held
}

// TestRepeatedRefusals: a token that is refused again and again is answered as ever, but later; and each token for
// itself.
func TestRepeatedRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	held := s.pauses()
	dead := s.ok(s.login(`"device_id":"DEAD"`)).Text("access_token")
	s.ok(s.logout(dead))
	first := s.whoami(dead)
	for n := 2; n <= 100; n++ {
		if a := s.whoami(dead); a.Status != first.Status || a.Raw != first.Raw {
			t.Fatalf("refusal %d is %d %s, and the first %d %s", n, a.Status, a.Raw, first.Status, first.Raw)
		}
		if want := max(0, n-20); len(*held) != want {
			t.Fatalf("after %d refusals %d were held back, want %d", n, len(*held), want)
		}
		s.clock.Step(10 * time.Millisecond)
	}
	for _, d := range *held {
		if d != time.Second {
			t.Errorf("held back for %s", d)
		}
	}
	*held = nil
	s.want(s.whoami(dead+"A"), 401, "M_UNKNOWN_TOKEN") // another token
	s.ok(s.whoami(s.loggedIn().Text("access_token")))
	s.clock.Step(time.Minute)
	s.want(s.whoami(dead), 401, "M_UNKNOWN_TOKEN") // it was quiet for long enough
	if len(*held) > 0 {
		t.Errorf("others were held back: %v", *held)
	}
}

// TestRefusalsOfTheLocked: a locked person's client is slowed down too, and not for a moment longer than the lock.
func TestRefusalsOfTheLocked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	held := s.pauses()
	token := s.loggedIn().Text("access_token")
	s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
	for range 30 {
		s.want(s.whoami(token), 401, "M_USER_LOCKED")
	}
	if len(*held) != 10 {
		t.Errorf("%d were held back", len(*held))
	}
	s.must(s.db.UnlockUser(t.Context(), "alice"))
	s.ok(s.whoami(token))
	if len(*held) != 10 {
		t.Error("a good token waits")
	}
}

// TestRefusalsOfTheGood: what may be good at another place, or a moment later, is never held back, and neither is a
// request without a token.
func TestRefusalsOfTheGood(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	held := s.pauses()
	narrow, err := tokens.Restrict(s.loggedIn().Text("access_token"),
		tokens.Caveat{Key: "method", Operator: "in", Value: "PUT"})
	s.must(err)
	for range 50 {
		s.want(s.whoami(narrow), 403, "M_FORBIDDEN")
		s.want(s.whoami(""), 401, "M_MISSING_TOKEN")
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		if s.server.RefuseToken(w, r, narrow, unavailable(nil)); w.Code != 503 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if len(*held) > 0 {
		t.Errorf("held back: %v", *held)
	}
}

// TestRefusalsElsewhere: a token counts as one wherever it is shown, and its memory is bounded.
func TestRefusalsElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	held := s.pauses()
	refused := UnknownToken("Unrecognised token.", false)
	for range 20 {
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		s.server.RefuseToken(w, r, "dead", refused)
	}
	if s.want(s.whoami("dead"), 401, "M_UNKNOWN_TOKEN"); len(*held) != 1 {
		t.Errorf("held back: %v", *held)
	}
	for n := range maxKeys + 1000 {
		s.server.brake(t.Context(), fmt.Sprint(n), refused)
	}
	if n := len(s.server.refusals.arrival); n > maxKeys {
		t.Errorf("%d tokens are remembered", n)
	}
}

// TestPause: it ends with the request.
func TestPause(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pause(ctx, time.Hour)
	pause(t.Context(), time.Millisecond)
}
