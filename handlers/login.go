package handlers

import (
	"context"
	"errors"
	"io"

	"postern/db"
	"postern/gen"
)

// What these operations read: nothing, or a body. See logout.go.
var (
	_ = struct{}(gen.GetLoginFlowsRequestObject{})
	_ = struct{ Body *gen.LoginJSONRequestBody }(gen.LoginRequestObject{})
	_ = struct {
		Body *gen.DraftLoginJSONRequestBody
	}(gen.DraftLoginRequestObject{})
)

// passwordLogin is the one login flow that is served. Client-Server API v1.19, "Password-based".
const passwordLogin = "m.login.password"

// deviceIDLength makes a device id of 10 letters, 47 bits: unique among one user's devices, short to read out.
const deviceIDLength = 10

// GetLoginFlows implements GET /login. Client-Server API v1.19, "Login".
func (s *Server) GetLoginFlows(context.Context, gen.GetLoginFlowsRequestObject) (gen.GetLoginFlowsResponseObject, error) {
	flows := []gen.LoginFlow{{Type: passwordLogin}}
	return gen.GetLoginFlows200JSONResponse{Flows: &flows}, nil
}

// Login implements POST /login of today's door. Client-Server API v1.19, "Login".
func (s *Server) Login(ctx context.Context, request gen.LoginRequestObject) (gen.LoginResponseObject, error) {
	body := request.Body
	user, err := identified(body)
	if err != nil {
		return nil, err
	}
	if body.Password == nil {
		return nil, missingParam("Missing parameter: password")
	}
	session, pair, err := s.logIn(ctx, attempt{
		user: user, password: *body.Password, device: value(body.DeviceID),
		deviceName: value(body.InitialDeviceDisplayName), refreshable: body.RefreshToken != nil && *body.RefreshToken,
	})
	if err != nil {
		return nil, err
	}
	return gen.Login200JSONResponse{
		UserID: string(s.userID(session)), DeviceID: session.DeviceID, HomeServer: &s.serverName,
		AccessToken: pair.access, RefreshToken: optional(pair.refresh), ExpiresInMs: pair.expiresIn(callerOf(ctx).now),
	}, nil
}

// identified reads who wants to log in from today's body, with the older top-level `user` as a second choice.
func identified(body *gen.LoginJSONRequestBody) (string, error) {
	if body.Type != passwordLogin {
		return "", badRequest("M_UNKNOWN", "Unknown login type. GET /login lists the ones that are served.")
	}
	user := body.User
	if id := body.Identifier; id != nil {
		if id.Type != "m.id.user" {
			return "", badRequest("M_UNKNOWN", "Unknown identifier type; m.id.user is served.")
		}
		user = id.User
	}
	if user == nil {
		return "", missingParam("Missing parameter: identifier.user")
	}
	return *user, nil
}

// DraftLogin implements POST /login of the draft's door, which always issues a refresh token.
func (s *Server) DraftLogin(ctx context.Context, request gen.DraftLoginRequestObject) (gen.DraftLoginResponseObject, error) {
	if request.Body == nil {
		return nil, missingParam("Missing parameter: username")
	}
	session, pair, err := s.logIn(ctx, attempt{
		user: request.Body.Username, password: request.Body.Password, refreshable: true,
	})
	if err != nil {
		return nil, err
	}
	user := string(s.userID(session))
	answer := gen.DraftLogin200JSONResponse{UserID: &user, AccessToken: &pair.access, HomeServer: &s.serverName}
	if pair.renewable {
		answer.RefreshToken = &pair.refresh
	}
	return answer, nil
}

// attempt is a login by password, whichever door it came through.
type attempt struct {
	user, password     string
	device, deviceName string
	refreshable        bool
}

// logIn is the way both doors share: count the attempt, one read, compare the password outside of any
// transaction, one write. Nothing tells a wrong password from an account that does not exist.
func (s *Server) logIn(ctx context.Context, a attempt) (db.Session, pair, error) {
	session, p, err := s.tryLogIn(ctx, a)
	s.metrics.login(err)
	return session, p, err
}

func (s *Server) tryLogIn(ctx context.Context, a attempt) (db.Session, pair, error) {
	who, name := callerOf(ctx), localpart(a.user, s.serverName)
	if err := s.logins.takeAddress(who.addr, who.now); err != nil {
		return db.Session{}, pair{}, err
	}
	if err := s.logins.takeAccount(name, who.now); err != nil {
		return db.Session{}, pair{}, err
	}
	account, err := s.account(ctx, name, a.password)
	if err != nil {
		return db.Session{}, pair{}, err
	}
	session, err := s.startSession(ctx, account, a)
	if err != nil {
		return db.Session{}, pair{}, err
	}
	ring, err := s.keys.at(ctx, s.db.Epoch())
	if err != nil {
		return db.Session{}, pair{}, err
	}
	p, err := s.mint(ring, session, nil)
	return session, p, err
}

// account finds the account whose password this is.
func (s *Server) account(ctx context.Context, name, password string) (db.User, error) {
	account, err := s.db.User(ctx, name)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return db.User{}, err
	}
	match, err := s.hasher.matches(ctx, password, account.PasswordHash)
	switch {
	case err != nil:
		return db.User{}, err
	case !match:
		return db.User{}, wrongPassword()
	case !account.Deactivated.IsZero():
		return db.User{}, &Error{Status: 403, Code: "M_USER_DEACTIVATED", Message: "This account is deactivated."}
	}
	return account, nil
}

func wrongPassword() *Error { return forbidden("Wrong user name or password.") }

func (s *Server) startSession(ctx context.Context, account db.User, a attempt) (db.Session, error) {
	who := callerOf(ctx)
	who.now = s.now() // hashing took its time; what is promised from here on counts from now
	ring, err := s.freshKeys(ctx)
	if err != nil {
		return db.Session{}, err
	}
	key, ok := ring.Newest()
	if !ok {
		return db.Session{}, errNoKey
	}
	login := db.Login{
		Localpart: account.Localpart, PasswordHash: account.PasswordHash,
		DeviceID: a.device, DisplayName: a.deviceName,
		At: who.now, KeyID: key.ID, AccessTTL: s.accessTTLLegacy, Refreshable: a.refreshable, Seen: who.seen(),
	}
	if a.refreshable {
		login.AccessTTL = s.accessTTL
	}
	if s.sessionTTL > 0 {
		login.Expires = who.now.Add(s.sessionTTL)
	}
	if err := s.name(&login); err != nil {
		return db.Session{}, err
	}
	session, err := s.db.StartSession(ctx, login)
	if errors.Is(err, db.ErrConflict) {
		return db.Session{}, wrongPassword().because(err) // the account changed while the password was compared
	}
	return session, err
}

// name gives a login its session id and, when the client named none, its device id.
func (s *Server) name(login *db.Login) error {
	random := make([]byte, sessionIDBytes+deviceIDLength)
	if _, err := io.ReadFull(s.random, random); err != nil {
		return err
	}
	login.ID = sessionID(random[:sessionIDBytes])
	if login.DeviceID == "" {
		login.DeviceID = deviceID(random[sessionIDBytes:])
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
