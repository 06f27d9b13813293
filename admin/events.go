package admin

import (
	"context"
	"strings"

	"postern/db"
	gen "postern/gen/admin"
)

// ListEvents implements GET /events.
func (a *api) ListEvents(ctx context.Context, r gen.ListEventsRequestObject) (gen.ListEventsResponseObject, error) {
	p := r.Params
	from, err := readCursor(p.From, 4)
	if err != nil {
		return nil, err
	}
	if _, unknown := db.UnknownKind(value(p.Kind)); unknown {
		return nil, badRequest("M_INVALID_PARAM", "No event is of this kind. The kinds are "+
			strings.Join(db.EventKinds, ", ")+".")
	}
	f := db.EventFilter{Kinds: value(p.Kind), Since: db.FromMillis(value(p.SinceTS)),
		Until: db.FromMillis(value(p.UntilTS))}
	if p.Account != nil {
		if f.Localpart = a.named(*p.Account); f.Localpart == "" { // no account of this server has had any
			return gen.ListEvents200JSONResponse{Events: []gen.Event{}}, nil
		}
	}
	before := db.Event{At: from.at(0), Localpart: from[1], Session: from[2], Kind: from[3]}
	shown, next, err := page(p.Limit,
		func(limit int) ([]db.Event, error) { return a.db.EventPage(ctx, f, before, limit) },
		a.shapes(ctx).Event,
		func(e db.Event) cursor { return cursor{instant(e.At), e.Localpart, e.Session, e.Kind} })
	return gen.ListEvents200JSONResponse{Events: shown, Next: next}, err
}

// Count implements GET /counts.
func (a *api) Count(ctx context.Context, _ gen.CountRequestObject) (gen.CountResponseObject, error) {
	n, err := a.db.Count(ctx, now(ctx))
	return gen.Count200JSONResponse{Accounts: n.Users, Locked: n.Locked, Deactivated: n.Deactivated, Admins: n.Admins,
		Sessions: n.Sessions, Signups: n.Waiting, Invitations: n.Invitations}, err
}
