package replicas

import (
	"errors"
	"strings"
	"testing"
	"time"

	"postern/test/rig/postgres"
	"postern/test/rig/process"
)

// TestOldAnswers leads the one address of a database, which a balancer or a moving address gives it, to a standby that
// has everything and has not replayed it yet. What it would answer is old, so nothing may be read from it before it is
// promoted.
func TestOldAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two PostgreSQL servers")
	}
	primary := postgres.Start(t)
	standby := primary.Standby(t)
	address := postgres.NewAddress(t, primary)
	h := newReplicasAt(t, 2, address.URL)
	primary.Synchronous(t)
	out, kept := h.login("OUT"), h.login("KEPT")
	standby.Pause(t)
	h.must(h.client.Logout(t.Context(), h.proxy.url, out.Access))
	for range 3 {
		kept = h.refresh(kept.Refresh, 0)
	}
	primary.Kill(t)
	address.Move(t, standby)
	for range 3 {
		h.away("from a standby", kept.Access)
		h.away("from a standby, of a session that was ended", out.Access)
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := h.site.Command(t.Context(), "", "user", "list"); err == nil ||
		!strings.Contains(err.Error(), "as a standby does") {
		t.Errorf("a command says %v", err)
	}
	standby.Promote(t)
	h.good("from the standby that was promoted", h.wait(kept.Refresh).Access)
	h.refused("logged out before", out.Access, gone)
}

// away wants every replica to say that it cannot say whether an access token is good.
func (h *replicas) away(when, token string) {
	h.Helper()
	for i, replica := range h.servers {
		err := h.client.Whoami(h.Context(), replica.URL, token)
		var r *process.Refusal
		if !errors.As(err, &r) || !r.Unavailable() {
			h.Errorf("%s: replica %d answers %v, want 503", when, i, err)
		}
	}
}

// wait refreshes as soon as that is possible.
func (h *replicas) wait(token string) process.Pair {
	h.Helper()
	var err error
	for range 600 {
		var pair process.Pair
		if pair, err = h.client.Refresh(h.Context(), h.proxy.url, token); err == nil {
			return pair
		}
		time.Sleep(20 * time.Millisecond)
	}
	h.Fatal(err)
	return process.Pair{}
}
