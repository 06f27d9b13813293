// Package pgbouncer gives tests a real PgBouncer, Debian's, in front of a PostgreSQL: on a Unix socket in a temporary
// folder, until the test ends.
//
// Where there is none, the test is skipped, loudly; with TEST_PGBOUNCER=required it fails, so that a gate cannot miss
// it. With TEST_PGBOUNCER=off it is always skipped.
package pgbouncer

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/postgres"
	"postern/test/rig/safe"
)

// The ways in which sessions of the server are given to clients.
const (
	Transaction = "transaction" // for one transaction: the next one may have another session
	Session     = "session"     // for as long as the client is connected
)

const program = "/usr/sbin/pgbouncer"

// wanted skips the test where no PgBouncer is wanted, or none is installed.
func wanted(t testing.TB) {
	t.Helper()
	if os.Getenv("TEST_PGBOUNCER") == "off" {
		t.Skip("TEST_PGBOUNCER=off")
	}
	if _, err := os.Stat(program); err == nil {
		return
	}
	const missing = "NO PGBOUNCER: apt-get install pgbouncer"
	if os.Getenv("TEST_PGBOUNCER") == "required" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// Start puts one in front of the server at an address, with so many sessions at most for each user of a database, and
// with more lines of configuration. It lets everybody in whom the server knows.
func Start(t testing.TB, server, mode string, sessions int, more ...string) string {
	t.Helper()
	wanted(t)
	at, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "postern-pgb-") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	user := at.User.Username() + at.Query().Get("user")
	configuration := fmt.Sprintf(`[databases]
* = host=%s port=%s auth_user=%s
[pgbouncer]
unix_socket_dir = %s
listen_port = 6432
auth_type = trust
auth_file = %[4]s/users
auth_query = SELECT rolname, '' FROM pg_catalog.pg_roles WHERE rolname = $1
pool_mode = %s
default_pool_size = %d
max_client_conn = 900
server_idle_timeout = 5
server_login_retry = 1
query_wait_timeout = 10
server_round_robin = 1
%s
`, at.Query().Get("host"), or(at.Query().Get("port"), "5432"), user, dir, mode, sessions, strings.Join(more, "\n"))
	file := filepath.Join(dir, "pgbouncer.ini")
	users := fmt.Sprintf("%q \"\"\n", user)
	for name, text := range map[string]string{file: configuration, filepath.Join(dir, "users"): users} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, file)
	address := url.URL{Scheme: "postgres", Path: at.Path,
		RawQuery: url.Values{"host": {dir}, "port": {"6432"}, "user": {user}}.Encode()}
	return address.String()
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// run starts it and waits until it listens.
func run(t testing.TB, dir, file string) {
	t.Helper()
	var log safe.Buffer
	c := exec.Command(program, file)
	c.SysProcAttr, c.Stdout, c.Stderr, c.Dir = postgres.Owner(t, dir), &log, &log, dir
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // at once, without waiting for clients
		_ = c.Wait()
	})
	for range 300 {
		if _, err := os.Stat(filepath.Join(dir, ".s.PGSQL.6432")); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("pgbouncer does not answer\n%s", log.String())
}
