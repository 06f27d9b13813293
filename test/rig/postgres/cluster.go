package postgres

import (
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
	durable  bool // it syncs its disk
	as       *syscall.SysProcAttr
	server   *exec.Cmd
	ended    chan struct{} // closed when the server has ended; nil while none runs
}

// Start makes a cluster and runs it until the test ends; or it skips the test, loudly. The path of the socket has to be
// short, so it is not below t.TempDir.
func Start(t testing.TB) *Cluster {
	t.Helper()
	wanted(t)
	return start(t, false)
}

func start(t testing.TB, durable bool) *Cluster {
	t.Helper()
	c := newCluster(t, durable)
	c.program(t, "initdb", "-D", c.data(), "-U", "postern", "--auth=trust", "--encoding=UTF8",
		"--locale=C", "--no-sync")
	t.Cleanup(func() { c.end(t, os.Interrupt) }) // "fast shutdown": sessions are ended
	c.Run(t)
	return c
}

// newCluster makes the folder of a cluster, which is still empty.
func newCluster(t testing.TB, durable bool) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "postern-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return &Cluster{URL: "postgres:///postgres?user=postern&host=" + dir, bin: Programs(t), dir: dir,
		as: Owner(t, dir), durable: durable}
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// program runs one of the server's programs to its end.
func (c *Cluster) program(t testing.TB, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(c.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir = c.as, c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// Run starts the server again and waits until it answers. What a killed one leaves behind may take a moment to go, and
// until then a new one refuses to start; so it is tried again.
func (c *Cluster) Run(t testing.TB) {
	t.Helper()
	d := c.open(t)
	defer d.Close()
	for range 300 {
		if c.ended == nil {
			c.launch(t)
		}
		if d.PingContext(t.Context()) == nil {
			return
		}
		select {
		case <-c.ended:
			c.ended = nil
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("postgres does not answer\n%s", c.log())
}

func (c *Cluster) launch(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()   // the server has its own
	sync := "fsync=off" // tests end processes, not the machine
	if c.durable {
		sync = "fsync=on"
	}
	c.server = exec.Command(filepath.Join(c.bin, "postgres"), "-D", c.data(), "-k", c.dir, "-c", sync, "-c",
		"listen_addresses=", "-c", "max_connections=400") // each test has a database, or a schema, and its connections
	c.server.SysProcAttr, c.server.Dir, c.server.Stderr, c.server.Stdout = c.as, c.dir, log, log
	if err := c.server.Start(); err != nil {
		t.Fatal(err)
	}
	server, ended := c.server, make(chan struct{})
	go func() {
		_ = server.Wait() // it says in its log why it ended
		close(ended)
	}()
	c.ended = ended
}

// Stop ends the server as an operator does who switches over: its standbys have got everything before it ends.
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	c.end(t, os.Interrupt)
}

// Kill ends the server by SIGKILL, in the middle of whatever it does.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	c.end(t, os.Kill)
}

// end sends a signal and waits for the end.
func (c *Cluster) end(t testing.TB, signal os.Signal) {
	t.Helper()
	if c.ended == nil {
		return
	}
	if err := c.server.Process.Signal(signal); err != nil {
		t.Fatalf("postgres: %v\n%s", err, c.log())
	}
	<-c.ended
	c.ended = nil
}

func (c *Cluster) log() string {
	text, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}
