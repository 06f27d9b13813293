package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"postern/test/rig/process"
)

// program is a process that runs until the end, unless it is killed before.
type program struct {
	name string
	cmd  *exec.Cmd
	log  string // path
}

// start starts a program in a folder, where it writes its log.
func start(t testing.TB, folder string, as *syscall.SysProcAttr, name string, args ...string) *program {
	t.Helper()
	p := &program{name: filepath.Base(name), log: filepath.Join(folder, filepath.Base(name)+".log")}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the program has its own
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if as != nil {
		p.cmd.SysProcAttr.Credential = as.Credential
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// tell sends a signal to the program alone.
func (p *program) tell(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatalf("%s: %v\n%s", p.name, err, p.end())
	}
}

// end is the end of its log.
func (p *program) end() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}

// listening waits until somebody listens on a port of loopback.
func (p *program) listening(t testing.TB, port string) {
	t.Helper()
	for range 600 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not come up:\n%s", p.name, p.end())
}

func freePort(t testing.TB) string { return strconv.Itoa(process.FreePort(t)) }

// folder makes a folder of a program's own.
func folder(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postern-ha-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func write(t testing.TB, folder, name, format string, args ...any) (path string) {
	t.Helper()
	path = filepath.Join(folder, name)
	// The user of PostgreSQL reads it too.
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
