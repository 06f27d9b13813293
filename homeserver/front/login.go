package front

import (
	"context"
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

	// Exchange checks the access token of a request for a path and says what the homeserver gets in its place. The
	// error is for Refuse.
	Exchange(r *http.Request, path, token string) (Pass, error)

	// Ended returns an error, for Refuse, if the session of a token that was good has ended since or is locked. It is
	// called before an answer is passed on that took long, such as a long poll's.
	Ended(r *http.Request, token string) error

	// Over returns those of the sessions of long polls that have ended or are locked. It is called every second while
	// there are any, with all of them at once.
	Over(ctx context.Context, sessions []string) ([]string, error)

	// Refuse answers a request with the error that its token got. It may take a moment, so that a client that repeats
	// itself is slowed down.
	Refuse(w http.ResponseWriter, r *http.Request, token string, err error)

	// Disowned looks into why the homeserver does not know the session of a good token: what it has not been told of it
	// is told, and what it does not have any more ends, which Ended tells then.
	Disowned(r *http.Request, token string)

	// Client returns the IP address of a client and the scheme that it used, "http" or "https".
	Client(r *http.Request) (addr, scheme string)
}

// Pass is what an access token is good for.
type Pass struct {
	Token   string // what the homeserver gets in its place; a token that is not Postern's stays as it is
	Session string // the session of a token that is Postern's; "" for any other
	Trusted bool   // the token is known to be good: it is Postern's, or an application service's
}

// Operation is a method and a path of an API, whatever release of the API the client wrote in the path.
type Operation struct {
	Path    string       // by its current name
	Handler http.Handler // answers it, and gets the request with Path as its path; nil: the homeserver answers
	Open    bool         // the homeserver needs no token for it; it gets none in place of one that is refused

	// Amend gets the request before Handler or the homeserver, and passes it on by calling next, with another body if
	// it likes. It may be nil.
	Amend func(w http.ResponseWriter, r *http.Request, next http.Handler)

	// Query changes the query that the homeserver gets, which begins with its question mark unless it is empty. It may
	// be nil.
	Query func(query string) string

	// Edit changes the JSON object in a 200 answer of the homeserver. It may be nil.
	Edit func(object map[string]json.RawMessage)
}
