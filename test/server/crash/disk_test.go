package crash

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/process"
)

// TestDiskFull fills the disk under a server that works, more than once, and makes room again. Refreshes are refused by
// 503 meanwhile, and after a 503 the refresh has not happened: the draft's clients, whose tokens are good once, show
// that.
func TestDiskFull(t *testing.T) {
	folder := t.TempDir()
	full, room := smallDisk(t, folder)
	if full == nil {
		t.Skip("NOT RUN: a disk cannot be filled here; TestFileLimit stands in for it")
	}
	h := onSQLite(t, folder)
	h.crew(crew)
	server := h.serve()
	h.settle(server)
	times := 3
	if testing.Short() {
		times = 1
	}
	for range times {
		h.stop(server) // empties the log; a log with room in it would be used again on a full disk
		server = h.serve()
		full()
		h.noticed(server)
		h.wantLog(server, "the disk is full")
		room()
		h.settle(server)
		h.run(server, 200*time.Millisecond)
		h.rows()
	}
}

// smallDisk mounts a disk of few megabytes on a folder, and gives what fills it and what makes room again. Where nobody
// may mount anything it says so and gives nil.
func smallDisk(t *testing.T, folder string) (full, room func()) {
	t.Helper()
	if err := syscall.Mount("postern-test", folder, "tmpfs", 0, "size=8m"); err != nil {
		t.Logf("NO DISK OF ITS OWN: a tmpfs cannot be mounted: %v", err)
		return nil, nil
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(folder, "ballast")
	full = func() {
		t.Helper()
		file, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for block := make([]byte, 4096); err == nil; {
			_, err = file.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	room = func() {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	return full, room
}

// TestFileLimit is a full disk for who may not mount one: the server may write no file beyond a size, which its files
// have already, until it may.
func TestFileLimit(t *testing.T) {
	if _, err := exec.LookPath("prlimit"); err != nil {
		notRun(t, "prlimit is not here: "+err.Error())
	}
	h := onSQLite(t, t.TempDir())
	h.crew(crew)
	server := h.serve()
	h.settle(server)
	h.must(limit(server, 1024))
	h.noticed(server)
	h.must(limit(server, 0))
	h.healthy(server)
	h.settle(server)
	h.rows()
}

// limit bounds the files that a process writes; 0 takes the bound away.
func limit(s *process.Server, bytes int) error {
	bound := "unlimited"
	if bytes > 0 {
		bound = fmt.Sprint(bytes)
	}
	out, err := exec.Command("prlimit", "--pid", fmt.Sprint(s.PID()), "--fsize="+bound+":unlimited").CombinedOutput()
	if err != nil {
		return fmt.Errorf("prlimit: %w: %s", err, out)
	}
	return nil
}

// notRun skips a test, loudly; in a gate there is nothing to skip.
func notRun(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("NOT RUN, but CI is set: ", why)
	}
	t.Skip("NOT RUN: ", why)
}

// wantLog wants the server to have said something in its log.
func (h *harness) wantLog(s *process.Server, words string) {
	h.Helper()
	if log := s.Log(); !strings.Contains(log, words) {
		h.Errorf("the log does not say %q:\n%s", words, log[max(0, len(log)-2000):])
	}
}
