// Package postgres gives tests a real PostgreSQL: the one at TEST_POSTGRES_URL, or one that it starts from the server
// programs that Debian's package `postgresql` installs, in a temporary directory, on a Unix socket that only this test
// reaches, and stops and removes when the test ends.
//
// Where there is neither, the test is skipped, loudly; with TEST_POSTGRES=required it fails, so that a gate cannot miss
// it. With TEST_POSTGRES=off it is always skipped.
package postgres

import (
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// URL is the address of a PostgreSQL in which the test may do what it likes. At TEST_POSTGRES_URL it is shared, so a
// test keeps to a schema of its own.
func URL(t testing.TB) string {
	t.Helper()
	wanted(t)
	if url := os.Getenv("TEST_POSTGRES_URL"); url != "" {
		return url
	}
	return Start(t).URL
}

// wanted skips the test where no PostgreSQL is wanted.
func wanted(t testing.TB) {
	t.Helper()
	if os.Getenv("TEST_POSTGRES") == "off" {
		t.Skip("TEST_POSTGRES=off")
	}
}

// Programs is the folder of the server's programs: TEST_POSTGRES_BIN, or the newest that Debian's packages have
// installed. Without one it skips the test, loudly.
func Programs(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("TEST_POSTGRES_BIN"); bin != "" {
		return bin
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		const missing = "NO POSTGRESQL: set TEST_POSTGRES_URL, or install the server: apt-get install postgresql"
		if os.Getenv("TEST_POSTGRES") == "required" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

// Owner is whom a server runs as that refuses to be root; a folder of that name is theirs.
func Owner(t testing.TB, dir string) *syscall.SysProcAttr {
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
