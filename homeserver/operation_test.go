package homeserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestOperation: an operation that is amended is found by its method and path, or as one segment below a path.
func TestOperation(t *testing.T) {
	t.Parallel()
	var got string
	amend := func(name string) Amendment {
		return func(http.ResponseWriter, *http.Request, http.Handler) { got = name }
	}
	l := newSiteBefore(t).gate
	l.amendments = map[string]Amendment{
		"POST /_matrix/client/v3/keys":       amend("keys"),
		"DELETE /_matrix/client/v3/devices/": amend("device"),
	}
	for request, want := range map[[2]string]string{
		{"POST", "/_matrix/client/v3/keys"}:              "keys",
		{"GET", "/_matrix/client/v3/keys"}:               "",
		{"POST", "/_matrix/client/v3/keys/X"}:            "",
		{"DELETE", "/_matrix/client/v3/devices/X%2Fx"}:   "device",
		{"DELETE", "/_matrix/client/v3/devices/X/x"}:     "",
		{"GET", "/_matrix/client/v3/devices/X"}:          "",
		{"DELETE", "/_matrix/client/v3/devices"}:         "",
		{"POST", "/_matrix/client/v3/capabilities"}:      "",
		{"GET", "/_matrix/client/v3/capabilities/below"}: "",
	} {
		got = ""
		op := l.Operation(request[0], request[1], "")
		if op.Amend != nil {
			op.Amend(httptest.NewRecorder(), nil, nil)
		}
		ours := strings.HasPrefix(request[1], devicesPath) && !strings.HasSuffix(request[1], "/x")
		if got != want || op.Edit != nil || (op.Handler != nil) != ours || op.Path != request[1] {
			t.Errorf("%s is amended by %q, want %q: %+v", request, got, want, op)
		}
	}
	for _, path := range []string{"/_matrix/client/v3/capabilities", "/.well-known/matrix/client"} {
		if l.Operation("GET", path, "").Edit == nil {
			t.Errorf("%s is not edited", path)
		}
	}
}
