package admin

import (
	"context"
	"errors"

	"postern/db"
	gen "postern/gen/admin"
)

// ListSignups implements GET /signups.
func (a *api) ListSignups(ctx context.Context,
	r gen.ListSignupsRequestObject) (gen.ListSignupsResponseObject, error) {
	from, err := readCursor(r.Params.From, 2)
	if err != nil {
		return nil, err
	}
	last := db.WaitingUser{Since: from.at(0), Localpart: from[1]}
	shown, next, err := page(r.Params.Limit,
		func(limit int) ([]db.WaitingUser, error) { return a.db.WaitingPage(ctx, last, limit) },
		a.shapes(ctx).Signup,
		func(u db.WaitingUser) cursor { return cursor{instant(u.Since), u.Localpart} })
	return gen.ListSignups200JSONResponse{Signups: shown, Next: next}, err
}

// GetSignup implements GET /signups/{account}.
func (a *api) GetSignup(ctx context.Context, r gen.GetSignupRequestObject) (gen.GetSignupResponseObject, error) {
	u, err := a.db.WaitingUser(ctx, a.named(r.Account))
	return gen.GetSignup200JSONResponse(a.shapes(ctx).Signup(u)), err
}

// ApproveSignup implements PUT /signups/{account}.
func (a *api) ApproveSignup(ctx context.Context,
	r gen.ApproveSignupRequestObject) (gen.ApproveSignupResponseObject, error) {
	err := a.db.ApproveUser(ctx, a.named(r.Account), now(ctx))
	if errors.Is(err, db.ErrConflict) {
		err = nameTaken()
	}
	shown, err := a.changed(ctx, r.Account, err)
	return gen.ApproveSignup200JSONResponse(shown), err
}

// RejectSignup implements DELETE /signups/{account}.
func (a *api) RejectSignup(ctx context.Context,
	r gen.RejectSignupRequestObject) (gen.RejectSignupResponseObject, error) {
	return gen.RejectSignup200JSONResponse{}, a.db.RejectUser(ctx, a.named(r.Account))
}
