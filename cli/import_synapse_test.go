package cli

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"postern/test/rig/synapse"
)

// TestMovingSessionsIn: a real Synapse, people who log in and out and refresh before, while and after the first import,
// and then the second one. Postern honours exactly the tokens that Synapse honoured when it stopped, and each refresh
// token gets a pair, the same for whoever asks.
func TestMovingSessionsIn(t *testing.T) {
	t.Parallel()
	hs := synapse.New(t, synapse.Options{Extra: "refreshable_access_token_lifetime: 10m\nnonrefreshable_access_token_lifetime: 24h\nsession_lifetime: 24h"})
	p := &people{TB: t, hs: hs, access: make(map[string]string), refresh: make(map[string]string)}
	for _, name := range []string{"alice", "bob", "carol"} {
		hs.Register(t, name, "a long password", false)
	}
	for _, device := range []string{"STAYS", "LEAVES", "RENEWS", "LOSES", "TWICE"} {
		p.login("alice", device, true)
		p.login("bob", device, false)
	}
	p.login("alice", "ENDED", true)
	p.renew("alice TWICE", true)
	p.renew("alice TWICE", true)
	p.renew("alice LOSES", false) // the answer gets lost: both refresh tokens are good

	i := newInstallation(t)
	move := func(more ...string) string {
		t.Helper()
		return i.must("", append([]string{"user", "import", hs.DB, "--server-name", synapse.ServerName, "--sessions"},
			more...)...)
	}
	holds(t, move("--dry-run"), "added 3", "added 14") // alice's and bob's, and the three that the registrations made
	holds(t, move(), "added 3", "added 14")

	s := i.serve("--rate-limit", "off", "--server-name", synapse.ServerName, "--access-ttl", "10m")
	s.good(p.access["alice STAYS"])
	// at Postern, and Synapse does not know
	status, answer := s.ask("POST", "/_matrix/client/v3/logout", p.access["alice ENDED"], "{}")
	if status != http.StatusOK {
		t.Fatal(status, answer)
	}
	ended := p.access["alice ENDED"]
	delete(p.access, "alice ENDED")
	delete(p.refresh, "alice ENDED")

	synapse.Call(t, "POST", hs.URL+"/_matrix/client/v3/logout", p.access["alice LEAVES"], map[string]any{})
	synapse.Call(t, "POST", hs.URL+"/_matrix/client/v3/logout", p.access["bob LEAVES"], map[string]any{})
	p.renew("alice RENEWS", true)
	p.login("alice", "TWICE", true) // logs in again on the device
	p.login("carol", "NEW", true)
	hs.Register(t, "dave", "a long password", false)
	p.login("dave", "NEW", false)
	hs.Stop(t)
	hs.Run(t) // so that whoever is asked below answers from the database, as it will be read
	honoured := p.honoured()
	hs.Stop(t)

	holds(t, move(), "added 1", "not brought 1 begun there", "not brought 2 refreshed", "not brought 2 logged out",
		"Not brought: 5 changes at Synapse", "Run the same with --since-last to bring them")
	foreseen := move("--since-last", "--dry-run")
	done := move("--since-last")
	if !strings.HasPrefix(strings.ReplaceAll(foreseen, " ", ""), strings.ReplaceAll(done, " ", "")) {
		t.Errorf("foreseen was\n%s\nand it became\n%s", foreseen, done)
	}
	holds(t, done, "ended 2 logged out there", "added 1")
	p.areHonoured(s, honoured)
	p.refreshAt(s, "alice LEAVES")
	if status, answer := s.whoami(ended); status != http.StatusUnauthorized {
		t.Errorf("a session that was ended here is back: %d %v", status, answer)
	}
	holds(t, move("--since-last"), "unchanged 4", "unchanged 15")
	if list := i.must("", "session", "list", "bob", "--server-name", synapse.ServerName); strings.Count(list,
		"imported") != 5 {
		t.Errorf("session list prints\n%s", list)
	}
	for _, token := range p.access {
		if strings.Contains(done+s.logs.String(), token) {
			t.Error("a token is told")
		}
	}
}

// people are the clients of a homeserver.
type people struct {
	testing.TB
	hs              *synapse.Server
	access, refresh map[string]string // what each has now, by "user DEVICE"
	old             []string          // access tokens that somebody had once
	lost            string            // a refresh token in an answer that got lost
}

// areHonoured compares what Postern says of tokens with what Synapse said.
func (p *people) areHonoured(s *server, honoured map[string]bool) {
	p.Helper()
	for token, good := range honoured {
		if status, answer := s.whoami(token); (status == http.StatusOK) != good || status != http.StatusOK &&
			answer["errcode"] != "M_UNKNOWN_TOKEN" {
			p.Errorf("%s: Synapse says %t, Postern %d %v", p.name(token), good, status, answer)
		}
	}
	if len(honoured) < 16 {
		p.Errorf("only %d tokens were tried", len(honoured))
	}
}

// refreshAt has everybody refresh, twice as after a lost answer, but one who has logged out.
func (p *people) refreshAt(s *server, out string) {
	p.Helper()
	for who, token := range p.refresh {
		if who == out {
			continue
		}
		body := fmt.Sprintf(`{"refresh_token":%q}`, token)
		status, first := s.ask("POST", "/_matrix/client/v3/refresh", "", body)
		again, second := s.ask("POST", "/_matrix/client/v3/refresh", "", body)
		if status != http.StatusOK || again != http.StatusOK || first["access_token"] != second["access_token"] ||
			first["refresh_token"] != second["refresh_token"] {
			p.Errorf("%s gets %d %v and then %d %v", who, status, first, again, second)
			continue
		}
		s.good(first["access_token"].(string))
		if who != "alice LOSES" {
			continue
		}
		if status, third := s.ask("POST", "/_matrix/client/v3/refresh", "",
			fmt.Sprintf(`{"refresh_token":%q}`, p.lost)); status != http.StatusOK ||
			third["access_token"] != first["access_token"] {
			p.Errorf("the refresh token of the lost answer gets %d %v, the one before it %v", status, third, first)
		}
	}
}

func (p *people) login(user, device string, refreshable bool) {
	p.Helper()
	p.take(user+" "+device, p.hs.Login(p, user, "a long password", device, refreshable))
}

// take keeps what an answer gave.
func (p *people) take(who string, answer map[string]any) {
	p.Helper()
	if before, ok := p.access[who]; ok {
		p.old = append(p.old, before)
	}
	p.access[who] = answer["access_token"].(string)
	if token, ok := answer["refresh_token"].(string); ok {
		p.refresh[who] = token
	}
}

// renew refreshes; if the answer gets lost the client goes on with what it has.
func (p *people) renew(who string, arrives bool) {
	p.Helper()
	answer := synapse.Call(p, "POST", p.hs.URL+"/_matrix/client/v3/refresh", "",
		map[string]any{"refresh_token": p.refresh[who]})
	if !arrives {
		p.lost = answer["refresh_token"].(string)
		return
	}
	p.take(who, answer)
	if status, _ := synapse.Try(p, "GET", p.hs.URL+"/_matrix/client/v3/account/whoami", p.access[who],
		nil); status != http.StatusOK {
		p.Fatal(status)
	}
}

// honoured asks Synapse about every token that there ever was. Those whose answer got lost are not shown to it: that
// would use them.
func (p *people) honoured() map[string]bool {
	all := make(map[string]bool)
	for _, token := range slices.Concat(slices.Collect(maps.Values(p.access)), p.old) {
		status, answer := synapse.Try(p, "GET", p.hs.URL+"/_matrix/client/v3/account/whoami", token, nil)
		all[token] = status == http.StatusOK
		if status != http.StatusOK && status != http.StatusUnauthorized {
			p.Errorf("%d %v", status, answer)
		}
	}
	return all
}

// name tells which token it is without telling it.
func (p *people) name(token string) string {
	for who, t := range p.access {
		if t == token {
			return who
		}
	}
	return "an old token"
}
