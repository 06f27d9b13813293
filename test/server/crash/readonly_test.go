package crash

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/fleet"
)

// TestReadOnly takes the right to write away from a server that works, and gives it back.
func TestReadOnly(t *testing.T) {
	h := onSQLite(t, t.TempDir())
	h.crew(crew)
	server := h.serve()
	h.settle(server)
	files := []string{h.site.Database, h.site.Database + "-wal"}
	if err := chattr("+i", files...); err != nil {
		t.Skipf("NOT RUN: no file can be made immutable here (%v); TestReadOnlyStart stands in for it", err)
	}
	h.Cleanup(func() { _ = chattr("-i", files...) }) // or nobody could remove them
	h.noticed(server)
	h.must(chattr("-i", files...))
	h.healthy(server)
	h.settle(server)
	h.run(server, 200*time.Millisecond)
	h.rows()
}

func chattr(flag string, files ...string) error {
	out, err := exec.Command("chattr", append([]string{flag}, files...)...).CombinedOutput()
	if err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}

// TestReadOnlyStart starts a server that may not write its files: it says so and refuses, so that no client is told
// anything wrong, and once it may they go on.
func TestReadOnlyStart(t *testing.T) {
	folder := t.TempDir()
	h := onSQLite(t, folder)
	if os.Getuid() == 0 { // root may write whatever the mode says
		const nobody = 65534
		h.must(os.Chmod(filepath.Dir(folder), 0o711))
		h.must(os.Chown(folder, nobody, nobody))
		h.site.As = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	h.crew(crew)
	server := h.serve()
	h.settle(server)
	h.stop(server)
	modes := func(file, directory fs.FileMode) {
		t.Helper()
		h.must(os.Chmod(h.site.Database, file))
		h.must(os.Chmod(folder, directory))
	}
	modes(0o400, 0o500)
	if server, err := h.site.Serve(t.Context(), fleet.ServeFlags...); err == nil {
		_ = server.Kill()
		t.Error("a server started on files that it may not write")
	} else if !strings.Contains(err.Error(), "give this user permission") {
		t.Errorf("it says %v", err)
	}
	modes(0o600, 0o700)
	server = h.serve()
	h.settle(server)
	h.rows()
}
