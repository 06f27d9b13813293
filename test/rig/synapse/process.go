package synapse

import (
	_ "embed"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed requirements.txt
var requirements []byte

// Run starts the server and waits until it answers. A new database takes it a few seconds.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	if output, err := s.Start(t); err != nil {
		t.Fatalf("synapse: %v\n%s", err, output)
	}
}

// Start is Run for a configuration that may be refused: it gives what Synapse said when it ended before it answered.
func (s *Server) Start(t testing.TB, more ...string) (string, error) {
	t.Helper()
	output, err := os.Create(filepath.Join(s.Dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close() // the process has its own
	args := []string{"-m", "synapse.app.homeserver", "--config-path", s.Config}
	for _, file := range more {
		args = append(args, "--config-path", file)
	}
	cmd := exec.Command(s.python, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that is killed leaves nothing behind
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var failed error
	go func() {
		failed = cmd.Wait()
		close(ended)
	}()
	s.cmd, s.ended = cmd, ended
	for range 1200 {
		if s.answers() {
			return "", nil
		}
		select {
		case <-ended:
			s.ended = nil
			return s.said(), failed
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("synapse does not answer\n%s", s.said())
	return "", nil
}

func (s *Server) answers() bool {
	response, err := http.Get(s.URL + "/health")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// said is the end of what Synapse wrote.
func (s *Server) said() string {
	var all []string
	for _, name := range []string{"output", "homeserver.log"} {
		text, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err == nil {
			lines := strings.Split(string(text), "\n")
			all = append(all, lines[max(0, len(lines)-30):]...)
		}
	}
	return strings.Join(all, "\n")
}

// Log is all that Synapse logged.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "homeserver.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Stop ends the server in the friendly way; one that does not run is left alone.
func (s *Server) Stop(t testing.TB) { s.end(t, syscall.SIGTERM) }

// Kill ends the server in the middle of whatever it does.
func (s *Server) Kill(t testing.TB) { s.end(t, syscall.SIGKILL) }

func (s *Server) end(t testing.TB, signal os.Signal) {
	t.Helper()
	if s.ended == nil {
		return
	}
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Errorf("synapse: %v", err)
	}
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second): // it waits for its long polls
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	s.ended = nil
}

// PID is the process that runs.
func (s *Server) PID() int { return s.cmd.Process.Pid }
