package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/db"
	"postern/gen"
	"postern/tokens"
)

// Registration says who may make an account.
type Registration string

// The ways of registration. Closed is the default: an open server fills up with strangers.
const (
	RegistrationClosed Registration = "closed"
	RegistrationToken  Registration = "token"
	RegistrationOpen   Registration = "open"
)

// generatedName is how many letters the localpart has that is made up for who names none.
const generatedName = 12

// made is the account that a registration has led to, and its first session, if it was to have one. Finishing again,
// because the answer was lost, leads to the same.
type made struct{ localpart, session string }

// Register implements POST /register. Client-Server API v1.19, "Account registration".
func (s *Server) Register(ctx context.Context, request gen.RegisterRequestObject) (gen.RegisterResponseObject, error) {
	if err := s.mayRegister(request.Params.Kind); err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	// Each request may be a guess, at an invitation or at who is here.
	if err := s.attempts.takeAddress(who.addr, who.now); err != nil {
		return nil, err
	}
	auth := request.Body.Auth
	i, err := s.open(ctx, begun{binding: binding{method: http.MethodPost, path: "register"}, flows: s.registrationFlows(), auth: auth})
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.made != nil {
		return s.registerAgain(ctx, i.made)
	}
	wanted := merge(i.first, request.Body)
	i.first = wanted
	if err := s.checkWanted(ctx, wanted); err != nil {
		return nil, err
	}
	if err := s.step(ctx, i, auth); err != nil {
		return nil, err
	}
	return s.register(ctx, i, wanted)
}

func (s *Server) mayRegister(kind *gen.RegisterParamsKind) error {
	switch {
	case kind != nil && *kind == gen.Guest:
		return &Error{Status: http.StatusForbidden, Code: "M_GUEST_ACCESS_FORBIDDEN", Message: "Guests are not served here."}
	case kind != nil && *kind != gen.User:
		return badRequest("M_INVALID_PARAM", "Unknown kind of account.")
	case s.registration == RegistrationClosed:
		return forbidden("Registration is closed.")
	}
	return nil
}

// registrationFlows are the ways through: an invitation, or nothing but a click; and the terms, if there are any.
func (s *Server) registrationFlows() [][]string {
	var stages []string
	if s.registration == RegistrationToken {
		stages = append(stages, stageToken)
	}
	if s.terms.URL != "" {
		stages = append(stages, stageTerms)
	}
	if len(stages) == 0 {
		stages = append(stages, stageDummy)
	}
	return [][]string{stages}
}

// merge lays a request over the earlier ones of its interaction: what is left out is as it was.
func merge(first, now *gen.RegisterRequest) *gen.RegisterRequest {
	if first == nil {
		first = &gen.RegisterRequest{}
	}
	return &gen.RegisterRequest{
		Username:                 or(now.Username, first.Username),
		Password:                 or(now.Password, first.Password),
		DeviceID:                 or(now.DeviceID, first.DeviceID),
		InitialDeviceDisplayName: or(now.InitialDeviceDisplayName, first.InitialDeviceDisplayName),
		InhibitLogin:             or(now.InhibitLogin, first.InhibitLogin),
		RefreshToken:             or(now.RefreshToken, first.RefreshToken),
	}
}

func or[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// checkWanted refuses a name or a password that cannot be before anybody goes through the stages for it.
func (s *Server) checkWanted(ctx context.Context, wanted *gen.RegisterRequest) error {
	if wanted.Username != nil {
		if err := s.free(ctx, *wanted.Username); err != nil {
			return err
		}
	}
	if wanted.Password != nil {
		return s.strong(*wanted.Password)
	}
	return nil
}

// free says whether a name can be registered. The name of a deactivated account stays taken: who has it would be
// taken for the one who had it.
func (s *Server) free(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	if err := CheckLocalpart(name, s.serverName); err != nil {
		return badRequest("M_INVALID_USERNAME", "This name cannot be registered: "+err.Error()+".")
	}
	taken, err := s.db.Taken(ctx, name)
	if err == nil && taken {
		return badRequest("M_USER_IN_USE", "This name is taken.")
	}
	return err
}

// strong says whether a password is long enough. Client-Server API v1.19, "Password management", M_WEAK_PASSWORD.
func (s *Server) strong(password string) error {
	if utf8.RuneCountInString(password) < s.minPassword {
		return badRequest("M_WEAK_PASSWORD", "The password is too short.")
	}
	return nil
}

// register makes the account, counts the invitation and starts the session, all in one transaction.
func (s *Server) register(ctx context.Context, i *interaction, wanted *gen.RegisterRequest) (gen.RegisterResponseObject, error) {
	if wanted.Password == nil {
		return nil, missingParam("Missing parameter: password")
	}
	name := strings.ToLower(value(wanted.Username))
	if name == "" {
		random, err := s.randomID(generatedName)
		if err != nil {
			return nil, err
		}
		name = strings.ToLower(random[:generatedName])
	}
	hash, err := s.hasher.hash(ctx, *wanted.Password)
	if err != nil {
		return nil, err
	}
	r := db.Registration{Localpart: name, PasswordHash: hash, At: s.now(), Token: i.token, Reservation: i.id}
	var session db.Session
	err = s.withKeys(ctx, func(_ *ringAt, key tokens.Key) error {
		if wanted.InhibitLogin == nil || !*wanted.InhibitLogin {
			if r.Login, err = s.loginAs(ctx, db.User{Localpart: name, PasswordHash: hash}, wantedAttempt(wanted), key); err != nil {
				return err
			}
		}
		session, err = s.db.Register(ctx, r)
		return err
	})
	switch {
	case errors.Is(err, db.ErrConflict):
		return nil, badRequest("M_USER_IN_USE", "This name was taken meanwhile.")
	case errors.Is(err, db.ErrTokenSpent):
		i.completed = slices.DeleteFunc(i.completed, func(stage string) bool { return stage == stageToken })
		i.token = "" // another one may do
		return nil, s.challenge(i, failed("M_UNAUTHORIZED", "This registration token is no longer good.").why)
	case err != nil:
		return nil, err
	}
	i.made = &made{localpart: name, session: session.ID}
	return s.registered(ctx, name, session)
}

// registerAgain answers a registration that is finished already. The pair of its session is computed once more, as long
// as nobody has used it: who has may refresh, and who has logged out does not come in again this way.
func (s *Server) registerAgain(ctx context.Context, m *made) (gen.RegisterResponseObject, error) {
	if m.session == "" {
		return s.registered(ctx, m.localpart, db.Session{})
	}
	session, _, err := s.db.Session(ctx, m.session)
	if errors.Is(err, db.ErrNotFound) || err == nil && (session.Generation != 1 || !session.Used.IsZero() || session.State != db.Live) {
		return nil, forbidden("This registration is finished; log in.")
	}
	if err != nil {
		return nil, err
	}
	if session.Locked {
		return nil, userLocked()
	}
	return s.registered(ctx, m.localpart, session)
}

func wantedAttempt(wanted *gen.RegisterRequest) attempt {
	return attempt{
		device: value(wanted.DeviceID), deviceName: value(wanted.InitialDeviceDisplayName),
		refreshable: wanted.RefreshToken != nil && *wanted.RefreshToken,
	}
}

// registered is the answer; a session without an id is none.
func (s *Server) registered(ctx context.Context, name string, session db.Session) (gen.RegisterResponseObject, error) {
	answer := gen.Register200JSONResponse{UserID: string(NewUserID(name, s.serverName)), HomeServer: &s.serverName}
	if session.ID == "" {
		return answer, nil
	}
	pair, err := s.firstPair(ctx, session)
	if err != nil {
		return nil, err
	}
	answer.DeviceID, answer.AccessToken = &session.DeviceID, &pair.access
	answer.RefreshToken, answer.ExpiresInMs = optional(pair.refresh), pair.expiresIn(callerOf(ctx).now)
	return answer, nil
}

// CheckUsernameAvailability implements GET /register/available. The same section.
func (s *Server) CheckUsernameAvailability(ctx context.Context, request gen.CheckUsernameAvailabilityRequestObject) (gen.CheckUsernameAvailabilityResponseObject, error) {
	if err := s.asksAboutRegistration(ctx); err != nil {
		return nil, err
	}
	if err := s.free(ctx, request.Params.Username); err != nil {
		return nil, err
	}
	yes := true
	return gen.CheckUsernameAvailability200JSONResponse{Available: &yes}, nil
}

// RegistrationTokenValidity implements GET /register/m.login.registration_token/validity.
// Client-Server API v1.19, "Token-authenticated registration".
func (s *Server) RegistrationTokenValidity(ctx context.Context, request gen.RegistrationTokenValidityRequestObject) (gen.RegistrationTokenValidityResponseObject, error) {
	if err := s.asksAboutRegistration(ctx); err != nil {
		return nil, err
	}
	valid, err := s.db.RegistrationTokenValid(ctx, request.Params.Token, callerOf(ctx).now)
	if err != nil {
		return nil, err
	}
	return gen.RegistrationTokenValidity200JSONResponse{Valid: valid}, nil
}

// asksAboutRegistration counts a question that could be guessing, at names or at invitations.
func (s *Server) asksAboutRegistration(ctx context.Context) error {
	if s.registration == RegistrationClosed {
		return forbidden("Registration is closed.")
	}
	who := callerOf(ctx)
	return s.attempts.takeAddress(who.addr, who.now)
}
