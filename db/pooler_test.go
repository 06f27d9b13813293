package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/test/rig/pgbouncer"
	"postern/test/rig/postgres"
)

// asker is a pool or a connection.
type asker interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A pooler may give a session to another program after each transaction, so none has a setting of ours: a reader that
// made its session read-only would make everybody's so.
func TestNoSessionIsSet(t *testing.T) {
	t.Parallel()
	d, _, _ := onPostgres(t)
	login(t, d, "a", "A")
	d.session(t, "a")
	copying, err := openSide(bg, d.address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := copying.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, lock := range []bool{true, false} {
		if err := copying.begin(bg, lock); err != nil {
			t.Fatal(err)
		}
		if err := copying.exec(bg, "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
	guest, err := d.engine.pool(roleGuest, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	d.writeLock <- struct{}{}
	defer func() { <-d.writeLock }()
	for name, c := range map[string]asker{"writer": d.writer.tx.conn, "reader": d.reads, "copy": copying.conn,
		"guest": guest} {
		// PgBouncer sets the name of each client, for it
		const q = `SELECT COALESCE(string_agg(name, ' '), '') FROM pg_catalog.pg_settings
			WHERE source = 'session' AND name <> 'application_name'`
		var set string
		if err := c.QueryRowContext(bg, q).Scan(&set); err != nil || set != "" {
			t.Errorf("the %s has set: %s, %v", name, set, err)
		}
	}
}

// An answered write is on the server's disk, whatever is the default there; a server that waits for more is let.
func TestSynchronousCommit(t *testing.T) {
	t.Parallel()
	if postgres.Pooled() {
		t.Skip("PgBouncer takes no such parameter")
	}
	first, _, _ := onPostgres(t)
	const q = `SELECT current_setting('synchronous_commit'), current_setting('lock_timeout'),
		current_setting('idle_in_transaction_session_timeout')`
	for by, want := range map[string]string{"off": "on", "local": "local", "on": "on", "remote_write": "remote_write",
		"remote_apply": "remote_apply"} {
		d := open(t, Config{DSN: first.address() + "&synchronous_commit=" + by})
		if err := d.Write(bg, func(x *Tx) error {
			var commit, lock, idle string
			_, err := x.Get(q, []any{&commit, &lock, &idle})
			if commit != want || lock == "0" || idle == "0" {
				t.Errorf("%s: %s, lock_timeout %s, idle_in_transaction_session_timeout %s", by, commit, lock, idle)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// behind gives an empty database behind a PgBouncer of its own, with at most so many sessions.
func behind(t *testing.T, mode string, sessions int, more ...string) string {
	t.Helper()
	if !postgres.Chosen() {
		t.Skip("only PostgreSQL has poolers: go test ./test/server/postgres runs this")
	}
	server := postgres.URL(t)
	return postgres.ByRole(t, server, pgbouncer.Start(t, server, mode, sessions, more...))
}

// exercise has two replicas do what they do all day, at once: everybody gets the same pair, and nothing is lost.
func exercise(t *testing.T, one, two *DB) {
	t.Helper()
	for i := range 4 {
		login(t, []*DB{one, two}[i%2], fmt.Sprint("s", i), fmt.Sprint("D", i))
	}
	for k := range int64(8) {
		var wg sync.WaitGroup
		got, errs := make([]Session, 32), make([]error, 32)
		for i := range got {
			d, id := []*DB{one, two}[i%2], fmt.Sprint("s", i/2%4)
			wg.Go(func() {
				s, _, err := d.Session(bg, id)
				if s.Generation == k+1 {
					d.NoteUse(s, k+1, Seen{At: t0, Addr: "192.0.2.9"})
				}
				got[i], errs[i] = d.AdvanceGeneration(bg, refresh(id, k+1))
				errs[i], got[i].Seen = errors.Join(err, errs[i]), Seen{} // which the note may change at any time
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for i, s := range got {
			if s.Generation != k+2 || s != got[i/2%4*2] {
				t.Fatalf("round %d: %+v and %+v", k, s, got[i/2%4*2])
			}
		}
	}
	if err := one.AddRootKey(bg, RootKey{ID: 7, Wrapped: []byte{0, 1, 0xff}, Created: t0}); err != nil {
		t.Fatal(err)
	}
	if keys, err := two.RootKeys(bg); err != nil || len(keys) != 1 || string(keys[0].Wrapped) != "\x00\x01\xff" {
		t.Fatalf("%+v, %v", keys, err)
	}
	if err := two.LockUser(bg, "alice", t0); err != nil || !one.session(t, "s0").Locked {
		t.Fatalf("locked: %+v, %v", one.session(t, "s0"), err)
	}
	if _, err := Backup(bg, CopyConfig{From: one.address(), To: filepath.Join(t.TempDir(), "backup.db")}); err != nil {
		t.Fatal(err)
	}
}

// TestPgBouncer: two replicas share sessions with each other, and with the shell of another program, whose settings and
// statements stay as they are and change nothing for the replicas; be it all of them on one session.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	for mode, sessions := range map[string][]int{pgbouncer.Transaction: {1, 3}, pgbouncer.Session: {40}} {
		for _, n := range sessions {
			t.Run(fmt.Sprint(mode, n), func(t *testing.T) {
				t.Parallel()
				at := behind(t, mode, n)
				other, err := sql.Open("pgx", at)
				if err != nil {
					t.Fatal(err)
				}
				defer other.Close()
				other.SetMaxOpenConns(n)
				one := freshAt(t, Config{DSN: at})
				two := open(t, Config{DSN: at})
				const theirs = `SET synchronous_commit = off; SET statement_timeout = '77s'; SET lock_timeout = '66s';
					SET idle_in_transaction_session_timeout = '55s'`
				if _, err := other.ExecContext(bg, theirs); err != nil {
					t.Fatal(err)
				}
				if err := one.Write(bg, func(x *Tx) error {
					var commit string
					_, err := x.Get(`SELECT current_setting('synchronous_commit')`, []any{&commit})
					if commit != "on" {
						t.Errorf("synchronous_commit is %s", commit)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
				exercise(t, one, two)
				if mode == pgbouncer.Session {
					return // its sessions are its own
				}
				stays(t, other, n)
			})
		}
	}
}

// stays looks that all sessions are as the server began them, or as the other program has left them.
func stays(t *testing.T, other *sql.DB, sessions int) {
	t.Helper()
	for range 4 * sessions { // they take turns
		const q = `SELECT current_setting('synchronous_commit') || current_setting('statement_timeout') ||
			current_setting('lock_timeout') || current_setting('idle_in_transaction_session_timeout') ||
			current_setting('default_transaction_read_only'), (SELECT COUNT(*) FROM pg_prepared_statements),
			(SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())`
		rows, err := other.QueryContext(bg, q, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		if err := each(rows, func(scan func(...any) error) error {
			var set string
			var prepared, locks int
			err := scan(&set, &prepared, &locks)
			if set != "off77s66s55soff" && set != "on000off" || prepared != 0 || locks != 0 {
				t.Errorf("a session has %s, %d statements and %d locks", set, prepared, locks)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// What the DSN says about how statements are run is done, with a pooler or without; and who says what cannot be done is
// told.
func TestModes(t *testing.T) {
	t.Parallel()
	first, _, _ := onPostgres(t)
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			at := postgres.Direct(t, dsn(t)) + "&" + modeInDSN + "=" + mode
			exercise(t, freshAt(t, Config{DSN: at}), open(t, Config{DSN: at}))
		})
	}
	mode := first.engine.(*postgresServer).config.DefaultQueryExecMode
	if mode != pgx.QueryExecModeCacheStatement && !postgres.Pooled() {
		t.Error("statements are planned each time, though there is no pooler")
	}
	t.Run("prepared in sessions of a pooler", func(t *testing.T) {
		at := behind(t, pgbouncer.Session, 40) + "&" + modeInDSN + "=cache_statement"
		exercise(t, freshAt(t, Config{DSN: at}), open(t, Config{DSN: at}))
	})
	t.Run("prepared behind a pooler", func(t *testing.T) {
		at := behind(t, pgbouncer.Transaction, 3)
		freshAt(t, Config{DSN: at})
		d := open(t, Config{DSN: at + "&" + modeInDSN + "=cache_statement"})
		swaps(t, at) // or the one that reads would have the same session again and again
		said := make(chan error, 8)
		for range cap(said) {
			go func() {
				var err error
				for deadline := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(deadline); {
					_, err = d.User(bg, "alice")
				}
				said <- err
			}()
		}
		var err error
		for range cap(said) {
			err = errors.Join(err, <-said)
		}
		if err == nil || !strings.Contains(err.Error(), "leave "+modeInDSN) {
			t.Errorf("it says %v", err)
		}
	})
}

// swaps uses the sessions of a pooler, so that who else does has now this one and now that one.
func swaps(t *testing.T, at string) {
	t.Helper()
	raw, err := sql.Open("pgx", at+"&"+modeInDSN+"=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(bg)
	var wg sync.WaitGroup
	t.Cleanup(func() { stop(); wg.Wait(); raw.Close() })
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, _ = raw.ExecContext(ctx, "SELECT pg_sleep(0.001)")
			}
		})
	}
}

// A pooler refuses a search_path, or leaves it out without a word, which would show an empty database.
func TestSearchPathBehindPgBouncer(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"", "ignore_startup_parameters = search_path"} {
		at := behind(t, pgbouncer.Transaction, 3, more)
		for _, mode := range []string{"", "&" + modeInDSN + "=exec"} {
			_, err := Open(bg, Config{DSN: at + mode + "&search_path=public"})
			if err == nil || !strings.Contains(err.Error(), "ALTER ROLE") ||
				strings.Contains(err.Error(), "pool_size") {
				t.Errorf("%s%s: it says %v", more, mode, err)
			}
		}
	}
}

// TestConnections: a replica never has more than it was given, whatever is asked of it at once, and has them all then.
func TestConnections(t *testing.T) {
	t.Parallel()
	first, _, shell := onPostgres(t)
	login(t, first, "a", "A")
	if postgres.Pooled() {
		t.Skip("the pooler has the connections")
	}
	for all, want := range map[int]int{0: 9, 2: 2, 5: 5} {
		name := fmt.Sprint("postern-connections-", all)
		d := open(t, Config{DSN: first.dsn(name), Connections: all})
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 32 {
			wg.Go(func() { work(t, d, stop) })
		}
		most := 0
		for sample := 0; sample < 50 || most < want && sample < 4000; sample++ {
			var n int
			const q = `SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = $1`
			if err := shell.QueryRowContext(bg, q, name).Scan(&n); err != nil {
				t.Fatal(err)
			}
			most = max(most, n)
			time.Sleep(5 * time.Millisecond)
		}
		close(stop)
		wg.Wait()
		if most != want {
			t.Errorf("of %d it has %d, want %d", all, most, want)
		}
	}
}

// work reads what takes a while, and writes, until it is stopped.
func work(t *testing.T, d *DB, stop chan struct{}) {
	for {
		err := d.Read(bg, `SELECT 1 FROM pg_sleep(0.05)`, nil, func(func(...any) error) error { return nil })
		if err := errors.Join(err, d.SetSetting(bg, "any", "value")); err != nil {
			t.Error(err)
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}
