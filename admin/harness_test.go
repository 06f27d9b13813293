package admin

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/db"
	"postern/db/dbtest"
	gen "postern/gen/admin"
	"postern/handlers"
	"postern/oauth"
	"postern/test/rig/matrixtest"
	"postern/tokens"
)

const (
	host     = "example.org"
	password = "correct horse"
	root     = "/_postern/admin/v1"
)

// contract holds every answer against api/admin.yaml.
var contract = matrixtest.Against(gen.GetSpec())

// What the contract documents is what the tests have seen.
func TestMain(m *testing.M) {
	os.Exit(contract.Exercised(m.Run(), func(*openapi3.Operation) bool { return true }))
}

type (
	call   = matrixtest.Call
	answer = matrixtest.Answer
)

// site is a server with the admin API. The account ops is an administrator's; alice and bob are people.
type site struct {
	testing.TB
	db     *db.DB
	server *handlers.Server
	api    http.Handler
	clock  *matrixtest.Clock
	token  string // for everything
}

// passwordHash is everybody's, made once.
var passwordHash = sync.OnceValues(func() (string, error) { return handlers.HashPassword(password) })

func newSite(t testing.TB, change ...func(*handlers.Config)) *site {
	t.Helper()
	s := &site{TB: t, clock: matrixtest.NewClock(), db: dbtest.New(t)}
	master, err := tokens.NewMasterKey(rand.Reader)
	s.must(err)
	key, err := tokens.NewKey(1, rand.Reader)
	s.must(err)
	wrapped, err := master.Wrap(rand.Reader, key)
	s.must(err)
	s.must(s.db.AddRootKey(t.Context(), db.RootKey{ID: 1, Wrapped: wrapped, Created: s.clock.Now()}))
	hash, err := passwordHash()
	s.must(err)
	for _, name := range []string{"alice", "bob", "ops"} {
		s.must(s.db.CreateUser(t.Context(), db.User{Localpart: name, PasswordHash: hash, Created: s.clock.Now(),
			Admin: name == "ops"}))
	}
	config := handlers.Config{DB: s.db, ServerName: host, Master: master, Metrics: handlers.NewMetrics(),
		Log: slog.New(slog.DiscardHandler), Now: s.clock.Now, Random: rand.Reader, AccessTTL: 5 * time.Minute,
		Registration: handlers.RegistrationApproval, Passwords: handlers.PasswordRules{Length: 8},
		PublicURL: "https://example.org", OAuth: oauth.New}
	for _, f := range change {
		f(&config)
	}
	s.server, err = handlers.New(t.Context(), config)
	s.must(err)
	t.Cleanup(s.server.Close)
	s.api, err = Handler(s.server)
	s.must(err)
	s.token = s.issue("ops", db.ScopeAdmin)
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// issue makes a token for a bot of an account.
func (s *site) issue(localpart, scope string, caveats ...string) string {
	s.Helper()
	account, err := s.db.User(s.Context(), localpart)
	s.must(err)
	b := handlers.Bot{Account: account, Name: "Script", Scope: scope}
	for _, text := range caveats {
		c, err := tokens.ParseCaveat(text)
		s.must(err)
		b.Caveats = append(b.Caveats, c)
	}
	pair, err := s.server.IssueToken(handlers.WithCaller(s.Context(), &handlers.Caller{Now: s.clock.Now()}), b)
	s.must(err)
	return pair.Access
}

// login is an ordinary session's access token.
func (s *site) login(localpart string) string {
	s.Helper()
	return matrixtest.Ask(s, s.server.Handler(), call{Method: "POST", Path: "/_matrix/client/v3/login",
		Body: matrixtest.LoginBody(localpart, password, "")}).OK(s).Text("access_token")
}

// send makes a request of the admin API, and holds the answer against the contract.
func (s *site) send(c call) answer {
	s.Helper()
	s.clock.Step(10 * time.Second) // a token that is refused often is answered later
	a := matrixtest.Ask(s, s.api, c)
	contract.Check(s, c.Method, c.Path, a)
	if a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Cache-Control") != "no-store" {
		s.Errorf("%s %s: headers are %v", c.Method, c.Path, a.Header)
	}
	return a
}

// ask is send with the token for everything, for a path below the root.
func (s *site) ask(method, path, body string) answer {
	s.Helper()
	return s.send(call{Method: method, Path: root + path, Body: body, Token: s.token})
}

// done is ask for what must succeed.
func (s *site) done(method, path, body string) answer {
	s.Helper()
	a := s.ask(method, path, body)
	if a.Status/100 != 2 {
		s.Fatalf("%s %s: %d %s", method, path, a.Status, a.Raw)
	}
	return a
}

// wait has somebody ask for an account.
func (s *site) wait(localpart string) {
	s.Helper()
	a := matrixtest.Ask(s, s.server.Handler(), call{Method: "POST", Path: "/_matrix/client/v3/register",
		Body: `{"username":"` + localpart + `","password":"` + password + `","auth":{"type":"m.login.dummy"}}`})
	if !strings.HasSuffix(a.Code(), "USER_AWAITING_APPROVAL") {
		s.Fatalf("%d %s", a.Status, a.Raw)
	}
}

// sample is an honest request of each operation, for what furnish makes.
var samples = map[string]call{
	"listAccounts":        {Method: "GET", Path: "/accounts?search=a&limit=2"},
	"createAccount":       {Method: "POST", Path: "/accounts", Body: `{"localpart":"carol","password":"battery staple"}`},
	"getAccount":          {Method: "GET", Path: "/accounts/alice"},
	"lockAccount":         {Method: "PUT", Path: "/accounts/alice/lock"},
	"unlockAccount":       {Method: "DELETE", Path: "/accounts/alice/lock"},
	"grantAdmin":          {Method: "PUT", Path: "/accounts/bob/admin"},
	"revokeAdmin":         {Method: "DELETE", Path: "/accounts/bob/admin"},
	"setPassword":         {Method: "PUT", Path: "/accounts/alice/password", Body: `{"password":"battery staple"}`},
	"createResetLink":     {Method: "POST", Path: "/accounts/alice/reset_link"},
	"deactivateAccount":   {Method: "PUT", Path: "/accounts/bob/deactivation", Body: `{}`},
	"reactivateAccount":   {Method: "DELETE", Path: "/accounts/bob/deactivation"},
	"listAccountSessions": {Method: "GET", Path: "/accounts/ops/sessions"},
	"endAccountSessions":  {Method: "DELETE", Path: "/accounts/alice/sessions"},
	"listFactors":         {Method: "GET", Path: "/accounts/alice/factors"},
	"clearFactors":        {Method: "DELETE", Path: "/accounts/alice/factors"},
	"listEmails":          {Method: "GET", Path: "/accounts/alice/emails"},
	"addEmail":            {Method: "POST", Path: "/accounts/alice/emails", Body: `{"address":"a@example.org"}`},
	"removeEmail":         {Method: "DELETE", Path: "/accounts/ops/emails/o@example.org"},
	"listSessions":        {Method: "GET", Path: "/sessions"},
	"getSession":          {Method: "GET", Path: "/sessions/s2"},
	"endSession":          {Method: "DELETE", Path: "/sessions/s1"},
	"listInvitations":     {Method: "GET", Path: "/invitations"},
	"createInvitation":    {Method: "POST", Path: "/invitations"},
	"getInvitation":       {Method: "GET", Path: "/invitations/open-day"},
	"revokeInvitation":    {Method: "DELETE", Path: "/invitations/open-day"},
	"listSignups":         {Method: "GET", Path: "/signups"},
	"getSignup":           {Method: "GET", Path: "/signups/dave"},
	"approveSignup":       {Method: "PUT", Path: "/signups/dave"},
	"rejectSignup":        {Method: "DELETE", Path: "/signups/erin"},
	"listEvents":          {Method: "GET", Path: "/events?kind=created&kind=login"},
	"count":               {Method: "GET", Path: "/counts"},
}

// furnish makes what the samples are about.
func (s *site) furnish() {
	s.Helper()
	s.wait("dave")
	s.wait("erin")
	hash, err := passwordHash()
	s.must(err)
	for _, id := range []string{"s1", "s2"} {
		_, err := s.db.StartSession(s.Context(), db.Login{ID: id, Localpart: "bob", PasswordHash: hash,
			DeviceID: strings.ToUpper(id), At: s.clock.Now(), KeyID: 1})
		s.must(err)
	}
	s.must(handlers.GiveAddress(s.Context(), s.db, "ops", "o@example.org", s.clock.Now()))
	s.must(s.db.AddRegistrationToken(s.Context(), db.RegistrationToken{Token: "open-day", Created: s.clock.Now()}))
}

// each gives a sample of every operation, in the order of the contract, with its whole path.
func each(t testing.TB, do func(id string, c call)) {
	t.Helper()
	left := len(samples)
	for _, path := range contract.Spec.Paths.InMatchingOrder() {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			op := contract.Spec.Paths.Value(path).GetOperation(method)
			if op == nil {
				continue
			}
			c, found := samples[op.OperationID]
			if !found {
				t.Fatalf("%s has no sample", op.OperationID)
			}
			left--
			c.Path = root + c.Path
			do(op.OperationID, c)
		}
	}
	if left != 0 {
		t.Errorf("%d samples are of no operation", left)
	}
}
