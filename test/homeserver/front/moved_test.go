package front

import (
	"testing"

	"postern/test/rig/delegated"
	"postern/test/rig/synapse"
)

// TestMovedToken: a token that Synapse gave goes there as it is, and Synapse remembers it for two minutes. It is over
// at once all the same, though a device of that name is there again.
func TestMovedToken(t *testing.T) {
	t.Parallel()
	hs := synapse.New(t, synapse.Options{})
	hs.Register(t, "alice", password, false)
	hs.Register(t, "bob", password, false)
	first := hs.Login(t, "alice", password, "PHONE", true)["access_token"].(string)
	hs.Stop(t)
	s := &pair{delegated.New(t, hs.URL, synapse.ServerName), hs}
	s.Run(t, "", "user", "import", hs.DB, "--sessions", "--server-name", synapse.ServerName)
	s.startBoth(t)

	p := &person{s, first, ""}
	p.ok(t, "GET", syncing+"?timeout=0", nil)
	second := synapse.Call(t, "POST", s.Server.URL+"/_matrix/client/v3/login", "",
		map[string]any{"type": "m.login.password",
			"identifier": map[string]any{"type": "m.id.user", "user": "alice"}, "password": password,
			"device_id": "PHONE"})["access_token"].(string)
	p.with(second).ok(t, "GET", syncing+"?timeout=0", nil)
	p.refused(t, "GET", syncing+"?timeout=0", 401, "M_UNKNOWN_TOKEN", false)

	// Nobody remembers it after a restart but Synapse.
	if err := s.Server.Stop(); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	p.refused(t, "GET", syncing+"?timeout=0", 401, "M_UNKNOWN_TOKEN", false)
}
