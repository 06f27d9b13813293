package cli

import (
	"net/http"
	"strings"

	"postern/handlers"
	"postern/homeserver/front"
)

// frontLogin is the login server as the front before a homeserver needs it.
type frontLogin struct {
	*handlers.Server

	internal   http.Handler                  // answers the homeserver's questions; nil if they come to another address
	amendments map[string]handlers.Amendment // by method and path; a path that ends in a slash is for one segment below
}

func newFrontLogin(s *handlers.Server, answersHomeserver bool) frontLogin {
	l := frontLogin{Server: s, amendments: s.Amendments()}
	if answersHomeserver {
		l.internal = s.Internal()
	}
	return l
}

// ServeHTTP answers a request that has no path.
func (l frontLogin) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.Handler().ServeHTTP(w, r) }

// Operation says what a request means and who answers it.
func (l frontLogin) Operation(method, path, token string) front.Operation {
	if l.internal != nil && (path == handlers.IntrospectPath || path == handlers.DiscoveryPath) {
		return front.Operation{Path: path, Handler: l.internal}
	}
	op := front.Operation{Path: l.Name(path)}
	if l.Mine(op.Path) && (token == "" || !l.Through(method, op.Path, token)) {
		op.Handler = l.Handler()
	}
	if op.Amend = l.amendments[method+" "+op.Path]; op.Amend == nil {
		op.Amend = l.amendments[method+" "+op.Path[:strings.LastIndexByte(op.Path, '/')+1]]
	}
	switch method + " " + op.Path {
	case "GET /_matrix/client/v3/capabilities":
		op.Edit = l.AmendCapabilities
	case "GET /.well-known/matrix/client":
		op.Edit = l.AmendWellKnown
	}
	return op
}

// RefuseEnded refuses a token whose session has ended.
func (l frontLogin) RefuseEnded(w http.ResponseWriter, r *http.Request, token string) bool {
	return l.Ended(w, r, token)
}

// AnnounceDevice queues the device of a token to be announced to the homeserver again.
func (l frontLogin) AnnounceDevice(r *http.Request, token string) { l.Disowned(r, token) }
