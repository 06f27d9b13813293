package handlers

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"

	"postern/db"
)

// failing is a source of randomness that fails once, at the read with that number from now on.
type failing struct{ at atomic.Int64 }

func (f *failing) Read(p []byte) (int, error) {
	if f.at.Add(-1) == 0 {
		return 0, fmt.Errorf("no randomness: %w", db.ErrUnavailable) // which the contract declares: 503
	}
	return rand.Read(p)
}

// TestFailureDoesNotCostTheProof: the user has given the password, the server fails at what follows, and the client
// asks again: the proof still counts, once.
func TestFailureDoesNotCostTheProof(t *testing.T) {
	t.Parallel()
	var random failing
	s := newSite(t, func(c *Config) { c.Random = &random })
	token := s.loggedIn().Text("access_token")
	ask := func(auth string) answer {
		return s.do(call{Method: "POST", Path: getTokenPath, Token: token, Body: `{"auth":` + auth + `}`})
	}
	session := s.challenged(s.do(call{Method: "POST", Path: getTokenPath, Token: token, Body: `{}`}))
	random.at.Store(2) // the first read seals the interaction with its proof
	s.want(ask(passwordStep("alice", password, session)), 503, "M_UNKNOWN")
	s.ok(ask(`{"session":"` + session + `"}`))
	s.challenged(ask(`{"session":"` + session + `"}`))
}
