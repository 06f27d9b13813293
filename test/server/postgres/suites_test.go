// Package postgres runs the suites that prove the sessions and the server on SQLite once more on PostgreSQL.
package postgres

import (
	"os"
	"os/exec"
	"testing"

	"postern/test/rig/postgres"
)

// sameOnBoth are tests that no engine changes: what hashing takes, and what is known before a row is looked up.
const sameOnBoth = "TimeTellsNothing|LoginTimeOfMovers|StopwatchTells|RefusalsTakeAlike|JudgeSaysWhatTheServerDoes"

// TestSuites runs them as they are, but for the tests in sameOnBoth.
func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("runs three suites")
	}
	args := []string{"test", "-count=1", "-shuffle=on", "-timeout=15m", "-skip=" + sameOnBoth}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(t.Context(), "go",
		append(args, "postern/db/...", "postern/handlers", "postern/homeserver/outbox")...)
	cmd.Env = append(os.Environ(), "TEST_DB=postgres", "TEST_POSTGRES_URL="+postgres.URL(t))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
