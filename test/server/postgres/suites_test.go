// Package postgres runs the suites that prove the sessions and the server on SQLite once more on PostgreSQL.
package postgres

import (
	"cmp"
	"os"
	"os/exec"
	"strings"
	"testing"

	"postern/test/rig/postgres"
)

// TestSuites runs them as they are, but for the tests that measure hashes, which no engine changes.
func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suites of several packages")
	}
	args := []string{"test", "-count=1", "-shuffle=on", "-timeout=15m"}
	if raceEnabled {
		args = append(args, strings.Fields(cmp.Or(os.Getenv("TEST_RACE"), "-race"))...) // as make says it
	}
	cmd := exec.CommandContext(t.Context(), "go",
		append(args, "postern/db/...", "postern/handlers", "postern/homeserver", "postern/homeserver/outbox",
			"postern/homeserver/imported", "postern/oauth")...)
	cmd.Env = append(os.Environ(), "TEST_DB=postgres", "TEST_TIMING=off", "TEST_POSTGRES_URL="+postgres.URL(t))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
