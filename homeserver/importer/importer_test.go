package importer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	bySynapse  = "synapse$2b$04$if3L9.XnfzAEhT/YiYDPMuub7rrIrG.PnVbiMMskLxhoDwhIEy2KS"
	byDendrite = "$2a$04$0s2Apu5R0IeGKb7gAki0Q.01m6dt92aspLoaZRiORV2mL.eT7BUJe"
)

// config is that of the tests.
func config(from string) Config { return Config{From: from, ServerName: "example.org"} }

func second(n int) time.Time { return time.Date(2020, 1, 1, 0, 0, n, 0, time.UTC) }

// fromSynapse is what comes of testdata/synapse.rows.sql.
var fromSynapse = []Account{
	{Name: "@17:example.org", Localpart: "17", Created: second(5), Skip: "guest"},
	{Name: "@Bob Übel:example.org", Localpart: "Bob Übel", Hash: bySynapse},
	{Name: "@_irc_dave:example.org", Localpart: "_irc_dave", Created: second(6), Skip: "application service's user"},
	{Name: "@admin:example.org", Localpart: "admin", Hash: bySynapse, Created: second(0), Admin: true},
	{Name: "@alice:example.org", Localpart: "alice", Hash: bySynapse, Created: second(1)},
	{Name: "@bot:example.org", Localpart: "bot", Hash: bySynapse, Created: second(8), Skip: "bot"},
	{Name: "@carol:elsewhere.org", Localpart: "carol", Hash: bySynapse, Created: second(4), Skip: "another server's user"},
	{Name: "@gone:example.org", Localpart: "gone", Created: second(10), Deactivated: true},
	{Name: "@locked:example.org", Localpart: "locked", Hash: bySynapse, Created: second(12), Locked: true},
	{Name: "@odd:example.org", Localpart: "odd", Hash: "synapseplain text", Created: second(3), Skip: "unknown kind of password hash"},
	{Name: "@older:example.org", Localpart: "older", Created: second(11), Deactivated: true},
	{Name: "@sso:example.org", Localpart: "sso", Created: second(2)},
	{Name: "@staff:example.org", Localpart: "staff", Hash: bySynapse, Created: second(9)},
	{Name: "@support:example.org", Localpart: "support", Hash: bySynapse, Created: second(7), Skip: "support user"},
	{Name: "@waiting:example.org", Localpart: "waiting", Hash: bySynapse, Locked: true},
}

// fromDendrite is what comes of testdata/dendrite.rows.sql.
var fromDendrite = []Account{
	{Name: "@17:example.org", Localpart: "17", Created: second(3).Add(123e6), Skip: "guest"},
	{Name: "@_irc_dave:example.org", Localpart: "_irc_dave", Created: second(4).Add(123e6), Skip: "application service's user"},
	{Name: "@admin:example.org", Localpart: "admin", Hash: byDendrite, Created: second(0).Add(123e6)},
	{Name: "@alice:example.org", Localpart: "alice", Hash: byDendrite, Created: second(1).Add(123e6)},
	{Name: "@bob:elsewhere.org", Localpart: "bob", Hash: byDendrite, Created: second(2).Add(123e6), Skip: "another server's user"},
	{Name: "@gone:example.org", Localpart: "gone", Hash: byDendrite, Created: second(5).Add(123e6), Deactivated: true},
	{Name: "@passwordless:example.org", Localpart: "passwordless", Created: second(6).Add(123e6)},
}

// file makes a SQLite file from scripts.
func file(t *testing.T, scripts ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "homeserver.db")
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	run(t, d, scripts...)
	return path
}

// run runs files of testdata, or statements.
func run(t *testing.T, d *sql.DB, scripts ...string) {
	t.Helper()
	for _, script := range scripts {
		if strings.HasSuffix(script, ".sql") {
			text, err := os.ReadFile(filepath.Join("testdata", script))
			if err != nil {
				t.Fatal(err)
			}
			script = string(text)
		}
		if _, err := d.ExecContext(t.Context(), script); err != nil {
			t.Fatal(err)
		}
	}
}

// want reads a source and compares, in order of names: how an engine sorts is its own affair.
func want(t *testing.T, c Config, kind Kind, accounts []Account) {
	t.Helper()
	contents, err := Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	gotKind, got := contents.Kind, contents.Accounts
	slices.SortFunc(got, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	if diff := cmp.Diff(accounts, got); diff != "" || kind != gotKind {
		t.Errorf("%s, want %s:\n%s", gotKind, kind, diff)
	}
}

func TestSynapseSQLite(t *testing.T) {
	t.Parallel()
	c := config(file(t, "synapse.sqlite.sql", "synapse.rows.sql"))
	want(t, c, Synapse, fromSynapse)
	c.Format = Synapse
	want(t, c, Synapse, fromSynapse)
}

// TestOldSynapse: the first releases had fewer columns.
func TestOldSynapse(t *testing.T) {
	t.Parallel()
	c := config(file(t, `CREATE TABLE users(name TEXT, password_hash TEXT, creation_ts BIGINT, admin SMALLINT DEFAULT 0 NOT NULL, UNIQUE(name))`,
		`INSERT INTO users (name, password_hash, creation_ts) VALUES ('@alice:example.org', '`+
			strings.TrimPrefix(bySynapse, "synapse")+`', 1577836801)`))
	want(t, c, Synapse, fromSynapse[4:5])
}

func TestDendriteSQLite(t *testing.T) {
	t.Parallel()
	want(t, config(file(t, "dendrite.sqlite.sql", "dendrite.rows.sql")), Dendrite, fromDendrite)
	want(t, config(file(t, "dendrite-old.sqlite.sql")), Dendrite, []Account{fromDendrite[1], fromDendrite[3]})
}

// TestBesideWriter reads while Synapse has the file open in WAL mode, with a transaction in the log and another under
// way, and leaves the file as it was.
func TestBesideWriter(t *testing.T) {
	t.Parallel()
	path := file(t, "PRAGMA journal_mode = WAL", "synapse.sqlite.sql")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := sql.Open("sqlite", "file:"+path+"?_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	d.SetMaxOpenConns(1)
	defer d.Close()
	run(t, d, "synapse.rows.sql", "BEGIN IMMEDIATE", "DELETE FROM users")
	want(t, config(path), Synapse, fromSynapse)
	run(t, d, "ROLLBACK")
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file has changed: %v", err)
	}
}

// TestReadOnly: the source takes no writes, not even if somebody tried.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s, err := config(file(t, "synapse.sqlite.sql", "synapse.rows.sql")).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.tx.ExecContext(t.Context(), `DELETE FROM users`); err == nil {
		t.Error("the source was written")
	}
}

// TestImmutable: a file in WAL mode beside which nothing can be made, as on a read-only disk.
func TestImmutable(t *testing.T) {
	t.Parallel()
	path := file(t, "PRAGMA journal_mode = WAL", "synapse.sqlite.sql", "synapse.rows.sql")
	if err := os.Symlink("nowhere/nothing", path+"-shm"); err != nil { // stands in the way, for root too
		t.Fatal(err)
	}
	want(t, config(path), Synapse, fromSynapse)
	if err := os.WriteFile(path+"-wal", make([]byte, 64), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(t.Context(), config(path)); err == nil ||
		!strings.Contains(err.Error(), "homeserver's own user") {
		t.Errorf("with a log that cannot be read: %v", err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	synapse := file(t, "synapse.sqlite.sql", "synapse.rows.sql")
	elsewhere := config(synapse)
	elsewhere.ServerName = "localhost"
	as := func(path string, kind Kind) Config { c := config(path); c.Format = kind; return c }
	text := filepath.Join(t.TempDir(), "people.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("user,password_hash\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, words string
		config      Config
	}{
		{"nothing there", "there is no file", config(filepath.Join(t.TempDir(), "nothing.db"))},
		{"a folder", "is not a file", config(t.TempDir())},
		{"no database", "not a SQLite database; for a CSV file add --format csv", config(text)},
		{"an empty database", "synapse's table users, nor dendrite's table userapi_accounts", config(file(t, "VACUUM"))},
		{"somebody else's users", "has no accounts that can be read", config(file(t, `CREATE TABLE users (id INTEGER, password TEXT)`))},
		{"not a Dendrite database", "has not got dendrite's table userapi_accounts", as(synapse, Dendrite)},
		{"not a Synapse database", "has not got synapse's table users", as(file(t, "dendrite.sqlite.sql"), Synapse)},
		{"another server", `the accounts are of "example.org" and not of "localhost"; pass --server-name example.org`, elsewhere},
		{"a URL that is none", "postgres://user@host/synapse", config("postgres://[::1/synapse")},
		{"nobody listens", "check the URL", config("postgres://synapse:hunter2@127.0.0.1:1/synapse")},
		{"no CSV file", "name a CSV file", config("nowhere.csv")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(t.Context(), test.config)
			if err == nil || !strings.Contains(err.Error(), test.words) {
				t.Errorf("%v, want %q", err, test.words)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is told: %v", err)
			}
		})
	}
}

// TestLocked: who keeps the file to itself for longer than we wait is named as the reason.
func TestLocked(t *testing.T) {
	t.Parallel()
	path := file(t, "synapse.sqlite.sql")
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	d.SetMaxOpenConns(1)
	defer d.Close()
	run(t, d, "BEGIN EXCLUSIVE")
	c := config(path)
	c.timeout = 50 * time.Millisecond
	if _, err := Read(t.Context(), c); err == nil ||
		!strings.Contains(err.Error(), "another program keeps it locked") {
		t.Errorf("a locked file: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, config(file(t, "synapse.sqlite.sql", "synapse.rows.sql"))); !errors.Is(err,
		context.Canceled) {
		t.Error(err)
	}
}

// TestMany: what a large homeserver has is read in one go, soon.
func TestMany(t *testing.T) {
	t.Parallel()
	path := file(t, "synapse.sqlite.sql", fmt.Sprintf(`INSERT INTO users (name, password_hash, creation_ts)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
		SELECT '@user' || i || ':example.org', '%s', i FROM n`, strings.TrimPrefix(bySynapse, "synapse")))
	contents, err := Read(t.Context(), config(path))
	if err != nil || len(contents.Accounts) != 20000 {
		t.Errorf("%d accounts, %v", len(contents.Accounts), err)
	}
}
