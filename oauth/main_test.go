package oauth

import (
	"os"
	"testing"

	"postern/test/rig/matrixtest"
)

// TestMain runs the tests, and then the check that every answer of the OAuth 2.0 API that the contract documents was
// seen.
func TestMain(m *testing.M) { os.Exit(matrixtest.Exercised(m.Run(), true)) }
