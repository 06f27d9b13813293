package replicas

import (
	"fmt"
	"sync"
	"testing"

	"postern/test/rig/process"
	"postern/tokens"
)

// TestFacts ends and stops things at one replica, and by the command line, and asks all of them at once.
func TestFacts(t *testing.T) {
	for _, count := range []int{2, 3} {
		t.Run(fmt.Sprint(count, " replicas"), func(t *testing.T) {
			h := newReplicas(t, count)
			for round := range *rounds {
				for at := range h.servers {
					h.logout(fmt.Sprint("OUT", round), at)
					h.replay(fmt.Sprint("REPLAY", round), at)
					h.rotate(fmt.Sprint("KEY", round), at)
				}
				h.lock(fmt.Sprint("LOCK", round))
			}
		})
	}
}

// logout ends a session at one replica after all of them have seen it.
func (h *replicas) logout(device string, at int) {
	h.Helper()
	pair := h.login(device)
	h.good("before the logout", pair.Access)
	h.must(h.client.Logout(h.Context(), h.servers[at].URL, pair.Access))
	h.refused(fmt.Sprintf("after a logout at replica %d", at), pair.Access, gone)
}

// replay lets one replica see the refresh token before the last again; the session is soft at all of them.
func (h *replicas) replay(device string, at int) {
	h.Helper()
	first := h.login(device)
	second := h.refresh(first.Refresh, 0)
	third := h.refresh(second.Refresh, len(h.servers)-1)
	h.good("before the replay", third.Access)
	if _, err := h.client.Refresh(h.Context(), h.servers[at].URL, first.Refresh); err == nil {
		h.Errorf("replica %d takes a token that was replayed", at)
	}
	h.refused(fmt.Sprintf("after a replay at replica %d", at), third.Access, soft)
	for i, replica := range h.servers {
		if _, err := h.client.Refresh(h.Context(), replica.URL, third.Refresh); err == nil {
			h.Errorf("replica %d refreshes a session that is soft", i)
		}
	}
}

func (h *replicas) refresh(token string, at int) process.Pair {
	h.Helper()
	pair, err := h.client.Refresh(h.Context(), h.servers[at].URL, token)
	h.must(err)
	return pair
}

// rotate makes a root key and lets one replica use it: the others, to which nobody has come since, know it.
func (h *replicas) rotate(device string, at int) {
	h.Helper()
	old := h.login(device)
	h.good("before the rotation", old.Access)
	h.command("", "keys", "rotate")
	pair := h.refresh(old.Refresh, at)
	if was, is := h.key(old), h.key(pair); is <= was {
		h.Errorf("replica %d still mints with root key %d", at, was)
	}
	h.good("with a new root key", pair.Access)
}

// key is the number of the root key that a pair was made with.
func (h *replicas) key(pair process.Pair) int64 {
	h.Helper()
	token, err := tokens.Decode(pair.Access)
	h.must(err)
	return token.KeyID()
}

// lock locks the account and opens it again, by the command line.
func (h *replicas) lock(device string) {
	h.Helper()
	pair := h.login(device)
	h.good("before the lock", pair.Access)
	h.command("", "user", "lock", user)
	h.refused("while locked", pair.Access, locked)
	h.command("", "user", "unlock", user)
	h.good("after the lock", pair.Access)
}

// TestOnePair lets 64 clients refresh one token through all replicas: all of them get one pair.
func TestOnePair(t *testing.T) {
	h := newReplicas(t, 3)
	newest := h.login("SHARED")
	for round := range *rounds {
		answers := h.race(newest.Refresh, 64)
		for i, pair := range answers {
			if pair.Refresh != answers[0].Refresh || pair.Access != answers[0].Access ||
				pair.Refresh == newest.Refresh {
				t.Fatalf("round %d: client %d gets %s, another one %s", round, i, pair.Raw, answers[0].Raw)
			}
		}
		newest = answers[0]
		h.good("the pair that all of them got", newest.Access)
	}
}

func (h *replicas) race(token string, clients int) []process.Pair {
	h.Helper()
	answers, errs := make([]process.Pair, clients), make([]error, clients)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i], errs[i] = h.client.Refresh(h.Context(), h.proxy.url, token) })
	}
	all.Wait()
	for _, err := range errs {
		h.must(err)
	}
	return answers
}
