package oauth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
	"postern/test/rig/fleet"
	"postern/test/rig/postgres"
)

const (
	legacyLogin   = "/_matrix/client/v3/login"
	legacyRefresh = "/_matrix/client/v3/refresh"
	draftRefresh  = "/_matrix/client/api/v1/tokenrefresh"
)

// story is one account at a real server, and what the model says of it.
type story struct {
	*site
	account
	clients []string
	hashes  [2]string
	words   [2]string
	round   int // devices of its own for each round: they share one database
}

// TestModel drives random interleavings of codes, redemptions twice and by others, logins by the legacy API on the same
// devices, refreshes, lost answers, tokens at the other API, use, revocation by either token, new passwords, locks,
// deactivation and clock steps through the whole server and the model, and compares every answer.
func TestModel(t *testing.T) {
	t.Parallel()
	y := &story{site: newSite(t), words: [2]string{password, "battery staple"}}
	y.clients = []string{y.register(webClient), y.register(strings.Replace(webClient, "App", "Other", 1))}
	for i, word := range y.words {
		hash, err := handlers.HashPassword(word)
		y.must(err)
		y.hashes[i] = hash
	}
	rounds := fleet.Rounds(1, 5)
	if postgres.Chosen() {
		rounds = 1 // the stories are of the protocol: of the engine are the races
	}
	for range rounds {
		rapid.Check(t, y.tell)
	}
}

func (y *story) tell(rt *rapid.T) {
	y.round++
	y.account = account{on: make(map[string]*session)}
	y.must(y.db.UnlockUser(y.Context(), "alice"))
	y.setPassword(0, true)
	rt.Repeat(map[string]func(*rapid.T){
		"agree": y.agree, "redeem": y.redeems, "redeem again": y.redeems, "redeem once more": y.redeems,
		"refresh": y.refreshes, "refresh again": y.refreshes, "refresh elsewhere": y.refreshesElsewhere, "use": y.uses,
		"something seldom": func(rt *rapid.T) {
			rapid.SampledFrom([]func(*rapid.T){y.logsIn, y.logsIn, y.revokes, y.changesPassword, y.locks, y.locks,
				y.deactivates}).Draw(rt, "what")(rt)
		},
		"time passes": func(rt *rapid.T) {
			y.clock.Step(rapid.SampledFrom([]time.Duration{time.Second, again - time.Second, again, leeway,
				leeway + time.Second, codeLife, ttl, 3 * ttl}).Draw(rt, "step"))
		},
	})
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

func expect(rt *rapid.T, a answer, verdict string) {
	if got := verdictOf(a); got != verdict {
		rt.Fatalf("answer is %s %s, the model says %s", got, a.body, verdict)
	}
}

// learn keeps the pair that an answer gives, or wants it to be the one that the client has.
func (s *session) learn(rt *rapid.T, a answer, now time.Time, same bool) {
	pair := [2]string{a.text("access_token"), a.text("refresh_token")}
	if same {
		if pair != s.held[s.generation] {
			rt.Fatal("the pair is not the one in force")
		}
		return
	}
	s.held[s.generation], s.ends[s.generation] = pair, now.Add(ttl)
}

func (y *story) device(rt *rapid.T) string {
	return fmt.Sprint(rapid.SampledFrom([]string{"PHONE", "LAPTOP"}).Draw(rt, "device"), y.round)
}

// token is one of the newer sessions', of its newest generation or one before.
func (y *story) token(rt *rapid.T) (*session, int) {
	if len(y.sessions) == 0 {
		rt.Skip("no session yet")
	}
	s := rapid.SampledFrom(y.sessions[max(0, len(y.sessions)-3):]).Draw(rt, "session")
	return s, max(1, s.generation-rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2}).Draw(rt, "age"))
}

func (y *story) agree(rt *rapid.T) {
	client, device := rapid.SampledFrom(y.clients).Draw(rt, "client"), y.device(rt)
	y.codes = append(y.codes, &consent{client: client, device: device, code: y.codeFor(client, device),
		made: y.clock.Now(), password: y.password})
}

// codeFor is what the pages give once alice has agreed, without the time that her password takes.
func (s *site) codeFor(client, device string) string {
	s.Helper()
	api := s.server.OAuth.(*API)
	asked, err := protocol.ParseAuthorization(request(client, "scope", protocol.ScopeOf(device)),
		func(id string) (*protocol.Client, error) { return api.client(s.Context(), id) })
	s.must(err)
	user, err := s.db.User(s.Context(), "alice")
	s.must(err)
	code, _, err := api.sealCode(fromBrowser, codeLife, newCode(asked, &protocol.Client{Name: "App"}, user))
	s.must(err)
	return code
}

func (y *story) redeems(rt *rapid.T) {
	if len(y.codes) == 0 {
		rt.Skip("no code yet")
	}
	c := rapid.SampledFrom(y.codes[max(0, len(y.codes)-2):]).Draw(rt, "code")
	wrong := rapid.SampledFrom([][]string{nil, nil, nil, nil, nil, nil, nil, {"code_verifier", strings.Repeat("x", 43)},
		{"client_id", "nobody"}, {"redirect_uri", callback + "/"}, {"code_verifier", ""}}).Draw(rt, "wrong")
	now := y.clock.Now()
	verdict, same := y.account.redeem(c, now, wrong == nil)
	a := y.site.redeem(c.client, c.code, wrong...)
	if expect(rt, a, verdict); verdict == good {
		c.learn(rt, a, now, same)
	}
}

func (y *story) logsIn(rt *rapid.T) {
	device := y.device(rt)
	a := y.post(legacyLogin, "application/json", fmt.Sprintf(`{"type":"m.login.password","refresh_token":true,
		"identifier":{"type":"m.id.user","user":"alice"},"password":%q,"device_id":%q}`, y.words[y.password], device))
	if y.locked {
		expect(rt, a, barred)
		return
	}
	expect(rt, a, good)
	y.begin(device, "").learn(rt, a, y.clock.Now(), false)
}

func (y *story) legacy(path, token string) answer {
	return y.post(path, "application/json", fmt.Sprintf(`{"refresh_token":%q}`, token))
}

func (y *story) refreshes(rt *rapid.T) {
	s, k := y.token(rt)
	now, token := y.clock.Now(), s.held[k][1]
	verdict, same := y.account.refresh(s, k, now)
	var a answer
	if s.client == "" {
		a = y.legacy(legacyRefresh, token)
	} else {
		a, verdict = y.site.refresh(s.client, token), inOAuth(verdict)
	}
	if expect(rt, a, verdict); verdict == good {
		s.learn(rt, a, now, same)
	}
}

// refreshesElsewhere presents a token to the API, or as the client, that did not get it: it is refused, and nothing
// ends.
func (y *story) refreshesElsewhere(rt *rapid.T) {
	s, k := y.token(rt)
	token, legacy := s.held[k][1], softly
	if s.gone {
		legacy = s.over()
	}
	for _, client := range append(y.clients, "nobody") {
		if client != s.client {
			expect(rt, y.site.refresh(client, token), dead)
		}
	}
	if s.client != "" {
		expect(rt, y.legacy(legacyRefresh, token), legacy)
		expect(rt, y.legacy(draftRefresh, token), draft)
	}
	expect(rt, y.site.refresh(y.clients[0], s.held[k][0]), dead) // an access token is none
}

func (y *story) uses(rt *rapid.T) {
	s, k := y.token(rt)
	expect(rt, y.whoami(s.held[k][0]), y.use(s, k, y.clock.Now()))
}

// revokes ends a session by a token of any generation and whichever client.
func (y *story) revokes(rt *rapid.T) {
	s, k := y.token(rt)
	token := s.held[k][rapid.IntRange(0, 1).Draw(rt, "token")]
	expect(rt, y.revoke(token, rapid.SampledFrom(append(y.clients, "", "nobody")).Draw(rt, "client")), good)
	s.gone = true
}

func (y *story) setPassword(which int, endOthers bool) {
	_, err := y.db.ChangePassword(y.Context(), db.PasswordChange{Localpart: "alice", Hash: y.hashes[which],
		EndOthers: endOthers})
	y.must(err)
	y.password = which
}

func (y *story) changesPassword(rt *rapid.T) {
	all := rapid.Bool().Draw(rt, "logout_devices")
	y.setPassword(rapid.IntRange(0, 1).Draw(rt, "password"), all)
	if all {
		y.endAll()
	}
}

func (y *story) locks(rt *rapid.T) {
	if y.locked = !y.locked && rapid.Bool().Draw(rt, "lock"); y.locked {
		y.must(y.db.LockUser(y.Context(), "alice", y.clock.Now()))
	} else {
		y.must(y.db.UnlockUser(y.Context(), "alice"))
	}
}

func (y *story) deactivates(rt *rapid.T) {
	_, err := y.db.Deactivate(y.Context(), "alice", y.clock.Now(), false)
	y.must(err)
	y.endAll()
	for _, c := range y.codes {
		expect(rt, y.site.redeem(c.client, c.code), dead)
	}
	y.must(y.db.Reactivate(y.Context(), "alice"))
}
