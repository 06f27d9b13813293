package guide

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"postern/test/rig/delegated"
	"postern/test/rig/synapse"
)

// TestOAuth is today's clients before a real Synapse: two friends sign in by a browser, talk in an encrypted room, lose
// the answer to a refresh, replace their cross-signing keys, sign in again and sign out. Beside them a client of the
// legacy API and a bridge go on.
func TestOAuth(t *testing.T) {
	if os.Getenv("TEST_HOME") == "" {
		t.Skip("real clients and a browser: test/homeserver/guide/run")
	}
	s := newSignedIn(t)
	s.goOn(t, "signed in by a browser")
	s.named(t)
	s.losesAnAnswer(t)
	s.replaces(t)
	s.signsInAgain(t)
	s.signsOut(t)
}

// signedIn is a homeserver whose users sign in by a browser.
type signedIn struct {
	*friends
	hs      *synapse.Server
	browser *person // which has a browser for each of them
	line    *line
	app     string // where the application is, which has no page of its own
}

func newSignedIn(t *testing.T) *signedIn {
	t.Helper()
	registration := filepath.Join(t.TempDir(), "irc.yaml")
	write(t, registration, fmt.Sprintf(bridgeFile, bridgeToken), 0o600)
	hs := synapse.Prepare(t, synapse.Options{Extra: fmt.Sprintf("app_service_config_files: [%q]\n", registration)})
	p := delegated.New(t, hs.URL, synapse.ServerName)
	l := newLine(t)
	p.Start(t, "--oauth", "on", "--public-url", l.URL, "--access-ttl", "6s", "--appservice", registration)
	l.to(t, p.Server.URL)
	hs.Delegate(t, p.Server.URL, delegated.Secret)
	hs.Run(t)
	app := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(app.Close)
	t.Setenv("TMPDIR", t.TempDir()) // for the browser's profile
	s := &signedIn{hs: hs, line: l, app: app.URL + "/", browser: newBrowser(t),
		friends: &friends{alice: newPerson(t, "alice"), bob: newPerson(t, "bob"), carol: newNio(t, "carol")}}
	for _, one := range []*person{s.alice, s.bob, s.carol} {
		p.Run(t, password, "user", "add", one.name, "--password-stdin")
	}
	s.signIn(t, s.alice, password)
	s.signIn(t, s.bob, password)
	s.carol.do(t, "login", values{"base": l.URL, "user": "carol", "password": password})
	s.meet(t)
	return s
}

// newBrowser starts the browser.
func newBrowser(t *testing.T) *person {
	t.Helper()
	const dir = "../../browser"
	if _, err := os.Stat(dir + "/node_modules/playwright-core"); err != nil {
		missing(t, "NO PLAYWRIGHT: install it with npm ci --prefix test/browser")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		missing(t, "NO BROWSER: install it with apt-get install chromium")
	}
	binary, err := filepath.Abs(node(t))
	if err != nil {
		t.Fatal(err)
	}
	return start(t, "the browser", dir, binary, "people.js")
}

// signIn lets somebody's application send them to the page. Without a password they are signed in there already, and
// agree.
func (s *signedIn) signIn(t *testing.T, one *person, password string) values {
	t.Helper()
	begun := one.do(t, "authorize", values{"base": s.line.URL, "user": one.name, "redirect": s.app})
	back := s.browser.do(t, "signIn", values{"name": one.name, "password": password, "url": begun["url"],
		"back": s.app})
	return one.do(t, "redeem", values{"to": back["to"]})
}

// goOn holds that everybody goes on, the bridge too.
func (s *signedIn) goOn(t *testing.T, about string) {
	t.Helper()
	s.friends.goOn(t, about)
	bridge(t, s.line.URL, "_irc_old")
}

// named holds that Synapse has the device of whoever signed in, under the application's name and with its keys.
func (s *signedIn) named(t *testing.T) {
	t.Helper()
	for _, one := range []*person{s.alice, s.bob} {
		if keys := one.do(t, "keys", nil); keys["own"] != keys["server"] || keys["name"] != "An encrypting app" {
			t.Errorf("Synapse has of %s's device %v", one.name, keys)
		}
	}
}

// losesAnAnswer holds that an answer to a refresh that is lost costs nothing: the next brings the same refresh token,
// and an access token that is as good for long.
func (s *signedIn) losesAnAnswer(t *testing.T) {
	t.Helper()
	both := s.line.lose()
	for range 600 {
		select {
		case pairs := <-both:
			if pairs[0].Refresh != pairs[1].Refresh || pairs[1].Refresh == "" || pairs[1].Access == "" {
				t.Errorf("an answer was lost, and the next one is another: %v", pairs)
			}
			s.goOn(t, "after a lost answer")
			return
		case <-time.After(200 * time.Millisecond):
			s.alice.try(t, "whoami", nil) // it refreshes when it asks something; meanwhile its sync may ask nothing
		}
	}
	t.Fatal("nobody has refreshed, or asked again after an answer was lost")
}

// replaces is what somebody does who has lost the cross-signing keys: new ones, allowed on the account page.
func (s *signedIn) replaces(t *testing.T) {
	t.Helper()
	if first := s.bob.do(t, "reset", nil); first["asked"] != 0.0 {
		t.Errorf("bob was asked for a proof before he had keys: %v", first)
	}
	before := s.bob.do(t, "signing", nil)["master"]
	asked := s.bob.do(t, "replace", nil)
	if want := s.line.URL + "/account?action=org.matrix.cross_signing_reset"; asked["stage"] != "m.oauth" ||
		asked["url"] != want {
		t.Fatalf("bob was asked %v, want %s", asked, want)
	}
	s.browser.do(t, "press", values{"name": "bob", "url": asked["url"], "button": "Continue"})
	s.bob.do(t, "replaced", nil)
	if now := s.bob.do(t, "signing", nil)["master"]; now == before || now == "" {
		t.Errorf("bob's master key was %v and is %v", before, now)
	}
	s.goOn(t, "after new cross-signing keys")
}

// signsInAgain holds that a login on the device that there is keeps its keys.
func (s *signedIn) signsInAgain(t *testing.T) {
	t.Helper()
	device, keys := s.alice.do(t, "device", nil)["device_id"], s.alice.do(t, "keys", nil)
	if again := s.signIn(t, s.alice, ""); again["device_id"] != device {
		t.Errorf("alice was on the device %v and is on %v", device, again["device_id"])
	}
	// Synapse may begin with what it told this device minutes ago (sync_response_cache_duration).
	s.alice.do(t, "knows", values{"room": s.room, "members": 2})
	if now := s.alice.do(t, "keys", nil); now["own"] != keys["own"] || now["server"] != keys["own"] {
		t.Errorf("alice's keys were %v and are %v", keys, now)
	}
	s.goOn(t, "after alice has signed in again")
}

// signsOut holds that a revocation ends the session and that Synapse deletes the device with its keys, and that nobody
// else is touched.
func (s *signedIn) signsOut(t *testing.T) {
	t.Helper()
	const bob = "@bob:" + synapse.ServerName
	device := s.bob.do(t, "device", nil)["device_id"]
	if has := s.alice.do(t, "devices", values{"of": bob}); !slices.Contains(has["devices"].([]any), device) {
		t.Fatalf("before he signs out bob has %v", has)
	}
	s.bob.do(t, "logout", nil)
	if after := s.bob.try(t, "whoami", nil); after["status"] != 401.0 {
		t.Errorf("after he has signed out bob is %v", after)
	}
	there := true
	for i := 0; there && i < 600; i++ { // Synapse is told in a moment
		has := s.alice.do(t, "devices", values{"of": bob})
		if there = slices.Contains(has["devices"].([]any), device); there {
			time.Sleep(100 * time.Millisecond)
		}
	}
	if there {
		t.Error("others still see the keys of bob's device")
	}
	if status, answer := synapse.Try(t, "POST", s.hs.URL+"/_synapse/mas/update_device_display_name", delegated.Secret,
		values{"localpart": "bob", "device_id": device, "display_name": "still there"}); status != 404 {
		t.Errorf("Synapse has bob's device: %d %v", status, answer)
	}
	s.alice.do(t, "send", values{"room": s.room, "text": "when bob is gone"})
	s.alice.stays(t)
	s.carol.do(t, "talk", values{"room": s.carols, "text": "when bob is gone"})
	bridge(t, s.line.URL, "_irc_old")
}
