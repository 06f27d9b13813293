package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
)

// admitting is a server with rules of its own.
func admitting(rules protocol.Rules) func(*handlers.Config) {
	return func(c *handlers.Config) { c.OAuth = With(rules) }
}

// tryRegister registers without a wish about the answer.
func (s *site) tryRegister(metadata string) answer {
	s.Helper()
	return s.post("/oauth2/registration", "application/json", metadata)
}

// add adds a client as an operator does.
func (s *site) add(metadata string) string {
	s.Helper()
	var m protocol.Client
	s.must(json.Unmarshal([]byte(metadata), &m))
	c, refused := protocol.Register(m, protocol.Rules{})
	if refused != nil {
		s.Fatal(refused)
	}
	s.must(s.db.AddClient(s.Context(), c.ID(), c.Metadata(), s.clock.Now()))
	return c.ID()
}

// otherClient is at a host that nobody has heard of.
var otherClient = strings.ReplaceAll(webClient, "app.example.com", "other.example.net")

// TestAdmission: who may register, and which client a person may let in.
func TestAdmission(t *testing.T) {
	t.Parallel()
	known := protocol.Rules{Admission: protocol.AdmitKnown, Hosts: []string{"example.com"}}
	for name, tt := range map[string]struct {
		rules      protocol.Rules
		app, other string // what the refusal says to do; empty: admitted
	}{
		"nothing said": {protocol.Rules{}, "", ""},
		"open":         {protocol.Rules{Admission: protocol.AdmitOpen, Hosts: []string{"element.io"}}, "", ""},
		"known":        {known, "", "--oauth-known-host"},
		"known, none": {protocol.Rules{Admission: protocol.AdmitKnown}, "--oauth-known-host",
			"--oauth-known-host"},
		"static": {protocol.Rules{Admission: protocol.AdmitStatic, Hosts: []string{"example.com"}}, "client add",
			"client add"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, admitting(tt.rules))
			for metadata, says := range map[string]string{webClient: tt.app, otherClient: tt.other} {
				a := s.tryRegister(metadata)
				if says == "" {
					s.want(a, 201, "")
					continue
				}
				s.want(a, 400, "invalid_client_metadata")
				if d := a.text("error_description"); !strings.HasPrefix(d, "client_uri: 'https://") ||
					!strings.Contains(d, says) {
					t.Errorf("the refusal is %q", d)
				}
				id := s.add(metadata)
				if got := s.register(metadata); got != id {
					t.Errorf("an added client registers as %s, and is %s", got, id)
				}
			}
		})
	}
}

// TestAdmissionNarrowed: a client that was let in before goes on, and nobody lets it in again.
func TestAdmissionNarrowed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	api := s.api()
	client := s.register(webClient)
	b, q := s.browser(), request(client)
	page := b.open(q)
	pair := s.ok(s.redeem(client, s.code(client, "scope", protocol.ScopeOf("OTHERDEVICE"))))
	held := s.code(client, "scope", protocol.ScopeOf("THIRDDEVICE"))
	api.rules.Admission = protocol.AdmitStatic // as after a restart
	for _, a := range []answer{b.open(q), b.submit(q, page, "user", "alice", "password", password, "do", "sign in")} {
		if a.status != 403 || a.header.Get("Location") != "" || !strings.Contains(a.body, "does not admit this app") ||
			!strings.Contains(a.body, "postern client add") {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	s.want(s.tryRegister(webClient), 400, "invalid_client_metadata")
	s.ok(s.redeem(client, held)) // to which its owner had agreed
	pair = s.ok(s.refresh(client, pair.text("refresh_token")))
	s.ok(s.whoami(pair.text("access_token")))
	s.ok(s.revoke(pair.text("refresh_token"), client))
	s.add(webClient)
	s.ok(s.redeem(client, s.code(client)))
}

// TestClientGone: its row goes while a person looks at the page. They are told so, and start again in the client, which
// registers and gets the same id.
func TestClientGone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	b, q := s.browser(), request(client)
	page := b.open(q)
	held := s.code(client)
	s.clock.Step(31 * 24 * time.Hour)
	if done, err := s.db.Tidy(t.Context(), s.clock.Now(), db.TidyConfig{}); err != nil || done.Clients != 1 {
		t.Fatalf("%+v %v", done, err)
	}
	for _, a := range []answer{b.open(q), b.submit(q, page, "user", "alice", "password", password, "do", "sign in")} {
		if a.status != 400 || a.header.Get("Location") != "" || !strings.Contains(a.body, "start again") {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	s.want(s.redeem(client, held), 400, "invalid_grant")
	if again := s.register(webClient); again != client {
		t.Errorf("it registers as %s and was %s", again, client)
	}
	pair := s.ok(s.redeem(client, s.sentTo(b.submit(q, b.open(q), "user", "alice", "password", password, "do",
		"sign in")).Get("code")))

	// A year later it has its session still, and so its row: a refresh never says invalid_client.
	s.clock.Step(365 * 24 * time.Hour)
	if done, err := s.db.Tidy(t.Context(), s.clock.Now(), db.TidyConfig{}); err != nil || done.Clients != 0 {
		t.Fatalf("%+v %v", done, err)
	}
	pair = s.ok(s.refresh(client, pair.text("refresh_token")))
	s.ok(s.whoami(pair.text("access_token")))
}

// TestClientRemoved: an operator removes a client between the consent and the redemption.
func TestClientRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	code := s.code(client)
	if _, err := s.db.RemoveClient(t.Context(), client, false); err != nil {
		t.Fatal(err)
	}
	s.want(s.redeem(client, code), 400, "invalid_grant")
	s.register(webClient)
	s.ok(s.redeem(client, code)) // nothing was spent
}

// registerFrom registers from an address.
func (s *site) registerFrom(addr, metadata string) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.URL+"/oauth2/registration",
		strings.NewReader(metadata))
	s.must(err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-For", addr)
	return s.send(r, http.DefaultClient)
}

// parallel calls do for each number, some at a time.
func parallel(n int, do func(i int)) {
	var wait sync.WaitGroup
	next := make(chan int)
	for range 32 {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

func proxied(c *handlers.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// TestRegistrationFlood: many addresses register ever other metadata. The table stays bounded, whoever has a session or
// was added stays, and a person who wants in meanwhile gets in.
func TestRegistrationFlood(t *testing.T) {
	t.Parallel()
	s := newSite(t, proxied, func(c *handlers.Config) { c.RateLimit = rate(t, "60/1m") })
	old := s.register(webClient)
	pair := s.ok(s.redeem(old, s.code(old)))
	added := s.add(otherClient)
	s.clock.Step(time.Hour)
	flood := func(from, to int) {
		s.clock.Step(time.Second)
		parallel(to-from, func(i int) {
			i += from
			s.want(s.registerFrom(fmt.Sprintf("198.51.%d.%d", i/250, i%250),
				strings.Replace(webClient, `"App"`, fmt.Sprintf(`"App %d"`, i), 1)), 201, "")
		})
	}
	const most, rounds = 5000, 400 // most is that of package db
	parallel(most-rounds/4, func(i int) {
		s.must(s.db.KeepClient(t.Context(), fmt.Sprint("stranger", i), "{}", s.clock.Now()))
	})
	flood(0, rounds/2)
	s.clock.Step(time.Second)
	client := s.register(strings.Replace(webClient, `"App"`, `"Honest"`, 1))
	b, q := s.browser(), request(client, "scope", protocol.ScopeOf("HONESTDEVICE"))
	page := b.open(q)
	flood(rounds/2, rounds)
	s.ok(s.redeem(client, s.sentTo(b.submit(q, page, "user", "alice", "password", password, "do", "sign in")).Get(
		"code")))
	for range 60 {
		s.registerFrom("203.0.113.1", webClient)
	}
	s.want(s.registerFrom("203.0.113.1", webClient), 429, "temporarily_unavailable")
	if n := s.rows()["oauth_clients"]; n < most || n > most+100+3 {
		t.Errorf("there are %d clients", n)
	}
	s.ok(s.refresh(old, pair.text("refresh_token")))
	for _, id := range []string{old, added} {
		if _, err := s.db.Client(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestRegisteredOnce: the same metadata are one row, however often they come, and cost nothing.
func TestRegisteredOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const rounds = 2000 // package db tries 100,000
	first := s.register(webClient)
	before := s.writes.Load()
	parallel(rounds, func(int) {
		if id := s.register(webClient); id != first {
			t.Errorf("it is %s and was %s", id, first)
		}
	})
	if n := s.rows()["oauth_clients"]; n != 1 {
		t.Errorf("there are %d clients", n)
	}
	if n := s.writes.Load() - before; n > rounds/100 {
		t.Errorf("%d registrations made %d transactions", rounds, n)
	}
}

// TestAbandonedAuthorizations: an authorization request stays in the browser's address, and nothing of it is written.
// So millions that are abandoned leave what one leaves.
func TestAbandonedAuthorizations(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	signedIn := s.browser()
	signedIn.signIn(authorizePath(request(client)))
	before, writes := s.rows(), s.writes.Load()
	b := s.browser()
	parallel(500, func(i int) {
		b := []*browser{b, signedIn, s.browser()}[i%3]
		q := request(client, "state", fmt.Sprint("state", i), "scope", protocol.ScopeOf(fmt.Sprint("DEVICE", i)))
		for field, value := range map[string]string{"prompt": []string{"", "create", "consent", "none"}[i%4],
			"login_hint": fmt.Sprintf("mxid:@user%d:example.org", i), "nonce": fmt.Sprint(i)} {
			q.Set(field, value)
		}
		s.ok(b.open(q))
		s.ok(b.at(handlers.SSOPath + "?redirectUrl=https://app.example.com/" + fmt.Sprint(i)))
		s.ok(b.at(handlers.AccountPath))
	})
	for _, q := range []url.Values{{}, request("unknown"), request(client, "scope", "x")} {
		s.want(b.open(q), 400, "")
	}
	if after := s.rows(); !cmp.Equal(before, after) {
		t.Error(cmp.Diff(before, after))
	}
	if n := s.writes.Load() - writes; n > 10 { // the housekeeping may have come by
		t.Errorf("there were %d transactions", n)
	}
}

// rows counts the rows of every table.
func (s *site) rows() map[string]int {
	s.Helper()
	q := `SELECT string_agg(table_name, ' ') FROM information_schema.tables WHERE table_schema = current_schema()`
	if os.Getenv("TEST_DB") != "postgres" {
		q = `SELECT group_concat(name, ' ') FROM sqlite_master WHERE type = 'table'`
	}
	var names string
	_, err := s.db.Get(s.Context(), q, []any{&names})
	s.must(err)
	counts := make(map[string]int)
	for name := range strings.FieldsSeq(names) {
		var n int
		_, err := s.db.Get(s.Context(), "SELECT COUNT(*) FROM "+name, []any{&n})
		s.must(err)
		counts[name] = n
	}
	if len(counts) < 10 {
		s.Fatalf("the tables are %v", counts)
	}
	return counts
}

// TestAdmissionNarrowedForDevices: a device that waits is not let in any more, and the account page goes on to name the
// clients of the sessions that there are.
func TestAdmissionNarrowedForDevices(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(webClient)
	s.ok(s.redeem(client, s.code(client)))
	s.must(s.db.RenameDevice(t.Context(), "alice", "ABCDEFGHIJ", "Kitchen"))
	d, b := s.tv(), s.browser()
	b.signIn(handlers.AccountPath)
	page := b.at(handlers.DevicePath)
	s.api().rules.Admission = protocol.AdmitStatic // as after a restart
	s.says(b.press(handlers.DevicePath, page, "code", d.user, "do", "continue"), 403, "does not admit this app")
	s.says(b.press(handlers.DevicePath, page, "code", d.user, "do", "allow"), 403, "does not admit this app")
	s.want(d.poll(), 400, "authorization_pending")
	s.want(s.ask(d.client), 400, "unauthorized_client")
	s.says(b.at(handlers.AccountPath), 200, "Kitchen", "App")
}
