package importer

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postern/db"
	"postern/homeserver/imported"
)

func milli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func withSessions(c Config) Config { c.Sessions = true; return c }

// token is what is read of a token; a spent one is a refresh token whose successor was used.
func token(text string, refresh, spent bool, expires time.Time) imported.Token {
	if spent {
		expires = expired
	}
	return imported.Token{Hash: sha256.Sum256([]byte(text)), Refresh: refresh, Expires: expires}
}

// fromSessions is what comes of testdata/synapse-sessions.rows.sql.
var fromSessions = map[string][]imported.Device{
	"@alice:example.org": {
		{DeviceID: "IDLE"},
		{DeviceID: "PHONE", DisplayName: "her phone", Seen: db.Seen{At: milli(1577836801123), Addr: "192.0.2.1", Agent: "Element"}, Expires: milli(2000000000000), Tokens: []imported.Token{
			token("syt_3", false, false, milli(1800000000000)), token("syt_2", false, false, milli(1700000000000)),
			token("syr_3", true, false, milli(1900000000000)), token("syr_2", true, true, time.Time{})}},
	},
	"@admin:example.org": {
		// The answer with 13 was lost, so 12 is good as well.
		{DeviceID: "LOST", Tokens: []imported.Token{token("syt_13", false, false, milli(1800000000000)), token("syr_13", true, false, time.Time{}), token("syr_12", true, false, time.Time{})}, Unlisted: true},
		{DeviceID: "UNLISTED", Tokens: []imported.Token{token("MDAxOGxvY2F0aW9u", false, false, time.Time{})}, Unlisted: true},
	},
	"@staff:example.org": {
		{DeviceID: "CHAIN", Tokens: []imported.Token{token("syt_23", false, false, milli(1800000000000)), token("syr_23", true, false, time.Time{}),
			token("syr_22", true, false, time.Time{}), token("syr_21", true, true, time.Time{})}, Unlisted: true},
	},
}

// wantSessions reads a source and compares; in which order an engine gives the tokens is its own affair.
func wantSessions(t *testing.T, c Config) {
	t.Helper()
	got, err := Read(t.Context(), withSessions(c))
	if err != nil {
		t.Fatal(err)
	}
	order := cmpopts.SortSlices(func(a, b imported.Token) bool { return string(a.Hash[:]) < string(b.Hash[:]) })
	if diff := cmp.Diff(fromSessions, got.Devices, order); diff != "" {
		t.Error(diff)
	}
	skipped := map[string]int{skippedPuppet: 1, skippedNoDevice: 1, skippedNoAccount: 2}
	if diff := cmp.Diff(skipped, got.Skipped); diff != "" || got.Kind != Synapse ||
		len(got.Accounts) != len(fromSynapse) {
		t.Errorf("%s, %d accounts, skipped %s", got.Kind, len(got.Accounts), diff)
	}
}

func TestSessionsSQLite(t *testing.T) {
	t.Parallel()
	wantSessions(t, config(file(t, "synapse.sqlite.sql", "synapse.rows.sql", "synapse-sessions.sqlite.sql",
		"synapse-sessions.rows.sql")))
}

// TestSessionsOfOldSynapse: tables and columns that came later, and the refresh tokens of 2016, which were others.
func TestSessionsOfOldSynapse(t *testing.T) {
	t.Parallel()
	c := config(file(t, "synapse.sqlite.sql", "synapse.rows.sql",
		`CREATE TABLE access_tokens (id INTEGER PRIMARY KEY, user_id TEXT, device_id TEXT, token TEXT)`,
		`CREATE TABLE devices (user_id TEXT, device_id TEXT, display_name TEXT)`,
		`CREATE TABLE refresh_tokens (id INTEGER PRIMARY KEY, token TEXT, user_id TEXT)`,
		`INSERT INTO access_tokens VALUES (1, '@alice:example.org', 'PHONE', 'old')`,
		`INSERT INTO devices VALUES ('@alice:example.org', 'PHONE', 'her phone')`,
		`INSERT INTO refresh_tokens VALUES (1, 'older', '@alice:example.org')`))
	got, err := Read(t.Context(), withSessions(c))
	want := []imported.Device{{DeviceID: "PHONE", DisplayName: "her phone",
		Tokens: []imported.Token{token("old", false, false, time.Time{})}}}
	if diff := cmp.Diff(want, got.Devices["@alice:example.org"]); diff != "" || err != nil {
		t.Error(diff, err)
	}
	got, err = Read(t.Context(), withSessions(config(file(t, "synapse.sqlite.sql", "synapse.rows.sql"))))
	if len(got.Devices) != 0 || err != nil {
		t.Errorf("without the tables: %v, %v", got.Devices, err)
	}
}

// TestSessionsWithStrangeIDs leaves a device behind that not every database can hold, and brings the others.
func TestSessionsWithStrangeIDs(t *testing.T) {
	t.Parallel()
	got, err := Read(t.Context(), withSessions(config(file(t, "synapse.sqlite.sql", "synapse.rows.sql",
		`CREATE TABLE access_tokens (id INTEGER PRIMARY KEY, user_id TEXT, device_id TEXT, token TEXT)`,
		`CREATE TABLE devices (user_id TEXT, device_id TEXT, display_name TEXT)`,
		`INSERT INTO access_tokens VALUES (1, '@alice:example.org', 'PHONE', 'old')`,
		`INSERT INTO access_tokens VALUES (2, '@alice:example.org', CAST(x'610062' AS TEXT), 'older')`,
		`INSERT INTO devices VALUES ('@alice:example.org', CAST(x'61ff' AS TEXT), 'her tablet')`))))
	if err != nil {
		t.Fatal(err)
	}
	if d := got.Devices["@alice:example.org"]; len(d) != 1 || d[0].DeviceID != "PHONE" {
		t.Errorf("got %+v", d)
	}
	if diff := cmp.Diff(map[string]int{skippedNoText: 2}, got.Skipped); diff != "" {
		t.Error(diff)
	}
}

func TestSessionsOfOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{csvFile(t, "user,password_hash\n"),
		config(file(t, "dendrite.sqlite.sql", "dendrite.rows.sql"))} {
		if _, err := Read(t.Context(), withSessions(c)); err == nil || !strings.Contains(err.Error(), "ynapse") {
			t.Error(err)
		}
	}
}
