package oauth

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"postern/test/rig/matrixtest"
)

// TestMain runs the tests, and then the check that every answer of the OAuth 2.0 API that the contract documents was
// seen. A run of selected tests cannot tell.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	whole := true
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		whole = whole && flag.Lookup(name).Value.String() == ""
	}
	if missing := matrixtest.Missing(true); whole && code == 0 && len(missing) > 0 {
		fmt.Printf("contract: documented but never exercised: %q\n", missing)
		code = 1
	}
	os.Exit(code)
}
