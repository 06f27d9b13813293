package mock

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// The headers of the mock server.
const (
	answeredBy = "Postern-Answered-By"
	filled     = "Postern-Filled"
	specPlace  = "Postern-Spec"
	statusAsk  = "Postern-Status"
)

// specHeaders are on every answer of the spec: the mock server's own, and those that Postern sets, so that a web client
// can call both. Client-Server API v1.19, "Web Browser Clients".
func specHeaders(h http.Header, place string) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// an example may be HTML, and the page's session is on this origin
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization")
	allowAsking(h)
	h.Set(answeredBy, "spec")
	h.Set(specPlace, place)
	expose(h, answeredBy, specPlace, "Retry-After")
}

// allowAsking lets web clients ask for a status where they may ask at all.
func allowAsking(h http.Header) { extend(h, "Access-Control-Allow-Headers", "Prefer", statusAsk) }

// expose lets web clients read headers.
func expose(h http.Header, names ...string) { extend(h, "Access-Control-Expose-Headers", names...) }

// extend adds to a header that is a list.
func extend(h http.Header, list string, names ...string) {
	have := h.Get(list)
	for _, name := range names {
		if !strings.Contains(strings.ToLower(", "+have+","), strings.ToLower(", "+name+",")) {
			have = strings.TrimPrefix(have+", "+name, ", ")
		}
	}
	h.Set(list, have)
}

// reserved are headers that an example may not set: those that frame the answer, which the mock server sets itself, and
// those that change what a browser does with this origin, where the page keeps its session.
var reserved = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Trailer",
	"Upgrade", "Date",
	"X-Content-Type-Options", "Content-Security-Policy", "Strict-Transport-Security", "Clear-Site-Data", "Set-Cookie",
	"Refresh", "Link",
	"Service-Worker-Allowed",
}

// mayDocument reports whether a header of an answer comes from the spec.
func mayDocument(name string) bool {
	key := http.CanonicalHeaderKey(name)
	return httpguts.ValidHeaderFieldName(name) && !slices.Contains(reserved, key) &&
		!strings.HasPrefix(key, "Access-Control-") && !strings.HasPrefix(key, "Postern-")
}
