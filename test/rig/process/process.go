// Package process runs Postern's real binary for tests: it builds it, starts it on a port of its own, stops it in the
// friendly and in the unfriendly way, runs the operator's commands, and speaks as much of Matrix as a client needs to
// log in and stay so (client.go).
//
//	func TestMain(m *testing.M) { process.Main(m) }
//
//	site := process.Site{Binary: process.Binary(t), Database: …, Key: …}
//	server, err := site.Serve(ctx, "--rate-limit", "off")
//	server.Kill()
package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Build makes the binary in a folder that is there, static like a release, and gives its path. More packages of the
// module are built beside it in the same way.
func Build(ctx context.Context, folder string, more ...string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	args := append([]string{"build", "-trimpath", "-o", folder + string(filepath.Separator), "."}, more...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return filepath.Join(folder, "postern"), nil
}

// built is what Main removes.
var built struct {
	sync.Once
	folder, binary string
	err            error
}

// Main runs a package's tests and removes what Binary built.
func Main(m *testing.M) {
	code := m.Run()
	if built.folder != "" {
		if err := os.RemoveAll(built.folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Binary is the path of the binary, which is built when the first test asks. It needs Main. Any user may run it.
func Binary(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		if built.folder, built.err = os.MkdirTemp("", "postern-binary-"); built.err != nil {
			return
		}
		if built.err = os.Chmod(built.folder, 0o755); built.err == nil {
			built.binary, built.err = Build(context.Background(), built.folder)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.binary
}

// Site is an installation: what the binary has to be told to find what is its own.
type Site struct {
	Binary   string
	Database string              // a path or a URL: --db
	Key      string              // file of the master key: --master-key-file; empty: where Postern puts it
	As       *syscall.Credential // whom the binary runs as; nil: who runs the test
}

func (s Site) flags() []string {
	flags := []string{"--db", s.Database}
	if s.Key != "" {
		flags = append(flags, "--master-key-file", s.Key)
	}
	return flags
}

// Command runs an operator's command and gives what it printed.
func (s Site) Command(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := s.command(ctx, append(args, s.flags()...))
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("postern %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// Serve starts a server on a free port of loopback and waits until it listens. When the context ends, the server is
// killed.
func (s Site) Serve(ctx context.Context, args ...string) (*Server, error) {
	return Start(s.command(ctx, append(append([]string{"serve", "--listen", "127.0.0.1:0"}, s.flags()...), args...)))
}

func (s Site) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Binary, args...)
	cmd.Env = plain()
	if s.As != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.As}
	}
	return cmd
}

// plain is the environment without settings of Postern's that whoever runs the test may have.
func plain() (env []string) {
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "POSTERN_") {
			env = append(env, entry)
		}
	}
	return env
}

// Server is a server that runs, or ran.
type Server struct {
	Address string // host and port
	URL     string
	Began   time.Time // just before the process was started

	cmd  *exec.Cmd
	log  *log
	once sync.Once
	err  error // of Wait
}

// Start starts a program that logs in JSON where it listens, as Postern does, and waits until it has said so.
func Start(cmd *exec.Cmd) (*Server, error) {
	s := &Server{cmd: cmd, log: newLog(), Began: time.Now()}
	cmd.Stderr = s.log
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = s.wait()
		close(ended)
	}()
	select {
	case s.Address = <-s.log.address:
		s.URL = "http://" + s.Address
		return s, nil
	case <-ended:
		return nil, fmt.Errorf("the server did not come up: %w\n%s", s.wait(), s.Log())
	case <-time.After(time.Minute):
		return nil, errors.Join(fmt.Errorf("the server did not come up in a minute\n%s", s.Log()), s.Kill())
	}
}

func (s *Server) wait() error {
	s.once.Do(func() { s.err = s.cmd.Wait() })
	return s.err
}

// Kill ends the server as a power cut would, by SIGKILL, and waits until it is gone.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := s.wait()
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
		return nil
	}
	return fmt.Errorf("the server ended before it was killed: %w\n%s", err, s.Log())
}

// Stop ends the server as a service manager would, and fails if the server was not content.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := s.wait(); err != nil {
		return fmt.Errorf("stop: %w\n%s", err, s.Log())
	}
	return nil
}

// PID is the number of its process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log is what it has written so far, or the first megabyte of it.
func (s *Server) Log() string { return s.log.String() }

// Complaint is the first line of its log that is an error, or no JSON, as a panic is; empty if there is none.
func (s *Server) Complaint() string {
	for line := range strings.Lines(s.Log()) {
		var entry struct{ Level string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "ERROR" {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// log keeps what a server writes, and finds where it listens.
type log struct {
	address chan string

	mu    sync.Mutex
	kept  bytes.Buffer
	found bool
}

func newLog() *log { return &log{address: make(chan string, 1)} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept.Len() < 1<<20 {
		l.kept.Write(p)
	}
	if !l.found {
		if address, ok := listening(l.kept.Bytes()); ok {
			l.found = true
			l.address <- address
		}
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept.String()
}
