package handlers

import (
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"postern/db"
)

// These are the only tests that look at the clock, because what they hold is a time: a refused login must not tell by
// it who has an account. They use real hashes, which cost tens of milliseconds, and a leak is the absence of one.
//
// All kinds of users are asked in every round, in random order, so that whatever else the machine does hits all alike.
// Two kinds count as told apart if their medians differ by more than half of what one hash costs here, measured in the
// same rounds, or if more than nine of ten pairs of times are in the same order (with ten rounds that is 3.0 standard
// deviations of the rank test by Mann and Whitney). Noise that does that has to do it in each of five runs to fail the
// test; a leak always does.
//
// They measure the machine as much as the code, so they run by `make slow` alone, one after the other.
const (
	timingRounds = 10
	timingRuns   = 5
)

func slow(t *testing.T) {
	t.Helper()
	if testing.Short() || os.Getenv("TEST_TIMING") == "off" {
		t.Skip("measures how long real hashes take: go test -run '" + t.Name() + "' ./handlers")
	}
}

// stopwatch gathers times by kind.
type stopwatch map[string][]time.Duration

// measure does each of the things once in every round, and hashes.
func measure(things map[string]func()) stopwatch {
	things[oneHash] = func() { _, _ = argon2id.ComparePasswordAndHash("wrong", dummyHash) }
	kinds := make([]string, 0, len(things))
	for kind := range things {
		kinds = append(kinds, kind)
	}
	w := make(stopwatch)
	for range timingRounds {
		rand.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		for _, kind := range kinds {
			began := time.Now()
			things[kind]()
			w[kind] = append(w[kind], time.Since(began))
		}
	}
	return w
}

func (w stopwatch) median(kind string) time.Duration {
	sorted := slices.Sorted(slices.Values(w[kind]))
	return sorted[len(sorted)/2]
}

// order is the share of pairs of times in which a took longer than b: a half if nothing tells them apart.
func (w stopwatch) order(a, b string) float64 {
	longer := 0.0
	for _, x := range w[a] {
		for _, y := range w[b] {
			if x > y {
				longer++
			} else if x == y {
				longer += 0.5
			}
		}
	}
	return longer / float64(len(w[a])*len(w[b]))
}

// tellsApart is the measure that is described above.
func (w stopwatch) tellsApart(a, b string) bool {
	order := w.order(a, b)
	return (w.median(a)-w.median(b)).Abs() > w.median(oneHash)/2 || order < 0.1 || order > 0.9
}

const (
	oneHash = "one hash"
	known   = "known"
)

// toldApart are the kinds that are told apart from the known user in every run. Nearly always one run is enough.
func toldApart(things map[string]func()) (kinds []string, last stopwatch) {
	for kind := range things {
		if kind != known {
			kinds = append(kinds, kind)
		}
	}
	for range timingRuns {
		last = measure(things)
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return !last.tellsApart(kind, known) })
		if len(kinds) == 0 {
			break
		}
	}
	return kinds, last
}

func alike(t *testing.T, things map[string]func()) {
	t.Helper()
	kinds, w := toldApart(things)
	for _, kind := range kinds {
		t.Errorf("%s takes %s, %s %s, and %.2f of the times are in one order; a hash takes %s",
			kind, w.median(kind), known, w.median(known), w.order(kind, known), w.median(oneHash))
	}
}

// realSite has accounts whose passwords are hashed at the real cost.
func realSite(t *testing.T) *site {
	s := newSite(t)
	s.server.hasher.cost = hashing
	hash, err := HashPassword(password)
	s.must(err)
	for _, u := range []db.User{
		{Localpart: "known"}, {Localpart: "deactivated", Deactivated: s.clock.Now()}, {Localpart: "locked", Locked: s.clock.Now()},
		{Localpart: "passwordless", PasswordHash: NoPassword},
	} {
		s.addHashed(u, hash)
	}
	return s
}

func (s *site) addHashed(u db.User, hash string) {
	s.Helper()
	u.Created = s.clock.Now()
	if u.PasswordHash == "" {
		u.PasswordHash = hash
	}
	s.must(s.db.CreateUser(s.Context(), u))
}

// doors refuse a user at each door.
func (s *site) doors() map[string]func(user string) {
	refused := func(path string, body func(user string) string) func(string) {
		return func(user string) {
			s.want(s.do(call{Method: "POST", Path: path, Body: body(user)}), 403, "M_FORBIDDEN")
		}
	}
	return map[string]func(string){
		"today": refused(loginPath, func(user string) string { return loginBody(user, "wrong", "") }),
		"draft": refused("/_matrix/client/api/v1/login",
			func(user string) string { return `{"username":"` + user + `","password":"wrong"}` }),
	}
}

// TestLoginTimeTellsNothing: the time of a refused login does not tell who exists.
func TestLoginTimeTellsNothing(t *testing.T) {
	slow(t)
	s := realSite(t)
	for door, refuse := range s.doors() {
		t.Run(door, func(t *testing.T) {
			things := make(map[string]func())
			for _, user := range []string{"known", "unknown", "deactivated", "locked", "passwordless",
				"@known:elsewhere.org"} {
				things[user] = func() { refuse(user) }
			}
			alike(t, things)
		})
	}
}

// TestLoginTimeOfMovers: nor who has moved in and not logged in since, once one of them was refused. A cheaper hash
// would tell by being quick, a dearer one by being slow.
func TestLoginTimeOfMovers(t *testing.T) {
	slow(t)
	for kind, hash := range map[string]string{"bcrypt": bcryptOf(t, password, 9),
		"quick argon2id": cheapHash(t, password)} {
		t.Run(kind, func(t *testing.T) {
			s := realSite(t)
			s.addHashed(db.User{Localpart: "mover"}, hash)
			refuse, things := s.doors()["today"], make(map[string]func())
			for _, user := range []string{"known", "unknown", "mover"} {
				things[user] = func() { refuse(user) }
			}
			refuse("mover")
			alike(t, things)
		})
	}
}

// TestContentionTimeTellsNothing: nor does the last of several guesses at once tell it. They wait for each other
// whether or not there is an account.
func TestContentionTimeTellsNothing(t *testing.T) {
	slow(t)
	s := realSite(t)
	s.addHashed(db.User{Localpart: "mover"}, bcryptOf(t, password, 9))
	refuse, things := s.doors()["today"], make(map[string]func())
	for _, user := range []string{"known", "unknown", "mover"} {
		things[user] = func() {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { refuse(user) })
			}
			all.Wait()
		}
	}
	refuse("mover")
	alike(t, things)
}

// TestInteractiveTimeTellsNothing: the password stage takes the password of the user who asks, and of no other, so whom
// else it names makes no difference; and it is no cheaper place to guess than a login.
func TestInteractiveTimeTellsNothing(t *testing.T) {
	slow(t)
	s := realSite(t)
	token := s.ok(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("known", password, "")})).Text(
		"access_token")
	step := func(user string, status int) func() {
		return func() { s.want(s.deletePhone(token, passwordStep(user, "wrong", "")), status, "M_FORBIDDEN") }
	}
	alike(t, map[string]func(){known: step("alice", 403), "unknown": step("nobod", 403)})
	// It takes longer by the row that keeps the stage, which says nothing of whose password was wrong.
	for range timingRuns {
		w := measure(map[string]func(){known: func() { s.doors()["today"]("known") }, "the stage": step("known", 401)})
		if w.median("the stage") > w.median(known)-w.median(oneHash)/2 {
			return
		}
	}
	t.Error("the password stage is a cheaper place to guess")
}

// TestRecoveryTimeTellsNothing: nor does the time tell that a link was mailed. No hash is made for it: what would tell
// is a row that is written, or read, for some alone.
func TestRecoveryTimeTellsNothing(t *testing.T) {
	slow(t)
	s := newSite(t, func(c *Config) { c.MailWaits = func() {} })
	for _, name := range []string{"known", "locked", "no-address"} {
		s.addHashed(db.User{Localpart: name}, "x")
	}
	s.must(s.db.LockUser(t.Context(), "locked", s.clock.Now()))
	for _, name := range []string{"known", "locked"} {
		s.addEmail(name, name+"@example.org")
	}
	for _, by := range []string{"", "@example.org"} {
		t.Run("by name"+by, func(t *testing.T) {
			things := make(map[string]func())
			for _, name := range []string{"known", "unknown", "locked", "no-address"} {
				things[name] = func() {
					s.clock.Step(25 * time.Hour) // so that it is not one too many
					ctx := WithCaller(t.Context(), &Caller{Now: s.clock.Now()})
					s.must(s.server.AskRecovery(ctx, name+by, "en"))
				}
			}
			alike(t, things)
		})
	}
}

// TestStopwatchTells: a refusal for which nothing is hashed is told apart from one for which something is.
func TestStopwatchTells(t *testing.T) {
	slow(t)
	s := realSite(t)
	const cheaper = "no hash"
	for range timingRuns {
		w := measure(map[string]func(){
			known: func() { s.doors()["today"]("known") },
			cheaper: func() {
				s.want(s.do(call{Method: "POST", Path: loginPath, Body: `{"type":"m.login.password"}`}), 400,
					"M_MISSING_PARAM")
			},
		})
		if w.tellsApart(cheaper, known) {
			return
		}
	}
	t.Error("a hash that is left out is not noticed, and would not be by the tests above")
}
