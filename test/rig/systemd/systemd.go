// Package systemd gives tests a real systemd as the first process of namespaces of its own, with no units but theirs.
// The file system is the machine's, without /run and /var/lib.
//
// It needs root, systemd and util-linux. Elsewhere the test is skipped, and with TEST_SYSTEMD=off; with
// TEST_SYSTEMD=required it fails.
//
//	m := systemd.Boot(t)
//	m.Unit(t, "a.service", "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=…")
//	m.Ctl(t, "start", "a.service")
package systemd

import (
	"bytes"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed boot
var boot []byte

// Manager is a systemd that runs until the test ends.
type Manager struct{ pid string }

// Boot starts one and waits until it is up.
func Boot(t testing.TB) *Manager {
	t.Helper()
	if os.Getenv("TEST_SYSTEMD") == "off" {
		t.Skip("TEST_SYSTEMD=off")
	}
	m, why := start(t)
	if m == nil && os.Getenv("TEST_SYSTEMD") == "required" {
		t.Fatal(why)
	}
	if m == nil {
		t.Skip(why)
	}
	return m
}

func start(t testing.TB) (m *Manager, why string) {
	if os.Getuid() != 0 {
		return nil, "a systemd needs root"
	}
	for _, program := range []string{"/lib/systemd/systemd", "/usr/bin/systemctl", "/usr/bin/nsenter"} {
		if _, err := os.Stat(program); err != nil {
			return nil, "there is no " + program + ": apt-get install systemd util-linux"
		}
	}
	group, why := newGroup(t)
	if group == "" {
		return nil, why
	}
	script := filepath.Join(t.TempDir(), "boot")
	if err := os.WriteFile(script, boot, 0o700); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(script, group)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	for range 300 {
		// the child of unshare, which has become systemd and is the first process of the namespaces
		children, _ := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/task/" + strconv.Itoa(cmd.Process.Pid) +
			"/children")
		m := &Manager{strings.TrimSpace(string(children))}
		if state, _ := m.command("is-system-running").Output(); strings.TrimSpace(string(state)) == "running" {
			return m, ""
		}
		select {
		case <-ended:
			return nil, "no systemd can be started in namespaces here: " + output.String()
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("systemd does not come up: %s", output.String())
	return nil, ""
}

// newGroup makes a control group of version 2 for the test.
func newGroup(t testing.TB) (group, why string) {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(root + "/cgroup.procs"); err != nil {
			continue
		}
		group, err := os.MkdirTemp(root, "postern-test-")
		if err != nil {
			return "", err.Error()
		}
		t.Cleanup(func() { remove(t, group) })
		return group, ""
	}
	return "", "there are no control groups of version 2"
}

// remove removes a control group, and those that systemd has made below, once their processes are gone.
func remove(t testing.TB, group string) {
	for range 100 {
		var below []string
		_ = filepath.WalkDir(group, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				below = append(below, path)
			}
			return nil
		})
		for i := range below {
			_ = os.Remove(below[len(below)-1-i])
		}
		if _, err := os.Stat(group); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%s is left", group)
}

func (m *Manager) command(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", m.pid, "-m", "-p", "-C", "-u", "-i", "systemctl"}, args...)...)
}

// Ctl runs systemctl.
func (m *Manager) Ctl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := m.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Unit writes the file of a unit.
func (m *Manager) Unit(t testing.TB, name, text string) {
	t.Helper()
	path := "/proc/" + m.pid + "/root/run/systemd/system/" + name
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
