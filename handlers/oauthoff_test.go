package handlers

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateOff = flag.Bool("update-off", false, "rewrite testdata/routes_off.txt")

// TestRoutesWithoutOAuth: without the OAuth 2.0 API nothing else is routed than before there was one.
// testdata/routes_off.txt was written by the last server that had it off by default; what they answer is in package
// cli's TestOAuthOff.
func TestRoutesWithoutOAuth(t *testing.T) {
	t.Parallel()
	var routes []string
	for _, r := range newSite(t).server.echo.Routes() {
		routes = append(routes, r.Method+" "+r.Path+"\n")
	}
	slices.Sort(routes)
	got := strings.Join(routes, "")
	const golden = "testdata/routes_off.txt"
	if *updateOff {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if diff := cmp.Diff(string(want), got); err != nil || diff != "" {
		t.Errorf("with --oauth off something else is routed: %v\n%s", err, diff)
	}
}
