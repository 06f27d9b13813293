// Package crash kills, starves and confuses a real server while a fleet of clients uses it, and holds it to what
// package fleet says a server owes them: nobody is ever logged out by accident.
//
// `go test` runs few rounds; `make crash`, a part of `make slow`, runs as many as the gate wants:
//
//	go test -v -run Kill ./test/server/crash -rounds 200 -postgres-rounds 50 -seed 7
//
// Chance decides what the clients do and when the server dies. A failure tells the seed; it makes the same choices
// again, though not the same interleaving.
package crash

import (
	"database/sql"
	"flag"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"postern/test/rig/fleet"
	"postern/test/rig/postgres"
	"postern/test/rig/process"
)

var (
	rounds         = flag.Int("rounds", fleet.Rounds(10, 200), "how often the server is killed on SQLite")
	postgresRounds = flag.Int("postgres-rounds", fleet.Rounds(5, 50), "how often the server is killed on PostgreSQL")
	seed           = flag.Uint64("seed", 1, "of what the clients do and when the server dies")
)

func TestMain(m *testing.M) { process.Main(m) }

const (
	user     = "alice"
	password = "correct horse battery staple"
)

// harness is an installation that a test mistreats.
type harness struct {
	testing.TB
	site    process.Site
	cluster *postgres.Cluster // nil on SQLite
	fleet   *fleet.Fleet
}

// onSQLite makes an installation in a folder.
func onSQLite(t testing.TB, folder string) *harness {
	t.Helper()
	return &harness{TB: t, site: process.Site{
		Binary: process.Binary(t), Database: filepath.Join(folder, "postern.db"),
		Key: filepath.Join(folder, "postern.key"),
	}}
}

// onPostgres makes an installation on a PostgreSQL that it may kill.
func onPostgres(t testing.TB) *harness {
	t.Helper()
	cluster := postgres.Start(t)
	return &harness{TB: t, cluster: cluster, site: process.Site{
		Binary: process.Binary(t), Database: cluster.URL, Key: filepath.Join(t.TempDir(), "postern.key"),
	}}
}

// crew adds the account, and a fleet that will use it.
func (h *harness) crew(c fleet.Config) *fleet.Fleet {
	h.Helper()
	h.command(password, "user", "add", user, "--password-stdin")
	c.User, c.Password, c.Seed = user, password, *seed
	f := fleet.New(c)
	h.Cleanup(f.Close)
	h.Cleanup(func() { h.Logf("seed %d: %+v", *seed, f.Tally()) })
	h.fleet = f
	return f
}

func (h *harness) command(stdin string, args ...string) string {
	h.Helper()
	return h.site.Run(h, stdin, args...)
}

// serve starts a server, which is killed when the test ends, unless it is gone by then.
func (h *harness) serve() *process.Server {
	h.Helper()
	return h.site.StartToKill(h, fleet.ServeFlags...)
}

// stop stops a server in the friendly way. A connection on which nothing was asked yet would keep it for five seconds
// (net/http, Server.Shutdown), so the fleet closes those first.
func (h *harness) stop(s *process.Server) {
	h.Helper()
	h.fleet.Close()
	h.must(s.Stop())
}

// healthy waits until the server says that it can use its database again.
func (h *harness) healthy(s *process.Server) {
	h.Helper()
	client := process.NewClient(1)
	defer client.Close()
	for range 600 {
		if _, err := client.Ask(h.Context(), http.MethodGet, s.URL+"/health", "", nil); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.Fatal("the database is back, and the server does not use it")
}

// run lets the fleet go on for some time.
func (h *harness) run(s *process.Server, d time.Duration) {
	h.Helper()
	h.owed(s, h.fleet.For(h.Context(), s.URL, d))
}

// settle lets every client go on once.
func (h *harness) settle(s *process.Server) {
	h.Helper()
	h.owed(s, h.fleet.Settle(h.Context(), s.URL))
}

// noticed lets the fleet work until a request was refused because of the database; on a machine that is busy that may
// take a while.
func (h *harness) noticed(s *process.Server) {
	h.Helper()
	before := h.fleet.Tally().Unavailable
	for range 100 {
		h.run(s, 300*time.Millisecond)
		if h.fleet.Tally().Unavailable > before {
			return
		}
	}
	h.Error("nobody noticed")
}

// owed fails the test if the server did not do what it owes its clients, and shows its log.
func (h *harness) owed(s *process.Server, err error) {
	h.Helper()
	if err != nil {
		log := s.Log()
		h.Fatalf("%v\nthe server's log ends with\n%s", err, log[max(0, len(log)-4000):])
	}
}

// rows holds every client against its row in the database, in the words of the engine. The server is there, so that
// what there was to recover after a crash it has recovered, and idle.
func (h *harness) rows() {
	h.Helper()
	d := h.rawDatabase()
	defer d.Close()
	h.must(h.fleet.Rows(func(id string) (n int64, live bool, err error) {
		const q = `SELECT generation, state = 'live' FROM sessions WHERE id = $1`
		err = d.QueryRowContext(h.Context(), q, id).Scan(&n, &live)
		return n, live, err
	}))
}

// rawDatabase is the database without Postern.
func (h *harness) rawDatabase() (d *sql.DB) {
	h.Helper()
	var err error
	if h.cluster == nil {
		d, err = sql.Open("sqlite", "file:"+h.site.Database+"?_pragma=query_only(1)&_pragma=busy_timeout(5000)")
	} else {
		d, err = sql.Open("pgx", h.cluster.URL)
	}
	h.must(err)
	return d
}

func (h *harness) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// quiet waits until PostgreSQL has noticed that its client is dead: until then it may still be committing for it.
func (h *harness) quiet() {
	h.Helper()
	if h.cluster == nil {
		return
	}
	admin := h.rawDatabase()
	defer admin.Close()
	const others = `SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
	for range 12_000 {
		var n int
		h.must(admin.QueryRowContext(h.Context(), others).Scan(&n))
		if n == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	h.Fatal("PostgreSQL still works for a server that was killed")
}
