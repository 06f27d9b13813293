package handlers

import (
	"context"
	"errors"

	"postern/db"
	"postern/gen"
)

// What each operation reads of a request, beside the access token. An edit of the contract that gives one of
// them a parameter makes the conversion a compile error; the other files have the like.
var (
	_ = struct{}(gen.LogoutRequestObject{})
	_ = struct{}(gen.LogoutAllRequestObject{})
)

// Logout implements POST /logout: the session ends and its device is deleted. Client-Server API v1.19, "Logout".
func (s *Server) Logout(ctx context.Context, _ gen.LogoutRequestObject) (gen.LogoutResponseObject, error) {
	err := s.DB.EndSession(ctx, CallerOf(ctx).Session.ID)
	if err != nil && !errors.Is(err, db.ErrNotFound) { // another tab logged out first: it is done all the same
		return nil, err
	}
	return gen.Logout200JSONResponse{}, nil
}

// LogoutAll implements POST /logout/all: every session of the user ends. The same section.
func (s *Server) LogoutAll(ctx context.Context, _ gen.LogoutAllRequestObject) (gen.LogoutAllResponseObject, error) {
	if _, err := s.DB.EndSessions(ctx, CallerOf(ctx).Session.Localpart); err != nil {
		return nil, err
	}
	return gen.LogoutAll200JSONResponse{}, nil
}
