package oauth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"postern/oauth/protocol"
)

// model is a code and the session that it may lead to, as the design tells them, in the fewest words.
type model struct {
	client, code   string
	made, redeemed time.Time
	generation     int // 0: it was not redeemed
	used           time.Time
	soft, gone     bool
	held           map[int][2]string // what the client holds of each generation: access token, refresh token
	ends           map[int]time.Time // of the access tokens
}

const (
	ttl    = 5 * time.Minute
	leeway = 30 * time.Second

	good = "200 "
	dead = "400 invalid_grant"
)

// redeem says the verdict on a redemption, and whether the pair is the first one's.
func (m *model) redeem(now time.Time, right bool) (verdict string, same bool) {
	switch {
	case m.generation == 0 && right && now.Before(m.made.Add(codeLife)):
		m.generation, m.redeemed = 1, now
		return good, false
	case m.generation == 1 && right && m.used.IsZero() && !m.soft && !m.gone && now.Sub(m.redeemed) <= again:
		return good, true
	}
	m.soft = m.soft || m.generation > 0 && !now.After(m.made.Add(codeLife+suspicion))
	return dead, false
}

func (m *model) refresh(k int, now time.Time) (verdict string, same bool) {
	recent := k == m.generation-1 && (m.used.IsZero() || now.Sub(m.used) <= leeway)
	switch {
	case m.gone, m.soft:
		return dead, false
	case k == m.generation:
		m.generation++
		m.used = time.Time{}
		return good, false
	case recent:
		return good, !m.used.IsZero() || now.Before(m.ends[m.generation])
	}
	m.soft = true
	return dead, false
}

func (m *model) use(k int, now time.Time) string {
	switch {
	case m.gone:
		return "401 M_UNKNOWN_TOKEN"
	case m.soft, !now.Before(m.ends[k]):
		return "401 M_UNKNOWN_TOKEN soft"
	}
	if k == m.generation && m.used.IsZero() {
		m.used = now
	}
	return good
}

func (m *model) learn(a answer, now time.Time) {
	m.held[m.generation] = [2]string{a.text("access_token"), a.text("refresh_token")}
	m.ends[m.generation] = now.Add(ttl)
}

func verdictOf(a answer) string {
	code := a.text("error")
	if a.text("errcode") != "" {
		code = a.text("errcode")
	}
	if a.json["soft_logout"] == true {
		code += " soft"
	}
	return fmt.Sprintf("%d %s", a.status, code)
}

// TestModel drives random interleavings of codes, redemptions twice and by others, refreshes, lost answers, use,
// revocation by either token and clock steps through the whole server and the model, and compares every answer.
func TestModel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	api := s.server.OAuth.(*API)
	client := s.register(webClient)
	account, err := s.db.User(t.Context(), "alice")
	s.must(err)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // devices of its own for each round: they share one database
		on := make(map[string]*model)
		var all []*model
		pick := func() *model {
			if len(all) == 0 {
				rt.Skip("no code yet")
			}
			return rapid.SampledFrom(all[max(0, len(all)-3):]).Draw(rt, "code")
		}
		session := func() (*model, int) {
			m := pick()
			if m.generation == 0 {
				rt.Skip("no session yet")
			}
			return m, max(1, m.generation-rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2}).Draw(rt, "age"))
		}
		expect := func(a answer, verdict string) {
			if got := verdictOf(a); got != verdict {
				rt.Fatalf("answer is %s %s, the model says %s", got, a.body, verdict)
			}
		}
		refresh := func(rt *rapid.T) {
			m, k := session()
			now := s.clock.Now()
			verdict, same := m.refresh(k, now)
			a := s.refresh(client, m.held[k][1])
			if expect(a, verdict); verdict == good {
				if same && a.text("access_token") != m.held[m.generation][0] {
					rt.Fatal("the pair is not the one in force")
				}
				if !same {
					m.learn(a, now)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"agree": func(rt *rapid.T) {
				device := fmt.Sprint(rapid.SampledFrom([]string{"PHONE", "LAPTOP"}).Draw(rt, "device"), round)
				asked, err := protocol.ParseAuthorization(request(client, "scope",
					protocol.ScopeOf(device)), func(id string) (*protocol.Client,
					error) {
					return api.client(t.Context(), id)
				})
				s.must(err)
				code, _, err := api.sealCode(fromBrowser, codeLife,
					newCode(asked, &protocol.Client{Name: "App"}, account))
				s.must(err)
				m := &model{client: device, code: code, made: s.clock.Now(), held: make(map[int][2]string),
					ends: make(map[int]time.Time)}
				all = append(all, m)
			},
			"redeem": func(rt *rapid.T) {
				m := pick()
				right := rapid.IntRange(0, 5).Draw(rt, "wrong") > 0
				now := s.clock.Now()
				verdict, same := m.redeem(now, right)
				var change []string
				if !right {
					change = []string{"code_verifier", strings.Repeat("x", 43)}
				}
				a := s.redeem(client, m.code, change...)
				expect(a, verdict)
				switch {
				case verdict != good:
				case same && a.text("access_token") != m.held[1][0]:
					rt.Fatal("the pair is not the one that was given")
				case !same:
					m.learn(a, now)
					if old := on[m.client]; old != nil {
						old.gone = true
					}
					on[m.client] = m
				}
			},
			"refresh":       refresh,
			"refresh again": refresh,
			"use": func(rt *rapid.T) {
				m, k := session()
				expect(s.whoami(m.held[k][0]), m.use(k, s.clock.Now()))
			},
			"revoke": func(rt *rapid.T) {
				m, k := session()
				token := m.held[k][rapid.IntRange(0, 1).Draw(rt, "token")]
				expect(s.revoke(token, client), good)
				m.gone = true
			},
			"time passes": func(*rapid.T) {
				s.clock.Step(rapid.SampledFrom([]time.Duration{time.Second, again - time.Second, again, leeway,
					leeway + time.Second, codeLife, ttl}).Draw(rt, "step"))
			},
		})
	})
}
