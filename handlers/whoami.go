package handlers

import (
	"context"

	"postern/gen"
)

var _ = struct{}(gen.GetTokenOwnerRequestObject{}) // reads nothing; see logout.go

// GetTokenOwner implements GET /account/whoami. Client-Server API v1.19, "Current account information".
func (s *Server) GetTokenOwner(ctx context.Context, _ gen.GetTokenOwnerRequestObject) (gen.GetTokenOwnerResponseObject,
	error) {
	session, guest := CallerOf(ctx).Session, false
	return gen.GetTokenOwner200JSONResponse{
		UserID: string(s.userID(session)), DeviceID: &session.DeviceID, IsGuest: &guest,
	}, nil
}
