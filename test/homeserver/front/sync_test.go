package front

import (
	"database/sql"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"postern/test/rig/delegated"
	"postern/test/rig/synapse"
)

// TestSync: whatever differs after Synapse was restored, or was changed past Postern, is shown and settled, once.
func TestSync(t *testing.T) {
	t.Parallel()
	s := newPair(t)
	bob := s.admin(t)
	for _, name := range []string{"dave", "erin", "frank", "gina"} {
		s.Run(t, password, "user", "add", name, "--password-stdin")
	}
	s.settled(t)
	kept := s.login(t, "alice", "KEPT")
	kept.ok(t, "GET", syncing+"?timeout=0", nil)
	out := s.login(t, "alice", "OUT")
	restore := s.backup(t)
	s.Run(t, password, "user", "add", "carol", "--password-stdin")
	lost := s.login(t, "alice", "LOST")
	lost.ok(t, "POST", "/_matrix/client/v3/keys/upload", map[string]any{})
	s.login(t, "carol", "LOST")
	out.ok(t, "POST", "/_matrix/client/v3/logout", nil)
	s.Run(t, "", "user", "lock", "frank")
	s.Run(t, "", "user", "deactivate", "gina")
	s.settled(t)
	restore()
	s.tell(t, "provision_user", map[string]any{"localpart": "zoe"})
	synapse.Call(t, "POST", s.hs.URL+"/_synapse/admin/v1/deactivate/@dave:home.test", bob.access, map[string]any{})
	synapse.Call(t, "PUT", s.hs.URL+"/_synapse/admin/v2/users/@erin:home.test", bob.access,
		map[string]any{"locked": true})

	doctor, _ := s.Command(t.Context(), "", "synapse", "doctor", s.hs.Config) // whose other findings are none of this
	for _, text := range []string{"1 account (dave) deactivated at Synapse and open at Postern",
		"1 account (erin) locked at Synapse and not at Postern", "1 account (frank) locked at Postern and not at Synapse",
		"1 account (carol) only at Postern", "only at Postern: Synapse does not answer them"} {
		_, rest, found := strings.Cut(doctor, text)
		if fix, _, _ := strings.Cut(rest, "\n  warn"); !found || !strings.Contains(fix, "`postern synapse sync`") {
			t.Errorf("doctor does not say what to do about %q:\n%s", text, doctor)
		}
	}
	sync := func(more ...string) string {
		return s.Run(t, "", append([]string{"synapse", "sync", s.hs.Config}, more...)...)
	}
	shown := strings.Join(strings.Fields(sync("--dry-run")), " ")
	want := []string{
		"@alice:home.test LOST Synapse does not have the device soft-logged-out",
		"@alice:home.test OUT no session on the device left alone",
		"@carol:home.test - Synapse does not know the user Synapse is told",
		"@carol:home.test LOST Synapse does not have the device soft-logged-out",
		"@dave:home.test - deactivated at Synapse alone deactivated here",
		"@erin:home.test - locked at Synapse alone locked here",
		"@frank:home.test - locked here alone Synapse is told",
		"@gina:home.test - deactivated here alone Synapse is told",
		"@zoe:home.test - only Synapse has the user left alone: postern user import",
	}
	for _, line := range want {
		if !strings.Contains(shown, line) {
			t.Errorf("%q is not in\n%s", line, shown)
		}
	}
	if strings.Count(shown, "@") != len(want) || !strings.Contains(shown, "Nothing was changed.") {
		t.Errorf("sync --dry-run prints\n%s", shown)
	}
	if again := strings.Join(strings.Fields(sync()), " "); !strings.HasPrefix(shown, again) {
		t.Errorf("without --dry-run it differs:\n%s", again)
	}
	s.settled(t)
	if said := sync(); strings.Count(said, "@") != 2 || !strings.Contains(said, "OUT") ||
		!strings.Contains(said, "@zoe") {
		t.Errorf("afterwards sync prints\n%s", said)
	}
	sync("--delete-devices")
	s.settled(t)
	if said := sync(); strings.Count(said, "@") != 1 || !strings.Contains(said, "@zoe") {
		t.Errorf("in the end sync prints\n%s", said)
	}
	kept.ok(t, "GET", syncing+"?timeout=0", nil)
	lost.refused(t, "GET", syncing+"?timeout=0", 401, "M_UNKNOWN_TOKEN", true)
	s.login(t, "carol", "LOST").ok(t, "GET", syncing+"?timeout=0", nil)
	s.refusedLogin(t, "dave", 403, "M_USER_DEACTIVATED")
	s.refusedLogin(t, "erin", 401, "M_USER_LOCKED")
	frank := synapse.Call(t, "GET", s.hs.URL+"/_synapse/admin/v2/users/@frank:home.test", bob.access, nil)
	if frank["locked"] != true {
		t.Errorf("Synapse has %v", frank)
	}
}

// TestNamesBeyondASCII: Synapse takes such names in no query, and is told of their users all the same. What it cannot
// do is said.
func TestNamesBeyondASCII(t *testing.T) {
	t.Parallel()
	// Before its background updates have ended, which is never here, Synapse can reactivate nobody.
	hs := synapse.New(t, synapse.Options{Extra: "background_updates: {sleep_duration_ms: 600000}\n"})
	hs.Register(t, "placeholder", password, false)
	hs.Register(t, "bob", password, false)
	hs.Stop(t)
	rename(t, hs.DB, "@placeholder:home.test", "@Ünïcode:home.test")
	s := &pair{delegated.New(t, hs.URL, synapse.ServerName), hs}
	s.Run(t, "", "user", "import", hs.DB, "--server-name", synapse.ServerName)
	s.startBoth(t)
	bob := s.admin(t)
	standing := func() map[string]any {
		return synapse.Call(t, "GET", s.hs.URL+"/_synapse/admin/v2/users/@%C3%9Cn%C3%AFcode:home.test", bob.access, nil)
	}
	p := s.login(t, "Ünïcode", "A")
	p.ok(t, "GET", syncing+"?timeout=0", nil)
	p.ok(t, "PUT", "/_matrix/client/v3/devices/A", map[string]any{"display_name": "phone"})
	s.Run(t, "", "user", "lock", "Ünïcode")
	s.settled(t)
	if standing()["locked"] != true {
		t.Errorf("Synapse has %v", standing())
	}
	s.Run(t, "", "user", "unlock", "Ünïcode")
	s.settled(t)
	p.ok(t, "GET", syncing+"?timeout=0", nil)
	s.tell(t, "delete_device", map[string]any{"localpart": "Ünïcode", "device_id": "A"})
	p.softEnd(t)
	p = s.login(t, "Ünïcode", "A")
	p.ok(t, "POST", "/_matrix/client/v3/logout", nil)
	s.Run(t, "", "user", "deactivate", "Ünïcode")
	s.settled(t)
	if standing()["deactivated"] != true {
		t.Errorf("Synapse has %v", standing())
	}
	s.Run(t, "", "user", "reactivate", "Ünïcode")
	said := s.refusal(t)
	doctor, _ := s.Command(t.Context(), "", "synapse", "doctor", s.hs.Config)
	for text, where := range map[string]string{said: "outbox", doctor: "doctor"} {
		if !strings.Contains(text, "synapse cannot reactivate the account") {
			t.Errorf("synapse %s does not say what is not done:\n%s", where, text)
		}
	}
}

// rename gives a user of Synapse's another name.
func rename(t *testing.T, file, from, to string) {
	t.Helper()
	d, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	local := func(user string) string { return strings.TrimSuffix(strings.TrimPrefix(user, "@"), ":home.test") }
	for _, c := range []struct {
		query    string
		from, to string
	}{
		{`DELETE FROM devices WHERE user_id = $1 AND $2 <> ''`, from, to},
		{`DELETE FROM access_tokens WHERE user_id = $1 AND $2 <> ''`, from, to},
		{`DELETE FROM user_directory WHERE user_id = $1 AND $2 <> ''`, from, to},
		{`UPDATE profiles SET user_id = $2, full_user_id = $3 WHERE user_id = $1`, local(from), local(to)},
		{`UPDATE users SET name = $2 WHERE name = $1`, from, to},
	} {
		args := []any{c.from, c.to}
		if strings.Contains(c.query, "$3") {
			args = append(args, to)
		}
		if _, err := d.ExecContext(t.Context(), c.query, args...); err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
	}
}
