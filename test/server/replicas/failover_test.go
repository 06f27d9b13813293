package replicas

import (
	"errors"
	"testing"
	"time"

	"postern/test/rig/fleet"
	"postern/test/rig/postgres"
	"postern/test/rig/process"
)

// pair is a primary with one standby, which is promoted by hand.
type pair struct{ primary, standby *postgres.Cluster }

// newPair starts two servers and replicas that look for the one that takes writes.
func newPair(t testing.TB) (pair, *replicas) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts two PostgreSQL servers")
	}
	primary := postgres.Start(t)
	p := pair{primary, primary.Standby(t)}
	return p, newReplicasAt(t, 3, postgres.Whichever(p.primary, p.standby))
}

// failoverCrew is who uses them: the primary may be gone while it commits, and replicas are asked again.
var failoverCrew = fleet.Config{Current: 16, Draft: 4, OAuth: 4, Patient: true, Doubtful: true}

// over takes the primary away under load, promotes the standby, and goes on for a moment.
func (h *replicas) over(p pair, away func()) fleet.Tally {
	h.Helper()
	return h.under(failoverCrew, func() {
		time.Sleep(500 * time.Millisecond)
		away()
		began := time.Now()
		p.standby.Promote(h)
		h.Logf("PostgreSQL took %v to promote its standby", time.Since(began))
		time.Sleep(2 * time.Second)
	})
}

// TestSynchronousStandby takes the primary away and promotes its synchronous standby, which has everything that was
// answered: nobody is logged out, and nothing comes twice.
func TestSynchronousStandby(t *testing.T) {
	for name, away := range map[string]func(*postgres.Cluster, testing.TB){
		"switchover": (*postgres.Cluster).Stop, "killed": (*postgres.Cluster).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			p, h := newPair(t)
			p.primary.Synchronous(t)
			n := h.over(p, func() { away(p.primary, t) })
			t.Logf("no refresh for %v; the unluckiest client waited %v for its next", n.Gap, n.Waited)
			if n.Broken > 0 {
				t.Errorf("replicas broke connections: %+v", n)
			}
		})
	}
}

// TestAsynchronousStandby kills the primary and promotes a standby that has got nothing for a second. Whose session the
// standby has goes on, and who began one in that second is logged out softly.
func TestAsynchronousStandby(t *testing.T) {
	p, h := newPair(t)
	kept, left := h.login("KEPT"), h.login("LEFT")
	var begun process.Pair
	n := h.over(p, func() {
		h.lose(p, func() {
			h.must(h.client.Logout(t.Context(), h.proxy.url, left.Access))
			begun = h.login("BEGUN")
			for at := range h.servers {
				kept = h.refresh(kept.Refresh, at)
			}
		})
	})
	t.Logf("no refresh for %v; the unluckiest client waited %v for its next", n.Gap, n.Waited)
	h.good("refreshed in the lost second", kept.Access)
	h.good("refreshed after it", h.refresh(kept.Refresh, 0).Access)
	h.good("logged out in the lost second", left.Access)
	h.refused("logged in in the lost second", begun.Access, soft)
	h.softly("logged in in the lost second", begun)
	h.good("logged in again", h.login("BEGUN").Access)
}

// TestLostRootKey makes a root key in the second that is lost. No database knows it any more, and replicas that do must
// not mint with it for ever: nobody is logged out but softly, and everybody can log in.
func TestLostRootKey(t *testing.T) {
	p, h := newPair(t)
	kept, stayed := h.login("KEPT"), h.login("STAYED")
	h.over(p, func() {
		h.lose(p, func() {
			h.command("", "keys", "rotate")
			for at := range h.servers {
				kept = h.refresh(kept.Refresh, at)
			}
			if h.key(kept) == h.key(stayed) {
				t.Error("nothing was minted with the key that will be lost")
			}
		})
		h.fleet.Forget(time.Time{}, time.Now()) // all of them have used the key
	})
	h.servers = append(h.servers, h.serve()) // which has never known the key
	h.softly("minted with the lost key", kept)
	h.good("minted with the key before", h.refresh(stayed.Refresh, 0).Access)
	h.command("", "keys", "rotate") // the new key may get the id of the lost one
	h.softly("minted with the lost key, when there is another one", kept)
	again := h.login("KEPT")
	h.good("logged in again", h.refresh(again.Refresh, 1).Access)
}

// lose kills the primary. The standby gets nothing of what happens before.
func (h *replicas) lose(p pair, happens func()) {
	h.Helper()
	from := time.Now()
	time.Sleep(500 * time.Millisecond) // until the standby has what was answered by then, however busy the machine is
	p.standby.Forget(h)
	happens()
	time.Sleep(time.Second)
	p.primary.Kill(h)
	time.Sleep(500 * time.Millisecond) // until clients have read what was answered
	h.fleet.Forget(from, time.Now())
}

// softly wants no replica to refuse a pair but softly.
func (h *replicas) softly(when string, pair process.Pair) {
	h.Helper()
	for i, replica := range h.servers {
		_, refresh := h.client.Refresh(h.Context(), replica.URL, pair.Refresh)
		for _, err := range []error{h.client.Whoami(h.Context(), replica.URL, pair.Access), refresh} {
			var r *process.Refusal
			if err != nil && (!errors.As(err, &r) || r.Status != 401 || r.Code != soft.Code || !r.SoftLogout) {
				h.Errorf("%s: replica %d answers %v, want %v", when, i, err, &soft)
			}
		}
	}
}
