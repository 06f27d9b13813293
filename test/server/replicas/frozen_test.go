package replicas

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/fleet"
	"postern/test/rig/process"
)

// pause is how long at most a replica that hangs may keep the others from writing, beyond what they take anyway on the
// machine that the test has, for which busy is the most. A replica hangs for longer than both: a lock that is held for
// all of that time is noticed.
const (
	pause = 2 * time.Second
	busy  = 2 * time.Second
	hangs = pause + busy + 2500*time.Millisecond
)

// TestReplicaFrozen freezes one replica again and again, at random moments, while it and the others are at work. It may
// hold whatever it held: nobody waits for it for longer than pause, nobody gets an error, and when it goes on it gives
// right answers.
func TestReplicaFrozen(t *testing.T) {
	h := newReplicas(t, 3)
	frozen, others := h.servers[0], h.servers[1:]
	var fleets []*fleet.Fleet
	for i, server := range h.servers {
		name := fmt.Sprint("crew", i) // the crews' devices have the same names
		h.command(password, "user", "add", name, "--password-stdin")
		f := fleet.New(fleet.Config{User: name, Password: password, Seed: *seed, Current: 3, Draft: 1})
		t.Cleanup(f.Close)
		h.owed(f.Settle(t.Context(), server.URL))
		fleets = append(fleets, f)
	}
	stop := make(chan struct{})
	var working sync.WaitGroup
	for i, server := range h.servers {
		working.Go(func() { h.checked(fleets[i].Run(t.Context(), server.URL, stop)) })
	}
	var probes []*probe
	for i, server := range others {
		probes = append(probes, h.probe(fmt.Sprint("refresh", i), server.URL, (*replicas).refreshes),
			h.probe(fmt.Sprint("login", i), server.URL, (*replicas).logins),
			h.probe(fmt.Sprint("password", i), server.URL, (*replicas).passwords))
	}
	victim := h.probe("busy", frozen.URL, (*replicas).passwords)
	for _, p := range append(probes, victim) {
		working.Go(func() { p.run(h, stop) })
	}
	time.Sleep(3 * time.Second)
	slow := 0 * time.Second // without a replica that is frozen
	for _, p := range probes {
		slow = max(slow, p.since())
	}
	slow = min(slow, busy)
	random := rand.New(rand.NewPCG(*seed, 0))
	for range 4 + *rounds/2 {
		time.Sleep(time.Duration(200+random.IntN(300)) * time.Millisecond)
		h.must(syscall.Kill(frozen.PID(), syscall.SIGSTOP))
		time.Sleep(hangs)
		h.must(syscall.Kill(frozen.PID(), syscall.SIGCONT))
	}
	time.Sleep(500 * time.Millisecond)
	close(stop)
	working.Wait()
	for i, server := range h.servers {
		h.owed(fleets[i].Settle(t.Context(), server.URL))
		if n := fleets[i].Tally(); n.Unavailable > 0 {
			t.Errorf("replica %d could not go on: %+v", i, n)
		}
	}
	for _, p := range probes {
		longest := p.since()
		t.Logf("%s: %d times, the longest %v", p.name, p.done, longest.Round(time.Millisecond))
		if longest > pause+slow || p.done == 0 {
			t.Errorf("%s waited %v, and %v without a replica that is frozen", p.name, longest, slow)
		}
	}
}

// checked is owed in a goroutine that is not the test's.
func (h *replicas) checked(err error) {
	if err != nil {
		h.Error(err)
	}
}

// probe does one thing at one replica again and again, each time by an account of its own.
type probe struct {
	name, url string
	do        func(*replicas, *probe) error
	pair      process.Pair
	password  string
	done      int

	mu      sync.Mutex
	longest time.Duration
}

// since is the longest since it was asked before.
func (p *probe) since() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	longest := p.longest
	p.longest = 0
	return longest
}

func (h *replicas) probe(name, url string, do func(*replicas, *probe) error) *probe {
	h.Helper()
	h.command(password, "user", "add", name, "--password-stdin")
	p := &probe{name: name, url: url, do: do, password: password}
	h.must(h.logins(p))
	return p
}

func (p *probe) run(h *replicas, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		began := time.Now()
		if err := p.do(h, p); err != nil {
			h.Errorf("%s, after %v: %v", p.name, time.Since(began), err)
			return
		}
		p.mu.Lock()
		p.longest = max(p.longest, time.Since(began))
		p.mu.Unlock()
		p.done++
	}
}

func (h *replicas) logins(p *probe) (err error) {
	p.pair, err = h.client.Login(context.Background(), p.url, p.name, p.password, "PROBE")
	return err
}

func (h *replicas) refreshes(p *probe) (err error) {
	p.pair, err = h.client.Refresh(context.Background(), p.url, p.pair.Refresh)
	return err
}

// passwords changes the account's password by the one that it has.
func (h *replicas) passwords(p *probe) error {
	next := password + fmt.Sprint(p.done)
	_, err := h.client.Ask(context.Background(), http.MethodPost, p.url+"/_matrix/client/v3/account/password",
		p.pair.Access, map[string]any{"new_password": next, "auth": map[string]any{"type": "m.login.password",
			"identifier": map[string]string{"type": "m.id.user", "user": p.name}, "password": p.password}})
	if err == nil {
		p.password = next
	}
	return err
}
