package admin

import (
	"context"

	"postern/db"
	gen "postern/gen/admin"
)

// ListSessions implements GET /sessions.
func (a *api) ListSessions(ctx context.Context,
	r gen.ListSessionsRequestObject) (gen.ListSessionsResponseObject, error) {
	shown, err := a.sessions(ctx, "", r.Params.From, r.Params.Limit)
	return gen.ListSessions200JSONResponse(shown), err
}

// ListAccountSessions implements GET /accounts/{account}/sessions.
func (a *api) ListAccountSessions(ctx context.Context,
	r gen.ListAccountSessionsRequestObject) (gen.ListAccountSessionsResponseObject, error) {
	u, err := a.db.User(ctx, a.named(r.Account))
	if err != nil {
		return nil, err
	}
	shown, err := a.sessions(ctx, u.Localpart, r.Params.From, r.Params.Limit)
	return gen.ListAccountSessions200JSONResponse(shown), err
}

// sessions is a page of an account's sessions or, without a localpart, of all.
func (a *api) sessions(ctx context.Context, localpart string, from *string, limit *int) (gen.Sessions, error) {
	after, err := readCursor(from, 2)
	if err != nil {
		return gen.Sessions{}, err
	}
	last := db.Session{Localpart: after[0], DeviceID: after[1]}
	shown, next, err := page(limit,
		func(limit int) ([]db.Session, error) { return a.db.SessionPage(ctx, localpart, last, limit) },
		a.shapes(ctx).Session,
		func(s db.Session) cursor { return cursor{s.Localpart, s.DeviceID} })
	return gen.Sessions{Sessions: shown, Next: next}, err
}

// GetSession implements GET /sessions/{session}.
func (a *api) GetSession(ctx context.Context, r gen.GetSessionRequestObject) (gen.GetSessionResponseObject, error) {
	session, _, err := a.db.Session(ctx, r.Session)
	return gen.GetSession200JSONResponse(a.shapes(ctx).Session(session)), err
}

// EndSession implements DELETE /sessions/{session}.
func (a *api) EndSession(ctx context.Context, r gen.EndSessionRequestObject) (gen.EndSessionResponseObject, error) {
	return gen.EndSession200JSONResponse{SessionsEnded: 1}, a.db.EndSession(ctx, r.Session)
}

// EndAccountSessions implements DELETE /accounts/{account}/sessions.
func (a *api) EndAccountSessions(ctx context.Context,
	r gen.EndAccountSessionsRequestObject) (gen.EndAccountSessionsResponseObject, error) {
	u, err := a.db.User(ctx, a.named(r.Account))
	if err != nil {
		return nil, err
	}
	ended, err := a.db.EndSessions(ctx, u.Localpart)
	return gen.EndAccountSessions200JSONResponse{SessionsEnded: ended}, err
}
