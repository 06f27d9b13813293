// Package handlers answers Postern's HTTP requests: it implements the interface that is generated from the
// contract, api/login.yaml, and nothing that the contract does not declare.
//
// # A request's way
//
// Every request passes, in this order: the aliases, the headers for browsers, the limit of its body, the router, the
// counter of its operation, recovery from panics, the generated wrapper (which reads the body through [binder] and
// holds it against the contract), the access token (denied by default, see auth.go), and one method of [Server], which
// makes at most one transaction. A failure at any point is returned, and becomes an answer in one place, errors.go.
//
// # Two APIs
//
// The operations of the 2015 draft and those of the current specification share accounts, sessions, tokens and rate
// limits. A session begun at one API may be refreshed at the other; the API decides the rule for a refresh token that
// comes twice.
//
// # Seams
//
// This package knows no homeserver and no spec lab. What stands around it joins in at these places:
//
//   - [Config.Peer]: another server that must know of users and devices before a client is answered.
//   - [Config.Foreign]: tokens that another server gave, to sessions that were imported from there.
//   - [Config.Flows]: further ways to log in.
//   - [Config.MailWaits]: whoever sends the mails that are queued here ([Server.SendMail]).
//   - api.go: an API with a contract of its own, which is served as this one is.
//   - seam.go: what others need to judge tokens and answer errors as this server does.
//
// Two things of Synapse cannot stand elsewhere. Its password hashes are one of the kinds that an account may have
// (hash.go), and [Caller.Token] is read before anything is known of a token.
//
// # Laws
//
//   - Nobody is logged out by accident: no failure of ours is ever answered 401.
//   - A wrong password and an unknown account get the same answer after the same work.
//   - No token, password or hash is logged.
//   - Time and randomness come from [Config].
//
// What it does not do: TLS (put a proxy in front and name it in TrustedProxies), accounts that sign in
// elsewhere, and anything of Matrix beyond authentication.
//
//	server, err := handlers.New(ctx, handlers.Config{DB: d, ServerName: "example.org", Master: master, …})
//	http.ListenAndServe("127.0.0.1:8008", server.Handler())
package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// An operation that the contract adds, renames or removes is a compile error here or in its file.
var _ gen.StrictServerInterface = (*Server)(nil)

// Config is all that a server needs from outside.
type Config struct {
	DB         *db.DB
	ServerName string           // the part of user ids after the colon
	Master     tokens.MasterKey // unwraps the root keys
	Metrics    *Metrics
	Log        *slog.Logger
	Now        func() time.Time
	Random     io.Reader

	AccessTTL       time.Duration // life of an access token when the client can refresh
	AccessTTLLegacy time.Duration // … when it cannot; 0: until logout
	SessionTTL      time.Duration // absolute life of a session; 0: no end
	RefreshLeeway   time.Duration // how long a spent refresh token still gets the same pair; 0: not at all

	Registration  Registration  // who may make an account; closed when empty
	Terms         Terms         // what a new user must agree to
	Passwords     PasswordRules // what a new password must be
	LoginTokenTTL time.Duration // life of a login token; 0: they are not enabled
	PublicURL     string        // where clients find the server, for /.well-known/matrix/client; may be empty

	KeepExpired time.Duration // how long a session outlives its absolute end, softly logged out; 0: db's default
	KeepEvents  time.Duration // how long audit events are kept; 0: db's default

	Peer  Peer   // another server that must know of users and devices; nil when this one stands alone
	Flows []Flow // further ways to log in

	// MailWaits is called when a mail was queued, so that it is sent at once; nil: this server sends no mail.
	MailWaits func()

	OAuth func(*Server) OAuth // makes the OAuth 2.0 API; nil: it is not served

	// AllowKeyReset lets an account replace its cross-signing keys once, without a proof to the homeserver; nil: there
	// is no homeserver that asks for one.
	AllowKeyReset func(ctx context.Context, localpart string) error

	// Outbox lists some of what the homeserver has to be told still, the oldest first, and counts all of it; nil: there
	// is no homeserver.
	Outbox func(ctx context.Context, limit int) (some []Untold, total int, err error)

	// Reopen is [Server.Reactivate] where a homeserver has to do it as well; nil: there is none.
	Reopen func(ctx context.Context, localpart string) error

	// Foreign finds the session of a token that is no macaroon of ours, like one that came along with an imported
	// session; else db.ErrNotFound, or db.ErrEnded if the token is known and its session is over. It may be nil.
	Foreign func(ctx context.Context, token string) (tokens.Bearer, db.Session, error)

	// what Synapse's configuration had as password_config.pepper; for accounts that came from there
	SynapsePepper string

	MetricsApart bool // GET /metrics is not answered here but by [Metrics.Handler] alone

	// Patience is how long a request may take until it is answered, since its connection ends after that: what is not
	// done by then does not happen. 0: 30 s.
	Patience time.Duration

	SecondFactor SecondFactorPolicy // which accounts have to have a second factor

	RateLimit      Rate           // of logins and, counted apart, of refreshes, per address and per account
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
}

const defaultPatience = 30 * time.Second

// Server implements the contract. Nobody changes its configuration after [New].
type Server struct {
	Config

	keys         *keyring
	caveats      tokens.Table
	hasher       *hasher
	judging      sync.Mutex // of new passwords
	interactions *interactions
	contract     *contract
	OAuth        // that of Config.OAuth, or noOAuth
	echo         *echo.Echo

	logins, refreshes, attempts, stages limits
	mails                               limits // that somebody asks for

	refusals *limiter                             // of tokens that are refused again and again
	flood    *limiter                             // of attempts beyond the rate limit
	pause    func(context.Context, time.Duration) // holds an answer back

	strayProxy, strangeForwarded sync.Once // what is logged once

	stopTidy func()
}

// New makes a server and reads the root keys, so that a wrong master key is found out at the start.
func New(ctx context.Context, c Config) (*Server, error) {
	contract, err := readContract()
	if err != nil {
		return nil, err
	}
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	s := &Server{
		Config: c, contract: contract, caveats: tokens.Caveats(),
		keys:         &keyring{db: c.DB, master: c.Master},
		hasher:       newHasher(newQueue(c.Metrics.hashQueue, c.Now, c.Patience/3), c.SynapsePepper),
		interactions: &interactions{c.DB, Sealer{c.Master, c.Random, c.Log}},
		logins:       newLimits(c.RateLimit), refreshes: newLimits(c.RateLimit), attempts: newLimits(c.RateLimit),
		stages: newLimits(c.RateLimit), mails: newLimits(mailRate(c.RateLimit)),
		refusals: newRefusals(), flood: newLimiter(floodRate), pause: pause,
	}
	if s.OAuth = (noOAuth{}); c.OAuth != nil {
		s.OAuth = c.OAuth(s)
	}
	if s.Peer == nil {
		s.Peer = alone{c.DB}
	}
	s.Registration = cmp.Or(c.Registration, RegistrationClosed)
	if _, err := s.keys.asOf(ctx, c.DB.Epoch()); err != nil {
		return nil, err
	}
	c.Metrics.Register(countWaiting(c.DB))
	c.Metrics.sample(c.Now())
	s.echo = s.routes(contract)
	s.stopTidy = s.tidying(firstTidy, nextTidy)
	return s, nil
}

// Handler gives the server as a net/http handler.
func (s *Server) Handler() http.Handler { return headAsGet(s.echo) }

// Close stops what the server keeps running. The database stays open: it is not the server's.
func (s *Server) Close() {
	s.stopTidy()
	s.hasher.close()
}

func (s *Server) routes(contract *contract) *echo.Echo {
	e := echo.New()
	e.Binder = binder{contract}
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor = s.addressOf()
	e.Pre(alias, s.headers, bounded, s.inTime)
	e.Use(s.Metrics.observe(contract), s.recovers, s.withoutMail, s.forms)
	var router gen.EchoRouter = e
	if s.Config.OAuth == nil {
		router = withoutOAuth{e, contract}
	}
	gen.RegisterHandlers(router, gen.NewStrictHandler(s, []gen.StrictMiddlewareFunc{s.authenticate}))
	s.routePages(e)
	e.GET("/health", s.health)
	if !s.MetricsApart {
		e.GET("/metrics", echo.WrapHandler(s.Metrics.Handler()))
	}
	return e
}

// health answers 200 while the database can be read and written. It is for the operator, not for Matrix, so
// it is not in the contract.
func (s *Server) health(c echo.Context) error {
	if err := s.DB.Ping(c.Request().Context()); err != nil {
		return unavailable(err)
	}
	return c.JSONBlob(http.StatusOK, []byte(`{"status":"ok"}`))
}

// panicked makes an error of a panic's value.
func panicked(cause any) error {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause) // net/http's own way to drop a connection
	}
	return fmt.Errorf("panic: %v", cause)
}
