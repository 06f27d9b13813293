package postgres_test

import (
	"os"
	"os/exec"
	"testing"

	"postern/test/rig/postgres"
)

// The suites that prove the sessions and the server on SQLite prove them on PostgreSQL too.
func TestSuites(t *testing.T) {
	if postgres.Chosen() {
		t.Skip("this runs them")
	}
	args := []string{"test", "-shuffle=on", "-timeout=9m"}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(t.Context(), "go",
		append(args, "postern/db/...", "postern/handlers", "postern/homeserver", "postern/homeserver/outbox",
			"postern/homeserver/imported")...)
	cmd.Env = append(os.Environ(), "TEST_DB=postgres", "TEST_POSTGRES_URL="+postgres.URL(t))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
