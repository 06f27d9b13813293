package handlers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/db"
	"postern/tokens"
)

// The client's bad days. None of them may end in a logout.

func TestLostAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	lost := s.ok(s.refresh(login.Text("refresh_token")))
	s.clock.Step(2 * time.Minute)
	again := s.ok(s.refresh(login.Text("refresh_token")))
	if lost.Text("access_token") != again.Text("access_token") ||
		lost.Text("refresh_token") != again.Text("refresh_token") {
		t.Error("asking again gives another pair")
	}
	if again.JSON["expires_in_ms"] != float64(180_000) {
		t.Errorf("two minutes later expires_in_ms is %v", again.JSON["expires_in_ms"])
	}
	s.ok(s.whoami(login.Text("access_token"))) // n-1, and n is unused
	s.ok(s.whoami(again.Text("access_token")))
	s.ok(s.whoami(login.Text("access_token"))) // another process of the client may still hold it
	s.clock.Step(3 * time.Minute)
	s.want(s.whoami(login.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
}

// TestLostAnswerExpired: the client comes back when the pair that it never saw has expired.
func TestLostAnswerExpired(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	s.ok(s.refresh(login.Text("refresh_token")))
	s.clock.Step(time.Hour)
	again := s.ok(s.refresh(login.Text("refresh_token")))
	if again.JSON["expires_in_ms"] != float64(300_000) {
		t.Errorf("expires_in_ms is %v", again.JSON["expires_in_ms"])
	}
	s.ok(s.whoami(again.Text("access_token")))
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	first := s.ok(s.refresh(login.Text("refresh_token")))
	s.ok(s.whoami(first.Text("access_token")))
	s.clock.Step(30 * time.Second) // the leeway, to its end
	second := s.ok(s.refresh(login.Text("refresh_token")))
	if first.Text("access_token") != second.Text("access_token") {
		t.Error("the second tab has another pair")
	}
	s.ok(s.whoami(second.Text("access_token")))
}

func TestReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.ok(s.login(`"device_id":"PHONE","refresh_token":true`))
	pair := s.ok(s.refresh(login.Text("refresh_token")))
	s.ok(s.whoami(pair.Text("access_token")))
	s.clock.Step(31 * time.Second)
	replay := s.refresh(login.Text("refresh_token"))
	s.want(replay, 401, "M_UNKNOWN_TOKEN")
	after := []answer{replay, s.whoami(pair.Text("access_token")), s.refresh(pair.Text("refresh_token")),
		s.logout(pair.Text("access_token"))}
	for i, a := range after {
		s.want(a, 401, "M_UNKNOWN_TOKEN")
		if !a.Soft() {
			t.Errorf("answer %d is no soft logout: %s", i, a.Raw)
		}
	}
	events, err := s.db.Events(t.Context(), "alice", 10)
	s.must(err)
	if len(events) == 0 || events[0].Kind != db.EventReplay || events[0].DeviceID != "PHONE" || events[0].Addr == "" {
		t.Errorf("events are %+v", events)
	}
	s.ok(s.whoami(s.ok(s.login(`"device_id":"PHONE"`)).Text("access_token"))) // the honest user is back on the device
}

func TestDraftRefresh(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.draftLogin()
	pair := s.ok(s.tokenRefresh(login.Text("refresh_token")))
	s.want(s.tokenRefresh(login.Text("refresh_token")), 403, "M_FORBIDDEN")
	s.want(s.whoami(login.Text("access_token")), 401, "M_UNKNOWN_TOKEN")
	s.want(s.refresh(login.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN") // dead at the other door too
	s.ok(s.whoami(pair.Text("access_token")))                              // and nothing ended
	s.clock.Step(31 * time.Second)
	s.want(s.tokenRefresh(login.Text("refresh_token")), 403, "M_FORBIDDEN")
	if a := s.whoami(pair.Text("access_token")); !a.Soft() {
		t.Errorf("after a replay the session answers %s", a.Raw)
	}
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	other := newSite(t).loggedIn()
	flipped := []byte(login.Text("refresh_token"))
	flipped[len(flipped)/2] ^= 1
	tests := []struct {
		name, body string
		today      string
		draft      int
	}{
		{"no body", ``, "400 M_NOT_JSON", 401},
		{"not JSON", `refresh_token=x`, "400 M_NOT_JSON", 400},
		{"no token", `{}`, "400 M_MISSING_PARAM", 400},
		{"a number", `{"refresh_token":5}`, "400 M_BAD_JSON", 400},
		{"empty", `{"refresh_token":""}`, "401 M_UNKNOWN_TOKEN", 403},
		{"rubbish", `{"refresh_token":"rubbish"}`, "401 M_UNKNOWN_TOKEN", 403},
		{"flipped bit", `{"refresh_token":"` + string(flipped) + `"}`, "401 M_UNKNOWN_TOKEN", 403},
		{"an access token", `{"refresh_token":"` + login.Text("access_token") + `"}`, "401 M_UNKNOWN_TOKEN", 403},
		{"another server's", `{"refresh_token":"` + other.Text("refresh_token") + `"}`, "401 M_UNKNOWN_TOKEN", 403},
		{"too large", `{"refresh_token":"` + strings.Repeat("x", MaxBody) + `"}`, "413 M_TOO_LARGE", 413},
	}
	for _, test := range tests {
		a := s.do(call{Method: "POST", Path: refreshPath, Body: test.body})
		if got := fmt.Sprintf("%d %s", a.Status, a.Code()); got != test.today {
			t.Errorf("%s: /refresh answers %s, want %s", test.name, got, test.today)
		}
		if a.Soft() {
			t.Errorf("%s: a soft logout of nobody: %s", test.name, a.Raw)
		}
		if b := s.do(call{Method: "POST", Path: tokenRefreshPath, Body: test.body}); b.Status != test.draft {
			t.Errorf("%s: /tokenrefresh answers %d %s, want %d", test.name, b.Status, b.Raw, test.draft)
		}
	}
	s.want(s.do(call{Method: "POST", Path: tokenRefreshPath}), 401, "M_MISSING_TOKEN")
	// A refresh token opens nothing, and a stale access token beside a good refresh token does no harm.
	s.want(s.whoami(login.Text("refresh_token")), 401, "M_UNKNOWN_TOKEN")
	s.ok(s.do(call{Method: "POST", Path: refreshPath, Body: `{"refresh_token":"` + login.Text("refresh_token") + `"}`,
		Token: "stale"}))
}

func TestRefreshRateLimit(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 2, Period: time.Minute} })
	login := s.loggedIn()
	s.ok(s.refresh(login.Text("refresh_token")))
	s.ok(s.refresh(login.Text("refresh_token")))
	s.want(s.refresh(login.Text("refresh_token")), 429, "M_LIMIT_EXCEEDED")
	s.want(s.tokenRefresh(login.Text("refresh_token")), 429, "M_LIMIT_EXCEEDED")
	s.clock.Step(time.Minute)
	s.ok(s.refresh(login.Text("refresh_token")))
}

// TestRefreshWithManyCaveats: a token that the next pair could not carry is refused, and nothing else changes.
func TestRefreshWithManyCaveats(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	post := tokens.Caveat{Key: "method", Operator: "in", Value: "POST"}
	many := func(token string, n int) string {
		token, err := tokens.Restrict(token, slices.Repeat([]tokens.Caveat{post}, n)...)
		s.must(err)
		return token
	}
	long := func(token string) string { // as long as it may be
		for n := tokens.MaxTokenLength; ; n-- {
			caveat := tokens.Caveat{Key: "method", Operator: "in", Value: strings.Repeat("POST,", n) + "POST"}
			if narrow, err := tokens.Restrict(token, caveat); err == nil {
				return narrow
			}
		}
	}
	for name, login := range map[string]answer{"current": s.loggedIn(), "draft": s.draftLogin()} {
		token := login.Text("refresh_token")
		for _, wide := range []string{many(token, 61), long(token)} {
			a := s.refresh(wide)
			if a.Status != 401 || !a.Soft() || !strings.Contains(a.Raw, "too many caveats") {
				t.Errorf("%s: at the current API: %d %s", name, a.Status, a.Raw)
			}
			s.want(s.tokenRefresh(wide), 403, "M_FORBIDDEN")
		}
		s.ok(s.whoami(login.Text("access_token")))
		pair := s.ok(s.refresh(many(token, 40)))
		s.ok(s.tokenRefresh(pair.Text("refresh_token")))
	}
}

// TestRefreshBehindOneAddress: whatever somebody at an address sends, the good tokens of the others there are
// exchanged.
func TestRefreshBehindOneAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.RateLimit = Rate{Count: 3, Period: time.Minute} })
	login := s.loggedIn()
	for range 3 {
		s.want(s.refresh("rubbish"), 401, "M_UNKNOWN_TOKEN")
	}
	forged := login.Text("refresh_token")
	forged = forged[:len(forged)-4] + "AAAA"
	for _, bad := range []string{"rubbish", forged} {
		s.want(s.refresh(bad), 429, "M_LIMIT_EXCEEDED")
		s.want(s.tokenRefresh(bad), 429, "M_LIMIT_EXCEEDED")
	}
	pair := s.ok(s.refresh(login.Text("refresh_token")))
	s.want(s.refresh("rubbish"), 429, "M_LIMIT_EXCEEDED")
	s.ok(s.refresh(pair.Text("refresh_token")))
	draft := s.ok(s.do(call{Method: "POST", Path: draftLoginPath, From: "192.0.2.99:1",
		Body: `{"username":"bob","password":"` + password + `"}`}))
	s.ok(s.tokenRefresh(draft.Text("refresh_token")))
}

// TestSixtyFourRacers: at today's door all get one pair, at the draft's exactly one is served.
func TestSixtyFourRacers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	race := func(token string, refresh func(string) answer) []answer {
		answers := make([]answer, 64)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = refresh(token) })
		}
		wg.Wait()
		return answers
	}
	for range 5 {
		today := race(s.loggedIn().Text("refresh_token"), s.refresh)
		for _, a := range today {
			if diff := cmp.Diff(today[0].JSON, a.JSON); a.Status != 200 || diff != "" {
				t.Fatalf("racers differ, status %d: %s", a.Status, diff)
			}
		}
		s.ok(s.whoami(today[0].Text("access_token")))

		served := 0
		for _, a := range race(s.draftLogin().Text("refresh_token"), s.tokenRefresh) {
			if a.Status == http.StatusOK {
				served++
				s.ok(s.whoami(a.Text("access_token")))
			} else {
				s.want(a, 403, "M_FORBIDDEN")
			}
		}
		if served != 1 {
			t.Fatalf("%d racers were served at /tokenrefresh", served)
		}
	}
}

// TestSessionTTL: today's door caps expires_in_ms at the session's end, the draft's leaves refresh_token out.
func TestSessionTTL(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.SessionTTL = 8 * time.Minute })
	login, draft := s.loggedIn(), s.draftLogin()
	if login.JSON["expires_in_ms"] != float64(300_000) {
		t.Errorf("expires_in_ms is %v", login.JSON["expires_in_ms"])
	}
	s.clock.Step(4 * time.Minute)
	today := s.ok(s.refresh(login.Text("refresh_token")))
	if today.JSON["expires_in_ms"] != float64(240_000) || today.Text("refresh_token") == "" {
		t.Errorf("today's door answers %s", today.Raw)
	}
	last := s.ok(s.tokenRefresh(draft.Text("refresh_token")))
	if last.JSON["refresh_token"] != nil {
		t.Errorf("the draft's door answers %s", last.Raw)
	}
	s.ok(s.whoami(last.Text("access_token")))
	s.clock.Step(4 * time.Minute)
	for _, a := range []answer{s.whoami(today.Text("access_token")), s.refresh(today.Text("refresh_token"))} {
		s.want(a, 401, "M_UNKNOWN_TOKEN")
		if !a.Soft() {
			t.Errorf("at its end the session answers %s", a.Raw)
		}
	}
	s.want(s.tokenRefresh(today.Text("refresh_token")), 403, "M_FORBIDDEN")
}

// TestCarriedCaveats: what a holder appended to a refresh token restricts both tokens that it is exchanged for.
func TestCarriedCaveats(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	login := s.loggedIn()
	narrow, err := tokens.Restrict(login.Text("refresh_token"),
		tokens.Caveat{Key: "path", Operator: "under", Value: refreshPath})
	s.must(err)
	pair := s.ok(s.refresh(narrow))
	s.want(s.whoami(pair.Text("access_token")), 403, "M_FORBIDDEN")
	next := s.ok(s.refresh(pair.Text("refresh_token")))
	s.want(s.whoami(next.Text("access_token")), 403, "M_FORBIDDEN")
	s.want(s.tokenRefresh(next.Text("refresh_token")), 403, "M_FORBIDDEN")
	decoded, err := tokens.Decode(next.Text("refresh_token"))
	s.must(err)
	if got := len(decoded.Caveats()); got != 4 {
		t.Errorf("after two refreshes there are %d caveats: %v", got, decoded.Caveats())
	}
	before := s.clock.Now().Add(time.Minute)
	short, err := tokens.Restrict(next.Text("refresh_token"),
		tokens.Caveat{Key: "time", Operator: "<", Value: milliseconds(before)})
	s.must(err)
	if a := s.ok(s.refresh(short)); a.JSON["expires_in_ms"] != float64(60_000) {
		t.Errorf("expires_in_ms is %v although the token dies in a minute", a.JSON["expires_in_ms"])
	}
}

func milliseconds(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }
