package importer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"postern/db"
	"postern/db/dbtest"
)

// Synapse's and Dendrite's own tables, and what may be in them.
const (
	synapseEmails = `CREATE TABLE user_threepids (user_id TEXT NOT NULL, medium TEXT NOT NULL, address TEXT NOT NULL,
		validated_at BIGINT NOT NULL, added_at BIGINT NOT NULL, CONSTRAINT medium_address UNIQUE (medium, address));
	INSERT INTO user_threepids VALUES ('@alice:example.org', 'email', 'Alice@Example.org', 5000, 7000),
		('@alice:example.org', 'email', 'a@example.org', 1000, 9000), ('@alice:example.org', 'msisdn', '49123', 1, 2),
		('@staff:example.org', 'email', 'alice@example.org', 5000, 8000),
		('@staff:example.org', 'email', 'taken@example.org', 5000, 8000),
		('@staff:example.org', 'email', 'no address', 5000, 8000),
		('@gone:example.org', 'email', 'gone@example.org', 5000, 8000),
		('@nobody:example.org', 'email', 'nobody@example.org', 5000, 8000)`
	dendriteEmails = `CREATE TABLE userapi_threepids (threepid TEXT NOT NULL, medium TEXT NOT NULL DEFAULT 'email',
		localpart TEXT NOT NULL, server_name TEXT NOT NULL, PRIMARY KEY(threepid, medium));
	INSERT INTO userapi_threepids VALUES ('alice@example.org', 'email', 'alice', 'example.org'),
		('1', 'msisdn', 'alice', 'example.org'), ('bob@example.org', 'email', 'bob', 'elsewhere.org')`
	oldDendriteEmails = `CREATE TABLE account_threepid (threepid TEXT NOT NULL, medium TEXT NOT NULL DEFAULT 'email',
		localpart TEXT NOT NULL, PRIMARY KEY(threepid, medium));
	INSERT INTO account_threepid VALUES ('alice@example.org', 'email', 'alice')`
)

// addresses are those that an account has, with the seconds at which they were shown and added.
func addresses(t *testing.T, d *db.DB, localpart string) (all []string) {
	t.Helper()
	emails, err := d.Emails(t.Context(), localpart)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range emails {
		all = append(all, e.Address+" "+e.Validated.UTC().Format("05")+" "+e.Added.UTC().Format("05"))
	}
	return all
}

// TestEmails: addresses come along with their times, of two that are one here the older, and one that another account
// has here stays that one's, which the result says. A second import changes nothing; a later one brings what is new.
func TestEmails(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	made := db.User{Localpart: "made", PasswordHash: "x", Created: second(0)}
	if err := d.CreateUser(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	taken := db.Email{Address: "taken@example.org", Localpart: "made", Validated: second(0), Added: second(0)}
	if err := d.AddEmail(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	path := file(t, "synapse.sqlite.sql", "synapse.rows.sql", "synapse-sessions.sqlite.sql",
		"synapse-sessions.rows.sql", synapseEmails)
	foreseen, done := nowHere(t, d, path, Options{DryRun: true}), nowHere(t, d, path, Options{})
	without := Outcome{"@staff:example.org", "without", "the address taken@example.org, which another account has here"}
	for _, r := range []Result{foreseen, done} {
		if !slices.Contains(r.Notable, without) {
			t.Errorf("the result says %v", r.Notable)
		}
	}
	check := func(localpart string, want ...string) {
		t.Helper()
		if got := addresses(t, d, localpart); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", localpart, got, want)
		}
	}
	check("alice", "alice@example.org 05 07", "a@example.org 01 09")
	check("staff")
	check("gone")
	if events, err := d.Events(t.Context(), "alice", 10); err != nil || len(events) > 0 {
		t.Errorf("alice hears of %v, %v", events, err)
	}
	change(t, path, `INSERT INTO user_threepids VALUES ('@admin:example.org', 'email', 'admin@example.org', 5000, 8000)`)
	if err := d.RemoveEmail(t.Context(), "alice", "a@example.org"); err != nil {
		t.Fatal(err)
	}
	left := nowHere(t, d, path, Options{})
	if !slices.ContainsFunc(left.Notable, func(o Outcome) bool {
		return o.Name == "@admin:example.org" && o.What == notBrought && strings.HasPrefix(o.Why, "addresses")
	}) {
		t.Errorf("what is left: %v", left.Notable)
	}
	check("admin")
	for range 2 {
		nowHere(t, d, path, Options{SinceLast: true})
		check("admin", "admin@example.org 05 08")
		check("alice", "alice@example.org 05 07") // what was removed here stays so
	}
}

// TestEmailsOfDendrite: its table knows no times.
func TestEmailsOfDendrite(t *testing.T) {
	t.Parallel()
	for _, path := range []string{file(t, "dendrite.sqlite.sql", "dendrite.rows.sql", dendriteEmails),
		file(t, "dendrite-old.sqlite.sql", oldDendriteEmails)} {
		d := dbtest.New(t)
		contents, err := Read(t.Context(), config(path))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 1, 1, 0, 0, 3, 0, time.UTC)
		if _, err := Import(t.Context(), d, contents, Options{Now: now, Progress: func(int, int) {}}); err != nil {
			t.Fatal(err)
		}
		if got := addresses(t, d, "alice"); !slices.Equal(got, []string{"alice@example.org 03 03"}) {
			t.Errorf("alice has %q", got)
		}
	}
}
