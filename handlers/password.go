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
func HashPassword(password string) (string, error) {
	hash, err := argon2id.CreateHash(password, hashing)
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
}

func newHasher(gauge prometheus.Gauge) *hasher {
	h := &hasher{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), gauge: gauge}
	// One buffer a hash is garbage that Go would keep for later; a login server is idle most of the day.
	h.tidy = time.AfterFunc(quiet, debug.FreeOSMemory)
	h.tidy.Stop()
	return h
}

// matches reports whether the password is the one behind the hash. An empty hash is that of nobody: the work
// is done all the same, and the answer is no.
func (h *hasher) matches(ctx context.Context, password, hash string) (bool, error) {
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		return false, limitExceeded(time.Second)
	}
	h.gauge.Inc()
	defer func() { h.waiting.Add(-1); h.gauge.Dec() }()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots; h.tidy.Reset(quiet) }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	nobody := hash == ""
	if nobody {
		hash = dummyHash
	}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("password hash: %w", err)
	}
	return match && !nobody, nil
}

// close stops the timer that gives memory back.
func (h *hasher) close() { h.tidy.Stop() }
