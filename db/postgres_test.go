package db

import (
	"context"
	"database/sql"
	"fmt"
	"postern/test/rig/postgres"
	"strings"
	"testing"
)

// What every request does must find its row by an index, however many there are.
func TestQueryPlansOnPostgres(t *testing.T) {
	t.Parallel()
	_, _, shell := onPostgres(t)
	c, err := shell.Conn(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.ExecContext(bg, `SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan`); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]string{"session": sessionByID, "advance": advanceReturning, "remint": remint,
		"soften": soften, "note": noteUse, "end": endSession,
		"device": endDevice, "all": endSessions, "on device": sessionOnDevice, "user": findUser, "named": userNamed,
		"login token": findLoginToken} {
		if _, err := c.ExecContext(bg, `PREPARE "`+name+`" AS `+q); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		args := strings.TrimSuffix(strings.Repeat("NULL, ", strings.Count(argument(q), "$")), ", ")
		plan, err := planOf(c, `EXPLAIN EXECUTE "`+name+`" (`+args+`)`)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(plan, "Index") || strings.Contains(plan, "Seq Scan on sessions") ||
			strings.Contains(plan, "Seq Scan on users") {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}

// argument has one $ for each parameter of a statement.
func argument(q string) string {
	for n := 20; n > 0; n-- {
		if strings.Contains(q, fmt.Sprint("$", n)) {
			return strings.Repeat("$", n)
		}
	}
	return ""
}

func planOf(c *sql.Conn, q string) (string, error) {
	rows, err := c.QueryContext(context.Background(), q)
	if err != nil {
		return "", err
	}
	var plan strings.Builder
	err = each(rows, func(scan func(...any) error) error {
		var line string
		err := scan(&line)
		plan.WriteString(line + "\n")
		return err
	})
	return plan.String(), err
}

func TestPlaceTellsNoSecret(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u:hunter2@h:5433/d?sslmode=verify-full&sslpassword=hunter2&password=hunter2": "postgres://u@h:5433/d?sslmode=verify-full",
		"postgresql://h/d?user=u&password=hunter2&host=/run/pg":                                  "postgresql://h/d?host=/run/pg",
	} {
		if got := Place(dsn); got != want {
			t.Errorf("%s: %s", dsn, got)
		}
	}
	for _, dsn := range []string{"postgres://u:hunter2@h:port/d", "postgres://u:hunter2@127.0.0.1:1/d",
		"postgres://u:hunter2@h/d?sslmode=hunter"} {
		if _, err := Open(bg, Config{DSN: dsn}); err == nil || strings.Contains(err.Error(), "hunter2") ||
			strings.Contains(Place(dsn), "hunter2") {
			t.Errorf("%s: %v, %s", dsn, err, Place(dsn))
		}
	}
}

// TestExtensionsTables: what an extension of PostgreSQL brings does not make the database another program's; a table of
// anybody else's does.
func TestExtensionsTables(t *testing.T) {
	t.Parallel()
	if !postgres.Chosen() {
		t.Skip("only PostgreSQL has extensions: go test ./test/server/postgres runs this")
	}
	at := dsn(t)
	shell, err := sql.Open("pgx", postgres.Direct(t, at))
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	if _, err := shell.ExecContext(bg, `CREATE EXTENSION pg_stat_statements`); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := shell.ExecContext(bg, `DROP EXTENSION pg_stat_statements`); err != nil {
			t.Error(err)
		}
	}()
	open(t, Config{DSN: at})

	other := dsn(t)
	theirs, err := sql.Open("pgx", postgres.Direct(t, other))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if _, err := theirs.ExecContext(bg, `CREATE TABLE orders (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bg, Config{DSN: other}); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a table of another program's: %v", err)
	}
}
