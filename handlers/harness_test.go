package handlers

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"postern/db"
	"postern/db/dbtest"
	"postern/homeserver/imported"
	"postern/test/rig/matrixtest"
	"postern/tokens"
)

// site is a whole server on a real database with a clock that the test moves.
type site struct {
	testing.TB
	db     *db.DB
	server *Server
	clock  *clock
	master tokens.MasterKey
	other  *Server       // another replica, if there is one
	turn   *atomic.Int64 // whose it is to answer
}

const (
	host     = "example.org"
	password = "correct horse"
)

// cheap makes hashes that are compared in microseconds: these tests are about everything else.
var cheap = &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// newSite makes a site with the accounts alice and bob.
func newSite(t testing.TB, change ...func(*Config)) *site {
	t.Helper()
	return newSiteOn(t, dbtest.New(t), change...)
}

func newSiteOn(t testing.TB, d *db.DB, change ...func(*Config)) *site {
	t.Helper()
	master, err := tokens.NewMasterKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{TB: t, db: d, clock: matrixtest.NewClock(), master: master}
	s.addRootKey(1)
	s.addUser("alice")
	s.addUser("bob")
	s.server = s.newServer(change...)
	return s
}

func (s *site) newServer(change ...func(*Config)) *Server {
	s.Helper()
	c := Config{
		DB: s.db, ServerName: host, Master: s.master, Metrics: NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Now: s.clock.Now, Random: rand.Reader,
		AccessTTL: 5 * time.Minute, RefreshLeeway: 30 * time.Second,
		Registration: RegistrationOpen, Passwords: PasswordRules{Length: 8}, LoginTokenTTL: 2 * time.Minute,
		Foreign: imported.Tokens(s.db, host),
	}
	for _, f := range change {
		f(&c)
	}
	server, err := New(s.Context(), c)
	if err != nil {
		s.Fatal(err)
	}
	server.hasher.cost = cheap
	server.pause = func(context.Context, time.Duration) {} // tests ask without a pause
	s.Cleanup(server.Close)
	return server
}

func (s *site) addRootKey(id int64) {
	s.Helper()
	key, err := tokens.NewKey(id, rand.Reader)
	s.must(err)
	wrapped, err := s.master.Wrap(rand.Reader, key)
	s.must(err)
	s.must(s.db.AddRootKey(s.Context(), db.RootKey{ID: id, Wrapped: wrapped, Created: s.clock.Now()}))
}

func (s *site) addUser(name string) {
	s.Helper()
	s.must(s.db.CreateUser(s.Context(),
		db.User{Localpart: name, PasswordHash: cheapHash(s, password), Created: s.clock.Now()}))
}

func cheapHash(t testing.TB, password string) string {
	t.Helper()
	hash, err := argon2id.CreateHash(password, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

type (
	clock  = matrixtest.Clock
	call   = matrixtest.Call
	answer = matrixtest.Answer
)

// do makes the request, at the next replica if there are two, and holds the answer against the contract.
func (s *site) do(c call) answer {
	s.Helper()
	server := s.server
	if s.other != nil && s.turn.Add(1)%2 == 0 {
		server = s.other
	}
	return s.ask(server.Handler(), c)
}

func (s *site) ask(handler http.Handler, c call) answer {
	s.Helper()
	return matrixtest.Ask(s, handler, c)
}

// want fails the test unless the answer is a Matrix error with this status and code.
func (s *site) want(a answer, status int, code string) { s.Helper(); a.Want(s, status, code) }

func (s *site) ok(a answer) answer { s.Helper(); return a.OK(s) }

// Shorthands of what most tests do.

func (s *site) login(extra string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: "/_matrix/client/v3/login", Body: loginBody("alice", password, extra)})
}

// loggedIn is a login that can refresh.
func (s *site) loggedIn() answer {
	s.Helper()
	return s.ok(s.login(`"refresh_token":true`))
}

var loginBody = matrixtest.LoginBody

func (s *site) draftLogin() answer {
	s.Helper()
	return s.ok(s.do(call{Method: "POST", Path: "/_matrix/client/api/v1/login",
		Body: `{"username":"alice","password":"` + password + `"}`}))
}

func (s *site) refresh(token string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: "/_matrix/client/v3/refresh", Body: `{"refresh_token":"` + token + `"}`})
}

func (s *site) tokenRefresh(token string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: "/_matrix/client/api/v1/tokenrefresh",
		Body: `{"refresh_token":"` + token + `"}`})
}

func (s *site) whoami(token string) answer {
	s.Helper()
	return s.do(call{Method: "GET", Path: "/_matrix/client/v3/account/whoami", Token: token})
}

func (s *site) logout(token string) answer {
	s.Helper()
	return s.do(call{Method: "POST", Path: "/_matrix/client/v3/logout", Token: token})
}
