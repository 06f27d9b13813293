// Package postgres runs the suites that prove the sessions and the server on SQLite once more on PostgreSQL, and
// some of them behind PgBouncer.
package postgres

import (
	"cmp"
	"os"
	"os/exec"
	"strings"
	"testing"

	"postern/test/rig/pgbouncer"
	"postern/test/rig/postgres"
)

// TestSuites runs them as they are, but for the tests that measure hashes, which no engine changes. What is above the
// session machine runs with few rounds and without the race detector: there the engine makes a difference to the
// statements alone.
func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suites of several packages")
	}
	var args []string
	if raceEnabled {
		args = strings.Fields(cmp.Or(os.Getenv("TEST_RACE"), "-race")) // as make says it
	}
	server := postgres.URL(t)
	run(t, server, "", append(args, "postern/db/...", "postern/handlers")...)
	t.Setenv("TEST_ROUNDS", "")
	run(t, server, "", "postern/homeserver", "postern/homeserver/outbox", "postern/homeserver/imported",
		"postern/oauth", "postern/mail", "postern/notify")
}

// TestSuitesBehindPgBouncer runs them with few rounds, where each transaction may have another session.
func TestSuitesBehindPgBouncer(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suites of several packages")
	}
	server := postgres.URL(t)
	run(t, server, pgbouncer.Start(t, server, pgbouncer.Transaction, 4), "-short", "postern/db", "postern/handlers")
}

func run(t *testing.T, server, pooler string, args ...string) {
	t.Helper()
	args = append([]string{"test", "-count=1", "-shuffle=on", "-timeout=15m"}, args...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "TEST_DB=postgres", "TEST_TIMING=off", "TEST_POSTGRES_URL="+server,
		"TEST_POSTGRES_POOLER="+pooler)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
