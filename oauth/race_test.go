package oauth

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"postern/test/rig/fleet"
	"postern/tokens"
)

// TestRaces lets everybody who may have a code or its tokens act at once, again and again. Whoever is first, there is
// one session with one pair of each generation, and what was answered as ended stays ended.
func TestRaces(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	for round := range fleet.Rounds(15, 200) {
		r := &race{site: s, client: client, device: fmt.Sprint("DEVICE", round), pairs: make(map[int64][2]string),
			random: rand.New(rand.NewPCG(1, uint64(round)))}
		r.code = s.codeFor(client, r.device)
		if r.run(); t.Failed() {
			t.Fatalf("round %d: %v", round, r.told)
		}
	}
}

// race is one code and those who have it.
type race struct {
	*site
	client, device, code string
	random               *rand.Rand

	mu    sync.Mutex
	pairs map[int64][2]string // by generation
	told  []string            // who was answered what
}

// run is a login that nobody disturbs: many redeem, many refresh; then anything may happen.
func (r *race) run() {
	r.Helper()
	r.together(12, func(int) { r.wants(good, r.redeems()) })
	first := r.pairs[1]
	r.together(12, func(int) { r.wants(good, r.refreshes(first[1])) })
	second := r.pairs[2]
	if len(r.pairs) != 2 {
		r.Errorf("there are pairs of %d generations", len(r.pairs))
	}
	r.ok(r.whoami(second[0]))
	ended := false
	deeds := []func(){
		func() { r.redeems() }, // a second use, after the tokens were used
		func() { r.wants(dead, r.site.redeem(r.client, r.code, "code_verifier", strings.Repeat("x", 43))) },
		func() { r.refreshes(first[1]) },
		func() { r.refreshes(second[1]) },
		func() { r.wants(dead, r.site.refresh("nobody", second[1])) },
		func() {
			r.wants(good, r.revoke([]string{first[0], first[1], second[0], second[1]}[r.random.IntN(4)], ""))
			ended = true
		},
	}
	chosen := make([]func(), 8)
	for i := range chosen {
		chosen[i] = deeds[r.random.IntN(len(deeds)-1)] // all but the last, and that by one at most
	}
	if r.random.IntN(2) == 0 {
		chosen[0] = deeds[len(deeds)-1]
	}
	r.together(len(chosen), func(i int) { chosen[i]() })
	r.after(second, ended)
}

// after is what holds once all is quiet.
func (r *race) after(second [2]string, ended bool) {
	r.Helper()
	sessions := 0
	all, err := r.db.Sessions(r.Context(), "alice")
	r.must(err)
	for _, session := range all {
		if session.DeviceID == r.device {
			sessions++
		}
	}
	if a := r.whoami(second[0]); (sessions == 0) != ended || ended && verdictOf(a) != gone {
		r.Errorf("%d sessions, ended %v: %s", sessions, ended, a.body)
	}
	r.wants(dead, r.redeems())
}

func (r *race) together(many int, act func(int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range many {
		all.Go(func() {
			<-start
			act(i)
		})
	}
	close(start)
	all.Wait()
}

func (r *race) redeems() answer { r.Helper(); return r.keep(r.site.redeem(r.client, r.code)) }

func (r *race) refreshes(token string) answer {
	r.Helper()
	return r.keep(r.site.refresh(r.client, token))
}

// keep wants a pair to be the one that its generation has.
func (r *race) keep(a answer) answer {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, verdictOf(a))
	if a.status != 200 {
		r.wants(dead, a)
		return a
	}
	token, err := tokens.Decode(a.text("refresh_token"))
	r.must(err)
	pair := [2]string{a.text("access_token"), a.text("refresh_token")}
	if known, found := r.pairs[token.Generation()]; found && known != pair {
		r.Errorf("there are two pairs of generation %d: %v and %v", token.Generation(), known, pair)
	}
	r.pairs[token.Generation()] = pair
	return a
}

func (r *race) wants(verdict string, a answer) {
	r.Helper()
	if got := verdictOf(a); got != verdict {
		r.Errorf("answer is %s %s, want %s", got, a.body, verdict)
	}
}
