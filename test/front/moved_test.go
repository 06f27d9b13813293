package front

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"postern/test/process"
	"postern/test/synapse"
)

// TestMovedToken: a token that Synapse gave goes there as it is, and Synapse remembers it for two minutes. It is over at once all the same,
// though a device of that name is there again.
func TestMovedToken(t *testing.T) {
	t.Parallel()
	hs := synapse.New(t, synapse.Options{})
	hs.Register(t, "alice", password, false)
	hs.Register(t, "bob", password, false)
	first := hs.Login(t, "alice", password, "PHONE", true)["access_token"].(string)
	hs.Stop(t)
	dir := t.TempDir()
	s := &scene{hs: hs, site: process.Site{Binary: process.Binary(t), Database: filepath.Join(dir, "postern.db")}}
	s.command(t, "", "user", "import", hs.DB, "--sessions", "--server-name", synapse.ServerName)
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := s.site.Serve(context.WithoutCancel(t.Context()), "--server-name", synapse.ServerName, "--homeserver", hs.URL, "--homeserver-secret-file", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("%v\n%s", err, server.Log())
		}
	})
	s.postern = server
	hs.Delegate(t, server.URL, secret)
	hs.Run(t)

	p := &person{s, first, ""}
	p.ok(t, "GET", syncing+"?timeout=0", nil)
	second := synapse.Call(t, "POST", server.URL+"/_matrix/client/v3/login", "", map[string]any{"type": "m.login.password",
		"identifier": map[string]any{"type": "m.id.user", "user": "alice"}, "password": password, "device_id": "PHONE"})["access_token"].(string)
	p.with(second).ok(t, "GET", syncing+"?timeout=0", nil)
	p.refused(t, "GET", syncing+"?timeout=0", 401, "M_UNKNOWN_TOKEN", false)
}
