package handlers

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a session as the design tells it, in the fewest words: what the server must answer, and nothing of how.
type model struct {
	generation       int
	held             map[int][2]string // what clients hold of each generation: access token, refresh token
	accessEnd        map[int]time.Time // when the access token in held expires
	end              time.Time         // of the session
	used             time.Time         // when a token of this generation was first seen
	single           bool              // the generation was claimed at the draft's door
	soft, gone       bool
	ttl, leeway      time.Duration
	lastAccess, last string // the pair of this generation, as the server first told it
}

// The verdicts. A soft one keeps the device.
const (
	good = "200"
	dead = "401"
	kept = "401 soft"
)

func (m *model) use(k int, now time.Time) string {
	fits := k == m.generation || k == m.generation-1 && m.used.IsZero() && !m.single
	switch {
	case m.gone:
		return dead
	case m.soft, !now.Before(m.end), !fits, !now.Before(m.accessEnd[k]):
		return kept
	}
	if k == m.generation && m.used.IsZero() {
		m.used = now
	}
	return good
}

// refresh says the verdict and whether the pair must be the one already given.
func (m *model) refresh(k int, now time.Time, draft bool) (verdict string, same bool) {
	recent := k == m.generation-1 && (m.used.IsZero() || now.Sub(m.used) <= m.leeway)
	switch {
	case m.gone:
		return dead, false
	case m.soft, !now.Before(m.end):
		return kept, false
	case k == m.generation:
		m.generation++
		m.single, m.used = draft, time.Time{}
		if draft {
			m.used = now
		}
		return good, false
	case recent && (draft || m.single):
		return kept, false
	case recent:
		return good, !m.used.IsZero() || now.Before(m.accessEnd[m.generation])
	}
	m.soft = true
	return kept, false
}

// learn keeps what a refresh or a login answered.
func (m *model) learn(access, refresh string, now time.Time) {
	m.lastAccess, m.last = access, refresh
	m.held[m.generation] = [2]string{access, refresh}
	m.accessEnd[m.generation] = now.Add(min(m.ttl, m.end.Sub(now)))
}

// TestModel drives random interleavings of login, refresh at both doors, lost answers, use, second tabs, replay,
// logout, expiry and clock steps through the whole server and the model, and compares every answer.
func TestModel(t *testing.T) {
	t.Parallel()
	const ttl, leeway, sessionTTL = 5 * time.Minute, 30 * time.Second, 40 * time.Minute
	s := newSite(t, func(c *Config) { c.AccessTTL, c.RefreshLeeway, c.SessionTTL = ttl, leeway, sessionTTL })
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // devices of its own for each round: they share one database
		var sessions []*model
		on := make(map[string]*model) // by device
		pick := func(rt *rapid.T) (*model, int) {
			if len(sessions) == 0 {
				rt.Skip("no session yet")
			}
			m := rapid.SampledFrom(sessions).Draw(rt, "session")
			return m, max(1, m.generation-rapid.SampledFrom([]int{0, 0, 0, 1, 1, 1, 2}).Draw(rt, "age"))
		}
		expect := func(rt *rapid.T, a answer, verdict string) {
			got := fmt.Sprint(a.Status)
			if a.soft() {
				got += " soft"
			}
			if got != verdict {
				rt.Fatalf("answer is %s %s, the model says %s", got, a.Raw, verdict)
			}
		}
		refresh := func(draft bool) func(*rapid.T) {
			return func(rt *rapid.T) {
				m, k := pick(rt)
				token := m.held[k][1]
				if token == "" {
					rt.Skip("the draft's door gave no refresh token: the session was near its end")
				}
				now := s.clock.now()
				verdict, same := m.refresh(k, now, draft)
				a := s.refresh
				if draft {
					a = s.tokenRefresh
				}
				got := a(token)
				if draft && verdict != good {
					s.want(got, 403, "M_FORBIDDEN")
					return
				}
				expect(rt, got, verdict)
				switch {
				case verdict != good:
				case same && (got.text("access_token") != m.lastAccess || got.text("refresh_token") != m.last):
					rt.Fatal("the pair is not the one in force")
				case !same:
					m.learn(got.text("access_token"), got.text("refresh_token"), now)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"login": func(rt *rapid.T) {
				device := rapid.SampledFrom([]string{"PHONE", "LAPTOP"}).Draw(rt, "device")
				a := s.ok(s.login(fmt.Sprintf(`"refresh_token":true,"device_id":"%s %d"`, device, round)))
				if old := on[device]; old != nil {
					old.gone = true
				}
				now := s.clock.now()
				m := &model{generation: 1, held: make(map[int][2]string), accessEnd: make(map[int]time.Time),
					end: now.Add(sessionTTL), ttl: ttl, leeway: leeway}
				m.learn(a.text("access_token"), a.text("refresh_token"), now)
				on[device] = m
				sessions = append(sessions, m)
			},
			"use": func(rt *rapid.T) {
				m, k := pick(rt)
				expect(rt, s.whoami(m.held[k][0]), m.use(k, s.clock.now()))
			},
			"refresh":       refresh(false),
			"refresh again": refresh(false),
			"draft refresh": refresh(true),
			"logout": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "seldom") > 0 {
					rt.Skip()
				}
				m, k := pick(rt)
				now := s.clock.now()
				end := m.accessEnd[k]
				m.accessEnd[k] = now.Add(1) // an expired token may still log out
				verdict := m.use(k, now)
				m.accessEnd[k] = end
				expect(rt, s.logout(m.held[k][0]), verdict)
				m.gone = m.gone || verdict == good
			},
			"time passes": func(rt *rapid.T) {
				s.clock.step(rapid.SampledFrom([]time.Duration{
					time.Second, leeway - time.Second, leeway, leeway + time.Second, ttl, 3 * ttl, -time.Minute, -time.Hour,
				}).Draw(rt, "step"))
			},
		})
	})
}
