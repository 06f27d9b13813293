package handlers

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Rate is how many attempts a key may make in a period. The zero Rate allows everything.
type Rate struct {
	Count  int
	Period time.Duration
}

// ParseRate reads `count/period`, such as `30/1m`, or `off`.
func ParseRate(text string) (Rate, error) {
	if text == "off" {
		return Rate{}, nil
	}
	count, period, found := strings.Cut(text, "/")
	n, errCount := strconv.Atoi(count)
	d, errPeriod := time.ParseDuration(period)
	if !found || errCount != nil || errPeriod != nil || n < 1 || d < time.Duration(n) {
		return Rate{}, fmt.Errorf("%q is not a rate: write count/period, such as 30/1m, or off", text)
	}
	return Rate{Count: n, Period: d}, nil
}

// String writes the rate the way ParseRate reads it.
func (r Rate) String() string {
	if r.Count == 0 {
		return "off"
	}
	return fmt.Sprintf("%d/%s", r.Count, r.Period)
}

// maxKeys bounds the memory of a limiter (10 to 25 MiB): addresses are free to an attacker.
const maxKeys = 1 << 16

// limiter is the generic cell rate algorithm: one instant a key, the theoretical arrival time at which its
// allowance is whole again. A key that has been quiet for a period costs nothing.
type limiter struct {
	rate    Rate
	mu      sync.Mutex
	arrival map[string]time.Time
}

func newLimiter(rate Rate) *limiter {
	return &limiter{rate: rate, arrival: make(map[string]time.Time)}
}

// take counts an attempt of the key. It answers how long to wait when there have been too many, and then
// counts nothing: a client that keeps asking is not punished further.
func (l *limiter) take(key string, now time.Time) (wait time.Duration) {
	if l.rate.Count == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	interval := l.rate.Period / time.Duration(l.rate.Count)
	arrival := l.arrival[key]
	if arrival.Before(now) || arrival.Sub(now) > l.rate.Period {
		arrival = now // quiet for a period, or the clock was set back
	}
	next := arrival.Add(interval)
	if over := next.Sub(now) - l.rate.Period; over > 0 {
		return over
	}
	if len(l.arrival) >= maxKeys {
		l.sweep(now)
	}
	l.arrival[key] = next
	return 0
}

// sweep drops the keys whose allowance is whole and, when they are too few, any: enough at once for the next sweep to
// be far off, since one looks at all of them while everybody waits.
func (l *limiter) sweep(now time.Time) {
	for key, arrival := range l.arrival {
		if !arrival.After(now) {
			delete(l.arrival, key)
		}
	}
	for key := range l.arrival {
		if len(l.arrival) <= maxKeys-maxKeys/16 {
			return
		}
		delete(l.arrival, key)
	}
}

// limits are the limiters of one kind of attempt. Logging in and refreshing are counted apart, so that a
// guessed password cannot keep a session from renewing.
type limits struct{ address, account *limiter }

func newLimits(rate Rate) limits {
	return limits{address: newLimiter(rate), account: newLimiter(rate)}
}

// takeAddress counts an attempt from an address.
func (l limits) takeAddress(addr netip.Addr, now time.Time) error {
	return limited(l.address.take(network(addr), now))
}

// takeAccount counts an attempt on an account, whether or not it exists: the answer must not tell.
func (l limits) takeAccount(localpart string, now time.Time) error {
	return limited(l.account.take(localpart, now))
}

func limited(wait time.Duration) error {
	if wait > 0 {
		return limitExceeded(wait)
	}
	return nil
}

// network is what an address is counted as: all of an IPv6 /64, since one customer holds at least that.
func network(addr netip.Addr) string {
	if addr.Is6() && !addr.Is4In6() {
		prefix, err := addr.Prefix(64)
		if err == nil {
			return prefix.String()
		}
	}
	return addr.Unmap().String()
}
