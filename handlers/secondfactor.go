package handlers

import (
	"context"
	"errors"
	"slices"

	"postern/db"
)

// An account with a second factor is let in by its password alone nowhere: a person signs in on the pages, which ask
// for both. The clients that know only passwords hear so, and which way is open. That they hear it says that the
// password was right, so it comes after that, and after the attempt was counted as any.

// SecondFactorPolicy says which accounts have to have a second factor. The empty one is [SecondFactorOptional].
type SecondFactorPolicy string

// The policies.
const (
	SecondFactorOptional SecondFactorPolicy = "optional" // none: whoever wants one has one
	SecondFactorAdmins   SecondFactorPolicy = "admins"   // those of administrators
	SecondFactorRequired SecondFactorPolicy = "required" // all
)

// Lacks reports whether an account has to have a second factor and has none yet.
func (p SecondFactorPolicy) Lacks(account db.User) bool {
	return !account.SecondFactor && (p == SecondFactorRequired || p == SecondFactorAdmins && account.Admin)
}

// passwordAlone refuses an account's password, which was right, if it is not enough.
func (s *Server) passwordAlone(account db.User) error {
	var why string
	switch {
	case account.SecondFactor:
		why = "This account has a second factor, so its password alone is not enough. "
	case s.SecondFactor.Lacks(account):
		why = "This account has to have a second factor and has none yet, so its password alone is not enough. "
	default:
		return nil
	}
	return forbidden(why + s.wayIn(account)).because(db.ErrSecondFactor)
}

// wayIn says what to do instead.
func (s *Server) wayIn(account db.User) string {
	page := s.PublicURL + AccountPath
	switch {
	case s.Config.OAuth == nil:
		return "There is no page here to sign in at: ask whoever runs the server, who can remove the second factor " +
			"(postern user factors NAME clear)."
	case !account.SecondFactor:
		return "Sign in at " + page + " to set one up."
	}
	return "Sign in by browser (m.login.sso, which apps call single sign-on), or make a token for this app at " + page +
		"."
}

// NoteSecondStep counts and logs what came of the second step of a sign-in, after the password.
func (s *Server) NoteSecondStep(ctx context.Context, localpart string, right bool) {
	var err error
	if !right {
		err = forbidden("Wrong second factor.")
	}
	_ = s.NoteLogin(ctx, localpart, err)
}

// stageSSO is the stage that an account with a second factor has in place of its password: its user signs in on a page,
// and agrees there. Client-Server API v1.19, "Single Sign-On".
const stageSSO = ssoLogin

// proofOf are the flows by which the user of an account proves who they are.
func (s *Server) proofOf(account db.User) ([][]string, error) {
	err := s.passwordAlone(account)
	switch {
	case err == nil:
		return [][]string{{stagePassword}}, nil
	case s.Config.OAuth == nil:
		return nil, err
	}
	return [][]string{{stageSSO}}, nil
}

// unprovable is why a stage of an interaction proves nothing here; nil if it may.
func (s *Server) unprovable(ctx context.Context, i *interaction, stage string) error {
	switch {
	case stage == stageSSO:
		return failed("M_FORBIDDEN", "Sign in on the page of this stage first.")
	case stage == stagePassword && i.has(stageSSO):
		account, err := s.DB.User(ctx, i.Bound.User)
		if err == nil {
			err = s.passwordAlone(account)
		}
		var refused *Error
		if errors.As(err, &refused) && errors.Is(err, db.ErrSecondFactor) {
			return &stageFailed{refused}
		}
		return err
	}
	return nil
}

// StageOnPage is what a person agrees to who has come to the page of [stageSSO].
type StageOnPage struct {
	server *Server
	i      *interaction

	Localpart string
	Done      bool // they have agreed
	Deed      Deed
	Ends      []db.Session // the devices that are logged out; those that are not there have no id
	Asks      db.Session
}

// StageOnPage finds the interaction that a person's browser was sent with; 404 if it is over, or has no such stage.
func (s *Server) StageOnPage(ctx context.Context, session string) (StageOnPage, error) {
	i, asks, err := s.fallback(ctx, stageSSO, session)
	if err != nil {
		return StageOnPage{}, err
	}
	ends, err := s.ends(ctx, i, asks)
	return StageOnPage{server: s, i: i, Localpart: i.Bound.User, Done: slices.Contains(i.Completed, stageSSO),
		Deed: i.Deed, Ends: ends, Asks: asks}, err
}

// Complete completes the stage: the account's user has shown just now, with a second factor, who they are. Another
// password since proves nothing any more.
func (p StageOnPage) Complete(ctx context.Context, account db.User) error {
	p.i.change(func(now *state) bool {
		if slices.Contains(now.Completed, stageSSO) {
			return false
		}
		now.Completed, now.Proof = append(slices.Clone(now.Completed), stageSSO), account.PasswordHash
		return true
	})
	return noInteraction(p.server.save(ctx, p.i))
}
