package restart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// background starts a server that writes the site's log. It and its workers are killed with the test, if they have not
// ended.
func (s *site) background(t *testing.T, cmd *exec.Cmd) (ended chan error) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		for _, pid := range workers(s.Database) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return ended
}

// within waits for a server to end, for a time that only says that it hangs.
func within(t *testing.T, ended chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the server does not end")
		return nil
	}
}

func signal(t *testing.T, pid int, what syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, what); err != nil {
		t.Fatal(err)
	}
}

// TestStopAfterReload: once the process that systemd knows has ended nothing uses the database, although one that was
// replaced just before takes its time.
func TestStopAfterReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cmd := s.given(s.listen(t), "listen:internal-listen", s.flags...)
	ended := s.background(t, cmd)
	s.waitForLog(t, `"msg":"listening"`)
	signal(t, cmd.Process.Pid, syscall.SIGUSR1)
	s.waitForLog(t, "stopping;")
	signal(t, cmd.Process.Pid, syscall.SIGTERM)
	if err := within(t, ended); err != nil {
		t.Errorf("the server ends with %v", err)
	}
	if open := users(s.Database); len(open) > 0 {
		t.Errorf("%q use the database still", open)
	}
}

// TestDiesWhileReplaced: the process that systemd knows ends when nobody serves, although the next server hangs while
// it starts, and it leaves none behind. The same when it is told to stop then.
func TestDiesWhileReplaced(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, supervisor, worker int){
		"the worker is killed": func(t *testing.T, _, worker int) { signal(t, worker, syscall.SIGKILL) },
		"stop":                 func(t *testing.T, supervisor, _ int) { signal(t, supervisor, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			cmd := s.given(s.listen(t), "listen:internal-listen", s.flags...)
			ended := s.background(t, cmd)
			s.waitForLog(t, `"msg":"listening"`)
			worker := workers(s.Database)[0]
			secret := s.flags[3]
			if err := os.Remove(secret); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(secret, 0o600); err != nil { // whoever reads it waits for a writer
				t.Fatal(err)
			}
			signal(t, cmd.Process.Pid, syscall.SIGUSR1)
			for began := time.Now(); len(workers(s.Database)) < 2; time.Sleep(time.Millisecond) {
				if time.Since(began) > time.Minute {
					t.Fatal("no next server starts")
				}
			}
			end(t, cmd.Process.Pid, worker)
			if err := within(t, ended); (err == nil) != (name == "stop") {
				t.Errorf("the server ends with %v", err)
			}
			if left := workers(s.Database); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
		})
	}
}

// workers are the processes that serve a database, or are about to.
func workers(database string) (all []int) {
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, process := range processes {
		command, _ := os.ReadFile(process)
		if text := string(command); strings.Contains(text, database) && strings.Contains(text, "\x00--worker\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(process)))
			all = append(all, pid)
		}
	}
	return all
}

// TestSocketsOfAnother: sockets that are meant for another process are not taken, with --linger either.
func TestSocketsOfAnother(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cmd := exec.Command(s.Binary, append([]string{"serve", "--db", s.Database}, s.flags...)...)
	cmd.Env = append(os.Environ(), "LISTEN_PID=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=listen:internal-listen")
	cmd.ExtraFiles = s.listen(t) // at the addresses of the flags, which cannot be opened again
	ended := s.background(t, cmd)
	if err := within(t, ended); err == nil || !strings.Contains(s.log(), "cannot listen") {
		t.Errorf("the server ends with %v", err)
	}
}
