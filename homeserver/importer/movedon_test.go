package importer

import (
	"strings"
	"testing"

	"postern/db/dbtest"
)

// TestSourceMovesOn: tokens that Synapse gives after an import are noticed until they are brought, and an import that
// leaves them there does not make them forgotten. That tokens go is no news.
func TestSourceMovesOn(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if last, err := LastSource(t.Context(), d); last.From != "" || err != nil {
		t.Errorf("before: %+v %v", last, err)
	}
	path := file(t, "synapse.sqlite.sql", "synapse.rows.sql", "synapse-sessions.sqlite.sql",
		"synapse-sessions.rows.sql")
	news := func() string {
		t.Helper()
		last, err := LastSource(t.Context(), d)
		if err != nil || last.From != path {
			t.Fatal(last, err)
		}
		now, err := last.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return now.Since(last)
	}
	nowHere(t, d, path, Options{})
	change(t, path, `DELETE FROM access_tokens WHERE id = 8`)
	if got := news(); got != "" {
		t.Errorf("after the import: %s", got)
	}
	change(t, path, `INSERT INTO access_tokens (id, user_id, device_id, token)
		VALUES (101, '@alice:example.org', 'TABLET', 'syt_new');
		INSERT INTO refresh_tokens (id, user_id, device_id, token) VALUES (99, '@alice:example.org', 'TABLET', 'syr_new')`)
	const want = "access token 101, where 8 was the newest; refresh token 99, where 31 was the newest"
	if got := news(); got != want {
		t.Error(got)
	}
	nowHere(t, d, path, Options{SinceLast: true, DryRun: true})
	if nowHere(t, d, path, Options{}); news() != want {
		t.Errorf("an import that has left tokens there: %s", news())
	}
	if nowHere(t, d, path, Options{SinceLast: true}); news() != "" {
		t.Error("since the last: " + news())
	}
}

// TestPlace: what is written down of a source has no password, and is found from any folder.
func TestPlace(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"postgres://synapse:hush@db.example.org:5433/synapse?sslmode=require": "postgres://synapse@db.example.org:5433/synapse?sslmode=require",
		"postgres:///?dbname=synapse&password=hush&user=synapse":              "postgres:///?dbname=synapse&user=synapse",
		"postgres://%zz": "",
		"/a/b.db":        "/a/b.db",
	} {
		if got := (Config{From: from}).place(); got != want {
			t.Errorf("%s becomes %s", from, got)
		}
	}
	if got := (Config{From: "homeserver.db"}).place(); !strings.HasSuffix(got, "/homeserver/importer/homeserver.db") {
		t.Error(got)
	}
}
