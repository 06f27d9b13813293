package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// OAuth are the operations of the OAuth 2.0 API, see [Config.OAuth].
type OAuth interface {
	GetAuthMetadata(context.Context, gen.GetAuthMetadataRequestObject) (gen.GetAuthMetadataResponseObject, error)
	GetAuthIssuer(context.Context, gen.GetAuthIssuerRequestObject) (gen.GetAuthIssuerResponseObject, error)
	GetOpenIDConfiguration(context.Context, gen.GetOpenIDConfigurationRequestObject) (
		gen.GetOpenIDConfigurationResponseObject, error)
	GetAuthorizationServerMetadata(context.Context, gen.GetAuthorizationServerMetadataRequestObject) (
		gen.GetAuthorizationServerMetadataResponseObject, error)
	RegisterClient(context.Context, gen.RegisterClientRequestObject) (gen.RegisterClientResponseObject, error)
	AuthorizeDevice(context.Context, gen.AuthorizeDeviceRequestObject) (gen.AuthorizeDeviceResponseObject, error)
	Token(context.Context, gen.TokenRequestObject) (gen.TokenResponseObject, error)
	Revoke(context.Context, gen.RevokeRequestObject) (gen.RevokeResponseObject, error)
	RedirectToSSO(context.Context, gen.RedirectToSSORequestObject) (gen.RedirectToSSOResponseObject, error)

	Rendezvous

	// Metadata are what the three discovery operations answer.
	Metadata() gen.AuthMetadata

	// Pages serves what a person looks at, at [PagePaths]. The context has the [Caller].
	Pages() http.Handler
}

// RegistrationPath is where clients register.
const RegistrationPath = "/oauth2/registration"

// The pages.
const (
	AuthorizePath = "/oauth2/authorize" // where a client sends the person's browser
	DevicePath    = "/oauth2/device"    // where a person types the code that a device shows
	SSOPath       = "/oauth2/sso"       // where [gen.RedirectToSSORequestObject] leads
	AccountPath   = "/account"          // a person's own. Client-Server API v1.19, "Account management"
	DeskPath      = "/account/admin"    // an operator's
	RegisterPath  = "/register"         // where an invitation's link leads
	StagePath     = "/oauth2/stage"     // where the page of [stageSSO] leads
	EmailPath     = "/oauth2/email"     // where the link leads of a mail that a client has asked for
	RecoverPath   = "/recover"          // for whoever has forgotten the password; where a link to choose one leads
)

// PagePaths are all of them.
var PagePaths = []string{AuthorizePath, DevicePath, SSOPath, AccountPath, DeskPath, RegisterPath, StagePath,
	EmailPath, RecoverPath}

// noOAuth is a server without the OAuth 2.0 API: a client that asks for it goes on with the legacy one. The other
// operations are not routed. Client-Server API v1.19, "Authentication API discovery".
type noOAuth struct{ OAuth }

func (noOAuth) GetAuthMetadata(context.Context, gen.GetAuthMetadataRequestObject) (gen.GetAuthMetadataResponseObject,
	error) {
	return nil, &Error{Status: http.StatusNotFound, Code: "M_UNRECOGNIZED",
		Message: "The OAuth 2.0 API is not served here."}
}

// routePages adds the pages of the OAuth 2.0 API. They are for people, not for clients, so they are not in the
// contract.
func (s *Server) routePages(e *echo.Echo) {
	if s.Config.OAuth == nil {
		return
	}
	pages := s.Pages()
	show := func(c echo.Context) error {
		r := c.Request()
		pages.ServeHTTP(c.Response(), r.WithContext(WithCaller(r.Context(), s.callerFrom(c))))
		return nil
	}
	for _, path := range PagePaths {
		e.Match([]string{http.MethodGet, http.MethodPost}, path, show)
	}
}

// withoutOAuth routes what is served without the OAuth 2.0 API.
type withoutOAuth struct {
	*echo.Echo
	contract *contract
}

func (r withoutOAuth) add(method, path string, h echo.HandlerFunc, m []echo.MiddlewareFunc) *echo.Route {
	if r.contract.operations[route{method, path}].oauth {
		return nil
	}
	return r.Add(method, path, h, m...)
}

// GET routes an operation.
func (r withoutOAuth) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	return r.add(http.MethodGet, path, h, m)
}

// POST routes an operation.
func (r withoutOAuth) POST(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	return r.add(http.MethodPost, path, h, m)
}

// PUT routes an operation.
func (r withoutOAuth) PUT(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	return r.add(http.MethodPut, path, h, m)
}

// DELETE routes an operation.
func (r withoutOAuth) DELETE(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	return r.add(http.MethodDelete, path, h, m)
}

// ssoLogin is the login flow of clients that send their user to a page and get a login token. Client-Server API v1.19,
// "Client login via SSO".
const ssoLogin = "m.login.sso"

// ssoTokenLife is how long a client may take to log in with it: its browser hands it over in a moment.
const ssoTokenLife = 2 * time.Minute

// SSOToken makes the login token that a client gets when the owner of an account has signed in on the page.
func (s *Server) SSOToken(ctx context.Context, account db.User) (string, error) {
	return s.loginToken(ctx, account.Localpart, "", ssoTokenLife)
}

// Grant is a session that OAuth 2.0 starts: who has agreed to it, and for which client and device.
type Grant struct {
	Account  db.User // as it was when its owner agreed; another password since refuses it
	ClientID string
	DeviceID string
	Name     string // of the device, if it has none yet

	// ID is the session's id: whoever redeems a code twice finds the first one's session by it. Code is spent with it.
	ID, Code string
	CodeEnds time.Time
}

// Pair is what a client holds of a session.
type Pair struct {
	Access, Refresh string
	Expires         time.Time // of the access token; zero: never
	Session         db.Session
}

func (p pair) exported() Pair { return Pair{p.access, p.refresh, p.expires, p.session} }

// CountRegistration counts a client that registers, by its address.
func (s *Server) CountRegistration(ctx context.Context) error {
	who := CallerOf(ctx)
	return s.attempts.takeAddress(who.Addr, who.Now)
}

// CountGuess counts somebody who shows a code that is short enough to be guessed: by their address and, if it is known,
// by their account.
func (s *Server) CountGuess(ctx context.Context, localpart string) error {
	who := CallerOf(ctx)
	err := s.attempts.takeAddress(who.Addr, who.Now)
	if err == nil && localpart != "" {
		err = s.attempts.takeAccount(localpart, who.Now)
	}
	return s.traceOnPage(ctx, rateLimited, localpart, err)
}

// CheckPassword finds the account whose password this is, for a login on a device. It counts the attempt as a login. If
// the account has a second factor, it gives the account and [db.ErrSecondFactor].
func (s *Server) CheckPassword(ctx context.Context, user, password, device string) (db.User, error) {
	account, err := s.countedAccount(ctx, attempt{user: user, password: password, device: device})
	if errors.Is(err, db.ErrSecondFactor) {
		return account, err // which is half a login, and no failure
	}
	s.Metrics.login(err)
	return account, s.traceOnPage(ctx, loginFailed, user, err)
}

// NoteLogin counts a login that a page has judged without this server's [Server.CheckPassword], and writes the line of
// one that failed. It gives the error back.
func (s *Server) NoteLogin(ctx context.Context, user string, err error) error {
	s.Metrics.login(err)
	return s.traceOnPage(ctx, loginFailed, user, err)
}

// CheckProof is [Server.CheckPassword] for somebody who shows the password of an account again in a browser in which
// they are signed in to it. It is counted by that browser, so that nobody who guesses at logins keeps the owner from
// what asks for it.
func (s *Server) CheckProof(ctx context.Context, account db.User, password, browser string) (db.User, error) {
	by := "browser " + browser
	err := s.stages.takeAccount(by, CallerOf(ctx).Now)
	if err == nil {
		account, err = s.checkPassword(ctx, account, password, sessionAt(by))
	}
	if errors.Is(err, db.ErrSecondFactor) {
		return account, err
	}
	return account, s.traceOnPage(ctx, stageWrong, account.Localpart, err)
}

// traceOnPage writes the line of an error that a page answers, and gives it back. One that an operation of the API
// returns has its line from [Server.handleError].
func (s *Server) traceOnPage(ctx context.Context, what, name string, err error) error {
	if err != nil {
		s.logFailure(CallerOf(ctx), &tried{err, what, name}, AsError(err))
	}
	return err
}

// StartGranted starts the session of a grant and gives its pair. [db.ErrTokenSpent] if its code was redeemed before,
// [db.ErrConflict] if the account is not what it was.
func (s *Server) StartGranted(ctx context.Context, g Grant) (Pair, error) {
	a := attempt{device: g.DeviceID, deviceName: g.Name, refreshable: true}
	session, err := s.start(ctx, g.Account, a, func(login *db.Login) error {
		login.ID, login.ClientID, login.LoginToken, login.LoginTokenExpires = g.ID, g.ClientID, g.Code, g.CodeEnds
		return nil
	})
	if err != nil {
		return Pair{}, err
	}
	s.logSuccess(ctx, "login", session)
	return s.PairAgain(ctx, session)
}

// PairAgain computes the pair of a session that has just begun once more.
func (s *Server) PairAgain(ctx context.Context, session db.Session) (Pair, error) {
	p, err := s.firstPair(ctx, session, restrictions(session))
	return p.exported(), err
}

// ErrGrantOver says that a refresh token is good for nothing any more, or was never good for this client.
var ErrGrantOver = errors.New("the grant is over")

// RefreshGranted exchanges a refresh token of a client for the pair in force, by the rules of the current API. An error
// that wraps [ErrGrantOver] is for good; a lock passes.
func (s *Server) RefreshGranted(ctx context.Context, client, token string) (Pair, error) {
	p, err := s.exchange(ctx, exchange{token: token, path: TokenPath, client: client})
	if err == nil {
		return p.exported(), nil
	}
	var caveat *tokens.CaveatError
	if errors.As(err, &caveat) && caveat.OfRequest() || errors.Is(err, errTooManyCaveats) {
		return Pair{}, restricted(err) // it is good elsewhere
	}
	e := AsError(err)
	if e.Status == http.StatusUnauthorized && e.Code != "M_USER_LOCKED" || e.Status == http.StatusForbidden {
		err = errors.Join(ErrGrantOver, err)
	}
	return Pair{}, err
}

// RevokeToken ends the session of a token, whichever of its tokens it is and in whatever generation. A token that opens
// nothing is no error. One that a holder restricted to other requests ends nothing.
func (s *Server) RevokeToken(ctx context.Context, text string) error {
	who := CallerOf(ctx)
	token, session, err := s.authentic(ctx, text)
	if err != nil {
		if AsError(err).Status == http.StatusUnauthorized {
			return nil
		}
		return err
	}
	r := tokens.Request{Now: who.Now, Method: http.MethodPost, Path: RevokePath, Addr: who.Addr,
		DeviceID: session.DeviceID}
	_, asAccess := token.Check(tokens.Access, s.caveats, r)
	_, asRefresh := token.Check(tokens.Refresh, s.caveats, r)
	for _, err := range []error{asAccess, asRefresh} {
		if err == nil || errors.Is(err, tokens.ErrExpired) {
			if err := s.DB.EndSession(ctx, session.ID); !errors.Is(err, db.ErrNotFound) {
				return err
			}
			return nil // somebody else was faster
		}
	}
	return restricted(asAccess)
}

// restricted refuses a token that its holder has restricted, and that lives.
func restricted(cause error) *OAuthError {
	return &OAuthError{Status: http.StatusBadRequest, Code: "invalid_request",
		Description: "the token is restricted to other requests", Cause: cause}
}

// RevokePath is what a `path` caveat of a token that is revoked is held against.
const RevokePath = "/oauth2/revoke"

// TokenPath is what a `path` caveat of a refresh token of OAuth 2.0 is held against.
const TokenPath = "/oauth2/token"

// NewAccount is an account that a person makes on a page.
type NewAccount struct {
	Name, Password string
	Token          string // an invitation
	AgreedToTerms  bool
}

// CreateAccount makes an account as POST /register does, with what that asks for in its stages. An invitation is not
// reserved: it is taken with the account, so that whoever fails may try again.
func (s *Server) CreateAccount(ctx context.Context, n NewAccount) (db.User, error) {
	account, err := s.createAccount(ctx, n)
	if err != nil && AsError(err).Code == AwaitingApproval {
		return account, err // which is what was asked for
	}
	return account, s.traceOnPage(ctx, registrationRefused, n.Name, err)
}

func (s *Server) createAccount(ctx context.Context, n NewAccount) (db.User, error) {
	i, err := s.wantedOnPage(ctx, n)
	if err != nil {
		return db.User{}, err
	}
	name, _, err := s.enroll(ctx, i)
	switch {
	case errors.Is(err, db.ErrConflict):
		return db.User{}, nameTaken()
	case errors.Is(err, db.ErrTokenSpent):
		return db.User{}, invitationOver()
	case err != nil:
		return db.User{}, err
	}
	return s.DB.User(ctx, name)
}

func invitationOver() *Error { return badRequest("M_UNAUTHORIZED", tokenIsOver) }

// wantedOnPage is the registration that a page asks for, if it may be.
func (s *Server) wantedOnPage(ctx context.Context, n NewAccount) (*interaction, error) {
	if err := s.mayRegister(nil); err != nil {
		return nil, err
	}
	who, yes := CallerOf(ctx), true
	if err := s.attempts.takeAddress(who.Addr, who.Now); err != nil {
		return nil, err
	}
	i := &interaction{state: state{Flows: s.registrationFlows(),
		First: &gen.RegisterRequest{Username: &n.Name, Password: &n.Password, InhibitLogin: &yes}}}
	good := true
	if s.Registration == RegistrationToken || s.Registration == RegistrationApproval && n.Token != "" {
		i.Token = n.Token
		var err error
		if good, err = s.DB.RegistrationTokenValid(ctx, n.Token, who.Now); err != nil {
			return nil, err
		}
	}
	// After the invitation, which may have made the account a moment ago: whoever presses the button twice hears that
	// the name is taken, which it is by themselves.
	if err := s.checkWanted(ctx, i.First); err != nil {
		return nil, err
	}
	if !good {
		return nil, invitationOver()
	}
	if s.Terms.URL != "" && !n.AgreedToTerms {
		return nil, badRequest("M_MISSING_PARAM", "You have to agree to the terms.")
	}
	return i, nil
}
