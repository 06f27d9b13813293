package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Chosen says whether the tests of a package that knows both engines run on PostgreSQL this time: TEST_DB=postgres,
// with the server at TEST_POSTGRES_URL.
func Chosen() bool { return os.Getenv("TEST_DB") == "postgres" }

// Schema makes an empty schema at the server and gives its address. The schema is dropped when the test ends.
func Schema(t testing.TB, server string) string {
	t.Helper()
	return made(t, server, `CREATE SCHEMA %s`, `DROP SCHEMA %s CASCADE`, func(u *url.URL, name string) {
		q := u.Query()
		q.Set("search_path", `"`+name+`"`)
		u.RawQuery = q.Encode()
	})
}

// Database makes an empty database at the server and gives its address. The database is dropped when the test ends. It
// is for tests of what the server tidies: in a schema, a transaction of another test may keep it from that.
func Database(t testing.TB, server string) string {
	t.Helper()
	return made(t, server, `CREATE DATABASE %s`, `DROP DATABASE %s WITH (FORCE)`, func(u *url.URL, name string) {
		u.Path = "/" + name
	})
}

// made makes something of a name of its own, drops it when the test ends, and gives the server's address with it.
func made(t testing.TB, server, create, drop string, with func(u *url.URL, name string)) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	d, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "t_" + rand.Text()
	if _, err := d.ExecContext(t.Context(), fmt.Sprintf(create, `"`+name+`"`)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := d.ExecContext(context.Background(), fmt.Sprintf(drop, `"`+name+`"`)); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	with(u, name)
	return u.String()
}
