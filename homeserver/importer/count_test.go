package importer

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCount: who can move and is open, with the devices that people have.
func TestCount(t *testing.T) {
	t.Parallel()
	wantCount(t, config(file(t, "synapse.sqlite.sql", "synapse.rows.sql", "synapse-sessions.sqlite.sql",
		"synapse-sessions.rows.sql")))
}

// TestCountOldSynapse: where there is no table of devices, there are none.
func TestCountOldSynapse(t *testing.T) {
	t.Parallel()
	n, err := Count(t.Context(), config(file(t, "synapse.sqlite.sql", "synapse.rows.sql")))
	if err != nil || len(n.Users) == 0 || len(n.Devices) != 0 {
		t.Errorf("%+v %v", n, err)
	}
	if _, err := Count(t.Context(), config(file(t, `CREATE TABLE x(y TEXT)`))); err == nil {
		t.Error("an empty database was counted")
	}
}

// TestDehydrated: a device that Synapse keeps keys on is nobody's session, neither counted nor brought; and what else
// stays there is counted.
func TestDehydrated(t *testing.T) {
	t.Parallel()
	c := config(file(t, "synapse.sqlite.sql", "synapse.rows.sql", "synapse-sessions.sqlite.sql",
		"synapse-sessions.rows.sql",
		`CREATE TABLE dehydrated_devices (user_id TEXT PRIMARY KEY, device_id TEXT NOT NULL, device_data TEXT NOT NULL);
		INSERT INTO dehydrated_devices VALUES ('@alice:example.org', 'IDLE', '{}');
		INSERT INTO dehydrated_devices VALUES ('@staff:example.org', 'PHONE', '{}');
		CREATE TABLE user_threepids (user_id TEXT, medium TEXT, address TEXT);
		INSERT INTO user_threepids VALUES ('@alice:example.org', 'email', 'alice@example.org')`))
	n, err := Count(t.Context(), c)
	if err != nil || n.Devices["alice IDLE"] || !n.Devices["alice PHONE"] || n.ThirdParty != 1 {
		t.Errorf("%+v %v", n, err)
	}
	contents, err := Read(t.Context(), withSessions(c))
	devices := contents.Devices["@alice:example.org"]
	if err != nil || len(devices) != 1 || devices[0].DeviceID != "PHONE" || contents.Skipped[skippedKept] != 1 {
		t.Errorf("%+v %v %v", devices, contents.Skipped, err)
	}
}

func wantCount(t *testing.T, c Config) {
	t.Helper()
	got, err := Count(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := Census{All: make(map[string]bool), Source: Source{From: c.place(), Access: 8, Refresh: 31},
		Devices: map[string]bool{"alice PHONE": true, "alice IDLE": true, "_irc_dave BRIDGE": true}}
	for _, a := range fromSynapse {
		if a.Skip != "another server's user" {
			want.All[a.Localpart] = true
		}
		if a.Skip == "" && !a.Deactivated {
			want.Users = append(want.Users, a.Localpart)
		}
	}
	slices.Sort(got.Users)
	slices.Sort(want.Users)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
