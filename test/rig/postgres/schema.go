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

// Schema makes an empty schema at the server and gives its address. The schema is dropped when the test ends. With
// TEST_POSTGRES_POOLER, the address of a PgBouncer before that server, the address leads through it.
func Schema(t testing.TB, server string) string {
	t.Helper()
	if Pooled() {
		return ByRole(t, server, os.Getenv("TEST_POSTGRES_POOLER"))
	}
	return made(t, server, `CREATE SCHEMA %s`, `DROP SCHEMA %s CASCADE`, func(u *url.URL, name string) {
		q := u.Query()
		q.Set("search_path", `"`+name+`"`)
		u.RawQuery = q.Encode()
	})
}

// ByRole makes an empty schema at the server and a role that works in it, and gives its address at the pooler, which
// takes no search_path. Both are dropped when the test ends.
func ByRole(t testing.TB, server, pooler string) string {
	t.Helper()
	at := made(t, server, `CREATE ROLE %[1]s SUPERUSER LOGIN; CREATE SCHEMA %[1]s;
		ALTER ROLE %[1]s SET search_path = %[1]s`, `DROP SCHEMA %[1]s CASCADE; DROP ROLE %[1]s`,
		func(u *url.URL, name string) { u.User = url.User(name) })
	return as(t, pooler, at)
}

// Direct is the address, at the server itself, of what Schema made: for a shell, which may keep something in its
// session.
func Direct(t testing.TB, address string) string {
	t.Helper()
	if !Pooled() {
		return address
	}
	return as(t, URL(t), address)
}

// Pooled says whether Schema's addresses lead through a pooler.
func Pooled() bool { return os.Getenv("TEST_POSTGRES_POOLER") != "" }

// as is a server's address for the user of another address.
func as(t testing.TB, server, other string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	o, err := url.Parse(other)
	if err != nil {
		t.Fatal(err)
	}
	u.User = o.User
	q := u.Query()
	q.Del("user")
	u.RawQuery = q.Encode()
	return u.String()
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
