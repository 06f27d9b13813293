// Package postgres gives tests a real PostgreSQL: the one at TEST_POSTGRES_URL, or one that it starts from the server programs
// that Debian's package `postgresql` installs, in a temporary directory, on a Unix socket that only this test reaches, and stops
// and removes when the test ends.
//
// Where there is neither, the test is skipped, loudly; with TEST_POSTGRES=required it fails, so that a gate cannot miss it.
package postgres

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// URL is the address of a PostgreSQL in which the test may do what it likes. At TEST_POSTGRES_URL it is shared, so a test keeps
// to a schema of its own.
func URL(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("TEST_POSTGRES_URL"); url != "" {
		return url
	}
	bin := programs()
	if bin == "" {
		const missing = "NO POSTGRESQL: set TEST_POSTGRES_URL, or install the server: apt-get install postgresql"
		if os.Getenv("TEST_POSTGRES") == "required" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return start(t, bin)
}

// programs is the folder of the newest server that is installed; empty if there is none.
func programs() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return ""
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

// start runs a server. Its socket's path has to be short, so it is not below t.TempDir.
func start(t testing.TB, bin string) string {
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
	as := owner(t, dir)
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"),
		"-D", data, "-U", "postern", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	var logs bytes.Buffer
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-F", "-c", "listen_addresses=")
	server.SysProcAttr, server.Dir, server.Stderr, server.Stdout = as, dir, &logs, &logs
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // "fast shutdown": sessions are ended
		if err := server.Wait(); err != nil {
			t.Logf("postgres: %v\n%s", err, logs.String())
		}
	})
	await(t, bin, dir)
	return "postgres:///postgres?user=postern&host=" + dir
}

func await(t testing.TB, bin, dir string) {
	t.Helper()
	for range 150 {
		if exec.CommandContext(t.Context(), filepath.Join(bin, "pg_isready"), "-h", dir, "-U", "postern", "-d", "postgres").Run() == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("postgres does not answer")
}

// owner is whom the server runs as: it refuses to be root.
func owner(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 != nil || err2 != nil {
			continue
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	t.Fatal("a PostgreSQL cannot run as root, and there is no user postgres or nobody")
	return nil
}
