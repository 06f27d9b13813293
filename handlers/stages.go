package handlers

import (
	"context"
	"errors"
	"net/http"

	"postern/db"
	"postern/gen"
)

// The stages that are served. Client-Server API v1.19, "Authentication types".
const (
	stagePassword = "m.login.password"
	stageDummy    = "m.login.dummy"
	stageToken    = "m.login.registration_token"
	stageTerms    = "m.login.terms"
	stageEmail    = "m.login.email.identity"
)

// stageFailed is a step that was wrong: the client may try again in the same interaction.
type stageFailed struct{ why *Error }

// Error implements error.
func (f *stageFailed) Error() string { return f.why.Error() }

func failed(code, message string) *stageFailed {
	return &stageFailed{&Error{Status: http.StatusUnauthorized, Code: code, Message: message}}
}

// attempt tries one stage, and returns what its success means to the interaction. Only one of the interaction's own
// flows may be tried: a dummy completes nothing where a password is asked for.
func (s *Server) attempt(ctx context.Context, i *interaction, auth *gen.AuthData) (prove func(*state), err error) {
	if err := s.unprovable(ctx, i, *auth.Type); err != nil {
		return nil, err
	}
	if !i.has(*auth.Type) {
		return nil, badRequest("M_UNRECOGNIZED", "This stage is not one of the flows.")
	}
	switch *auth.Type {
	case stagePassword:
		hash, err := s.attemptPassword(ctx, i, auth)
		return func(now *state) { now.Proof = hash }, err
	case stageToken:
		token, err := s.attemptToken(ctx, i, auth)
		return func(now *state) { now.Token = token }, err
	case stageEmail:
		e, err := s.attemptEmail(ctx, i, auth)
		return func(now *state) { now.Email, now.Proof = e, e.Proof }, err
	default: // a dummy asks for nothing, and terms for a click
		return func(*state) {}, nil
	}
}

// attemptPassword may be a guess, by a thief of the token: it is counted by session, and apart from logins. So nobody
// who guesses at logins can keep the owner from deleting a device or from changing the password. On the page of a stage
// it is the session that began it.
func (s *Server) attemptPassword(ctx context.Context, i *interaction, auth *gen.AuthData) (hash string, err error) {
	who := CallerOf(ctx)
	if auth.Password == nil {
		return "", missingParam("Missing parameter: auth.password")
	}
	if err := s.meant(ctx, named(auth), i.Bound.User); err != nil {
		return "", err
	}
	counted := i.Bound.Session
	if err := s.stages.takeAccount(counted, who.Now); err != nil {
		return "", err
	}
	account, err := s.account(ctx, string(NewUserID(i.Bound.User, s.ServerName)))
	if err != nil {
		return "", err
	}
	account, err = s.checkPassword(ctx, account, *auth.Password, sessionAt(counted))
	var refused *Error
	switch {
	case errors.As(err, &refused) && errors.Is(err, db.ErrSecondFactor):
		return "", &stageFailed{refused} // since the interaction began
	case refused != nil && refused.Status == http.StatusForbidden:
		return "", failed("M_FORBIDDEN", "Wrong password.")
	}
	return account.PasswordHash, err
}

// meant refuses a stage that names another account than the one that it is for.
func (s *Server) meant(ctx context.Context, name, localpart string) error {
	if name == "" {
		return nil
	}
	account, err := Find(ctx, s.DB, name, s.ServerName)
	if errors.Is(err, db.ErrNotFound) || err == nil && account.Localpart != localpart {
		return forbidden("The password of another user proves nothing here.")
	}
	return err
}

// named is the user that a password stage names: none, when the client leaves it to the access token.
func named(auth *gen.AuthData) string {
	if auth.Identifier != nil {
		return value(auth.Identifier.User)
	}
	return value(auth.User)
}

const tokenIsOver = "This registration token is not good, or no longer."

// attemptToken reserves a use of the registration token while the registration runs, so that of two people with the
// last use one is told at once. By the same interaction it may be done twice.
func (s *Server) attemptToken(ctx context.Context, i *interaction, auth *gen.AuthData) (token string, err error) {
	token = value(auth.Token)
	if token == "" {
		return "", missingParam("Missing parameter: auth.token")
	}
	now := CallerOf(ctx).Now
	err = s.DB.ReserveRegistrationToken(ctx, token, i.name(), now, i.expires)
	if errors.Is(err, db.ErrTokenSpent) {
		return "", failed("M_UNAUTHORIZED", tokenIsOver)
	}
	if err == nil {
		i.reserved = token
	}
	return token, err
}

// attemptEmail takes a validation session that its owner has completed by the link in a mail. Until then the client
// asks again and again, which is no failure: errNotFollowed.
func (s *Server) attemptEmail(ctx context.Context, i *interaction, auth *gen.AuthData) (shown, error) {
	creds := auth.ThreepidCreds
	if creds == nil {
		return shown{}, missingParam("Missing parameter: auth.threepid_creds")
	}
	v, err := s.completed(ctx, i.needsEmail(), creds.Sid, creds.ClientSecret)
	switch {
	case errors.Is(err, errNoValidation):
		return shown{}, failed("M_UNAUTHORIZED", errNoValidation.Message)
	case err != nil:
		return shown{}, err
	case i.Bound.User != "" && i.Bound.User != v.Localpart:
		return shown{}, failed("M_FORBIDDEN", "This is not an address of the account.")
	}
	return v.shown, nil
}

// needsEmail is what the mail of [stageEmail] has to be good for.
func (i *interaction) needsEmail() purpose {
	if i.Bound.Path == registration {
		return toRegister
	}
	return toReset
}

// params is what the client must know to offer the stages.
func (s *Server) params(flows [][]string) map[string]any {
	params := make(map[string]any)
	for _, stages := range flows {
		for _, stage := range stages {
			if stage == stageTerms {
				params[stageTerms] = map[string]any{"policies": map[string]any{"terms_of_service": map[string]any{
					"version": s.Terms.Version, "en": map[string]any{"name": "Terms of Service", "url": s.Terms.URL},
				}}}
			}
		}
	}
	return params
}

// Terms are what a new user must agree to; none without a URL.
type Terms struct{ URL, Version string }
