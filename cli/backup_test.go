package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupCommand makes a backup while the real server runs. That it can be restored, and what that costs, package
// test/server/crash shows.
func TestBackupCommand(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	backup := filepath.Join(t.TempDir(), "backup.db")
	p := launch(t, "--listen", "127.0.0.1:0", "--db", i.db)
	newPhone(t, p.Address, "alice", "ONE")
	newPhone(t, p.Address, "alice", "TWO")
	out, err := program(t, "backup", backup, "--db", i.db).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "keep "+backup+" and the master key apart") ||
		!strings.Contains(string(out), "sessions                   2\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	i.refused("exists already", "backup", backup)
	stop(t, p)
}
