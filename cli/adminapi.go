package cli

import (
	"net/http"
	"strings"

	"postern/admin"
	"postern/handlers"
)

// ownPath begins the paths that are Postern's own, and nothing of Matrix. A homeserver is not asked for any of them.
const ownPath = "/_postern/"

// withAdminAPI puts the admin API before what clients reach, if it is served.
func (cmd *serveCmd) withAdminAPI(rest publicHandler, server *handlers.Server) (http.Handler, error) {
	clients := rest.Handler
	if rest.front != nil {
		clients = below(ownPath, server.Handler(), clients)
	}
	if !cmd.AdminAPI && !cmd.Dev {
		return clients, nil
	}
	api, err := admin.Handler(server)
	return below(handlers.AdminPath, api, clients), err
}

// below gives a handler the paths that begin with a prefix, and all others to another one.
func below(prefix string, its, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			its.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}
