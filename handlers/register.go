package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
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

// Register implements POST /register. Client-Server API v1.19, "Account registration".
func (s *Server) Register(ctx context.Context, request gen.RegisterRequestObject) (gen.RegisterResponseObject, error) {
	if err := s.mayRegister(request.Params.Kind); err != nil {
		return nil, err
	}
	who := CallerOf(ctx)
	// Each request may be a guess, at an invitation or at who is here.
	if err := s.attempts.takeAddress(who.Addr, who.Now); err != nil {
		return nil, err
	}
	auth := request.Body.Auth
	i, err := s.open(ctx, begun{binding: binding{Method: http.MethodPost, Path: "register"},
		flows: s.registrationFlows(), auth: auth})
	if err != nil {
		return nil, err
	}
	if i.Made == nil {
		if err := s.goOn(ctx, i, request.Body); err != nil {
			return nil, err
		}
	}
	return s.register(ctx, i)
}

// goOn takes a step towards an account. A request that is refused leaves no trace.
func (s *Server) goOn(ctx context.Context, i *interaction, body *gen.RegisterRequest) error {
	if given := merge(nil, body); *given != (gen.RegisterRequest{}) {
		i.change(func(now *state) bool {
			now.First = merge(now.First, given)
			return true
		})
	}
	if err := s.checkWanted(ctx, i.wanted()); err != nil {
		return s.unlessMade(ctx, i, err)
	}
	return s.step(ctx, i, body.Auth)
}

// wanted is the account as it was asked for so far.
func (i *interaction) wanted() *gen.RegisterRequest {
	if i.First == nil {
		return &gen.RegisterRequest{}
	}
	return i.First
}

func (s *Server) mayRegister(kind *gen.RegisterParamsKind) error {
	switch {
	case kind != nil && *kind == gen.Guest:
		return &Error{Status: http.StatusForbidden, Code: "M_GUEST_ACCESS_FORBIDDEN",
			Message: "Guests are not served here."}
	case kind != nil && *kind != gen.User:
		return badRequest("M_INVALID_PARAM", "Unknown kind of account.")
	case s.Registration == RegistrationClosed:
		return forbidden("Registration is closed.")
	}
	return nil
}

// registrationFlows are the ways through: an invitation, or nothing but a click; and the terms, if there are any.
func (s *Server) registrationFlows() [][]string {
	var stages []string
	if s.Registration == RegistrationToken {
		stages = append(stages, stageToken)
	}
	if s.Terms.URL != "" {
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
	if err := CheckLocalpart(name, s.ServerName); err != nil {
		return badRequest("M_INVALID_USERNAME", "This name cannot be registered: "+err.Error()+".")
	}
	if err := s.peer.Reserved(name); err != nil {
		return err
	}
	taken, err := s.DB.Taken(ctx, name)
	if err == nil && taken {
		return badRequest("M_USER_IN_USE", "This name is taken.")
	}
	if err == nil {
		err = s.peer.Free(ctx, name)
	}
	return err
}

// strong says whether a password is long enough. Client-Server API v1.19, "Password management", M_WEAK_PASSWORD.
func (s *Server) strong(password string) error {
	if utf8.RuneCountInString(password) < s.MinPassword {
		return badRequest("M_WEAK_PASSWORD", "The password is too short.")
	}
	return nil
}

// register makes the account that an interaction with a complete flow has led to, unless it is made already. Of two
// requests that finish one interaction, one makes it and both tell of it, at whichever replica.
func (s *Server) register(ctx context.Context, i *interaction) (gen.RegisterResponseObject, error) {
	for range keepTries {
		if i.Made != nil {
			return s.registerAgain(ctx, i.Made)
		}
		name, session, err := s.enroll(ctx, i)
		switch {
		case err == nil:
			return s.registered(ctx, name, session)
		case errors.Is(err, db.ErrConflict):
			err = s.moved(ctx, i)
		case errors.Is(err, db.ErrTokenSpent):
			err = s.withoutToken(ctx, i)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, limitExceeded(time.Second)
}

// enroll makes the account, counts the invitation, starts the session and says so in the interaction, all in one
// transaction.
func (s *Server) enroll(ctx context.Context, i *interaction) (name string, session db.Session, err error) {
	wanted := i.wanted()
	if wanted.Password == nil {
		return "", db.Session{}, missingParam("Missing parameter: password")
	}
	if name, err = s.nameOf(ctx, wanted); err != nil {
		return "", db.Session{}, err
	}
	hash, err := s.hasher.hash(ctx, *wanted.Password)
	if err != nil {
		return "", db.Session{}, err
	}
	r := db.Registration{Localpart: name, PasswordHash: hash, At: s.Now(), Token: i.Token, Reservation: i.name()}
	session, err = s.peer.Register(ctx, r, func(r db.Registration) (session db.Session, err error) {
		err = s.withKeys(ctx, func(_ *ringAt, key tokens.Key) error {
			session, err = s.enrollWith(ctx, i, r, key)
			return err
		})
		return session, err
	})
	return name, session, err
}

// enrollWith is the transaction of enroll, with a root key for the first session.
func (s *Server) enrollWith(ctx context.Context, i *interaction, r db.Registration, key tokens.Key) (db.Session,
	error) {
	m, wanted := made{Localpart: r.Localpart}, i.wanted()
	if wanted.InhibitLogin == nil || !*wanted.InhibitLogin {
		var err error
		if r.Login, err = s.loginAs(ctx, db.User{Localpart: r.Localpart, PasswordHash: r.PasswordHash},
			wantedAttempt(wanted), key); err != nil {
			return db.Session{}, err
		}
		m.Session = r.Login.ID
	}
	return s.interactions.register(ctx, i, m, r)
}

// nameOf is the localpart of a new account; one is made up for who names none.
func (s *Server) nameOf(ctx context.Context, wanted *gen.RegisterRequest) (string, error) {
	if wanted.Username != nil {
		return strings.ToLower(*wanted.Username), nil
	}
	random, err := s.randomID(generatedName)
	if err != nil {
		return "", err
	}
	name := strings.ToLower(random[:generatedName])
	return name, s.peer.Free(ctx, name)
}

// moved looks for the reason of a conflict. Nil means that another request was faster: there is something new to look
// at.
func (s *Server) moved(ctx context.Context, i *interaction) error {
	taken := badRequest("M_USER_IN_USE", "This name was taken meanwhile.")
	if i.version == 0 {
		return taken
	}
	was := i.version
	if err := s.again(ctx, i); err != nil {
		return err
	}
	if i.version == was {
		return taken
	}
	return nil
}

// withoutToken takes back a registration token that was revoked meanwhile: another one may do. Nil means that another
// request was faster to finish.
func (s *Server) withoutToken(ctx context.Context, i *interaction) error {
	i.change(func(now *state) bool {
		now.Completed = slices.DeleteFunc(slices.Clone(now.Completed),
			func(stage string) bool { return stage == stageToken })
		now.Token = ""
		return true
	})
	if err := s.keep(ctx, i); err != nil {
		return err
	}
	if i.Made != nil {
		return nil
	}
	return s.challenge(i, failed("M_UNAUTHORIZED", "This registration token is no longer good.").why)
}

// registerAgain answers a registration that is finished already. The pair of its session is computed once more, as long
// as nobody has used it: who has may refresh, and who has logged out does not come in again this way.
func (s *Server) registerAgain(ctx context.Context, m *made) (gen.RegisterResponseObject, error) {
	if m.Session == "" {
		if err := s.peer.Registered(ctx, m.Localpart, db.Session{}); err != nil {
			return nil, err
		}
		return s.registered(ctx, m.Localpart, db.Session{})
	}
	session, _, err := s.DB.Session(ctx, m.Session)
	if errors.Is(err, db.ErrNotFound) || err == nil &&
		(session.Generation != 1 || !session.Used.IsZero() || session.State != db.Live) {
		return nil, forbidden("This registration is finished; log in.")
	}
	if err != nil {
		return nil, err
	}
	if session.Locked {
		return nil, userLocked()
	}
	if err := s.peer.Registered(ctx, m.Localpart, session); err != nil {
		return nil, err
	}
	return s.registered(ctx, m.Localpart, session)
}

func wantedAttempt(wanted *gen.RegisterRequest) attempt {
	return attempt{
		device: value(wanted.DeviceID), deviceName: value(wanted.InitialDeviceDisplayName),
		refreshable: wanted.RefreshToken != nil && *wanted.RefreshToken,
	}
}

// registered is the answer; a session without an id is none.
func (s *Server) registered(ctx context.Context, name string, session db.Session) (gen.RegisterResponseObject, error) {
	answer := gen.Register200JSONResponse{UserID: string(NewUserID(name, s.ServerName)), HomeServer: &s.ServerName}
	if session.ID == "" {
		return answer, nil
	}
	pair, err := s.firstPair(ctx, session)
	if err != nil {
		return nil, err
	}
	answer.DeviceID, answer.AccessToken = &session.DeviceID, &pair.access
	answer.RefreshToken, answer.ExpiresInMs = optional(pair.refresh), pair.expiresIn(CallerOf(ctx).Now)
	return answer, nil
}

// CheckUsernameAvailability implements GET /register/available. The same section.
func (s *Server) CheckUsernameAvailability(ctx context.Context,
	request gen.CheckUsernameAvailabilityRequestObject) (gen.CheckUsernameAvailabilityResponseObject, error) {
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
func (s *Server) RegistrationTokenValidity(ctx context.Context,
	request gen.RegistrationTokenValidityRequestObject) (gen.RegistrationTokenValidityResponseObject, error) {
	if err := s.asksAboutRegistration(ctx); err != nil {
		return nil, err
	}
	valid, err := s.DB.RegistrationTokenValid(ctx, request.Params.Token, CallerOf(ctx).Now)
	if err != nil {
		return nil, err
	}
	return gen.RegistrationTokenValidity200JSONResponse{Valid: valid}, nil
}

// asksAboutRegistration counts a question that could be guessing, at names or at invitations.
func (s *Server) asksAboutRegistration(ctx context.Context) error {
	if s.Registration == RegistrationClosed {
		return forbidden("Registration is closed.")
	}
	who := CallerOf(ctx)
	return s.attempts.takeAddress(who.Addr, who.Now)
}
