package admin

import (
	"context"
	"errors"

	"postern/db"
	gen "postern/gen/admin"
	"postern/handlers"
)

// ListEmails implements GET /accounts/{account}/emails.
func (a *api) ListEmails(ctx context.Context, r gen.ListEmailsRequestObject) (gen.ListEmailsResponseObject, error) {
	u, err := a.db.User(ctx, a.named(r.Account))
	if err != nil {
		return nil, err
	}
	shown, err := a.emails(ctx, u.Localpart)
	return gen.ListEmails200JSONResponse(shown), err
}

func (a *api) emails(ctx context.Context, localpart string) (gen.Emails, error) {
	all, err := a.db.Emails(ctx, localpart)
	shown := gen.Emails{Emails: []gen.Email{}}
	for _, e := range all {
		shown.Emails = append(shown.Emails, a.shapes(ctx).Email(e))
	}
	return shown, err
}

// AddEmail implements POST /accounts/{account}/emails.
func (a *api) AddEmail(ctx context.Context, r gen.AddEmailRequestObject) (gen.AddEmailResponseObject, error) {
	u, err := a.db.User(ctx, a.named(r.Account))
	if err != nil {
		return nil, err
	}
	address, err := addressOf(r.Body.Address)
	if err == nil {
		err = a.noAddress(handlers.GiveAddress(ctx, a.db, u.Localpart, address, now(ctx)))
	}
	if err != nil {
		return nil, err
	}
	e, err := a.db.Email(ctx, address)
	return gen.AddEmail201JSONResponse(a.shapes(ctx).Email(e)), err
}

// addressOf is a mail address that a body has.
func addressOf(text string) (string, error) {
	address, err := handlers.Address(text)
	if err != nil {
		return "", badRequest("M_INVALID_EMAIL", "This is not a mail address. Write it like name@example.org.")
	}
	return address, nil
}

// noAddress says why an account was not given an address.
func (a *api) noAddress(err error) error {
	var taken handlers.AddressTaken
	switch {
	case errors.As(err, &taken):
		return badRequest("M_THREEPID_IN_USE", string(handlers.NewUserID(taken.By, a.ServerName))+
			" has this mail address.")
	case errors.Is(err, handlers.ErrClosed):
		return badRequest("M_USER_DEACTIVATED", "The account is deactivated.")
	case errors.Is(err, handlers.ErrAddressesFull):
		return badRequest("M_INVALID_PARAM", "The account has 10 mail addresses, and may have no more.")
	}
	return err
}

// RemoveEmail implements DELETE /accounts/{account}/emails/{address}.
func (a *api) RemoveEmail(ctx context.Context, r gen.RemoveEmailRequestObject) (gen.RemoveEmailResponseObject, error) {
	address, err := handlers.Address(r.Address)
	if err != nil {
		return nil, db.ErrNotFound
	}
	name := a.named(r.Account)
	if err := a.db.RemoveEmail(ctx, name, address); err != nil {
		return nil, err
	}
	left, err := a.emails(ctx, name)
	return gen.RemoveEmail200JSONResponse(left), err
}
