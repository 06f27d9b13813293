// Package page serves the spec lab in the browser, below /_postern/spec: the operations of the API with a try-it for
// each, marked real or answered from the spec, and the macaroon bench.
//
//	GET  /_postern/spec               the page
//	GET  /_postern/spec/assets/…      its style, its scripts and Swagger UI, which the binary carries
//	GET  /_postern/spec/openapi.json  the API as it is served now; with If-None-Match 304 until it changes
//	GET  /_postern/spec/admin.json    the admin API, which the page shows with ?api=admin
//	GET  /_postern/spec/password      the password of the account that `serve --dev` made, for this machine only
//	GET  /_postern/spec/requests.json the last hundred requests, or those after ?after=NUMBER, as a HAR 1.2
//	POST /_postern/spec/token         what a token says, what caveats make of it, which requests it opens
//
// # Laws
//
//   - No request leaves the machine. The page names no other host, and its Content-Security-Policy has the browser hold
//     it to that, whatever a spec's own text points at.
//   - The server keeps nothing of what is pasted, and logs nothing. A token that is judged is not noted as used.
//   - No other site's page can read or use any of this: there are no CORS headers, and the one POST wants a content
//     type that a form cannot send, and the same origin.
//
// A site that points its name at this machine (DNS rebinding) counts as the same origin. It finds nothing on the page:
// the spec is no secret, there are no cookies, and to ask about a token one must have it. So the page accepts any host
// name. The requests are other people's, and are given only at an address, at localhost or at the public URL's host;
// the development account's password only at a loopback address or at localhost, to this machine.
//
// # The files
//
// page.go has the routes and the headers, files.go serves what is embedded, requests.go the request log, password.go
// the development account's password. token.go answers the macaroon bench: describe.go explains what a token says,
// verdict.go why it opens a request or not.
package page

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"postern/tokens"
)

// Root is the path that everything of the page is at or below.
const Root = "/_postern/spec"

// Config is what the page shows.
type Config struct {
	// Document gives the API as it is served now: OpenAPI in JSON, in which each operation says in
	// x-postern-answered-by whether it is "real" or answered from the "spec". While the last save of the spec is
	// broken, x-postern-broken says why. It is called for each request, from many goroutines.
	Document func() string
	Admin    []byte // the admin API, in the same form
	// Judge reports whether the server would accept a token for a request. An error that is a fault of the token wraps
	// an error of package tokens; the page shows the text of any other (that the session has ended, say).
	Judge func(ctx context.Context, token string, want tokens.Type, r tokens.Request) (tokens.Claims, error)
	Now   func() time.Time
	// Password is that of the account that `serve --dev` made, or empty. The page writes it into the examples of the
	// spec where they have "example-password".
	Password string
	// Requests gives the requests after the one of a number, as a HAR.
	Requests func(after int) []byte
	// PublicURL is the server's; it may be empty. The requests are shown at its host too. When it is on the network the
	// password is not given.
	PublicURL string
}

// Handler serves the page. It answers 404 to paths that are not its own.
func Handler(c Config) http.Handler {
	files, bench := readFiles(), &bench{judge: c.Judge, now: c.Now}
	mux := http.NewServeMux()
	mux.Handle("GET "+Root, files["index.html"])
	mux.Handle("GET "+Root+"/{$}", http.RedirectHandler(Root, http.StatusMovedPermanently))
	mux.HandleFunc("GET "+Root+"/assets/{name}", func(w http.ResponseWriter, r *http.Request) {
		if f := files[r.PathValue("name")]; f != nil {
			f.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
	mux.Handle("GET "+Root+"/openapi.json", followed(c.Document))
	mux.Handle("GET "+Root+"/admin.json", newFile("admin.json", c.Admin))
	mux.HandleFunc("GET "+Root+"/password", c.servePassword)
	mux.HandleFunc("GET "+Root+"/requests.json", c.serveRequests)
	mux.HandleFunc("POST "+Root+"/token", bench.serve)
	return guarded(mux)
}

// followed serves a document that pages ask for again and again. Its ETag is computed once.
func followed(document func() string) http.Handler {
	type edition struct {
		text string
		*file
	}
	var last atomic.Pointer[edition]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now, e := document(), last.Load()
		if e == nil || e.text != now { // one string in one place costs no comparison
			e = &edition{now, newFile("openapi.json", []byte(now))}
			last.Store(e)
		}
		w.Header().Set("Cache-Control", "no-store")
		e.write(w, r)
	})
}

// policy lets the page run its own scripts and styles, ask its own server, and show the pictures that Swagger UI's
// style holds as data: addresses; nothing else. Content Security Policy Level 3, section 6.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"

// guarded puts on every answer, errors too, what keeps other sites out.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
