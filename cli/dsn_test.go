package cli

import (
	"strings"
	"testing"
)

// TestDatabaseIsShownWithoutPassword: whichever way a password got into --db, nobody reads it in a log or an error.
func TestDatabaseIsShownWithoutPassword(t *testing.T) {
	t.Chdir(t.TempDir())
	for dsn, want := range map[string]string{
		"postern.db":                                            "postern.db",
		"/var/lib/a@b/postern.db":                               "/var/lib/a@b/postern.db",
		"sqlite:///var/lib/my%20own.db":                         "/var/lib/my own.db",
		"file:postern.db":                                       "postern.db",
		"postgres://me:hunter2@127.0.0.1:1/p?":                  "postgres://me@127.0.0.1:1/p",
		"postgres://me@127.0.0.1:1/p?password=hunter2":          "postgres://me@127.0.0.1:1/p",
		"postgresql://me:hunter2@127.0.0.1:1/p?sslmode=disable": "postgresql://me@127.0.0.1:1/p?sslmode=disable",
		"postgres://me:hunter2@[::1/p":                          "the database that --db names",
		"postgres://me:hunter2%zz@127.0.0.1:1/p":                "the database that --db names",
		"mysql://me:hunter2@127.0.0.1:1/p":                      "the database that --db names",
		"host=127.0.0.1 port=1 user=me password=hunter2":        "the database that --db names",
	} {
		if got := (&common{DB: dsn}).path(); got != want {
			t.Errorf("%s is shown as %q, not %q", dsn, got, want)
		}
		if strings.Contains(dsn, "hunter2") {
			keepsPassword(t, dsn)
		}
	}
}

// keepsPassword runs commands that cannot succeed, and reads what they say about it.
func keepsPassword(t *testing.T, dsn string) {
	t.Helper()
	own, other := newInstallation(t), &installation{TB: t, db: dsn}
	for _, run := range []func() (string, error){
		func() (string, error) { return other.command("", "serve", "--listen", "127.0.0.1:0") },
		func() (string, error) { return other.command("", "user", "list") },
		func() (string, error) { return other.command("secret", "user", "add", "alice", "--password-stdin") },
		func() (string, error) { return other.command("", "keys", "rotate") },
		func() (string, error) { return own.command("", "user", "import", dsn) },
	} {
		out, err := run()
		if err == nil {
			t.Errorf("with %s it works:\n%s", dsn, out)
		} else if strings.Contains(out+err.Error(), "hunter2") {
			t.Errorf("with %s it says %v\n%s", dsn, err, out)
		}
	}
}
