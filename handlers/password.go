package handlers

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"
)

// hashing is the cost of a password: OWASP's first recommendation for argon2id, ≈ 25 ms on a 2024 server.
var hashing = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// dummyHash stands in for the hash of an account that does not exist, so that its login takes as long. Its
// salt and its 32 bytes are random: no password leads there. The parameters are those of [hashing].
const dummyHash = "$argon2id$v=19$m=19456,t=2,p=1$P4Osa142jCG3qmUql9R8/g$AOj6RZNnxDjCT07fglvo6iNhsYFsECFny776UE5TzH8"

// maxWaiting bounds the queue of logins: at two hashes at a time the last one waits about three seconds.
const maxWaiting = 256

// quiet is how long after the last hash its memory goes back to the system.
const quiet = 2 * time.Second

// HashPassword makes the hash that an account is stored with.
func HashPassword(password string) (string, error) { return hashAt(password, hashing) }

func hashAt(password string, cost *argon2id.Params) (string, error) {
	hash, err := argon2id.CreateHash(normal(password), cost)
	if err != nil {
		return "", fmt.Errorf("password hash: %w", err)
	}
	return hash, nil
}

// hasher compares passwords, a bounded number at a time: each takes 19 MiB and a core.
type hasher struct {
	slots   chan struct{}
	waiting atomic.Int64
	gauge   prometheus.Gauge
	tidy    *time.Timer
	cost    *argon2id.Params // of new hashes
	pepper  string           // Synapse's
	// what the slowest comparison with a hash from elsewhere took, in nanoseconds; 0: there was none
	slowest atomic.Int64
}

func newHasher(gauge prometheus.Gauge, pepper string) *hasher {
	h := &hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), gauge: gauge, cost: hashing, pepper: pepper}
	// One buffer a hash is garbage that Go would keep for later; a login server is idle most of the day.
	h.tidy = time.AfterFunc(quiet, debug.FreeOSMemory)
	h.tidy.Stop()
	return h
}

// acquire waits for a slot. Whoever got one gives it back with the function it returns.
func (h *hasher) acquire(ctx context.Context) (done func(), err error) {
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		return nil, limitExceeded(time.Second)
	}
	h.gauge.Inc()
	leave := func() { h.waiting.Add(-1); h.gauge.Dec() }
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; h.tidy.Reset(quiet); leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// hash makes the hash of a new password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return hashAt(password, h.cost)
}

// check reports whether the password is the one behind the hash. If it is and the hash is not what new passwords get,
// better is the same password in the form of new ones, to be stored instead. An account that does not exist has no
// hash, and one without a password [NoPassword]: the work is done all the same, and the answer is no.
func (h *hasher) check(ctx context.Context, password, hash string) (match bool, better string, err error) {
	match, better, took, err := h.checkNow(ctx, password, hash)
	if err == nil && !match {
		err = h.even(ctx, took)
	}
	return match, better, err
}

func (h *hasher) checkNow(ctx context.Context, password, hash string) (match bool, better string, took time.Duration,
	err error) {
	done, err := h.acquire(ctx)
	if err != nil {
		return false, "", 0, err
	}
	defer done()
	nobody := hash == "" || hash == NoPassword
	if nobody {
		hash = dummyHash
	}
	began := time.Now()
	match, outdated, err := h.compare(password, hash)
	foreign := !nobody && !h.ours(hash)
	if foreign && !match {
		_, _, _ = h.compare(password, dummyHash) // one that is cheaper than ours would say by its speed that it exists
	}
	took = time.Since(began)
	if foreign {
		h.remember(took)
	}
	if match && outdated && !nobody {
		if better, err = hashAt(password, h.cost); err != nil {
			better, err = "", nil // another login will do it; this one has the right password
		}
	}
	return match && !nobody, better, took, err
}

// maxEven bounds how long a refusal is held back, should the machine have been busy when a comparison was timed.
const maxEven = time.Second

// remember notes what the hashes that came from elsewhere cost here.
func (h *hasher) remember(took time.Duration) {
	took = min(took, maxEven)
	for {
		slowest := h.slowest.Load()
		if int64(took) <= slowest || h.slowest.CompareAndSwap(slowest, int64(took)) {
			return
		}
	}
}

// even holds a refusal back until it took as long as the slowest comparison. A bcrypt hash of Synapse's takes ten times
// as long as the dummy, so without this the clock would tell which accounts exist and have not logged in since they
// moved. The same goes for argon2id of another cost. It waits without a slot and without work. What it leaves is the
// spread of the times, and the first refusal after a start.
func (h *hasher) even(ctx context.Context, took time.Duration) error {
	left := time.Duration(h.slowest.Load()) - took
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close stops the timer that gives memory back.
func (h *hasher) close() { h.tidy.Stop() }
