package db

import (
	"database/sql"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testdata/0001.sql is the database of the first release, as its program made and filled it. It is never changed: were
// it made anew, it would test nothing.
func old(t *testing.T) string {
	t.Helper()
	onSQLite(t) // the first release knew nothing else
	path := file(t)
	text, err := os.ReadFile("testdata/0001.sql")
	if err != nil {
		t.Fatal(err)
	}
	raw := rawFile(t, path)
	if _, err := raw.ExecContext(bg, string(text)); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func rawFile(t *testing.T, path string) *sql.DB {
	t.Helper()
	raw, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return raw
}

// schema is every table and index, as text.
func schema(t *testing.T, raw *sql.DB) map[string]string {
	t.Helper()
	all := make(map[string]string)
	rows, err := raw.QueryContext(bg, `SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL`)
	if err != nil {
		t.Fatal(err)
	}
	err = each(rows, func(scan func(...any) error) error {
		var name, text string
		err := scan(&name, &text)
		all[name] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A migration that was released is not edited any more, and those after it lead to the same schema from there as from
// nothing.
func TestMigrationsStand(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	raw := rawFile(t, file(t))
	p, err := provider(raw, &sqliteFile{}, ours(), versionTable)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(bg, 1); err != nil {
		t.Fatal(err)
	}
	path := old(t)
	if got, want := schema(t, raw), schema(t, rawFile(t, path)); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if got, want := schema(t, rawOpen(t, open(t, Config{DSN: path}))),
		schema(t, rawOpen(t, fresh(t))); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// Whoever was logged in before the update is logged in after it.
func TestMigrateFromFirst(t *testing.T) {
	t.Parallel()
	d := open(t, Config{DSN: old(t)})
	day := t0.Add(24 * time.Hour)
	users := []User{{Localpart: "alice", PasswordHash: "hash", Created: t0},
		{Localpart: "bob", PasswordHash: "his", Created: t0, Deactivated: day}}
	if got, err := d.Users(bg); err != nil || !cmp.Equal(got, users) {
		t.Errorf("%v, %s", err, cmp.Diff(users, got))
	}
	seen := Seen{At: t0, Addr: "192.0.2.1", Agent: "test"}
	phone := Session{ID: "phone", Localpart: "alice", DeviceID: "A", DisplayName: "Phone", Created: t0,
		Refreshable: true, Generation: 7, Oldest: 7,
		KeyID: 1, Minted: t0, AccessExpires: t0.Add(5 * time.Minute), Used: t0, SingleUse: true, State: Live,
		Seen: seen}
	tablet := Session{ID: "tablet", Localpart: "alice", DeviceID: "B", Created: t0, Expires: day, Generation: 1,
		Oldest: 1,
		KeyID:  1, Minted: t0, State: Soft, Seen: seen}
	if got, err := d.Sessions(bg, ""); err != nil || !cmp.Equal(got, []Session{phone, tablet}) {
		t.Errorf("%v, %s", err, cmp.Diff([]Session{phone, tablet}, got))
	}
	if got, err := d.RootKeys(bg); err != nil ||
		!cmp.Equal(got, []RootKey{{ID: 1, Wrapped: []byte("key"), Created: t0}}) {
		t.Errorf("keys: %v, %v", got, err)
	}
	if got, err := d.Events(bg, "alice", 10); err != nil || len(got) != 1 || got[0].Session != "tablet" {
		t.Errorf("events: %v, %v", got, err)
	}
	if got, err := d.NewDevices(bg, "alice", 10); err != nil || len(got) != 0 {
		t.Errorf("notices of what was before the update: %v, %v", got, err)
	}
	if got, err := d.Setting(bg, "server_name"); got != "example.org" || err != nil {
		t.Errorf("setting: %q, %v", got, err)
	}

	if s, err := d.AdvanceGeneration(bg, refresh("phone", 7)); err != nil || s.Generation != 8 || s.Oldest != 7 {
		t.Errorf("refreshing: %+v, %v", s, err)
	}
	if err := d.LockUser(bg, "alice", day); err != nil {
		t.Fatal(err)
	}
	if s := d.session(t, "phone"); !errors.Is(s.Accepts(8, t0), ErrLocked) {
		t.Errorf("locked: %+v", s)
	}
}
