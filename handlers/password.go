package handlers

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
)

// hashing is the cost of a password: OWASP's first recommendation for argon2id, ≈ 25 ms on a 2024 server.
var hashing = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// dummyHash stands in for the hash of an account that does not exist, so that its login takes as long. Its
// salt and its 32 bytes are random: no password leads there. The parameters are those of [hashing].
const dummyHash = "$argon2id$v=19$m=19456,t=2,p=1$P4Osa142jCG3qmUql9R8/g$AOj6RZNnxDjCT07fglvo6iNhsYFsECFny776UE5TzH8"

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

// hasher makes and compares hashes, a bounded number at a time: each takes 19 MiB and a core.
type hasher struct {
	*queue
	tidy   *time.Timer
	cost   *argon2id.Params // of new hashes
	pepper string           // Synapse's
	// what the slowest comparison with a hash from elsewhere took, in nanoseconds; 0: there was none
	slowest atomic.Int64
}

func newHasher(q *queue, pepper string) *hasher {
	h := &hasher{queue: q, cost: hashing, pepper: pepper}
	// One buffer a hash is garbage that Go would keep for later; a login server is idle most of the day.
	h.tidy = time.AfterFunc(quiet, debug.FreeOSMemory)
	h.tidy.Stop()
	return h
}

// hash makes the hash of a new password.
func (h *hasher) hash(ctx context.Context, password string, c claim) (string, error) {
	p, err := h.wait(ctx, c)
	if err != nil {
		return "", err
	}
	defer p.leave()
	defer h.tidy.Reset(quiet)
	hash, err := hashAt(password, h.cost)
	p.done(1, true) // it was no guess
	return hash, err
}

// NewHash is that of a password which the context's [Caller] sets for an account, if it may be one.
func (s *Server) NewHash(ctx context.Context, localpart, password string) (string, error) {
	return s.newHash(ctx, localpart, password, sessionAt(CallerOf(ctx).Session.ID))
}

// newHash is NewHash for whoever waits by another claim.
func (s *Server) newHash(ctx context.Context, localpart, password string, c claim) (string, error) {
	if err := s.CheckNewPassword(password, localpart); err != nil {
		return "", err
	}
	return s.hasher.hash(ctx, password, c)
}

// check reports whether the password is the one behind the hash, in its turn. A refusal takes as long as any, and no
// other stranger's guess at the account is looked at before. See [hasher.compared] and [hasher.even].
func (h *hasher) check(ctx context.Context, password, hash string, c claim) (v verdict, err error) {
	p, err := h.wait(ctx, c)
	if err != nil {
		return verdict{}, err
	}
	defer p.leave()
	v, err = h.compared(password, hash)
	p.done(h.work(hash), v.match)
	if err == nil && !v.match {
		err = h.even(ctx, v.took)
	}
	return v, err
}

// nobodys is a hash like another, which costs the same to compare and which no password leads to: one letter of what
// both kinds end in is changed.
func nobodys(hash string) string {
	const fromEnd = 8
	at := len(hash) - fromEnd
	switch {
	case at < 0:
		return hash // which is nobody's already
	case hash[at] == 'A':
		return hash[:at] + "B" + hash[at+1:]
	}
	return hash[:at] + "A" + hash[at+1:]
}

// verdict is what came of a comparison.
type verdict struct {
	match  bool
	better string // the same password in the form of new ones, to be stored instead; empty: the hash is fine
	took   time.Duration
}

// compared reports whether the password is the one behind the hash. An account that does not exist has no hash, and one
// without a password [NoPassword]: the work is done all the same, and the answer is no.
func (h *hasher) compared(password, hash string) (v verdict, err error) {
	defer h.tidy.Reset(quiet)
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
	v = verdict{match: match && !nobody, took: time.Since(began)}
	if foreign {
		h.remember(v.took)
	}
	if v.match && outdated {
		if v.better, err = hashAt(password, h.cost); err != nil {
			v.better, err = "", nil // another login will do it; this one has the right password
		}
	}
	return v, err
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
