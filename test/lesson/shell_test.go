package lesson

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/console"
	"postern/test/rig/process"
)

// shell is one bash for the whole lesson, as a reader has one terminal. It has a real terminal (script makes it), so
// that it prints what a reader sees of jobs that begin and end.
type shell struct {
	in    io.Writer
	ports ports

	mu      sync.Mutex
	printed bytes.Buffer
	done    int // commands typed
}

// ports are those that a lesson names, each with a free one that is taken instead.
type ports []struct{ theirs, ours string }

func freePorts(t *testing.T, theirs ...string) (p ports) {
	t.Helper()
	for _, port := range theirs {
		p = append(p, struct{ theirs, ours string }{port, strconv.Itoa(process.FreePort(t))})
	}
	return p
}

func (p ports) ours(text string) string {
	for _, port := range p {
		text = strings.ReplaceAll(text, port.theirs, port.ours)
	}
	return text
}

func (p ports) theirs(text string) string {
	for _, port := range p {
		text = strings.ReplaceAll(text, port.ours, port.theirs)
	}
	return text
}

// open starts a bash in a folder. When the test ends its terminal is gone, and with it all that it has started.
func open(ctx context.Context, t *testing.T, dir string, p ports) *shell {
	t.Helper()
	cmd := exec.CommandContext(ctx, "script", "-qec", "bash --norc --noprofile --noediting -i", "/dev/null")
	cmd.Dir = dir
	// trimpath: what was compiled in another copy of the repository need not be compiled again. Nobody debugs it.
	cmd.Env = append(os.Environ(), "TERM=dumb", "GOFLAGS="+os.Getenv("GOFLAGS")+" -trimpath -ldflags=-w",
		"CGO_ENABLED=0") // as process builds, so that what it compiles is there
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s := &shell{ports: p}
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
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // bash and its jobs are hung up
		_ = cmd.Wait()                                      // it was killed
	})
	s.do(t, console.Step{Command: "stty -echo; PS1= PS2="})
	return s
}

// Write takes what is printed.
func (s *shell) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.printed.Write(p)
}

// do types a command and gives what it prints, with the lesson's ports in it.
func (s *shell) do(t *testing.T, of console.Step) string {
	t.Helper()
	s.done++
	mark := fmt.Sprintf("[done %d]\n", s.done)
	if lasting(of) {
		mark = ""
	}
	_, err := fmt.Fprintf(s.in, "%s\nprintf '%s'\n", s.ports.ours(of.Command), strings.ReplaceAll(mark, "\n", `\n`))
	if err != nil {
		t.Fatalf("typing %q: %v", of.Command, err)
	}
	for end := time.Now().Add(patient); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		printed := strings.ReplaceAll(s.printed.String(), "\r", "") // which no terminal shows
		before, ended := strings.CutSuffix(printed, mark)
		before = s.ports.theirs(before)
		if late := time.Now().After(end); mark != "" && ended || mark == "" && of.Fits(before) || late {
			s.printed.Reset()
			s.mu.Unlock()
			if late && mark != "" {
				t.Fatalf("%q takes longer than %v; until now it printed\n%s", of.Command, patient, before)
			}
			return before
		}
		s.mu.Unlock()
		if kills(of) { // bash tells of a job that has ended before it asks for the next command
			_, _ = io.WriteString(s.in, "\n") // if bash is gone, time runs out
		}
	}
}

// copied is a copy of what git would commit, so that the reader's own lesson/ is left alone. The ports of the lessons'
// programs are others there.
func copied(t *testing.T, p ports) string {
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
		if strings.HasPrefix(name, "docs/lesson/") {
			text = []byte(p.ours(string(text)))
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o755); err != nil { // one of them is a command
			t.Fatal(err)
		}
	}
	return dir
}

// lasting says that the command goes on, or that another that does will print more because of it: there is no end to
// wait for.
func lasting(s console.Step) bool {
	return strings.HasSuffix(s.Command, "&") || strings.Contains(s.Want, "reloaded") || kills(s)
}

func kills(s console.Step) bool { return strings.HasPrefix(s.Command, "kill ") }
