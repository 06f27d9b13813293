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

// instants have one for each key: its theoretical arrival time, at which its allowance is whole again. A key that has
// been quiet for a while costs nothing.
type instants map[string]time.Time

// after is a key's instant, and now if that is past, or later than it can be: the clock was set back.
func (i instants) after(key string, now time.Time, most time.Duration) time.Time {
	if at := i[key]; at.After(now) && at.Sub(now) <= most {
		return at
	}
	return now
}

func (i instants) set(key string, at, now time.Time) {
	if len(i) >= maxKeys {
		i.sweep(now)
	}
	i[key] = at
}

// sweep drops the keys whose allowance is whole and, when they are too few, any: enough at once for the next sweep to
// be far off, since one looks at all of them while everybody waits.
func (i instants) sweep(now time.Time) {
	for key, at := range i {
		if !at.After(now) {
			delete(i, key)
		}
	}
	for key := range i {
		if len(i) <= maxKeys-maxKeys/16 {
			return
		}
		delete(i, key)
	}
}

// limiter is the generic cell rate algorithm.
type limiter struct {
	rate    Rate
	mu      sync.Mutex
	arrival instants
}

func newLimiter(rate Rate) *limiter {
	return &limiter{rate: rate, arrival: make(instants)}
}

// take counts an attempt of the key. It answers how long to wait when there have been too many, and then
// counts nothing: a client that keeps asking is not punished further.
func (l *limiter) take(key string, now time.Time) (wait time.Duration) {
	if l.rate.Count == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.arrival.after(key, now, l.rate.Period).Add(l.rate.Period / time.Duration(l.rate.Count))
	if over := next.Sub(now) - l.rate.Period; over > 0 {
		return over
	}
	l.arrival.set(key, next, now)
	return 0
}

// giveBack undoes a take that did not end as what is counted.
func (l *limiter) giveBack(key string, now time.Time) {
	if l.rate.Count == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrival.set(key, l.arrival.after(key, now, l.rate.Period).Add(-l.rate.Period/time.Duration(l.rate.Count)), now)
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
