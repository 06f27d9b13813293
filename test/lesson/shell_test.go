package lesson

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/console"
)

// shell is one bash for the whole lesson, as a reader has one terminal.
type shell struct {
	in   io.Writer
	port string

	mu      sync.Mutex
	printed bytes.Buffer
	done    int // commands typed
}

// open starts a bash in a folder. All that it starts belongs to one group, and goes when the test ends.
func open(ctx context.Context, t *testing.T, dir, port string) *shell {
	t.Helper()
	cmd := exec.CommandContext(ctx, "bash")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s := &shell{port: port}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in, cmd.Stdout, cmd.Stderr = in, s, s
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
	})
	return s
}

// Write takes what is printed.
func (s *shell) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.printed.Write(p)
}

// do types a command and gives what it prints, with the lesson's port in it.
func (s *shell) do(t *testing.T, of console.Step) string {
	t.Helper()
	s.done++
	mark := fmt.Sprintf("[done %d]\n", s.done)
	if lasting(of) {
		mark = ""
	}
	command := strings.ReplaceAll(of.Command, theirs, s.port)
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '%s'\n", command, strings.ReplaceAll(mark, "\n", `\n`)); err != nil {
		t.Fatalf("typing %q: %v", of.Command, err)
	}
	for end := time.Now().Add(patient); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		printed := strings.ReplaceAll(s.printed.String(), "\r\n", "\n") // as header lines end, which no terminal shows
		before, ended := strings.CutSuffix(printed, mark)
		before = strings.ReplaceAll(before, s.port, theirs)
		if late := time.Now().After(end); mark != "" && ended || mark == "" && of.Fits(before) || late {
			s.printed.Reset()
			s.mu.Unlock()
			return before
		}
		s.mu.Unlock()
	}
}

// copied is a copy of what git would commit, so that the reader's own lesson/ is left alone. The port is another one
// there.
func copied(t *testing.T, port string) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = "../.."
	names, err := list.Output()
	if err != nil {
		t.Fatalf("listing the repository: %v", err)
	}
	dir := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if name == program {
			text = []byte(strings.ReplaceAll(string(text), theirs, port))
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// lasting says that the command goes on, or that another that does will print more because of it: there is no end to
// wait for.
func lasting(s console.Step) bool {
	return strings.HasSuffix(s.Command, "&") || strings.Contains(s.Want, "reloaded")
}
