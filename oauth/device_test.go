package oauth

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/oauth/protocol"
)

const tvClient = `{"client_name":"TV","client_uri":"https://tv.example.com","application_type":"native",
	"grant_types":["urn:ietf:params:oauth:grant-type:device_code","refresh_token"]}`

const tvScope = "urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:org.matrix.msc2967.client:device:TVTVTVTVTV"

// tv is a device that waits for its owner.
type tv struct {
	*site
	client, code, user string
}

// ask asks for codes.
func (s *site) ask(client string) answer {
	s.Helper()
	return s.form(DeviceAuthorizationPath, url.Values{"client_id": {client}, "scope": {tvScope}})
}

func (s *site) tv() *tv {
	s.Helper()
	client := s.register(tvClient)
	a := s.ok(s.ask(client))
	return &tv{s, client, a.text("device_code"), a.text("user_code")}
}

func (d *tv) poll() answer {
	d.Helper()
	return d.form("/oauth2/token", url.Values{"grant_type": {protocol.GrantDevice}, "client_id": {d.client},
		"device_code": {d.code}})
}

// api is the server's OAuth 2.0 API, as its pages have it.
func (s *site) api() *API { return s.server.OAuth.(*API) }

// from is the context of a request from an address.
func (s *site) from(addr string) context.Context {
	return handlers.WithCaller(s.Context(), &handlers.Caller{Addr: netip.MustParseAddr(addr), Now: s.clock.Now()})
}

func (s *site) alice() *db.User {
	s.Helper()
	user, err := s.db.User(s.Context(), "alice")
	s.must(err)
	return &user
}

// decide lets the device in to an account, or not.
func (d *tv) decide(account *db.User) error {
	d.Helper()
	found, err := d.api().findDevice(d.from("192.0.2.1"), account, d.user)
	if err != nil {
		return err
	}
	return d.api().decideDevice(d.from("192.0.2.1"), found, account)
}

// TestDevice is the whole way: a device asks, somebody types its code and agrees, the device logs in and refreshes.
func TestDevice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	client := s.register(tvClient)
	a := s.ok(s.ask(client))
	d := &tv{s, client, a.text("device_code"), a.text("user_code")}
	if len(d.user) != 9 || a.json["expires_in"] != float64(900) || a.json["interval"] != float64(5) ||
		a.text("verification_uri") != s.URL+"/oauth2/device" ||
		a.text("verification_uri_complete") != s.URL+"/oauth2/device?code="+d.user {
		t.Errorf("the device is told %s", a.body)
	}
	s.want(d.poll(), 400, "authorization_pending")
	typed := " " + strings.ToLower(strings.Replace(d.user, "-", " ", 1))
	found, err := s.api().findDevice(s.from("192.0.2.1"), s.alice(), typed)
	if err != nil || found.Code.ClientID != client || found.Code.DeviceID != "TVTVTVTVTV" || found.Code.Name != "TV" ||
		found.Addr != "127.0.0.1" || found.Agent == "" || !found.Since.Equal(s.clock.Now()) {
		t.Fatalf("%+v, %v", found, err)
	}
	s.must(s.api().decideDevice(s.from("192.0.2.1"), found, s.alice()))
	s.must(d.decide(s.alice())) // the button was pressed twice
	pair := s.ok(d.poll())
	if pair.text("scope") != "urn:matrix:client:api:* urn:matrix:client:device:TVTVTVTVTV" {
		t.Errorf("the pair is %s", pair.body)
	}
	who := s.ok(s.whoami(pair.text("access_token")))
	if who.text("user_id") != "@alice:example.org" || who.text("device_id") != "TVTVTVTVTV" {
		t.Errorf("the session is %s", who.body)
	}
	s.ok(s.refresh(client, pair.text("refresh_token")))
	session, err := s.db.Device(t.Context(), "alice", "TVTVTVTVTV")
	if err != nil || session.DisplayName != "TV" || session.ClientID != client {
		t.Errorf("the device is %+v, %v", session, err)
	}
}

// TestDeviceRefused: who does not agree is asked no more.
func TestDeviceRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.tv()
	s.must(d.decide(nil))
	s.want(d.poll(), 400, "access_denied")
	if err := d.decide(s.alice()); !errors.Is(err, errNoDevice) {
		t.Errorf("agreed after that: %v", err)
	}
	s.want(d.poll(), 400, "access_denied")
}

// TestDeviceDecidedOnce: of many who decide at once one does, and what the device gets is theirs. Polls are no
// hindrance.
func TestDeviceDecidedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *handlers.Config) { c.RateLimit = handlers.Rate{} })
	hash, err := handlers.HashPassword(password)
	s.must(err)
	s.must(s.db.CreateUser(t.Context(), db.User{Localpart: "bob", PasswordHash: hash, Created: s.clock.Now()}))
	bob, err := s.db.User(t.Context(), "bob")
	s.must(err)
	deciders := map[string]*db.User{"@alice:example.org": s.alice(), "@bob:example.org": &bob, "": nil}
	d := s.tv()
	found, err := s.api().findDevice(s.from("192.0.2.1"), nil, d.user)
	s.must(err)
	var wait sync.WaitGroup
	var won sync.Map
	for name, account := range deciders {
		for range 4 {
			wait.Go(func() {
				mine := *found
				switch err := s.api().decideDevice(s.from("192.0.2.1"), &mine, account); {
				case err == nil:
					won.Store(name, true)
				case !errors.Is(err, errNoDevice):
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	for range 4 {
		wait.Go(func() { d.poll() })
	}
	wait.Wait()
	var winners []string
	won.Range(func(name, _ any) bool { winners = append(winners, name.(string)); return true })
	if len(winners) != 1 {
		t.Fatalf("it was decided by %q", winners)
	}
	if winners[0] == "" {
		s.want(d.poll(), 400, "access_denied")
	} else if who := s.ok(s.whoami(s.ok(d.poll()).text("access_token"))); who.text("user_id") != winners[0] {
		t.Errorf("%s decided, and the session is %s", winners[0], who.body)
	}
}

// TestLostPoll: the answer to a poll was lost: everybody gets one pair, until a token of it is used.
func TestLostPoll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.tv()
	s.must(d.decide(s.alice()))
	var wait sync.WaitGroup
	bodies := make([]string, 16)
	for i := range bodies {
		wait.Go(func() { bodies[i] = d.poll().body })
	}
	wait.Wait()
	for _, body := range bodies {
		if body != bodies[0] || !strings.Contains(body, "access_token") {
			t.Fatalf("sixteen polls give\n%s", strings.Join(bodies, "\n"))
		}
	}
	s.clock.Step(20 * time.Second)
	again := s.ok(d.poll())
	if !strings.Contains(bodies[0], again.text("access_token")) {
		t.Errorf("within the time it is %s", again.body)
	}
	s.ok(s.whoami(again.text("access_token")))
	s.want(d.poll(), 400, "invalid_grant") // a token of the pair was used
	if a := s.whoami(again.text("access_token")); a.json["soft_logout"] != true {
		t.Errorf("the session goes on: %s", a.body)
	}
}

// TestDeviceCodeTwice: each second use is refused, and ends the session.
func TestDeviceCodeTwice(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(d *tv) answer{
		"too late":       func(d *tv) answer { d.clock.Step(againDevice + 1); return d.poll() },
		"after its time": func(d *tv) answer { d.clock.Step(deviceLife); return d.poll() },
		"another client": func(d *tv) answer { other := *d; other.client = "other"; return other.poll() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(c *handlers.Config) { c.AccessTTL = time.Hour })
			d := s.tv()
			s.must(d.decide(s.alice()))
			pair := s.ok(d.poll())
			s.want(second(d), 400, "invalid_grant")
			if a := s.whoami(pair.text("access_token")); a.status != 401 || a.json["soft_logout"] != true {
				t.Errorf("the session goes on: %s", a.body)
			}
		})
	}
}

// TestDeviceCodesThatAreNoGood start nothing, and spend nothing.
func TestDeviceCodesThatAreNoGood(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	web := s.register(webClient)
	browsers := s.code(web)
	d := s.tv()
	s.must(d.decide(s.alice()))
	for name, change := range map[string]func(*tv){
		"none":             func(d *tv) { d.code = "" },
		"a letter more":    func(d *tv) { d.code += "A" },
		"another client":   func(d *tv) { d.client = web },
		"the user's":       func(d *tv) { d.code = d.user },
		"of another grant": func(d *tv) { d.client, d.code = web, browsers },
		"a prolonged one":  func(d *tv) { d.code = d.code[:24] + "zzzzzzzzzz" + d.code[34:] },
	} {
		other := *d
		change(&other)
		if a := other.poll(); a.status != 400 || a.text("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	s.want(s.redeem(d.client, d.code, "redirect_uri", "", "code_verifier", ""), 400, "invalid_grant")
	s.ok(d.poll())
}

// TestDeviceTime: after its time a device asks anew, and its code is typed in vain.
func TestDeviceTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	agreed, waiting := s.tv(), s.tv()
	s.must(agreed.decide(s.alice()))
	s.clock.Step(deviceLife)
	s.want(agreed.poll(), 400, "expired_token")
	s.want(waiting.poll(), 400, "expired_token")
	if err := waiting.decide(s.alice()); !errors.Is(err, errNoDevice) {
		t.Errorf("typed after its time: %v", err)
	}
}

// TestSlowDown: a device that polls too fast is told so, ever slower, and is not kept waiting once somebody has agreed.
func TestSlowDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.tv()
	for _, step := range []struct {
		wait time.Duration
		want string
	}{
		{0, "authorization_pending"},
		{5 * time.Second, "authorization_pending"},
		{4 * time.Second, "authorization_pending"}, // the one before was a second longer on its way
		{3 * time.Second, "slow_down"},
		{5 * time.Second, "slow_down"},
		{15 * time.Second, "authorization_pending"},
		{14 * time.Second, "authorization_pending"},
		{13 * time.Second, "slow_down"},
		{20 * time.Second, "authorization_pending"},
	} {
		s.clock.Step(step.wait)
		s.want(d.poll(), 400, step.want)
	}
	for range 30 {
		s.want(d.poll(), 400, "slow_down")
	}
	s.clock.Step(maxPollEvery)
	s.want(d.poll(), 400, "authorization_pending")
	s.must(d.decide(s.alice()))
	s.ok(d.poll())
}

// TestDeviceAccountChanged: what somebody agreed to is void when the account is another's by then.
func TestDeviceAccountChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.tv()
	s.must(d.decide(s.alice()))
	hash, err := handlers.HashPassword("battery staple")
	s.must(err)
	s.must(s.db.Rehash(t.Context(), "alice", s.hash(), hash))
	s.want(d.poll(), 400, "invalid_grant")
}

// TestDeviceAsksWrongly: what is refused at once.
func TestDeviceAsksWrongly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	web, client := s.register(webClient), s.register(tvClient)
	for _, tt := range []struct{ client, scope, want string }{
		{"", tvScope, "invalid_request"},
		{"unknown", tvScope, "invalid_client"},
		{web, tvScope, "unauthorized_client"},
		{client, "", "invalid_scope"},
		{client, "openid", "invalid_scope"},
	} {
		s.want(s.form(DeviceAuthorizationPath, url.Values{"client_id": {tt.client}, "scope": {tt.scope}}), 400, tt.want)
	}
	s.want(s.post(DeviceAuthorizationPath, "application/json", `{"client_id":"x"}`), 400, "invalid_request")
	s.want(s.form(DeviceAuthorizationPath, url.Values{"scope": {strings.Repeat("x", handlers.MaxBody)}}), 413,
		"invalid_request")
}

// TestDevicePage: a person types the code that the device shows, sees who asks, and lets it in or refuses it.
func TestDevicePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d, b := s.tv(), s.browser()
	link := handlers.DevicePath + "?code=" + d.user
	s.says(b.at(link), 200, "User name")
	s.says(b.signIn(link), 303)
	page := s.says(b.at(link), 200, `value="`+d.user+`"`, "Continue", "@alice:example.org")
	s.want(d.poll(), 400, "authorization_pending")
	page = s.says(b.press(link, page, "code", strings.ToLower(strings.ReplaceAll(d.user, "-", " ")), "do", "continue"),
		200,
		"TV", "tv.example.com", "TVTVTVTVTV", d.user, "127.0.0.1", "Allow")
	s.says(b.press(link, answer{}, "code", d.user, "account", "alice", "do", "allow"), 403, "Continue") // forged
	s.says(b.press(link, page, "do", "allow"), 200, "connected")
	s.says(b.press(link, page, "do", "allow"), 200, "connected") // pressed twice
	s.says(b.press(link, page, "do", "cancel"), 403, "No device waits")
	s.clock.Step(pollEvery)
	s.ok(s.whoami(s.ok(d.poll()).text("access_token")))

	d = s.tv()
	page = b.at(handlers.DevicePath)
	s.says(b.press(link, page, "code", "BCDF-GHJK", "do", "continue"), 403, "No device waits", "BCDF-GHJK")
	page = s.says(b.press(link, page, "code", d.user, "do", "continue"), 200, "Allow")
	s.says(b.press(link, page, "do", "cancel"), 200, "refused")
	s.want(d.poll(), 400, "access_denied")
}
