package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/test/rig/postgres"
)

// TestBackupAndRestore restores as the README says, with real processes, after a crash.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	backup := filepath.Join(t.TempDir(), "backup.db")
	p := launch(t, "--listen", "127.0.0.1:0", "--db", i.db)
	quiet := newPhone(t, p.Address, "alice", "QUIET")
	again := newPhone(t, p.Address, "alice", "AGAIN")
	out, err := program(t, "backup", backup, "--db", i.db).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "keep "+backup+" and the master key apart") ||
		!strings.Contains(string(out), "sessions                   2\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	i.refused("exists already", "backup", backup)
	old := *again
	for range 2 {
		if !again.renew() || !again.check() {
			t.Fatal("refreshing after the backup fails")
		}
	}
	late := newPhone(t, p.Address, "alice", "LATE")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}

	image, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{i.db + "-wal", i.db + "-shm"} { // rm -f
		_ = os.Remove(name)
	}
	if err := os.WriteFile(i.db, image, 0o600); err != nil { // cp
		t.Fatal(err)
	}
	p = launch(t, "--listen", p.Address, "--db", i.db)
	restored(t, quiet, again, late)
	stop(t, p)

	// The other way: into a PostgreSQL, as the backup is.
	server := postgres.Schema(t, postgres.URL(t))
	key := filepath.Join(filepath.Dir(i.db), "postern.key")
	i.must("", "db", "copy", backup, server, "--keep-source", "--master-key-file", key)
	p = launch(t, "--listen", p.Address, "--db", server, "--master-key-file", key)
	if !old.check() || !old.renew() {
		t.Error("restored into PostgreSQL, a token from before the backup is not good")
	}
	stop(t, p)
}

// restored holds what package db says of going back in time.
func restored(t *testing.T, quiet, again, late *phone) {
	t.Helper()
	if !quiet.check() || !quiet.renew() || !quiet.check() {
		t.Error("a session that nothing has happened to is not good")
	}
	if !again.check() || !again.renew() || !again.check() {
		t.Error("a session that was refreshed since does not go on")
	}
	if status, answer := request(t, late.address, "GET", "/_matrix/client/v3/account/whoami", late.access,
		""); status != 401 || answer["soft_logout"] != true {
		t.Errorf("a session that began since answers %d %v", status, answer)
	}
	newPhone(t, late.address, "alice", "LATE").check()
}
