package crash

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"postern/test/rig/fleet"
)

// crew is who uses the server while it is killed.
var crew = fleet.Config{Current: 24, Draft: 8, OAuth: 8}

// TestKillSQLite kills the server by SIGKILL at random moments under load, again and again, and lets every client go on
// with what it last received.
func TestKillSQLite(t *testing.T) {
	kill(t, onSQLite(t, t.TempDir()), crew, *rounds)
}

// TestKillPostgres is the same on PostgreSQL.
func TestKillPostgres(t *testing.T) {
	kill(t, onPostgres(t), crew, *postgresRounds)
}

// browsers are people who sign in and let clients in, again and again.
var browsers = fleet.Config{OAuth: 16}

// TestKillCodesSQLite kills the server between consent, code, redemption and answer: afterwards there is a session with
// one pair or none, and every client goes on.
func TestKillCodesSQLite(t *testing.T) {
	kill(t, onSQLite(t, t.TempDir()), browsers, *rounds)
}

// TestKillCodesPostgres is the same on PostgreSQL.
func TestKillCodesPostgres(t *testing.T) {
	kill(t, onPostgres(t), browsers, *postgresRounds)
}

func kill(t *testing.T, h *harness, c fleet.Config, rounds int) {
	if testing.Short() {
		rounds = min(rounds, 3)
	}
	f, random := h.crew(c), rand.New(rand.NewPCG(*seed, 1<<32))
	server := h.serve()
	h.settle(server) // logs everybody in
	for round := range rounds {
		before := f.Tally()
		done := make(chan error, 1)
		go func() { done <- f.Run(t.Context(), server.URL, nil) }()
		h.busy(before.Refreshes)
		time.Sleep(time.Duration(random.IntN(150_000)) * time.Microsecond)
		h.must(server.Kill())
		h.owed(server, <-done)
		h.quiet()
		if random.IntN(8) == 0 {
			h.killStart(time.Duration(random.IntN(60_000)) * time.Microsecond)
			h.quiet()
		}
		server = h.serve()
		h.rows()
		if t.Failed() {
			t.Fatalf("round %d, seed %d", round, *seed)
		}
		if f.Tally().Broken == before.Broken {
			t.Fatalf("round %d, seed %d: nobody noticed that the server was killed", round, *seed)
		}
	}
	h.settle(server)
	h.rows()
	h.stop(server)
	if n := f.Tally(); n.Spent > n.Lost {
		t.Errorf("more clients had to log in again than answers were lost: %+v", n)
	}
}

// busy waits until the fleet has got answers, so that however slow the machine is the server dies at its work.
func (h *harness) busy(before int) {
	h.Helper()
	for range 60_000 {
		if h.fleet.Tally().Refreshes > before || h.fleet.Err() != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	h.Fatal("the server answers nobody")
}

// killStart kills a server while it starts, or just after.
func (h *harness) killStart(after time.Duration) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), after)
	defer cancel()
	if server, err := h.site.Serve(ctx, fleet.ServeFlags...); err == nil {
		h.must(server.Kill())
	}
}

// TestKillFirstStart kills the very first start, in which the database, the master key and the root key are made:
// whatever it leaves, the next start is a good one.
func TestKillFirstStart(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(*seed, 1<<33))
	for range max(*rounds/4, 3) {
		h := onSQLite(t, t.TempDir())
		h.site.Key = "" // where Postern puts it by itself
		h.killStart(time.Duration(random.IntN(60_000)) * time.Microsecond)
		f := h.crew(fleet.Config{Current: 1, Draft: 1, OAuth: 1})
		server := h.serve()
		h.settle(server)
		h.stop(server)
		if drafts, err := filepath.Glob(filepath.Join(filepath.Dir(h.site.Database), "*")); err != nil ||
			len(drafts) < 2 {
			t.Errorf("after a start there are %v, %v", drafts, err)
		}
		if n := f.Tally(); n.Logins != 3 {
			t.Errorf("%+v", n)
		}
	}
}
