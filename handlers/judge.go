package handlers

import (
	"context"
	"net/http"

	"postern/tokens"
)

// Judge tells whether the server would take a token for a request, by the same steps and with the same errors, and what
// the token says. It is for looking on: the token is not noted as used, nothing is counted against a limit, and the
// request's path need not exist. Of a refresh token it says whether its generation is in force; one that was spent a
// moment ago may be taken even so, see RefreshLeeway. An error wraps what package tokens said, if it was a token's
// fault. Without Now it judges as of now.
func (s *Server) Judge(ctx context.Context, token string, want tokens.Type, r tokens.Request) (tokens.Claims, error) {
	if r.Now.IsZero() {
		r.Now = s.now()
	}
	r.Path = Alias(r.Path)
	claims, _, err := s.admit(ctx, token, want, expiredMayAt[route{r.Method, r.Path}], r)
	return claims, err
}

// expiredMayAt is expiredMay by route, for who has no operation's name; a test holds the two together.
var expiredMayAt = map[route]bool{
	{http.MethodPost, "/_matrix/client/v3/logout"}:     true,
	{http.MethodPost, "/_matrix/client/v3/logout/all"}: true,
}
