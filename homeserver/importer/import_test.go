package importer

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/db"
	"postern/db/dbtest"
	"postern/homeserver/imported"
)

// nowHere reads a Synapse's database with sessions and imports it; a nil database is a dry run's.
func nowHere(t *testing.T, d *db.DB, path string, o Options) Result {
	t.Helper()
	contents, err := Read(t.Context(), withSessions(config(path)))
	if err != nil {
		t.Fatal(err)
	}
	o.Now = milli(1790000000000)
	var done []int
	o.Progress = func(n, of int) { done = append(done, n) }
	result, err := Import(t.Context(), d, contents, o)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(contents.Accounts); len(done) != (n+importBatch-1)/importBatch || done[len(done)-1] != n {
		t.Errorf("of %d accounts progress shows %v", n, done)
	}
	return result
}

// TestImport: what a dry run foresees happens, a second time nothing does, and what has changed there follows.
func TestImport(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	path := file(t, "synapse.sqlite.sql", "synapse.rows.sql", "synapse-sessions.sqlite.sql",
		"synapse-sessions.rows.sql")
	foreseen := nowHere(t, nil, path, Options{DryRun: true})
	if diff := cmp.Diff(foreseen, nowHere(t, d, path, Options{DryRun: true})); diff != "" {
		t.Errorf("with a database it foresees otherwise: %s", diff)
	}
	if users, err := d.Users(t.Context()); err != nil || len(users) > 0 {
		t.Errorf("a dry run wrote %v %v", users, err)
	}
	done := nowHere(t, d, path, Options{})
	if diff := cmp.Diff(foreseen, done); diff != "" {
		t.Errorf("foreseen was otherwise: %s", diff)
	}
	want := []Row{{"added", "", 4}, {"added", "deactivated", 2}, {"added", "locked", 2}, {"added", "no password", 1}}
	if got := done.Accounts[:len(want)]; !slices.Equal(got, want) || done.Passwordless != 1 {
		t.Errorf("%v, %d without a password", got, done.Passwordless)
	}
	sessions := []Row{{"added", "", 4}, {"added", "no token in use: listed until somebody logs in on it", 1},
		{"skipped", skippedNoAccount, 2}, {"skipped", skippedPuppet, 1}, {"skipped", skippedNoDevice, 1}}
	if !slices.Equal(done.Sessions, sessions) {
		t.Errorf("%v", done.Sessions)
	}
	if again := nowHere(t, d, path, Options{}); !slices.Contains(again.Accounts, Row{"skipped", alreadyHere, 9}) {
		t.Errorf("again: %v", again.Accounts)
	}
	since := nowHere(t, d, path, Options{SinceLast: true})
	if !slices.Contains(since.Accounts, Row{"unchanged", "", 9}) ||
		!slices.Contains(since.Sessions, Row{"unchanged", "", 5}) {
		t.Errorf("since the last: %v %v", since.Accounts, since.Sessions)
	}
}

// TestImportWithoutSinceLast: a later import counts what has changed there since the first and is not brought, changes
// nothing of it, and foresees exactly what SinceLast brings then.
func TestImportWithoutSinceLast(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	path := file(t, "synapse.sqlite.sql", "synapse.rows.sql", "synapse-sessions.sqlite.sql",
		"synapse-sessions.rows.sql")
	nowHere(t, d, path, Options{})
	change(t, path, `INSERT INTO access_tokens (id, user_id, device_id, token) VALUES (101, '@alice:example.org', 'TABLET', 'syt_new');
		INSERT INTO devices (user_id, device_id, display_name) VALUES ('@alice:example.org', 'TABLET', 'new');
		UPDATE access_tokens SET token = 'syt_other' WHERE device_id = 'UNLISTED';
		DELETE FROM access_tokens WHERE device_id = 'CHAIN';
		DELETE FROM refresh_tokens WHERE device_id = 'CHAIN';
		UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE name = '@admin:example.org')
			WHERE name = '@sso:example.org';
		UPDATE users SET locked = TRUE, admin = 1 - admin WHERE name = '@alice:example.org'`)
	before, err := imported.Marks(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	again := nowHere(t, d, path, Options{})
	after, err := imported.Marks(t.Context(), d)
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("it changed something: %s %v", diff, err)
	}
	for _, want := range []Row{{notBrought, "begun there since the last import", 1}, {"unchanged", "", 3},
		{notBrought, "refreshed or renamed there, or logged in again", 1}, {notBrought, "logged out there", 1}} {
		if !slices.Contains(again.Sessions, want) {
			t.Errorf("no %v in %v", want, again.Sessions)
		}
	}
	if !slices.Contains(again.Notable,
		Outcome{"@alice:example.org", notBrought, "locked, admin there since it came"}) ||
		!slices.Contains(again.Notable, Outcome{"@sso:example.org", notBrought, "password there since it came"}) ||
		again.Left != 6 {
		t.Errorf("%d left: %v", again.Left, again.Notable)
	}
	since := nowHere(t, d, path, Options{SinceLast: true})
	for _, want := range []Row{{"added", "", 1}, {"unchanged", "", 3},
		{"replaced", "refreshed or renamed there, or logged in again", 1}, {"ended", "logged out there", 1}} {
		if !slices.Contains(since.Sessions, want) {
			t.Errorf("since the last no %v in %v", want, since.Sessions)
		}
	}
	if last := nowHere(t, d, path, Options{}); last.Left != 0 {
		t.Errorf("after it %d left: %v", last.Left, last.Notable)
	}
}

// TestImportOfSessionsLater: who came without sessions gets them at a later import, which is no change there.
func TestImportOfSessionsLater(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	path := file(t, "synapse.sqlite.sql", "synapse.rows.sql", "synapse-sessions.sqlite.sql",
		"synapse-sessions.rows.sql")
	contents, err := Read(t.Context(), config(path))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Now: milli(1790000000000), Progress: func(int, int) {}}
	if _, err := Import(t.Context(), d, contents, o); err != nil {
		t.Fatal(err)
	}
	with := nowHere(t, d, path, Options{})
	if with.Left != 0 || !slices.Contains(with.Sessions, Row{"added", "", 4}) {
		t.Errorf("%d left, %v", with.Left, with.Sessions)
	}
}

// change runs a script on a source.
func change(t *testing.T, path, script string) {
	t.Helper()
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	run(t, d, script)
}

// TestImportGoesOn: more accounts than one transaction takes, and one that is here already.
func TestImportGoesOn(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if err := d.CreateUser(t.Context(), db.User{Localpart: "user7", PasswordHash: "!",
		Created: time.Now()}); err != nil {
		t.Fatal(err)
	}
	text := "user,password_hash\n"
	for n := range 2*importBatch + 1 {
		text += fmt.Sprintf("user%d,%s\n", n, byDendrite)
	}
	contents, err := Read(t.Context(), csvFile(t, text))
	if err != nil {
		t.Fatal(err)
	}
	result, err := Import(t.Context(), d, contents, Options{Now: time.Now(), Progress: func(int, int) {}})
	want := []Row{{"added", "", 2 * importBatch}, {"skipped", alreadyHere, 1}}
	if err != nil || !slices.Equal(result.Accounts, want) || len(result.Sessions) > 0 {
		t.Errorf("%+v %v", result, err)
	}
	if !slices.Equal(result.Notable, []Outcome{{"@user7:example.org", "skipped", alreadyHere}}) {
		t.Errorf("%v", result.Notable)
	}
}

func TestMovedOut(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if since, err := MovedOut(t.Context(), d); since != "" || err != nil {
		t.Errorf("%q %v", since, err)
	}
	if err := MarkMovedOut(t.Context(), d, time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if since, err := MovedOut(t.Context(), d); since != "2026-11-28T01:02:03Z" || err != nil {
		t.Errorf("%q %v", since, err)
	}
}

// TestOutcome: what is said of an account, and whether a person should look at it.
func TestOutcome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		account   Account
		did, left imported.Arrived
		what, why string
		notable   bool
	}{
		{Account{Hash: "x"}, imported.Arrived{Added: true}, imported.Arrived{}, "added", "", false},
		{Account{Skip: "guest"}, imported.Arrived{}, imported.Arrived{}, "skipped", "guest", true},
		{Account{Hash: "x"}, imported.Arrived{}, imported.Arrived{}, "unchanged", "", false},
		{Account{Hash: "x"}, imported.Arrived{Changed: []string{"password", "locked"}}, imported.Arrived{}, "changed", "password, locked", true},
		{Account{Deactivated: true}, imported.Arrived{Added: true}, imported.Arrived{}, "added", "deactivated", false},
		{Account{Locked: true}, imported.Arrived{Added: true}, imported.Arrived{}, "added", "locked", true},
		{Account{}, imported.Arrived{Added: true}, imported.Arrived{}, "added", "no password", true},
		{Account{Skip: alreadyHere}, imported.Arrived{}, imported.Arrived{Changed: []string{"password"}}, notBrought, "password there since it came", true},
	} {
		if what, why, notable := outcome(test.account, test.did, test.left); what != test.what || why != test.why ||
			notable != test.notable {
			t.Errorf("%+v %+v: %q %q %t", test.account, test.did, what, why, notable)
		}
	}
}

// TestClassify: which sessions live, and when their access tokens end.
func TestClassify(t *testing.T) {
	t.Parallel()
	now := milli(1790000000000)
	past, soon, late := now.Add(-time.Hour), now.Add(time.Hour), now.Add(2*time.Hour)
	for name, test := range map[string]struct {
		tokens            []imported.Token
		live, refreshable bool
		accessExpires     time.Time
	}{
		"no token":                     {nil, false, false, expired},
		"one for ever":                 {[]imported.Token{token("a", false, false, time.Time{})}, true, false, time.Time{}},
		"one for ever among others":    {[]imported.Token{token("a", false, false, time.Time{}), token("b", false, false, late)}, true, false, time.Time{}},
		"over":                         {[]imported.Token{token("a", false, false, past)}, false, false, past},
		"the one that lasts longest":   {[]imported.Token{token("a", false, false, late), token("b", false, false, soon)}, true, false, late},
		"over, but it can refresh":     {[]imported.Token{token("a", false, false, past), token("b", true, false, soon)}, true, true, past},
		"it can only refresh":          {[]imported.Token{token("b", true, false, time.Time{})}, true, true, expired},
		"a refresh token that is over": {[]imported.Token{token("b", true, false, past)}, false, true, expired},
		"one that is spent":            {[]imported.Token{token("b", true, true, late)}, false, true, expired},
	} {
		d := imported.Device{Tokens: test.tokens}
		if classify(&d, now); d.Live != test.live || d.Refreshable != test.refreshable ||
			!d.AccessExpires.Equal(test.accessExpires) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
