package handlers

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"postern/db"
	"postern/homeserver/imported"
)

// model is a session as the design tells it, in the fewest words: what the server must answer, and nothing of how.
type model struct {
	generation       int
	held             map[int][2]string // what clients hold of each generation: access token, refresh token
	accessEnd        map[int]time.Time // when the access token in held expires
	end              time.Time         // of the session
	used             time.Time         // when a token of this generation was first seen
	single           bool              // the generation was claimed at the draft's door
	oldest           int               // from this generation on, access tokens are good until they expire
	soft, gone       bool
	device           string
	on               map[string]*model // the newest session of each device
	ttl, leeway      time.Duration
	lastAccess, last string // the pair of this generation, as the server first told it
	locked           *bool  // the account's lock, which all its sessions share
}

// The verdicts. A soft one keeps the device.
const (
	good = "200"
	dead = "401 M_UNKNOWN_TOKEN"
	kept = "401 M_UNKNOWN_TOKEN soft"
	lock = "401 M_USER_LOCKED soft"
)

func (m *model) use(k int, now time.Time) string {
	fits := m.inForce(k) || k >= m.oldest
	switch {
	case m.gone:
		return m.over()
	case m.soft, !now.Before(m.end), !fits, !now.Before(m.accessEnd[k]):
		return kept
	case *m.locked:
		return lock
	}
	if k == m.generation && m.used.IsZero() {
		m.used = now
	}
	return good
}

// over is the verdict on a token of a session that has ended: soft, if its device lives.
func (m *model) over() string {
	if heir := m.on[m.device]; heir != nil && !heir.gone {
		return kept
	}
	return dead
}

func (m *model) inForce(k int) bool {
	return k == m.generation || k == m.generation-1 && m.used.IsZero() && !m.single
}

// refresh says the verdict and whether the pair must be the one already given.
func (m *model) refresh(k int, now time.Time, draft bool) (verdict string, same bool) {
	recent := k == m.generation-1 && (m.used.IsZero() || now.Sub(m.used) <= m.leeway)
	switch {
	case m.gone:
		return m.over(), false
	case m.soft, !now.Before(m.end):
		return kept, false
	case *m.locked && (k == m.generation || recent && !draft && !m.single):
		return lock, false // what would be granted is kept for later; a replay is one all the same
	case k == m.generation:
		m.generation++
		m.single, m.used = draft, time.Time{}
		if draft {
			m.used, m.oldest = now, m.generation
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
		locked, current := false, password
		s.must(s.db.UnlockUser(t.Context(), "alice"))
		set := func(hash string) {
			_, err := s.db.ChangePassword(t.Context(), db.PasswordChange{Localpart: "alice", Hash: hash})
			s.must(err)
		}
		set(cheapHash(t, password))
		// prove makes a request that needs the password, with a session whose token may or may not be good.
		prove := func(rt *rapid.T, method, path, fields string) (*model, bool) {
			m, k := pick(rt, sessions)
			verdict := m.use(k, s.clock.Now())
			a := s.do(call{Method: method, Path: path, Token: m.held[k][0],
				Body: `{` + fields + `"auth":` + passwordStep("alice", current, "") + `}`})
			expectAnswer(rt, a, verdict)
			return m, verdict == good
		}
		on := make(map[string]*model) // by device
		var elsewhere []imported.Device
		refresh := func(draft bool) func(*rapid.T) {
			return func(rt *rapid.T) {
				m, k := pick(rt, sessions)
				token := m.held[k][1]
				if token == "" {
					rt.Skip("the draft's door gave no refresh token: the session was near its end")
				}
				now := s.clock.Now()
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
				expectAnswer(rt, got, verdict)
				switch {
				case verdict != good:
				case same && (got.Text("access_token") != m.lastAccess || got.Text("refresh_token") != m.last):
					rt.Fatal("the pair is not the one in force")
				case !same:
					m.learn(got.Text("access_token"), got.Text("refresh_token"), now)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"login": func(rt *rapid.T) {
				device := rapid.SampledFrom([]string{"PHONE", "LAPTOP"}).Draw(rt, "device")
				body := loginBody("alice", current,
					fmt.Sprintf(`"refresh_token":true,"device_id":"%s %d"`, device, round))
				a := s.do(call{Method: "POST", Path: loginPath, Body: body})
				if locked {
					expectAnswer(rt, a, lock)
					return
				}
				s.ok(a)
				if old := on[device]; old != nil {
					old.gone = true
				}
				now := s.clock.Now()
				m := &model{generation: 1, held: make(map[int][2]string), accessEnd: make(map[int]time.Time),
					end: now.Add(sessionTTL), device: device, on: on, ttl: ttl, leeway: leeway, locked: &locked}
				m.learn(a.Text("access_token"), a.Text("refresh_token"), now)
				on[device] = m
				sessions = append(sessions, m)
			},
			"import": func(rt *rapid.T) {
				now := s.clock.Now()
				name := fmt.Sprintf("%d-%d", round, len(elsewhere))
				device := s.phone(name)
				device.Expires = now.Add(sessionTTL)
				elsewhere = append(elsewhere, device)
				s.bring(elsewhere...)
				m := &model{generation: 1, held: make(map[int][2]string), accessEnd: make(map[int]time.Time),
					end: now.Add(sessionTTL), ttl: ttl, leeway: leeway, locked: &locked}
				m.learn("syt_access_"+name, "syr_refresh_"+name, now)
				sessions = append(sessions, m)
			},
			"use": func(rt *rapid.T) {
				m, k := pick(rt, sessions)
				expectAnswer(rt, s.whoami(m.held[k][0]), m.use(k, s.clock.Now()))
			},
			"refresh":       refresh(false),
			"refresh again": refresh(false),
			"draft refresh": refresh(true),
			"logout": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "seldom") > 0 {
					rt.Skip()
				}
				m, k := pick(rt, sessions)
				now := s.clock.Now()
				// an expired token may still log out, and a locked user, and who comes after the session's end
				accessEnd, end, was := m.accessEnd[k], m.end, locked
				m.end, locked = now.Add(1), false
				if m.inForce(k) {
					m.accessEnd[k] = now.Add(1)
				}
				verdict := m.use(k, now)
				m.accessEnd[k], m.end, locked = accessEnd, end, was
				expectAnswer(rt, s.logout(m.held[k][0]), verdict)
				m.gone = m.gone || verdict == good
			},
			"delete a device": func(rt *rapid.T) {
				device := rapid.SampledFrom([]string{"PHONE", "LAPTOP"}).Draw(rt, "device")
				_, through := prove(rt, "DELETE", devicesPath+fmt.Sprintf("/%s%%20%d", device, round), "")
				if old := on[device]; through && old != nil {
					old.gone = true
				}
			},
			"change the password": func(rt *rapid.T) {
				next := rapid.SampledFrom([]string{"battery staple", "horse battery"}).Draw(rt, "password")
				logout := rapid.Bool().Draw(rt, "logout_devices")
				mine, through := prove(rt, "POST", "/_matrix/client/v3/account/password",
					fmt.Sprintf(`"new_password":"%s","logout_devices":%v,`, next, logout))
				if !through {
					return
				}
				set(cheapHash(t, next)) // the same password, hashed for a test's patience
				current = next
				for _, m := range sessions {
					m.gone = m.gone || logout && m != mine
				}
			},
			"lock": func(rt *rapid.T) {
				locked = !locked && rapid.Bool().Draw(rt, "lock")
				if locked {
					s.must(s.db.LockUser(t.Context(), "alice", s.clock.Now()))
				} else {
					s.must(s.db.UnlockUser(t.Context(), "alice"))
				}
			},
			"deactivate": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "seldom") > 0 {
					rt.Skip()
				}
				if _, through := prove(rt, "POST", "/_matrix/client/v3/account/deactivate", ""); !through {
					return
				}
				for _, m := range sessions {
					m.gone = true
				}
				s.want(s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", current, "")}), 403,
					"M_USER_DEACTIVATED")
				s.must(s.db.Reactivate(t.Context(), "alice"))
			},
			"time passes": func(rt *rapid.T) {
				s.clock.Step(rapid.SampledFrom([]time.Duration{
					time.Second, leeway - time.Second, leeway, leeway + time.Second, ttl, 3 * ttl, -time.Minute,
					-time.Hour,
				}).Draw(rt, "step"))
			},
		})
	})
}

func pick(rt *rapid.T, sessions []*model) (*model, int) {
	if len(sessions) == 0 {
		rt.Skip("no session yet")
	}
	recent := sessions[max(0, len(sessions)-3):] // older ones are gone, as a rule, and gone is soon told
	m := rapid.SampledFrom(recent).Draw(rt, "session")
	return m, max(1, m.generation-rapid.SampledFrom([]int{0, 0, 0, 1, 1, 1, 2}).Draw(rt, "age"))
}

func expectAnswer(rt *rapid.T, a answer, verdict string) {
	got := fmt.Sprint(a.Status)
	if a.Code() != "" {
		got += " " + a.Code()
	}
	if a.Soft() {
		got += " soft"
	}
	if got != verdict {
		rt.Fatalf("answer is %s %s, the model says %s", got, a.Raw, verdict)
	}
}
