package handlers

import "net/http"

// Authorize checks the access token of a request that is answered by somebody else, exactly as any operation that needs
// one does: its signature, its session, its caveats. When the token is not good it has answered, and gives false.
func (s *Server) Authorize(w http.ResponseWriter, r *http.Request) bool {
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = Alias(r.URL.Path), Alias(r.URL.RawPath) // `path` caveats speak of today's names
	c := s.echo.NewContext(r, w)
	if err := s.identify(c, s.callerFrom(c), false); err != nil {
		s.handleError(err, c)
		return false
	}
	return true
}
