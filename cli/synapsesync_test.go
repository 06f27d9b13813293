package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSyncRefused: sync settles nothing where there is nothing to settle, and never with another server's files.
func TestSyncRefused(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const database = "database: {name: sqlite3, args: {database: /none/homeserver.db}}\n"
	const delegated = "matrix_authentication_service: {enabled: true, endpoint: 'http://127.0.0.1:8009/', secret: x}\n"
	own := file("own.yaml", "server_name: localhost\n"+database)
	other := file("other.yaml", "server_name: other.org\n"+database+delegated)
	lost := file("lost.yaml", "server_name: localhost\n"+database+delegated)
	i.refused("there is no database at", "synapse", "sync", lost)
	i.must("a long password", "user", "add", "alice", "--password-stdin")
	i.refused("Synapse has its accounts itself", "synapse", "sync", own)
	i.refused("these are files of other.org, and Postern's database is of localhost", "synapse", "sync", other)
	i.refused("/none/homeserver.db", "synapse", "sync", lost)
}
