package front

import (
	"encoding/json"
	"net/http"
)

// Login is the login server, as far as the front needs it. Its methods may be called from any goroutine. Paths are
// always escaped as in the request, and without the query.
type Login interface {
	// ServeHTTP answers a request that has no path, and so is no operation: `OPTIONS *` and CONNECT.
	http.Handler

	// Operation says what a request means and who answers it. token is the access token that it bears, "" without one:
	// an application service's own token takes some operations to the homeserver that clients find here.
	Operation(method, path, token string) Operation

	// Exchange checks the access token of a request for a path and returns the token that the homeserver gets in its
	// place. ours is false for a token that is not Postern's, which is returned as it is. If the token is not good,
	// Exchange writes the refusal to w and ok is false.
	Exchange(w http.ResponseWriter, r *http.Request, path, token string) (plain string, ours, ok bool)

	// RefuseEnded reports whether the session of a token that was good has ended since or is locked, and writes the
	// refusal to w then. It is called before an answer is passed on that took long, such as a long poll's.
	RefuseEnded(w http.ResponseWriter, r *http.Request, token string) bool

	// Disowned looks into why the homeserver does not know the session of a good token: what it has not been told of it
	// is told, and what it does not have any more ends, which RefuseEnded tells then.
	Disowned(r *http.Request, token string)

	// Client returns the IP address of a client and the scheme that it used, "http" or "https".
	Client(r *http.Request) (addr, scheme string)
}

// Operation is a method and a path of an API, whatever release of the API the client wrote in the path.
type Operation struct {
	Path    string       // by its current name
	Handler http.Handler // answers it, and gets the request with Path as its path; nil: the homeserver answers

	// Amend gets the request before Handler or the homeserver, and passes it on by calling next, with another body if
	// it likes. It may be nil.
	Amend func(w http.ResponseWriter, r *http.Request, next http.Handler)

	// Edit changes the JSON object in a 200 answer of the homeserver. It may be nil.
	Edit func(object map[string]json.RawMessage)
}
