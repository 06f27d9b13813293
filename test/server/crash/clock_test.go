package crash

import (
	"crypto/rand"
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"postern/db"
	"postern/db/dbtest"
	"postern/handlers"
	"postern/test/rig/fleet"
	"postern/tokens"
)

// TestClock lets the clock jump back an hour, and forth again, and back under load. The server runs in this process,
// since a static binary takes its time from where no test can change it; all else is real: the database, HTTP, the
// clients.
func TestClock(t *testing.T) {
	var ahead atomic.Int64 // of the real clock
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	url := inProcess(t, dbtest.New(t), now)
	f := fleet.New(fleet.Config{Current: 12, Draft: 4, User: user, Password: password, Seed: *seed})
	defer f.Close()
	want := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want(f.Settle(t.Context(), url))
	for _, jump := range []time.Duration{-time.Hour, -time.Minute, 61 * time.Minute} {
		ahead.Add(int64(jump))
		want(f.Settle(t.Context(), url)) // with what was used before the jump, too
		want(f.For(t.Context(), url, 200*time.Millisecond))
		want(f.Settle(t.Context(), url))
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- f.Run(t.Context(), url, stop) }()
	for range 5 { // and while they work
		time.Sleep(50 * time.Millisecond)
		ahead.Add(int64(-time.Hour))
	}
	close(stop)
	want(<-done)
	want(f.Settle(t.Context(), url))
	t.Logf("seed %d: %+v", *seed, f.Tally())
}

// inProcess serves a database in this process, by a clock of the test's.
func inProcess(t *testing.T, d *db.DB, now func() time.Time) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	master, err := tokens.NewMasterKey(rand.Reader)
	must(err)
	key, err := tokens.NewKey(1, rand.Reader)
	must(err)
	wrapped, err := master.Wrap(rand.Reader, key)
	must(err)
	must(d.AddRootKey(t.Context(), db.RootKey{ID: 1, Wrapped: wrapped, Created: now()}))
	cheap := &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	hash, err := argon2id.CreateHash(password, cheap)
	must(err)
	must(d.CreateUser(t.Context(), db.User{Localpart: user, PasswordHash: hash, Created: now()}))
	// The leeway and the lifetime are longer than any jump, so that what was used before one may come again after it,
	// and gets the same. To log in, all wait their turn at one account, and that is long on a busy machine.
	server, err := handlers.New(t.Context(), handlers.Config{
		DB: d, ServerName: "example.org", Master: master, Metrics: handlers.NewMetrics(),
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Now: now, Random: rand.Reader, AccessTTL: 12 * time.Hour, RefreshLeeway: 2 * time.Hour,
		Patience: 10 * time.Minute,
	})
	must(err)
	t.Cleanup(server.Close)
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(listener.Close)
	return listener.URL
}
