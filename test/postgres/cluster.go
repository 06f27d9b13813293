package postgres

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Cluster is a server that only this test has, so that it may kill it.
type Cluster struct {
	URL string // of its database postgres, as a superuser

	bin, dir string
	as       *syscall.SysProcAttr
	server   *exec.Cmd // nil while none runs
	logs     bytes.Buffer
}

// Start makes a cluster and runs it until the test ends; or it skips the test, loudly. The path of the socket has to be short,
// so it is not below t.TempDir.
func Start(t testing.TB) *Cluster {
	t.Helper()
	bin := programs()
	if bin == "" {
		const missing = "NO POSTGRESQL: set TEST_POSTGRES_URL, or install the server: apt-get install postgresql"
		if os.Getenv("TEST_POSTGRES") == "required" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	dir, err := os.MkdirTemp("", "postern-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	c := &Cluster{URL: "postgres:///postgres?user=postern&host=" + dir, bin: bin, dir: dir, as: owner(t, dir)}
	initdb := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"),
		"-D", c.data(), "-U", "postern", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = c.as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	t.Cleanup(func() { c.stop(t) })
	c.Run(t)
	return c
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// Run starts the server again and waits until it answers. What a killed one leaves behind may take a moment to go, so it tries
// more than once.
func (c *Cluster) Run(t testing.TB) {
	t.Helper()
	for range 150 {
		if c.server == nil {
			c.launch(t)
		}
		if exec.CommandContext(t.Context(), filepath.Join(c.bin, "pg_isready"), "-h", c.dir, "-U", "postern", "-d", "postgres").Run() == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
		var status syscall.WaitStatus
		if pid, err := syscall.Wait4(c.server.Process.Pid, &status, syscall.WNOHANG, nil); err == nil && pid != 0 {
			c.server = nil
		}
	}
	t.Fatalf("postgres does not answer\n%s", c.logs.String())
}

func (c *Cluster) launch(t testing.TB) {
	t.Helper()
	// No fsync: these tests end processes, not the machine.
	c.server = exec.Command(filepath.Join(c.bin, "postgres"), "-D", c.data(), "-k", c.dir, "-F", "-c", "listen_addresses=")
	c.server.SysProcAttr, c.server.Dir, c.server.Stderr, c.server.Stdout = c.as, c.dir, &c.logs, &c.logs
	if err := c.server.Start(); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server by SIGKILL, in the middle of whatever it does.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	if err := c.server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.server.Wait() // says that it was killed
	c.server = nil
}

func (c *Cluster) stop(t testing.TB) {
	if c.server == nil {
		return
	}
	_ = c.server.Process.Signal(os.Interrupt) // "fast shutdown": sessions are ended
	if err := c.server.Wait(); err != nil {
		t.Logf("postgres: %v\n%s", err, c.logs.String())
	}
}
