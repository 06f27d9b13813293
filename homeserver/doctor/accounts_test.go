package doctor

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
	"postern/homeserver/importer"
)

// TestCompare: accounts and devices of one side only, and what is not worth a word.
func TestCompare(t *testing.T) {
	t.Parallel()
	set := func(names ...string) map[string]bool {
		all := make(map[string]bool)
		for _, name := range names {
			all[name] = true
		}
		return all
	}
	there := importer.Census{Users: []string{"alice", "bob"}, All: set("alice", "bob", "guest"),
		Devices: set("alice PHONE", "guest WEB")}
	accounts := map[string]bool{"alice": false, "bob": false}
	for name, test := range map[string]struct {
		deactivated map[string]bool
		devices     map[string]bool
		want        string
	}{
		"alike":              {accounts, set("alice PHONE"), "ok 2 accounts and 1 device are the same on both sides\n"},
		"one is not here":    {map[string]bool{"alice": false}, set("alice PHONE"), "warn 1 account (bob) only at Synapse: nobody logs in to it at Postern\n"},
		"one is closed here": {map[string]bool{"alice": false, "bob": true}, set("alice PHONE"), "warn 1 account (bob) deactivated at Postern and open at Synapse\n"},
		"some are only here": {map[string]bool{"alice": false, "bob": false, "d": false, "c": false, "f": false, "e": false, "gone": true},
			set("alice PHONE"), "warn 4 accounts (c, d, e and 1 more) only at Postern\n"},
		"a device only here":    {accounts, set("alice PHONE", "bob WEB"), "warn 1 device (bob WEB) only at Postern: Synapse does not answer them\n"},
		"a device only there":   {accounts, set(), "warn 1 device (alice PHONE) only at Synapse: their users log in again, on the same device\nok 2 accounts and 0 devices are the same on both sides\n"},
		"who was a guest there": {map[string]bool{"alice": false, "bob": false, "guest": false}, set("alice PHONE", "guest WEB"), "ok 2 accounts and 2 devices are the same on both sides\n"},
	} {
		x := &examination{}
		x.section("test")
		if x.compare(there, population{test.deactivated, test.devices}); x.found() != test.want {
			t.Errorf("%s: %s", name, x.found())
		}
	}
}

// TestAccounts: the order in which it gives up.
func TestAccounts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "homeserver.db")
	x := examined(t, "server_name: a.org\ndatabase: {name: sqlite3, args: {database: homeserver.db}}\n")
	if x.accounts(t.Context()); !strings.Contains(x.found(),
		"database.args.database homeserver.db is not a whole path") {
		t.Error(x.found())
	}
	config := "server_name: a.org\ndatabase: {name: sqlite3, args: {database: " + path + "}}\n"
	x = examined(t, config)
	if x.accounts(t.Context()); !strings.Contains(x.found(), "there is no file "+path) {
		t.Error(x.found())
	}
	synapse(t, path)
	x = examined(t, config)
	x.Database = "postern.db"
	if x.accounts(t.Context()); x.found() !=
		"ok Synapse has SQLite, and may keep it\nwarn Postern has no database at postern.db\n" {
		t.Error(x.found())
	}
	x.section("moved out")
	x.DB, x.MovedOut = dbtest.New(t), errors.New("it was moved out of")
	if x.accounts(t.Context()); !strings.HasSuffix(x.found(), "warn it was moved out of\n") {
		t.Error(x.found())
	}
	x.section("there")
	x.MovedOut = nil
	alice := db.User{Localpart: "alice", PasswordHash: "!", Created: time.Now()}
	if err := x.DB.CreateUser(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	if x.accounts(t.Context()); !strings.HasSuffix(x.found(),
		"ok 1 account and 0 devices are the same on both sides\n") {
		t.Error(x.found())
	}
}

// synapse makes a database like Synapse's, with alice.
func synapse(t *testing.T, path string) {
	t.Helper()
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.ExecContext(t.Context(), `CREATE TABLE users (name TEXT, password_hash TEXT, creation_ts BIGINT);
		INSERT INTO users VALUES ('@alice:a.org', NULL, 1577836801)`); err != nil {
		t.Fatal(err)
	}
}

// TestSomeSession: a token for Postern's own admin API is none that Synapse knows, though it was used last.
func TestSomeSession(t *testing.T) {
	t.Parallel()
	x := examined(t, "server_name: a.org\n")
	x.DB = dbtest.New(t)
	now := time.Now()
	err := errors.Join(x.DB.AddRootKey(t.Context(), db.RootKey{ID: 1, Wrapped: []byte("x"), Created: now}),
		x.DB.CreateUser(t.Context(), db.User{Localpart: "alice", PasswordHash: "!", Created: now}))
	for i, scope := range []string{"", db.ScopeAdmin} {
		_, wrong := x.DB.StartSession(t.Context(), db.Login{ID: "s" + scope, Localpart: "alice", PasswordHash: "!",
			DeviceID: "D" + scope, At: now, KeyID: 1, Bot: scope != "", Scope: scope,
			Seen: db.Seen{At: now.Add(time.Duration(i) * time.Second)}})
		err = errors.Join(err, wrong)
	}
	if s, wrong := x.someSession(t.Context()); s.ID != "s" || errors.Join(err, wrong) != nil {
		t.Errorf("%q, %v", s.ID, errors.Join(err, wrong))
	}
}
