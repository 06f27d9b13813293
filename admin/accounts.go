package admin

import (
	"cmp"
	"context"
	"errors"
	"time"

	"postern/db"
	gen "postern/gen/admin"
	"postern/handlers"
)

// shapes show rows as of this request.
func (a *api) shapes(ctx context.Context) Shapes {
	s := Shapes{ServerName: a.ServerName, Now: handlers.CallerOf(ctx).Now}
	if a.Config.OAuth != nil {
		s.PublicURL = a.PublicURL
	}
	return s
}

// account shows an account that a request names, as it is now.
func (a *api) account(ctx context.Context, name string) (gen.Account, error) {
	u, err := a.db.CountedUser(ctx, a.named(name))
	return a.shapes(ctx).Account(u), err
}

// changed does something to an account, and shows it.
func (a *api) changed(ctx context.Context, name string, err error) (gen.Account, error) {
	if err != nil {
		return gen.Account{}, err
	}
	return a.account(ctx, name)
}

func now(ctx context.Context) time.Time { return handlers.CallerOf(ctx).Now }

// ListAccounts implements GET /accounts.
func (a *api) ListAccounts(ctx context.Context,
	r gen.ListAccountsRequestObject) (gen.ListAccountsResponseObject, error) {
	from, err := readCursor(r.Params.From, 1)
	if err != nil {
		return nil, err
	}
	f := db.UserFilter{Part: value(r.Params.Search), State: db.UserState(value(r.Params.State)),
		Admin: value(r.Params.Admin)}
	users, next, err := page(r.Params.Limit,
		func(limit int) ([]db.CountedUser, error) { return a.db.UserPage(ctx, f, from[0], limit) },
		a.shapes(ctx).Account,
		func(u db.CountedUser) cursor { return cursor{u.Localpart} })
	return gen.ListAccounts200JSONResponse{Accounts: users, Next: next}, err
}

// value is what a request says, or the zero value.
func value[T any](v *T) (t T) {
	if v != nil {
		t = *v
	}
	return t
}

// CreateAccount implements POST /accounts.
func (a *api) CreateAccount(ctx context.Context,
	r gen.CreateAccountRequestObject) (gen.CreateAccountResponseObject, error) {
	u, err := a.NewUser(ctx, r.Body.Localpart, value(r.Body.Password))
	if err != nil {
		return nil, err
	}
	u.Admin = value(r.Body.Admin)
	err = a.create(ctx, u, r.Body.Email)
	shown, err := a.changed(ctx, u.Localpart, err)
	return gen.CreateAccount201JSONResponse(shown), err
}

// create adds an account, with a mail address if one is given.
func (a *api) create(ctx context.Context, u db.User, email *string) error {
	var emails []db.Email
	if email != nil {
		address, err := addressOf(*email)
		if err != nil {
			return err
		}
		emails = append(emails, handlers.GivenAddress(u.Localpart, address, u.Created))
	}
	err := a.db.CreateUser(ctx, u, emails...)
	switch {
	case errors.Is(err, db.ErrConflict):
		return nameTaken()
	case errors.Is(err, db.ErrEmailTaken):
		other, err := a.db.Email(ctx, emails[0].Address)
		return cmp.Or(err, a.noAddress(handlers.AddressTaken{By: other.Localpart}))
	}
	return err
}

func nameTaken() error { return badRequest("M_USER_IN_USE", "This name is taken.") }

// GetAccount implements GET /accounts/{account}.
func (a *api) GetAccount(ctx context.Context, r gen.GetAccountRequestObject) (gen.GetAccountResponseObject, error) {
	shown, err := a.account(ctx, r.Account)
	return gen.GetAccount200JSONResponse(shown), err
}

// LockAccount implements PUT /accounts/{account}/lock.
func (a *api) LockAccount(ctx context.Context,
	r gen.LockAccountRequestObject) (gen.LockAccountResponseObject, error) {
	shown, err := a.changed(ctx, r.Account, a.db.LockUser(ctx, a.named(r.Account), now(ctx)))
	return gen.LockAccount200JSONResponse(shown), err
}

// UnlockAccount implements DELETE /accounts/{account}/lock.
func (a *api) UnlockAccount(ctx context.Context,
	r gen.UnlockAccountRequestObject) (gen.UnlockAccountResponseObject, error) {
	shown, err := a.changed(ctx, r.Account, a.db.UnlockUser(ctx, a.named(r.Account)))
	return gen.UnlockAccount200JSONResponse(shown), err
}

// GrantAdmin implements PUT /accounts/{account}/admin.
func (a *api) GrantAdmin(ctx context.Context, r gen.GrantAdminRequestObject) (gen.GrantAdminResponseObject, error) {
	shown, err := a.changed(ctx, r.Account, a.db.SetAdmin(ctx, a.named(r.Account), true))
	return gen.GrantAdmin200JSONResponse(shown), err
}

// RevokeAdmin implements DELETE /accounts/{account}/admin.
func (a *api) RevokeAdmin(ctx context.Context,
	r gen.RevokeAdminRequestObject) (gen.RevokeAdminResponseObject, error) {
	shown, err := a.changed(ctx, r.Account, a.db.SetAdmin(ctx, a.named(r.Account), false))
	return gen.RevokeAdmin200JSONResponse(shown), err
}

// DeactivateAccount implements PUT /accounts/{account}/deactivation.
func (a *api) DeactivateAccount(ctx context.Context,
	r gen.DeactivateAccountRequestObject) (gen.DeactivateAccountResponseObject, error) {
	ended, err := a.db.Deactivate(ctx, a.named(r.Account), now(ctx), r.Body != nil && value(r.Body.Erase))
	return gen.DeactivateAccount200JSONResponse{SessionsEnded: ended}, err
}

// ReactivateAccount implements DELETE /accounts/{account}/deactivation.
func (a *api) ReactivateAccount(ctx context.Context,
	r gen.ReactivateAccountRequestObject) (gen.ReactivateAccountResponseObject, error) {
	shown, err := a.changed(ctx, r.Account, a.Reactivate(ctx, a.named(r.Account)))
	return gen.ReactivateAccount200JSONResponse(shown), err
}

// SetPassword implements PUT /accounts/{account}/password. Sessions end by default, since a new password often means
// that the old one leaked.
func (a *api) SetPassword(ctx context.Context,
	r gen.SetPasswordRequestObject) (gen.SetPasswordResponseObject, error) {
	name := a.named(r.Account)
	if _, err := a.db.User(ctx, name); err != nil {
		return nil, err
	}
	ended, err := a.Server.SetPassword(ctx, name, r.Body.Password, r.Body.EndSessions == nil || *r.Body.EndSessions)
	return gen.SetPassword200JSONResponse{SessionsEnded: ended}, err
}

// CreateResetLink implements POST /accounts/{account}/reset_link.
func (a *api) CreateResetLink(ctx context.Context,
	r gen.CreateResetLinkRequestObject) (gen.CreateResetLinkResponseObject, error) {
	u, err := a.db.User(ctx, a.named(r.Account))
	switch {
	case err != nil:
		return nil, err
	case u.State() == db.UserLocked:
		return nil, badRequest("M_USER_LOCKED", "The account is locked.")
	case u.State() == db.UserDeactivated:
		return nil, badRequest("M_USER_DEACTIVATED", "The account is deactivated.")
	}
	life := handlers.OperatorLinkLife
	if r.Body != nil && r.Body.LifeMs != nil {
		life = time.Duration(*r.Body.LifeMs) * time.Millisecond
	}
	link, err := a.ResetLink(ctx, u, life)
	return gen.CreateResetLink201JSONResponse{Link: link, ExpiresTS: db.Millis(a.Now().Add(life))}, err
}

// ListFactors implements GET /accounts/{account}/factors.
func (a *api) ListFactors(ctx context.Context,
	r gen.ListFactorsRequestObject) (gen.ListFactorsResponseObject, error) {
	name := a.named(r.Account)
	if _, err := a.db.User(ctx, name); err != nil {
		return nil, err
	}
	factors, err := a.db.Factors(ctx, name)
	return gen.ListFactors200JSONResponse(a.shapes(ctx).Factors(factors)), err
}

// ClearFactors implements DELETE /accounts/{account}/factors.
func (a *api) ClearFactors(ctx context.Context,
	r gen.ClearFactorsRequestObject) (gen.ClearFactorsResponseObject, error) {
	name := a.named(r.Account)
	if _, err := a.db.User(ctx, name); err != nil {
		return nil, err
	}
	cleared, err := a.db.ClearFactors(ctx, name)
	return gen.ClearFactors200JSONResponse{FactorsCleared: cleared}, err
}
