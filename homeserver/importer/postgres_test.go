package importer

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"postern/test/rig/pgbouncer"
	"postern/test/rig/postgres"
)

// TestPostgres reads both programs' tables from a real server.
func TestPostgres(t *testing.T) {
	t.Parallel()
	server := postgres.URL(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	schema := func(name string, scripts ...string) string {
		run(t, admin, `DROP SCHEMA IF EXISTS `+name+` CASCADE`, `CREATE SCHEMA `+name)
		t.Cleanup(func() { _, _ = admin.Exec(`DROP SCHEMA ` + name + ` CASCADE`) })
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set("search_path", name)
		u.RawQuery = query.Encode()
		d, err := sql.Open("pgx", u.String())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		run(t, d, scripts...)
		return u.String()
	}
	synapse := schema("postern_synapse", "synapse.postgres.sql", "synapse.rows.sql")
	sessions := config(schema("postern_synapse_sessions", "synapse.postgres.sql", "synapse.rows.sql",
		"synapse-sessions.postgres.sql", "synapse-sessions.rows.sql"))
	wantSessions(t, sessions)
	wantCount(t, sessions)
	dendrite := schema("postern_dendrite", "dendrite.postgres.sql", "dendrite.rows.sql")
	want(t, config(synapse), Synapse, fromSynapse)
	want(t, config(dendrite), Dendrite, fromDendrite)

	for from, words := range map[string]string{
		schema("postern_empty"):                        "has no accounts that can be read",
		strings.Replace(synapse, "user=", "user=x", 1): "check the URL",
	} {
		if _, err := Read(t.Context(), config(from)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
	}
	s, err := config(synapse).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.tx.ExecContext(t.Context(), `DELETE FROM users`); err == nil ||
		!strings.Contains(err.Error(), "read-only transaction") {
		t.Errorf("writing the source: %v", err)
	}
}

// TestPgBouncer reads through a pooler, again and again: nothing of the last time may be in the way.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	server := postgres.URL(t)
	at := postgres.ByRole(t, server, pgbouncer.Start(t, server, pgbouncer.Transaction, 1))
	d, err := sql.Open("pgx", at)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	run(t, d, "synapse.postgres.sql", "synapse.rows.sql")
	for range 3 {
		want(t, config(at), Synapse, fromSynapse)
	}
}

// TestPostgresRights: a user who may not read the table is told what is missing.
func TestPostgresRights(t *testing.T) {
	t.Parallel()
	server := postgres.URL(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if !strings.Contains(server, "user=postern&") {
		t.Skip("makes roles only in a server of its own")
	}
	run(t, admin, "synapse.postgres.sql", `CREATE ROLE stranger LOGIN`)
	_, err = Read(t.Context(), config(strings.Replace(server, "user=postern", "user=stranger", 1)))
	if err == nil || !strings.Contains(err.Error(), "GRANT SELECT") {
		t.Errorf("without the right to read: %v", err)
	}
}
