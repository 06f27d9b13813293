package admin

import (
	"context"
	"errors"
	"time"

	"postern/db"
	gen "postern/gen/admin"
	"postern/handlers"
)

// invitationLife is how long an invitation is good unless the request says otherwise.
const invitationLife = 7 * 24 * time.Hour

// ListInvitations implements GET /invitations.
func (a *api) ListInvitations(ctx context.Context,
	r gen.ListInvitationsRequestObject) (gen.ListInvitationsResponseObject, error) {
	from, err := readCursor(r.Params.From, 2)
	if err != nil {
		return nil, err
	}
	last := db.RegistrationToken{Created: from.at(0), Token: from[1]}
	shown, next, err := page(r.Params.Limit,
		func(limit int) ([]db.RegistrationToken, error) {
			return a.db.RegistrationTokenPage(ctx, now(ctx), last, limit)
		},
		a.shapes(ctx).Invitation,
		func(t db.RegistrationToken) cursor { return cursor{instant(t.Created), t.Token} })
	return gen.ListInvitations200JSONResponse{Invitations: shown, Next: next}, err
}

// CreateInvitation implements POST /invitations.
func (a *api) CreateInvitation(ctx context.Context,
	r gen.CreateInvitationRequestObject) (gen.CreateInvitationResponseObject, error) {
	var wanted gen.NewInvitation
	if r.Body != nil {
		wanted = *r.Body
	}
	invited := db.RegistrationToken{Token: value(wanted.Token), UsesAllowed: 1, Created: now(ctx),
		Expires: now(ctx).Add(invitationLife)}
	if wanted.UsesAllowed != nil {
		invited.UsesAllowed = *wanted.UsesAllowed
	}
	if wanted.ExpiresTS != nil {
		invited.Expires = db.FromMillis(*wanted.ExpiresTS)
	}
	if !invited.Expires.IsZero() && !invited.Expires.After(now(ctx)) {
		return nil, badRequest("M_INVALID_PARAM", "This expires_ts is over.")
	}
	var err error
	if invited.Token == "" {
		if invited.Token, err = handlers.NewID(a.Random); err != nil {
			return nil, err
		}
	}
	err = a.db.AddRegistrationToken(ctx, invited)
	if errors.Is(err, db.ErrConflict) {
		err = badRequest("M_INVALID_PARAM", "There is or was an invitation of this token.")
	}
	return gen.CreateInvitation201JSONResponse(a.shapes(ctx).Invitation(invited)), err
}

// GetInvitation implements GET /invitations/{token}.
func (a *api) GetInvitation(ctx context.Context,
	r gen.GetInvitationRequestObject) (gen.GetInvitationResponseObject, error) {
	invited, err := a.db.RegistrationToken(ctx, r.Token, now(ctx))
	return gen.GetInvitation200JSONResponse(a.shapes(ctx).Invitation(invited)), err
}

// RevokeInvitation implements DELETE /invitations/{token}.
func (a *api) RevokeInvitation(ctx context.Context,
	r gen.RevokeInvitationRequestObject) (gen.RevokeInvitationResponseObject, error) {
	if err := a.db.RevokeRegistrationToken(ctx, r.Token, now(ctx)); err != nil {
		return nil, err
	}
	invited, err := a.db.RegistrationToken(ctx, r.Token, now(ctx))
	return gen.RevokeInvitation200JSONResponse(a.shapes(ctx).Invitation(invited)), err
}
