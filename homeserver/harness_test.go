package homeserver

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"go.uber.org/goleak"

	"postern/db"
	"postern/db/dbtest"
	"postern/handlers"
	"postern/homeserver/imported"
	"postern/homeserver/outbox"
	"postern/oauth"
	"postern/test/rig/matrixtest"
	"postern/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	call   = matrixtest.Call
	answer = matrixtest.Answer
)

// site is a whole server in front of a homeserver, on a real database with a clock that the test moves.
type site struct {
	testing.TB
	db     *db.DB
	queue  *outbox.Queue
	server *handlers.Server
	gate   *Gate
	peer   *Peer
	clock  *matrixtest.Clock
	master tokens.MasterKey
}

// setup is what a test may change of a site.
type setup struct {
	handlers.Config
	there Config // the homeserver
}

const (
	host         = "example.org"
	password     = "correct horse"
	sharedSecret = "a secret that both have"

	loginPath   = "/_matrix/client/v3/login"
	devicesPath = "/_matrix/client/v3/devices"
	whoamiPath  = "/_matrix/client/v3/account/whoami"
	refreshPath = "/_matrix/client/v3/refresh"
)

// cheap makes hashes that are compared in microseconds.
var cheap = &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// newSite makes a site with the accounts alice and bob.
func newSite(t testing.TB, change ...func(*setup)) *site {
	t.Helper()
	return newSiteOn(t, dbtest.DSN(t), change...)
}

func newSiteOn(t testing.TB, dsn string, change ...func(*setup)) *site {
	t.Helper()
	queue, err := outbox.Open(t.Context(), db.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := queue.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	d := queue.DB
	master, err := tokens.NewMasterKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{TB: t, db: d, queue: queue, clock: matrixtest.NewClock(), master: master}
	s.addRootKey(1)
	hash, err := argon2id.CreateHash(password, cheap)
	s.must(err)
	for _, name := range []string{"alice", "bob"} {
		s.must(d.CreateUser(t.Context(), db.User{Localpart: name, PasswordHash: hash, Created: s.clock.Now()}))
	}
	s.newServer(change...)
	return s
}

func (s *site) newServer(change ...func(*setup)) {
	s.Helper()
	c := setup{Config: handlers.Config{
		DB: s.db, ServerName: host, Master: s.master, Metrics: handlers.NewMetrics(),
		Log: slog.New(slog.DiscardHandler), Now: s.clock.Now, Random: rand.Reader,
		AccessTTL: 5 * time.Minute, RefreshLeeway: 30 * time.Second, Registration: handlers.RegistrationOpen,
		Passwords: handlers.PasswordRules{Length: 8}, LoginTokenTTL: 2 * time.Minute,
		Foreign: imported.Tokens(s.db, host),
	}}
	c.there.Queue = s.queue
	for _, f := range change {
		f(&c)
	}
	c.there.Queue, c.there.ServerName, c.there.Secret, c.there.Log = s.queue, host, sharedSecret, c.Log
	c.there.Now, c.there.Random = c.Now, c.Random
	s.peer = NewPeer(c.there)
	c.Peer, c.Flows, c.AllowKeyReset = s.peer, s.peer.Flows(), s.peer.AllowKeyReset
	c.Outbox, c.Reopen = s.peer.Outbox, s.queue.Reactivate
	server, err := handlers.New(s.Context(), c.Config)
	s.must(err)
	s.Cleanup(server.Close)
	s.server, s.gate = server, NewGate(server, s.peer, false)
}

// newSiteFor is another server on the database of a site.
func newSiteFor(s *site, change ...func(*setup)) *site {
	s.Helper()
	other := *s
	other.newServer(change...)
	return &other
}

// withOAuth serves the OAuth 2.0 API too.
func withOAuth(c *setup) { c.OAuth, c.PublicURL = oauth.New, "https://example.org" }

// granted begins a session of alice's by the OAuth 2.0 API and gives its access token.
func (s *site) granted(device string) string {
	s.Helper()
	account, err := s.db.User(s.Context(), "alice")
	s.must(err)
	client := s.do(call{Method: "POST", Path: handlers.RegistrationPath,
		Body: `{"client_uri":"https://app.example.com","redirect_uris":["https://app.example.com/"]}`}).Text("client_id")
	pair, err := s.server.StartGranted(handlers.WithCaller(s.Context(), &handlers.Caller{Now: s.clock.Now()}),
		handlers.Grant{Account: account, ClientID: client, DeviceID: device, Name: "App",
			ID: "the session of " + device, Code: "code", CodeEnds: s.clock.Now().Add(time.Minute)})
	s.must(err)
	return pair.Access
}

func (s *site) addRootKey(id int64) {
	s.Helper()
	key, err := tokens.NewKey(id, rand.Reader)
	s.must(err)
	wrapped, err := s.master.Wrap(rand.Reader, key)
	s.must(err)
	s.must(s.db.AddRootKey(s.Context(), db.RootKey{ID: id, Wrapped: wrapped, Created: s.clock.Now()}))
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) do(c call) answer {
	s.Helper()
	return matrixtest.Ask(s, s.server.Handler(), c)
}

func (s *site) ask(handler http.Handler, c call) answer {
	s.Helper()
	return matrixtest.Ask(s, handler, c)
}

// want fails the test unless the answer is a Matrix error with this status and code.
func (s *site) want(a answer, status int, code string) { s.Helper(); a.Want(s, status, code) }

func (s *site) ok(a answer) answer { s.Helper(); return a.OK(s) }

// challenged is the session of a challenge for user-interactive authentication.
func (s *site) challenged(a answer) string { s.Helper(); return a.Challenged(s) }

var loginBody = matrixtest.LoginBody

func passwordStep(user, password, session string) string {
	if session != "" {
		session = `,"session":"` + session + `"`
	}
	return `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + user + `"},"password":"` +
		password + `"` + session + `}`
}

func (s *site) login(extra string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: loginPath, Body: loginBody("alice", password, extra)})
}

// loggedIn is a login that can refresh.
func (s *site) loggedIn() answer {
	s.Helper()
	return s.ok(s.login(`"refresh_token":true`))
}

func (s *site) draftLogin() answer {
	s.Helper()
	return s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/api/v1/login",
		Body: `{"username":"alice","password":"` + password + `"}`}))
}

func (s *site) refresh(token string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: refreshPath, Body: `{"refresh_token":"` + token + `"}`})
}

func (s *site) whoami(token string) answer {
	s.Helper()
	return s.do(call{Method: "GET", Path: whoamiPath, Token: token})
}

func (s *site) logout(token string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: "/_matrix/client/v3/logout", Token: token})
}

func (s *site) deletePhone(token, auth string) answer {
	s.Helper()
	c := call{Method: "DELETE", Path: devicesPath + "/PHONE", Token: token}
	if auth != "" {
		c.Body = `{"auth":` + auth + `}`
	}
	return s.do(c)
}

// phoneAndLaptop logs in on two devices and gives the second one's token.
func (s *site) phoneAndLaptop() string {
	s.Helper()
	s.ok(s.login(`"device_id":"PHONE"`))
	return s.ok(s.login(`"device_id":"LAPTOP"`)).Text("access_token")
}
