package db

import (
	"context"
	"database/sql"
	"testing"
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
		const q = `SELECT COALESCE(string_agg(name, ' '), '') FROM pg_catalog.pg_settings WHERE source = 'session'`
		var set string
		if err := c.QueryRowContext(bg, q).Scan(&set); err != nil || set != "" {
			t.Errorf("the %s has set: %s, %v", name, set, err)
		}
	}
}

// An answered write is on the server's disk, whatever is the default there; a server that waits for more is let.
func TestSynchronousCommit(t *testing.T) {
	t.Parallel()
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
