package replicas

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"postern/test/rig/fleet"
	"postern/test/rig/pgbouncer"
	"postern/test/rig/postgres"
)

// TestPgBouncer puts a PgBouncer between the replicas and their database. Another program has its own work in the same
// pool, on the same sessions, and finds them as it always did. Keys are rotated and a password is changed meanwhile,
// and at the end everything moves away, into a file.
func TestPgBouncer(t *testing.T) {
	for mode, sessions := range map[string]int{pgbouncer.Transaction: 4, pgbouncer.Session: 40} {
		t.Run(mode, func(t *testing.T) {
			server := postgres.URL(t)
			at := postgres.ByRole(t, server, pgbouncer.Start(t, server, mode, sessions))
			h := newReplicasAt(t, 2, at)
			tenant := newTenant(t, at)
			n := h.under(fleet.Config{Current: 12, Draft: 4, OAuth: 4}, func() {
				first := h.minting()
				h.command("", "keys", "rotate")
				h.retire(first)
				h.command("another password of bob's", "user", "add", "bob", "--password-stdin")
				h.command("yet another password of bob's", "user", "passwd", "bob", "--password-stdin")
				h.command("", "backup", filepath.Join(t.TempDir(), "backup.db"))
			})
			if n.Unavailable+n.Broken > 0 {
				t.Errorf("requests failed: %+v", n)
			}
			tenant.end()
			pair := h.login("MOVES")
			to := filepath.Join(t.TempDir(), "postern.db")
			h.command("", "db", "copy", at, to)
			h.site.Database = to
			moved := h.serve()
			h.must(h.client.Whoami(t.Context(), moved.URL, pair.Access))
		})
	}
}

// tenant is another program in the same pool.
type tenant struct {
	testing.TB
	db   *sql.DB
	stop context.CancelFunc
	done chan struct{}
}

func newTenant(t testing.TB, at string) *tenant {
	t.Helper()
	d, err := sql.Open("pgx", at+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	x := &tenant{TB: t, db: d, stop: stop, done: make(chan struct{})}
	if _, err := d.ExecContext(ctx, `CREATE TABLE orders (at TIMESTAMPTZ)`); err != nil {
		t.Fatal(err)
	}
	go x.work(ctx)
	return x
}

// work writes, which a reader's session would refuse, and looks whether anything was set, prepared or locked.
func (x *tenant) work(ctx context.Context) {
	defer close(x.done)
	const q = `WITH ordered AS (INSERT INTO orders VALUES (now()) RETURNING at)
		SELECT (SELECT COUNT(*) FROM pg_settings WHERE source = 'session' AND name <> 'application_name') +
			(SELECT COUNT(*) FROM pg_prepared_statements) +
			(SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
		FROM ordered`
	for ctx.Err() == nil {
		var left int
		if err := x.db.QueryRowContext(ctx, q).Scan(&left); ctx.Err() == nil && (err != nil || left > 0) {
			x.Errorf("another program finds %d things in its session: %v", left, err)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (x *tenant) end() {
	x.stop()
	<-x.done
	if err := x.db.Close(); err != nil {
		x.Error(err)
	}
}
