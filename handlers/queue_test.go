package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"

	"postern/test/rig/matrixtest"
)

// line is a queue of one place, which the test holds, and those who wait for it.
type line struct {
	*testing.T
	*queue
	clock *clock
	held  *place
	order []string // who got it
}

func newLine(t *testing.T) *line {
	l := &line{T: t, clock: matrixtest.NewClock()}
	l.queue = newQueue(prometheus.NewGauge(prometheus.GaugeOpts{}), l.clock.Now, defaultPatience/3)
	l.free = 1
	l.take("nobody", claim{lane: ofStrangers})
	return l
}

// take lets somebody wait, and returns when they do.
func (l *line) take(name string, c claim) {
	go func() {
		if p, err := l.wait(l.Context(), c); err == nil {
			l.order, l.held = append(l.order, name), p
		}
	}()
	synctest.Wait()
}

// pass gives the place to the next one, who has guessed wrong.
func (l *line) pass(work int) { l.finish(work, false) }

func (l *line) finish(work int, right bool) {
	p := l.held // by the end of done it is another's
	p.done(work, right)
	p.leave()
	synctest.Wait()
}

// passAll lets everybody have it, and says who came when.
func (l *line) passAll() string {
	l.order = nil
	for l.waits() > 0 {
		l.pass(1)
	}
	return strings.Join(l.order, " ")
}

func (q *queue) waits() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, all := range q.waiting {
		n += len(all)
	}
	return n
}

func from(addr, account string) claim { return strangerAt(netip.MustParseAddr(addr), account) }

// TestQueueOrder: who comes next.
func TestQueueOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arrive func(l *line)
		want   string
	}{
		"in turn": {func(l *line) {
			for i := range 4 {
				l.take(fmt.Sprint(i), from(fmt.Sprintf("192.0.2.%d", i), fmt.Sprint(i)))
			}
		}, "0 1 2 3"},
		"an address has one turn before the others": {func(l *line) {
			for i := range 3 {
				l.take(fmt.Sprint("a", i), from("192.0.2.1", fmt.Sprint(i)))
			}
			l.take("b0", from("192.0.2.2", "b0"))
			l.take("b1", from("192.0.2.2", "b1"))
			l.take("c", from("192.0.2.3", "c"))
		}, "a0 b0 c a1 b1 a2"},
		"an IPv6 /64 is one": {func(l *line) {
			l.take("a0", from("2001:db8::1", "a"))
			l.take("a1", from("2001:db8::2", "b"))
			l.take("b", from("2001:db8:0:1::1", "c"))
		}, "a0 b a1"},
		"an account is one, whatever the address": {func(l *line) {
			for i := range 3 {
				l.take(fmt.Sprint("a", i), from(fmt.Sprintf("192.0.2.%d", i), "alice"))
			}
			l.take("b", from("192.0.2.9", "bob"))
		}, "a0 b a1 a2"},
		"who has failed lately is last": {func(l *line) {
			for range 2 {
				l.take("guess", from("192.0.2.1", "x"))
				l.pass(1)
			}
			l.take("guess", from("192.0.2.1", "y"))
			l.clock.Step(5 * time.Second)
			l.take("honest", from("192.0.2.2", "z"))
		}, "honest guess"},
		"and not for ever": {func(l *line) {
			l.take("guess", from("192.0.2.1", "x"))
			l.pass(1)
			l.clock.Step(putBack)
			l.take("late", from("192.0.2.1", "y"))
			l.take("honest", from("192.0.2.2", "z"))
		}, "late honest"},
		"a right password is no guess": {func(l *line) {
			l.take("right", from("192.0.2.1", "x"))
			l.finish(1, true)
			l.finish(1, true)
			l.take("nobody", claim{})
			l.take("again", from("192.0.2.1", "x"))
			l.take("honest", from("192.0.2.2", "z"))
		}, "again honest"},
		"a session does not wait for strangers": {func(l *line) {
			for i := range 3 {
				l.take(fmt.Sprint(i), from(fmt.Sprintf("192.0.2.%d", i), fmt.Sprint(i)))
			}
			l.take("session", sessionAt("S"))
		}, "session 0 1 2"},
		"nor strangers for sessions, beyond a half": {func(l *line) {
			for i := range 4 {
				l.take(fmt.Sprint("s", i), sessionAt(fmt.Sprint(i)))
			}
			for i := range 4 {
				l.take(fmt.Sprint(i), from(fmt.Sprintf("192.0.2.%d", i), fmt.Sprint(i)))
			}
		}, "s0 s1 0 s2 1 s3 2 3"},
		"of sessions the one that guesses is last": {func(l *line) {
			l.take("thief", sessionAt("stolen"))
			l.take("thief", sessionAt("stolen"))
			l.take("owner", sessionAt("hers"))
		}, "thief owner thief"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLine(t)
				c.arrive(l)
				if got := l.passAll(); got != c.want {
					t.Errorf("it goes %s, want %s", got, c.want)
				}
			})
		})
	}
}

// TestQueueCountsWork: a comparison that costs ten hashes is ten turns of its lane.
func TestQueueCountsWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		for i := range 40 {
			l.take("dear", from(fmt.Sprintf("192.0.2.%d", i), fmt.Sprint(i)))
			l.take("session", sessionAt(fmt.Sprint(i)))
		}
		l.order = nil
		for range 33 {
			work := 1
			if l.held.lane == ofStrangers {
				work = newTestHasher(t, "").work(bcryptHash12)
			}
			l.pass(work)
		}
		if n := strings.Count(strings.Join(l.order, " "), "dear"); n != 2 { // and nobody's, before
			t.Errorf("of 33 turns, %d are of the lane whose hashes cost ten: %s", n, l.order)
		}
		for l.waits() > 0 {
			l.pass(1)
		}
	})
}

var bcryptHash12 = "$2b$12$" + strings.Repeat("a", 53)

func TestWork(t *testing.T) {
	t.Parallel()
	h := newTestHasher(t, "")
	h.cost = hashing
	salted := strings.Repeat("a", 53)
	for hash, want := range map[string]int{
		"": 1, NoPassword: 1, dummyHash: 1, "unknown": 1, bcryptHash12: 10, SynapseHash + bcryptHash12: 10, "$2b$10$" + salted: 2,
		"$2b$04$" + salted: 1, "$2b$16$" + salted: 160, strings.Replace(dummyHash, "t=2", "t=6", 1): 3,
		strings.Replace(dummyHash, "t=2", "t=1", 1): 1,
	} {
		if got := h.work(hash); got != want {
			t.Errorf("%q costs %d, want %d", hash, got, want)
		}
	}
}

// TestQueuePatience: waiting ends, for those who are still there with an answer that says when to come back.
func TestQueuePatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		began := time.Now()
		_, err := l.wait(t.Context(), from("192.0.2.1", "x"))
		var refused *Error
		if !errors.As(err, &refused) || refused.Status != 429 || refused.RetryAfter != l.patience {
			t.Errorf("whoever waits too long gets %v", err)
		}
		if waited := time.Since(began); waited != l.patience {
			t.Errorf("they waited %s, want %s", waited, l.patience)
		}
		gone, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		if _, err := l.wait(gone, from("192.0.2.1", "x")); !errors.Is(err, context.Canceled) {
			t.Errorf("whoever leaves gets %v", err)
		}
		l.pass(1)
		if _, err := l.wait(gone, from("192.0.2.1", "x")); !errors.Is(err, context.Canceled) {
			t.Errorf("whoever has left before there was a place gets %v", err)
		}
		// None of them has had anything, so none is put back.
		l.take("first", claim{})
		l.take("they", from("192.0.2.1", "x"))
		l.take("others", from("192.0.2.2", "y"))
		if got := l.passAll(); got != "they others" {
			t.Errorf("then it goes %s", got)
		}
	})
}

// TestQueueIsBounded: when there is no room, whoever ranks last has to go, and no lane takes the room of the other.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(t)
		refused := make(chan string, 2*maxWaiting)
		arrive := func(name string, c claim) {
			go func() {
				p, err := l.wait(t.Context(), c)
				if IsStatus(err, 429) {
					refused <- name
				} else {
					l.order = append(l.order, name)
					p.done(1, false)
					p.leave()
				}
			}()
			synctest.Wait()
		}
		wantRefused := func(want string) {
			t.Helper()
			select {
			case got := <-refused:
				if got != want {
					t.Errorf("%s is refused, want %s", got, want)
				}
			default:
				if want != "" {
					t.Errorf("%s is not refused", want)
				}
			}
		}
		for i := range maxWaiting {
			arrive("flood", from("192.0.2.1", fmt.Sprint(i)))
		}
		wantRefused("")
		arrive("one more", from("192.0.2.1", "x"))
		wantRefused("one more")
		arrive("honest", from("192.0.2.2", "alice"))
		wantRefused("flood")
		arrive("session", sessionAt("S"))
		wantRefused("")
		l.order = nil
		l.pass(1)
		if len(l.order) != maxWaiting+1 || l.order[0] != "session" || !slices.Contains(l.order[:3], "honest") {
			t.Errorf("of %d who get a place the first are %v", len(l.order), l.order[:3])
		}
	})
}

// TestGuessesAtAnAccountTakeTurns: how long the last of many guesses takes says nothing of whether there is an account,
// and nobody else waits for them.
func TestGuessesAtAnAccountTakeTurns(t *testing.T) {
	t.Parallel()
	slow := bcryptOf(t, password, bcrypt.MinCost)
	for name, hash := range map[string]string{"unknown": "", "no password": NoPassword, "moved": slow,
		"here": cheapHash(t, password)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newTestHasher(t, "")
				h.free = 4
				h.slowest.Store(int64(maxEven / 4))
				began, guesses := time.Now(), make(chan time.Duration, 8)
				guess := func(addr int, account string) (took time.Duration) {
					v, err := h.check(t.Context(), "wrong", hash, from(fmt.Sprintf("192.0.2.%d", addr), account))
					if v.match || err != nil {
						t.Error(v, err)
					}
					return time.Since(began)
				}
				var all sync.WaitGroup
				for i := range cap(guesses) {
					all.Go(func() { guesses <- guess(i, name) })
					all.Go(func() {
						if took := guess(100+i, fmt.Sprint(i)); took != maxEven/4 {
							t.Errorf("a guess at another account takes %s", took)
						}
					})
				}
				all.Wait()
				for i := range cap(guesses) {
					if took := <-guesses; took != time.Duration(i+1)*maxEven/4 {
						t.Errorf("guess %d takes %s", i, took)
					}
				}
			})
		})
	}
}
