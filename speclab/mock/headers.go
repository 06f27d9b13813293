package mock

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// notTheSpecs are headers that an example may not set: those that frame the answer, which are the lab's to make, and
// those by which an answer tells a browser what to do with this origin, where the page keeps its session.
var notTheSpecs = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Trailer",
	"Upgrade", "Date",
	"X-Content-Type-Options", "Content-Security-Policy", "Strict-Transport-Security", "Clear-Site-Data", "Set-Cookie",
	"Refresh", "Link",
	"Service-Worker-Allowed",
}

// mayDocument reports whether a header of an answer comes from the spec.
func mayDocument(name string) bool {
	key := http.CanonicalHeaderKey(name)
	return httpguts.ValidHeaderFieldName(name) && !slices.Contains(notTheSpecs, key) &&
		!strings.HasPrefix(key, "Access-Control-") && !strings.HasPrefix(key, "Postern-")
}
