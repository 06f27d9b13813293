package handlers

import (
	"context"
	"errors"
	"io"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// What these operations read: nothing, or a body. See logout.go.
var (
	_ = struct{}(gen.GetLoginFlowsRequestObject{})
	_ = struct{ Body *gen.LoginJSONRequestBody }(gen.LoginRequestObject{})
	_ = struct {
		Body *gen.DraftLoginJSONRequestBody
	}(gen.DraftLoginRequestObject{})
)

// passwordLogin is the login flow that is always served. Client-Server API v1.19, "Password-based".
const passwordLogin = "m.login.password"

// deviceIDLength makes a device id of 10 letters, 47 bits: unique among one user's devices, short to read out.
const deviceIDLength = 10

// GetLoginFlows implements GET /login. Client-Server API v1.19, "Login".
func (s *Server) GetLoginFlows(context.Context, gen.GetLoginFlowsRequestObject) (gen.GetLoginFlowsResponseObject,
	error) {
	flows, yes := []gen.LoginFlow{{Type: passwordLogin}}, true
	if s.Config.OAuth != nil {
		flows = append(flows, gen.LoginFlow{Type: ssoLogin, OauthAwarePreferred: &yes,
			OrgMatrixMsc3824DelegatedOidcCompatibility: &yes})
	}
	if s.LoginTokenTTL > 0 {
		flows = append(flows, gen.LoginFlow{Type: tokenLogin, GetLoginToken: &yes})
	} else if s.takesLoginTokens() {
		flows = append(flows, gen.LoginFlow{Type: tokenLogin})
	}
	for _, flow := range s.Flows {
		flows = append(flows, gen.LoginFlow{Type: flow.Type})
	}
	return gen.GetLoginFlows200JSONResponse{Flows: &flows}, nil
}

// Login implements POST /login of the current API. Client-Server API v1.19, "Login".
func (s *Server) Login(ctx context.Context, request gen.LoginRequestObject) (gen.LoginResponseObject, error) {
	a, err := s.attemptOf(request.Body)
	if err != nil {
		return nil, err
	}
	session, pair, err := s.logIn(ctx, a)
	if err != nil {
		return nil, err
	}
	return gen.Login200JSONResponse{
		UserID: string(s.userID(session)), DeviceID: session.DeviceID, HomeServer: &s.ServerName,
		WellKnown:   s.wellKnown(),
		AccessToken: pair.access, RefreshToken: optional(pair.refresh), ExpiresInMs: pair.expiresIn(CallerOf(ctx).Now),
	}, nil
}

// attemptOf reads what the body of the current API wants.
func (s *Server) attemptOf(body *gen.LoginJSONRequestBody) (a attempt, err error) {
	a = attempt{
		device: value(body.DeviceID), deviceName: value(body.InitialDeviceDisplayName),
		refreshable: body.RefreshToken != nil && *body.RefreshToken,
	}
	switch {
	case body.Type == tokenLogin && s.takesLoginTokens():
		if a.token = value(body.Token); a.token == "" {
			return a, missingParam("Missing parameter: token")
		}
	case body.Type == passwordLogin:
		if a.user, a.email, err = identified(body); err != nil {
			return a, err
		}
		if body.Password == nil {
			return a, missingParam("Missing parameter: password")
		}
		a.password = *body.Password
	case s.flow(body.Type) != nil:
		a.flow = s.flow(body.Type)
		if a.user, a.email, err = identified(body); a.email {
			err = unknownIdentifier()
		}
	default:
		return a, badRequest("M_UNKNOWN", "Unknown login type. GET /login lists the ones that are served.")
	}
	return a, err
}

// identified reads who wants to log in from the body of the current API, by name or by mail address, with the older
// top-level fields as a second choice. Client-Server API v1.19, "Identifier types".
func identified(body *gen.LoginJSONRequestBody) (user string, isEmail bool, err error) {
	id := body.Identifier
	if id == nil {
		id = &gen.UserIdentifier{Type: "m.id.user", User: body.User, Medium: body.Medium, Address: body.Address}
		if body.Medium != nil {
			id.Type = "m.id.thirdparty"
		}
	}
	switch {
	case id.Type == "m.id.thirdparty" && id.Address == nil:
		return "", false, missingParam("Missing parameter: identifier.address")
	case id.Type == "m.id.thirdparty" && value(id.Medium) == email:
		if address, err := Address(*id.Address); err == nil {
			return address, true, nil // however it is written, it is counted as one
		}
		return *id.Address, true, nil
	case id.Type != "m.id.user":
		return "", false, unknownIdentifier()
	case id.User == nil:
		return "", false, missingParam("Missing parameter: identifier.user")
	}
	return *id.User, false, nil
}

func unknownIdentifier() *Error {
	return badRequest("M_UNKNOWN", "Unknown identifier; m.id.user is served, and m.id.thirdparty of mail addresses.")
}

// DraftLogin implements POST /login of the 2015 draft API, which always issues a refresh token.
func (s *Server) DraftLogin(ctx context.Context, request gen.DraftLoginRequestObject) (gen.DraftLoginResponseObject,
	error) {
	if request.Body == nil {
		return nil, missingParam("Missing parameter: username")
	}
	session, pair, err := s.logIn(ctx, attempt{
		user: request.Body.Username, password: request.Body.Password, refreshable: true,
	})
	if err != nil {
		return nil, draftRefusal(err, "This account is locked.")
	}
	user := string(s.userID(session))
	answer := gen.DraftLogin200JSONResponse{UserID: &user, AccessToken: &pair.access, HomeServer: &s.ServerName}
	if pair.renewable {
		answer.RefreshToken = &pair.refresh
	}
	return answer, nil
}

// attempt is a login, by whichever API: by password or, when it has one, by a login token or a
// configured flow.
type attempt struct {
	user, password     string
	email              bool // user is a mail address
	token              string
	flow               *Flow
	device, deviceName string
	refreshable        bool
}

// logIn is the way that both APIs share: count the attempt, one read, compare the password outside of any
// transaction, one write. Nothing tells a wrong password from an account that does not exist.
func (s *Server) logIn(ctx context.Context, a attempt) (db.Session, pair, error) {
	session, p, err := s.tryLogIn(ctx, a)
	s.Metrics.login(err)
	if err == nil {
		s.logSuccess(ctx, "login", session)
	}
	return session, p, trying(loginFailed, a.user, err)
}

func (s *Server) tryLogIn(ctx context.Context, a attempt) (session db.Session, p pair, err error) {
	var carried []string
	switch {
	case a.token != "":
		session, carried, err = s.redeem(ctx, a)
	case a.flow != nil:
		session, err = s.flowSession(ctx, a)
	default:
		session, err = s.passwordSession(ctx, a)
	}
	if err != nil {
		return db.Session{}, pair{}, err
	}
	p, err = s.firstPair(ctx, session, carried)
	return session, p, err
}

func (s *Server) passwordSession(ctx context.Context, a attempt) (db.Session, error) {
	account, err := s.countedAccount(ctx, a)
	if err != nil {
		return db.Session{}, err
	}
	return s.startSession(ctx, account, a)
}

// firstPair computes the pair of a session that has just begun, with the caveats that it carries from a login token.
// The key that it was begun with is in memory, so nothing can fail here that would leave a session which nobody hears
// of.
func (s *Server) firstPair(ctx context.Context, session db.Session, carried []string) (pair, error) {
	ring := s.keys.load()
	if _, found := ring.Key(session.KeyID); !found {
		fresh, err := s.freshKeys(ctx)
		if err != nil {
			return pair{}, err
		}
		ring = fresh
	}
	p, err := s.mint(ring, session, carried)
	if errors.Is(err, errKeyGone) {
		return pair{}, unavailable(err) // retired by force in this very moment; the next try mints with another
	}
	return p, err
}

// account finds the account that somebody means, or one of that name that waits. One that does not exist is empty, and
// no password is right for it.
func (s *Server) account(ctx context.Context, user string) (db.User, error) {
	account, err := Find(ctx, s.DB, user, s.ServerName)
	if errors.Is(err, db.ErrNotFound) {
		return s.waitingAccount(ctx, localpart(user, s.ServerName))
	}
	return account, err
}

// checkPassword refuses a password that is not the account's. A hash that came from elsewhere is replaced at this
// occasion. If the password is right and is not enough, it gives the account and [Server.passwordAlone].
func (s *Server) checkPassword(ctx context.Context, account db.User, password string, from claim) (db.User, error) {
	v, err := s.hasher.check(ctx, password, account.PasswordHash, from)
	switch {
	case err != nil:
		return db.User{}, err
	case !v.match:
		return db.User{}, wrongPassword()
	case !account.Deactivated.IsZero():
		return db.User{}, UserDeactivated()
	case account.Waits:
		return db.User{}, s.askedAgain(ctx, account.Localpart)
	case v.better != "":
		return s.rehash(ctx, account, password, v.better, from)
	}
	return account, s.passwordAlone(account)
}

// rehash stores a password that was right in the form of new ones. It is never the reason for a login to fail.
func (s *Server) rehash(ctx context.Context, account db.User, password, better string, from claim) (db.User, error) {
	err := s.DB.Rehash(ctx, account.Localpart, account.PasswordHash, better)
	switch {
	case err == nil:
		account.PasswordHash = better
	case errors.Is(err, db.ErrConflict):
		// Another login has just done it, or the password was changed: what is stored by now decides.
		if account, err = s.account(ctx, string(NewUserID(account.Localpart, s.ServerName))); err != nil {
			return db.User{}, err
		}
		return s.checkPassword(ctx, account, password, from)
	default:
		s.Log.Warn("a password could not be stored in the form of new ones; the next login tries again",
			"user", account.Localpart, "error", err)
	}
	return account, s.passwordAlone(account)
}

func wrongPassword() *Error { return forbidden("Wrong user name or password.") }

// startSession starts a session for an account whose password was right.
func (s *Server) startSession(ctx context.Context, account db.User, a attempt) (db.Session, error) {
	session, err := s.start(ctx, account, a, func(*db.Login) error { return nil })
	switch {
	case errors.Is(err, db.ErrConflict):
		return db.Session{}, wrongPassword().because(err) // the account changed while the password was compared
	case errors.Is(err, db.ErrSecondFactor): // added while the password was compared
		account.SecondFactor = true
		err = s.passwordAlone(account)
	}
	return session, err
}

// start starts a session. What proves the login is prepare's to add, if it is not the account's password.
func (s *Server) start(ctx context.Context, account db.User, a attempt, prepare func(*db.Login) error) (
	session db.Session, err error) {
	err = s.withKeys(ctx, func(_ *ringAt, key tokens.Key) error {
		login, err := s.loginAs(ctx, account, a, key)
		if err == nil {
			err = prepare(login)
		}
		if err == nil {
			session, err = s.Peer.StartSession(ctx, *login, a.device == "")
		}
		return err
	})
	return session, err
}

// loginAs prepares the session that an attempt leads to.
func (s *Server) loginAs(ctx context.Context, account db.User, a attempt, key tokens.Key) (*db.Login, error) {
	who := CallerOf(ctx)
	who.Now = s.Now() // hashing took its time; what is promised from here on counts from now
	login := &db.Login{
		Localpart: account.Localpart, PasswordHash: account.PasswordHash,
		DeviceID: a.device, DisplayName: a.deviceName,
		At: who.Now, KeyID: key.ID, AccessTTL: s.AccessTTLLegacy, Refreshable: a.refreshable, Seen: who.Seen(),
	}
	if a.refreshable {
		login.AccessTTL = s.AccessTTL
	}
	if s.SessionTTL > 0 {
		login.Expires = who.Now.Add(s.SessionTTL)
	}
	return login, s.name(login)
}

// name gives a login its session id and, when the client named none, its device id.
func (s *Server) name(login *db.Login) error {
	random := make([]byte, db.SessionSecret+deviceIDLength)
	if _, err := io.ReadFull(s.Random, random); err != nil {
		return err
	}
	login.ID = db.SessionID(login.At, random)
	if login.DeviceID == "" {
		login.DeviceID = deviceID(random[db.SessionSecret:])
	}
	return nil
}

// value is the string behind an optional field, empty when it is left out.
func value(field *string) string {
	if field == nil {
		return ""
	}
	return *field
}
