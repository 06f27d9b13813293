package handlers

import (
	"context"
	"errors"
	"net/http"

	"postern/db"
	"postern/gen"
)

// ChangePassword implements POST /account/password: this session lives on, and the others unless they are to end,
// which is the default. Client-Server API v1.19, "Password management".
func (s *Server) ChangePassword(ctx context.Context,
	request gen.ChangePasswordRequestObject) (gen.ChangePasswordResponseObject, error) {
	body, session := request.Body, CallerOf(ctx).Session
	if session.ID == "" {
		return s.resetPassword(ctx, body)
	}
	if err := s.CheckNewPassword(body.NewPassword, session.Localpart); err != nil {
		return nil, err
	}
	endOthers := body.LogoutDevices == nil || *body.LogoutDevices
	i, err := s.prove(ctx, Sensitive{
		Method: http.MethodPost, Path: "account/password",
		Body: gen.ChangePasswordRequest{NewPassword: body.NewPassword, LogoutDevices: body.LogoutDevices},
		Deed: Deed{Text: "deedPassword", Words: "The password of the account is replaced by another one.",
			EndsOthers: endOthers},
		ByEmail: s.linksByMail(),
	}, body.Auth)
	if err != nil {
		return nil, err
	}
	hash, err := s.hasher.hash(ctx, body.NewPassword, sessionAt(session.ID))
	if err != nil {
		return nil, err
	}
	if err := s.spend(ctx, i); err != nil {
		return nil, err
	}
	_, err = s.DB.ChangePassword(ctx, db.PasswordChange{
		Localpart: session.Localpart, OldHash: i.Proof, Era: i.Email.Era,
		Address: i.Email.Address, Hash: hash, Keep: session.ID, EndOthers: endOthers,
	})
	if err != nil {
		return nil, s.ended(ctx, err)
	}
	return gen.ChangePassword200JSONResponse{}, nil
}

// resetPassword is ChangePassword for somebody who is logged in nowhere, and reads the mail of one of the account's
// addresses. A second factor of the account stays, and is asked for when they log in.
func (s *Server) resetPassword(ctx context.Context,
	body *gen.ChangePasswordRequest) (gen.ChangePasswordResponseObject, error) {
	i, err := s.proveByEmail(ctx, body)
	if err != nil {
		return nil, trying(stageWrong, "", err)
	}
	account := i.Email
	hash, err := s.newHash(ctx, account.Localpart, body.NewPassword,
		strangerAt(CallerOf(ctx).Addr, account.Localpart))
	if err != nil {
		return nil, err
	}
	if err := s.spend(ctx, i); err != nil {
		return nil, err
	}
	_, err = s.DB.ChangePassword(ctx, db.PasswordChange{Localpart: account.Localpart, OldHash: account.Proof,
		Era: account.Era, Address: account.Address, Hash: hash,
		EndOthers: body.LogoutDevices == nil || *body.LogoutDevices})
	if errors.Is(err, db.ErrConflict) || errors.Is(err, db.ErrNotFound) {
		return nil, forbidden("The account has changed since the mail was sent; ask for another one.").because(err)
	}
	return gen.ChangePassword200JSONResponse{}, err
}

// proveByEmail leads to an interaction in which the stage of the mail is complete.
func (s *Server) proveByEmail(ctx context.Context, body *gen.ChangePasswordRequest) (*interaction, error) {
	who := CallerOf(ctx)
	if err := s.attempts.takeAddress(who.Addr, who.Now); err != nil {
		return nil, err
	}
	if err := s.CheckNewPassword(body.NewPassword, ""); err != nil {
		return nil, err
	}
	hash, err := bodyHash(gen.ChangePasswordRequest{NewPassword: body.NewPassword, LogoutDevices: body.LogoutDevices})
	if err != nil {
		return nil, err
	}
	i, err := s.open(ctx, uiaRequest{binding: binding{Method: http.MethodPost, Path: "account/password", Body: hash},
		flows: [][]string{{stageEmail}}, auth: body.Auth})
	if err != nil {
		return nil, err
	}
	return i, s.step(ctx, i, body.Auth)
}

// NewPassword is a password that the owner of an account chooses on a page, where no session asks.
type NewPassword struct {
	Browser      string // in which they are signed in
	Current, New string
	EndSessions  bool
}

// ReplacePassword gives an account a new password, and gives the account as it is then. Its browsers are signed out.
// The current password is counted as [Server.CheckProof] does. An account with a second factor has shown that already.
func (s *Server) ReplacePassword(ctx context.Context, account db.User, n NewPassword) (db.User, error) {
	if err := s.CheckNewPassword(n.New, account.Localpart); err != nil {
		return db.User{}, err // before anything is counted: they try again
	}
	account, err := s.CheckProof(ctx, account, n.Current, n.Browser)
	if err != nil && !errors.Is(err, db.ErrSecondFactor) {
		return db.User{}, err
	}
	hash, err := s.hasher.hash(ctx, n.New, strangerAt(CallerOf(ctx).Addr, account.Localpart))
	if err != nil {
		return db.User{}, err
	}
	_, err = s.DB.ChangePassword(ctx, db.PasswordChange{Localpart: account.Localpart, OldHash: account.PasswordHash,
		Era: account.Closings + 1, Hash: hash, EndOthers: n.EndSessions})
	account.PasswordHash = hash
	return account, err
}

// DeactivateAccount implements POST /account/deactivate. There are no third-party identifiers to unbind, which the
// specification calls success. Client-Server API v1.19, "Account deactivation".
func (s *Server) DeactivateAccount(ctx context.Context,
	request gen.DeactivateAccountRequestObject) (gen.DeactivateAccountResponseObject, error) {
	erase := request.Body.Erase != nil && *request.Body.Erase
	deed := Deed{Text: "deedDeactivate",
		Words: "The account is closed for good, and its second factors and mail addresses are removed. " +
			"Nobody can log in to it or have its name again.", EndsAll: true}
	if erase {
		deed = Deed{Text: "deedErase",
			Words: deed.Words + " What it has written is hidden from those who join a room later.", EndsAll: true}
	}
	err := s.byPassword(ctx, Sensitive{
		Method: http.MethodPost, Path: "account/deactivate",
		Body: gen.DeactivateRequest{Erase: request.Body.Erase, IDServer: request.Body.IDServer},
		Deed: deed,
	}, request.Body.Auth)
	if err != nil {
		return nil, err
	}
	if _, err := s.DB.Deactivate(ctx, CallerOf(ctx).Session.Localpart, s.Now(), erase); err != nil {
		return nil, s.ended(ctx, err)
	}
	return gen.DeactivateAccount200JSONResponse{IDServerUnbindResult: gen.Success}, nil
}

// ended maps an account that went away between the check of its token and the write.
func (s *Server) ended(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, db.ErrNotFound):
		return s.gone(ctx, CallerOf(ctx).Session)
	case errors.Is(err, db.ErrConflict):
		return forbidden("The account has changed meanwhile; nothing was done.").because(err)
	}
	return err
}
