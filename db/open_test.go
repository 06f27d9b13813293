package db

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	path := file(t)
	d := freshAt(t, Config{DSN: path})
	login(t, d, "one", "A")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{path, "file:" + path, "file://" + path, "sqlite:" + path, "sqlite://" + path} {
		d := open(t, Config{DSN: dsn})
		d.session(t, "one")
		if err := d.Ping(bg); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenMakesItForItsOwner(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	path := filepath.Join(t.TempDir(), "a ?%20#odd näme.db")
	d := freshAt(t, Config{DSN: path})
	login(t, d, "one", "A")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if fi, err := os.Stat(path + suffix); err != nil || fi.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, fi, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for dsn, says := range map[string]string{
		"":                         "no DSN",
		":memory:":                 "must be a file",
		"postgres://u@h:port/d":    "write it like postgres://",
		"postgres://127.0.0.1:1/d": "PostgreSQL does not answer",
		"postgres://127.0.0.1:1/d?default_query_exec_mode=bogus": "it is one of cache_statement, cache_describe",
		"mysql://h/d":                `unknown kind "mysql"`,
		"file:/tmp/x.db?mode=memory": "no parameters",
		"sqlite:":                    "must be a file",
		"file:/tmp/%zz":              "DSN",
	} {
		if _, err := Open(bg, Config{DSN: dsn}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", dsn, err, says)
		}
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	path := file(t)
	d := freshAt(t, Config{DSN: path})
	if _, err := rawOpen(t, d).ExecContext(bg,
		`INSERT INTO `+versionTable+` (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bg, Config{DSN: path}); !errors.Is(err, errNewer) || !strings.Contains(err.Error(), "9999") {
		t.Errorf("got %v", err)
	}
}

// A path mistyped must not turn the homeserver's database into ours.
func TestOpenRefusesAStrangersFile(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	path := file(t)
	other, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(bg,
		`CREATE TABLE users (name TEXT); CREATE TABLE schema_version (version INTEGER)`); err != nil {
		t.Fatal(err)
	}
	other.Close()
	before, _ := os.ReadFile(path)
	if _, err := Open(bg, Config{DSN: path}); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("got %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the file was changed")
	}
}

// Litestream has two tables in each file that it copies, and may have made them before we made ours.
func TestOpenTakesLitestreamsFile(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	path := file(t)
	other, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(bg, `CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
		CREATE TABLE _litestream_lock (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	d := open(t, Config{DSN: path})
	if err := d.SetSetting(bg, "any", "write"); err != nil {
		t.Error(err)
	}
}

func TestOpenAtTheSameTime(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	for range repeat(5, 2) {
		path := file(t)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				d, err := Open(bg, Config{DSN: path})
				if err != nil {
					t.Error(err)
					return
				}
				if err := d.SetSetting(bg, "any", "write"); err != nil {
					t.Error(err)
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

func BenchmarkOpen(b *testing.B) {
	path := file(b)
	open(b, Config{DSN: path})
	for b.Loop() {
		d, err := Open(bg, Config{DSN: path})
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// What every request does must find its row by an index, however many there are.
func TestQueryPlans(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := fresh(t)
	raw := rawOpen(t, d)
	for _, q := range append([]string{
		sessionByID, advanceReturning, remint, soften, noteUse, endSession, endDevice, endSessions, replace,
		sessionOnDevice, renameDevice, lockSessions, changePassword, rehash, findUser, userNamed,
		findLoginToken, forgetLoginToken,
		tokenValid, reserveToken, useToken, releaseToken, forgetToken,
		tidySessions, tidyEvents, tidyLoginTokens, tidyReservations, tidyInteractions, tidyClients, findClient,
		useClient, markClient, clientSessions, endClientSessions, crowdOutClients,
		findWaiting, takeWaiting, tidyWaiting, showWaiting,
		findInteraction, saveInteraction, renewInteraction, endInteraction, holdInteraction, forgetInteractions,
		crowdOutInteractions,
		countDeliveries, countAskers, countAsked, waitingDeliveries, nextDelivery, claimDeliveries, settleDelivery,
		retryDeliveries,
		releaseDeliveries, tidyDeliveries, findEmail, ownEmail, removeEmail, removeEmails,
		`SELECT ` + userColumns + ` FROM users WHERE localpart = $1`, sessionsAfter, sessionsOfAfter, countedUser,
		waitingAfter, eventDays,
	}, pageTexts()...) {
		args := make([]any, strings.Count(q, "$")+1)
		for i := range args {
			args[i] = 1
		}
		rows, err := raw.QueryContext(bg, "EXPLAIN QUERY PLAN "+q, args...)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		searches := 0
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(detail, "SCAN") && !strings.Contains(detail, "SCAN of_") ||
				q == findClient && strings.Contains(detail, "sessions") {
				t.Errorf("%s: %s", q, detail)
			}
			if strings.Contains(detail, " INDEX ") {
				searches++
			}
		}
		rows.Close()
		if searches == 0 {
			t.Errorf("%s: no index", q)
		}
	}
}

// pageTexts are the statements that give pages of accounts and events.
func pageTexts() (all []string) {
	add := func(query string, _ []any) { all = append(all, query) }
	for _, state := range []UserState{"", UserActive, UserLocked, UserDeactivated} {
		add(UserFilter{State: state, Part: "a"}.query("", 1))
	}
	add(UserFilter{Admin: true}.query("", 1))
	add(EventFilter{}.query(Event{}, 1))
	add(EventFilter{Localpart: "alice", Kinds: []string{"login"}}.query(Event{}, 1))
	add(EventFilter{Kinds: []string{"login", "replay"}}.query(Event{}, 1))
	return all
}

func TestPing(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	if err := d.Ping(bg); err != nil {
		t.Error(err)
	}
}

// SQLite follows a link before it names its other files; a stale index beside the link must not be taken for the real
// one.
func TestOpenThroughLink(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.db"), filepath.Join(dir, "link.db")
	d, err := Open(bg, Config{DSN: target})
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(target + "-shm")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Close(), os.Symlink(target, link), os.WriteFile(link+"-shm", index, 0o600)); err != nil {
		t.Fatal(err)
	}
	d, err = Open(bg, Config{DSN: link})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.CreateUser(bg, User{Localpart: "alice", PasswordHash: "hash", Created: t0}); err != nil {
		t.Fatal(err)
	}
	login(t, d, "one", "A")
	d.session(t, "one")
	other, err := Open(bg, Config{DSN: target})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.EndSession(bg, "one"), other.Close()); err != nil {
		t.Fatal(err)
	}
	gone(t, d, "one")
}
