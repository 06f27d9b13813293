package handlers

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"postern/gen"
)

// Registration says who may make an account.
type Registration string

// The ways of registration. Closed is the default: an open server fills up with strangers.
const (
	RegistrationClosed   Registration = "closed"
	RegistrationToken    Registration = "token"
	RegistrationApproval Registration = "approval"
	RegistrationOpen     Registration = "open"
)

// registration is what an interaction is bound to that leads to an account.
const registration = "register"

// madeUpLength is how many letters the localpart has that is made up when the client names none.
const madeUpLength = 12

// Register implements POST /register. Client-Server API v1.19, "Account registration".
func (s *Server) Register(ctx context.Context, request gen.RegisterRequestObject) (gen.RegisterResponseObject, error) {
	answer, name, err := s.tryRegister(ctx, request)
	if err != nil && AsError(err).Code == AwaitingApproval {
		return nil, err // which is what was asked for
	}
	return answer, trying(registrationRefused, name, err)
}

// tryRegister gives the name that was asked for as well, by this request or by an earlier one.
func (s *Server) tryRegister(ctx context.Context,
	request gen.RegisterRequestObject) (answer gen.RegisterResponseObject, name string, err error) {
	name = value(request.Body.Username)
	if err := s.mayRegister(request.Params.Kind); err != nil {
		return nil, name, err
	}
	who := CallerOf(ctx)
	// Each request may be a guess, at an invitation or at who is here.
	if err := s.attempts.takeAddress(who.Addr, who.Now); err != nil {
		return nil, name, err
	}
	auth := request.Body.Auth
	i, err := s.open(ctx, uiaRequest{binding: binding{Method: http.MethodPost, Path: registration},
		flows: s.registrationFlows(), auth: auth})
	if err != nil {
		return nil, name, err
	}
	name = cmp.Or(name, value(i.wanted().Username))
	if i.Made == nil {
		if err := s.continueWith(ctx, i, request.Body); err != nil {
			return nil, name, err
		}
	}
	answer, err = s.register(ctx, i)
	if err != nil && i.version == 0 {
		// Nobody can come back to it, so the invitation must not wait for that.
		err = errors.Join(err, s.giveBack(context.WithoutCancel(ctx), i))
	}
	return answer, name, err
}

// continueWith takes a step towards an account. A request that is refused leaves no trace.
func (s *Server) continueWith(ctx context.Context, i *interaction, body *gen.RegisterRequest) error {
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

// registrationFlows are the ways through: an invitation, or nothing but a click; and the terms, if there are any. With
// approval there are both, and clients take the first one that they know. Each has a variant with a mail address.
func (s *Server) registrationFlows() [][]string {
	invited, anybody := []string{stageToken}, []string{stageDummy}
	if s.Terms.URL != "" {
		invited, anybody = append(invited, stageTerms), []string{stageTerms}
	}
	flows := [][]string{anybody}
	switch s.Registration {
	case RegistrationToken:
		flows = [][]string{invited}
	case RegistrationApproval:
		flows = [][]string{anybody, invited}
	}
	if !s.linksByMail() {
		return flows
	}
	for _, stages := range flows[:len(flows):len(flows)] {
		flows = append(flows, withEmail(stages))
	}
	return flows
}

// withEmail is a way through on which a mail address is shown besides.
func withEmail(stages []string) []string {
	return append(slices.DeleteFunc(slices.Clone(stages), func(stage string) bool { return stage == stageDummy }),
		stageEmail)
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
	if s.SecondFactor == SecondFactorRequired && (wanted.InhibitLogin == nil || !*wanted.InhibitLogin) {
		return forbidden("Accounts here have to have a second factor. Make one at " + s.PublicURL + RegisterPath +
			", or with inhibit_login.")
	}
	if wanted.Username != nil {
		if err := s.CheckName(ctx, *wanted.Username); err != nil {
			return err
		}
	}
	if wanted.Password != nil {
		return s.CheckNewPassword(*wanted.Password, strings.ToLower(value(wanted.Username)))
	}
	return nil
}

// CheckName refuses a name that cannot be registered. The name of a deactivated account stays taken: who has it would
// be taken for the one who had it.
func (s *Server) CheckName(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	if err := CheckLocalpart(name, s.ServerName); err != nil {
		return unfitName(err)
	}
	if err := s.Peer.Reserved(name); err != nil {
		return err
	}
	taken, err := s.DB.Taken(ctx, name)
	if err == nil && taken {
		return badRequest("M_USER_IN_USE", "This name is taken.")
	}
	if err == nil {
		err = s.Peer.Free(ctx, name)
	}
	return err
}

func unfitName(why error) *Error {
	return badRequest("M_INVALID_USERNAME", "This name cannot be registered: "+why.Error()+".")
}

// CheckUsernameAvailability implements GET /register/available. The same section.
func (s *Server) CheckUsernameAvailability(ctx context.Context,
	request gen.CheckUsernameAvailabilityRequestObject) (gen.CheckUsernameAvailabilityResponseObject, error) {
	if err := s.asksAboutRegistration(ctx); err != nil {
		return nil, err
	}
	if err := s.CheckName(ctx, request.Params.Username); err != nil {
		return nil, err
	}
	yes := true
	return gen.CheckUsernameAvailability200JSONResponse{Available: &yes}, nil
}

// RegistrationTokenValidity implements GET /register/m.login.registration_token/validity.
// Client-Server API v1.19, "Token-authenticated registration".
func (s *Server) RegistrationTokenValidity(ctx context.Context,
	request gen.RegistrationTokenValidityRequestObject) (gen.RegistrationTokenValidityResponseObject, error) {
	valid, err := s.InvitationGood(ctx, request.Params.Token)
	if err != nil {
		return nil, err
	}
	return gen.RegistrationTokenValidity200JSONResponse{Valid: valid}, nil
}

// InvitationGood reports whether somebody could begin to register with an invitation now.
func (s *Server) InvitationGood(ctx context.Context, token string) (bool, error) {
	if err := s.asksAboutRegistration(ctx); err != nil {
		return false, err
	}
	return s.DB.RegistrationTokenValid(ctx, token, CallerOf(ctx).Now)
}

// asksAboutRegistration counts a question that could be guessing, at names or at invitations.
func (s *Server) asksAboutRegistration(ctx context.Context) error {
	if s.Registration == RegistrationClosed {
		return forbidden("Registration is closed.")
	}
	who := CallerOf(ctx)
	return s.attempts.takeAddress(who.Addr, who.Now)
}
