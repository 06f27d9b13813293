package crash

import (
	"testing"
	"time"

	"postern/test/rig/fleet"
	"postern/test/rig/pgbouncer"
	"postern/test/rig/process"
)

// doubtful is who uses a server whose database dies: when it does so during a commit, nobody knows what became of it.
var doubtful = fleet.Config{Current: crew.Current, Draft: crew.Draft, OAuth: crew.OAuth, Doubtful: true}

// misfortune lets something happen to the database while the fleet works, and then wants every client to go on.
// Meanwhile somebody must have been told that the database is away.
func (h *harness) misfortune(server *process.Server, happens func()) {
	h.Helper()
	before, stop, done := h.fleet.Tally().Unavailable, make(chan struct{}), make(chan error, 1)
	go func() { done <- h.fleet.Run(h.Context(), server.URL, stop) }()
	time.Sleep(200 * time.Millisecond) // until all of them work
	happens()
	close(stop)
	h.owed(server, <-done)
	h.healthy(server)
	h.settle(server)
	h.run(server, 200*time.Millisecond)
	h.rows()
	if h.fleet.Tally().Unavailable == before {
		h.Error("nobody noticed")
	}
}

// toldAway waits until somebody more has been told that the database is away. The server tries for a while before it
// says so, and a busy machine takes its time.
func (h *harness) toldAway(before int) {
	for range 300 {
		if h.fleet.Tally().Unavailable > before {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestPostgresKilled kills PostgreSQL under load by SIGKILL and starts it again after a while.
func TestPostgresKilled(t *testing.T) { killed(t, onPostgres(t)) }

// TestPostgresKilledBehindPgBouncer is the same where the server is not told so, but waits for PgBouncer.
func TestPostgresKilledBehindPgBouncer(t *testing.T) {
	h := onPostgres(t)
	h.site.Database = pgbouncer.Start(t, h.cluster.URL, pgbouncer.Transaction, 10)
	killed(t, h)
}

func killed(t *testing.T, h *harness) {
	h.crew(doubtful)
	server := h.serve()
	h.settle(server)
	for range 3 {
		h.misfortune(server, func() {
			before := h.fleet.Tally().Unavailable
			h.cluster.Kill(t)
			h.toldAway(before)
			h.cluster.Run(t)
			time.Sleep(300 * time.Millisecond)
		})
	}
}

// TestPostgresTerminated ends every connection to PostgreSQL under load, again and again.
func TestPostgresTerminated(t *testing.T) {
	h := onPostgres(t)
	h.crew(doubtful)
	server := h.serve()
	h.settle(server)
	admin := h.rawDatabase()
	defer admin.Close()
	const terminate = `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
	h.misfortune(server, func() {
		ended := 0
		for range 20 {
			var n int
			h.must(admin.QueryRowContext(t.Context(), terminate).Scan(&n))
			ended += n
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Second) // until the server has met the last of them, however slow the machine is
		t.Logf("%d connections ended", ended)
	})
}

// TestPostgresReadOnly takes the right to write away, as a standby or a full disk does. A refresh that is refused then
// has not happened.
func TestPostgresReadOnly(t *testing.T) {
	h := onPostgres(t)
	h.crew(crew)
	server := h.serve()
	h.settle(server)
	d := h.rawDatabase()
	defer d.Close()
	admin, err := d.Conn(t.Context())
	h.must(err)
	defer admin.Close()
	do := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			_, err := admin.ExecContext(t.Context(), statement)
			h.must(err)
		}
	}
	h.misfortune(server, func() {
		before := h.fleet.Tally().Unavailable
		do(`SET default_transaction_read_only = off`, `ALTER SYSTEM SET default_transaction_read_only = on`,
			`SELECT pg_reload_conf()`)
		h.toldAway(before)
		do(`ALTER SYSTEM RESET default_transaction_read_only`, `SELECT pg_reload_conf()`)
		time.Sleep(300 * time.Millisecond)
	})
}
