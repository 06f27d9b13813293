package postgres

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Standby makes a server that follows this one by streaming replication, and runs it until the test ends. It is
// asynchronous: what is answered here may be lost there.
func (c *Cluster) Standby(t testing.TB) *Cluster {
	t.Helper()
	s := newCluster(t, c.durable)
	s.program(t, "pg_basebackup", "-h", c.dir, "-U", "postern", "-D", s.data(), "-R", "-X", "stream", "-c", "fast",
		"--no-sync")
	t.Cleanup(func() { s.end(t, os.Interrupt) })
	s.Run(t)
	c.await(t, `SELECT COUNT(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'`)
	return s
}

// Synchronous makes every commit wait from now on until the standby has it on its disk.
func (c *Cluster) Synchronous(t testing.TB) {
	t.Helper()
	c.do(t, `ALTER SYSTEM SET synchronous_standby_names = '*'`, `SELECT pg_reload_conf()`)
	c.await(t, `SELECT COUNT(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'`)
}

// Forget ends a standby's stream: it never gets what is committed from now on, as if the network had been slow.
func (c *Cluster) Forget(t testing.TB) {
	t.Helper()
	c.do(t, `ALTER SYSTEM SET primary_conninfo = ''`, `SELECT pg_reload_conf()`)
	c.await(t, `SELECT COUNT(*) = 0 FROM pg_stat_wal_receiver`)
}

// Pause keeps a standby from replaying what it gets, until it is promoted: what it answers is old.
func (c *Cluster) Pause(t testing.TB) {
	t.Helper()
	c.do(t, `SELECT pg_wal_replay_pause()`)
	c.await(t, `SELECT pg_get_wal_replay_pause_state() = 'paused'`)
}

// Promote makes a primary of a standby.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	c.do(t, `SELECT pg_promote()`)
	c.await(t, `SELECT NOT pg_is_in_recovery()`)
}

// Whichever is the address of the one among several servers that takes writes.
func Whichever(clusters ...*Cluster) string {
	hosts := ""
	for _, c := range clusters {
		hosts += "," + c.dir
	}
	return "postgres:///postgres?" + url.Values{"user": {"postern"}, "host": {hosts[1:]},
		"target_session_attrs": {"read-write"}}.Encode()
}

// Address is one address at which there is one server or another, as balancers and moving addresses have it.
type Address struct {
	URL string
	dir string
}

// NewAddress makes the address of a server.
func NewAddress(t testing.TB, c *Cluster) *Address {
	t.Helper()
	a := &Address{dir: c.dir + "-address"}
	if err := os.Mkdir(a.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(a.dir); err != nil {
			t.Error(err)
		}
	})
	a.URL = "postgres:///postgres?user=postern&host=" + a.dir
	a.Move(t, c)
	return a
}

// Move leads whoever connects from now on to another server.
func (a *Address) Move(t testing.TB, c *Cluster) {
	t.Helper()
	const socket = ".s.PGSQL.5432"
	next := filepath.Join(a.dir, "next")
	if err := os.Symlink(filepath.Join(c.dir, socket), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(a.dir, socket)); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) open(t testing.TB) *sql.DB {
	t.Helper()
	d, err := sql.Open("pgx", c.URL)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (c *Cluster) do(t testing.TB, statements ...string) {
	t.Helper()
	d := c.open(t)
	defer d.Close()
	for _, s := range statements {
		if _, err := d.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// await waits until a condition holds.
func (c *Cluster) await(t testing.TB, condition string) {
	t.Helper()
	d := c.open(t)
	defer d.Close()
	var holds bool
	for range 3000 {
		if err := d.QueryRowContext(t.Context(), condition).Scan(&holds); err != nil {
			t.Fatalf("%s: %v", condition, err)
		}
		if holds {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("for 30 s not: %s\n%s", condition, c.log())
}
