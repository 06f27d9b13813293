// Package replicas runs two and three real servers on one PostgreSQL, behind a proxy that sends each request to the
// next of them, and holds them together to what one server owes its clients: what one knows, all know by the very next
// request.
//
// It needs a PostgreSQL, see package postgres; without one it skips, loudly.
package replicas

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/test/rig/fleet"
	"postern/test/rig/postgres"
	"postern/test/rig/process"
)

var (
	rounds = flag.Int("rounds", fleet.Rounds(1, 10), "how often each thing is tried")
	seed   = flag.Uint64("seed", 1, "of what the clients do")
)

func TestMain(m *testing.M) { process.Main(m) }

const (
	user     = "alice"
	password = "correct horse battery staple"
)

// replicas is a number of servers on one database.
type replicas struct {
	testing.TB
	site    process.Site
	servers []*process.Server
	proxy   *proxy
	client  *process.Client
	fleet   *fleet.Fleet // what works since under was called last
}

// newReplicas starts replicas on an empty database with the account alice, and the proxy in front of them.
func newReplicas(t testing.TB, count int) *replicas {
	t.Helper()
	return newReplicasAt(t, count, postgres.Schema(t, postgres.URL(t)))
}

func newReplicasAt(t testing.TB, count int, database string) *replicas {
	t.Helper()
	h := &replicas{TB: t, client: process.NewClient(64), site: process.Site{
		Binary: process.Binary(t), Database: database,
		Key: filepath.Join(t.TempDir(), "postern.key"),
	}}
	t.Cleanup(h.client.Close)
	h.command(password, "user", "add", user, "--password-stdin")
	for range count {
		h.servers = append(h.servers, h.serve())
	}
	h.proxy = newProxy(t, h.servers)
	return h
}

func (h *replicas) serve() *process.Server {
	h.Helper()
	return h.site.StartToKill(h, fleet.ServeFlags...)
}

func (h *replicas) command(stdin string, args ...string) string {
	h.Helper()
	return h.site.Run(h, stdin, args...)
}

func (h *replicas) login(device string) process.Pair {
	h.Helper()
	pair, err := h.client.Login(h.Context(), h.proxy.url, user, password, device)
	h.must(err)
	return pair
}

func (h *replicas) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

var (
	gone   = process.Refusal{Status: 401, Code: "M_UNKNOWN_TOKEN"}
	soft   = process.Refusal{Status: 401, Code: "M_UNKNOWN_TOKEN", SoftLogout: true}
	locked = process.Refusal{Status: 401, Code: "M_USER_LOCKED", SoftLogout: true}
)

// good wants every replica to take an access token.
func (h *replicas) good(when, token string) {
	h.Helper()
	for i, replica := range h.servers {
		if err := h.client.Whoami(h.Context(), replica.URL, token); err != nil {
			h.Errorf("%s: replica %d answers %v", when, i, err)
		}
	}
}

// refused wants every replica to refuse an access token, and in the same way.
func (h *replicas) refused(when, token string, want process.Refusal) {
	h.Helper()
	for i, replica := range h.servers {
		err := h.client.Whoami(h.Context(), replica.URL, token)
		var r *process.Refusal
		if !errors.As(err, &r) || r.Status != want.Status || r.Code != want.Code || r.SoftLogout != want.SoftLogout {
			h.Errorf("%s: replica %d answers %v, want %v", when, i, err, &want)
		}
	}
}

// under lets something happen while a fleet works through the proxy, and wants every client to have got what it is
// owed.
func (h *replicas) under(c fleet.Config, happens func()) fleet.Tally {
	h.Helper()
	c.User, c.Password, c.Seed = user, password, *seed
	f := fleet.New(c)
	h.fleet = f
	defer f.Close()
	defer func() {
		if h.Failed() {
			h.Log(f.Err()) // perhaps the reason for what failed first
		}
	}()
	h.owed(f.Settle(h.Context(), h.proxy.url))
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- f.Run(h.Context(), h.proxy.url, stop) }()
	time.Sleep(100 * time.Millisecond) // until all of them work
	happens()
	time.Sleep(100 * time.Millisecond)
	close(stop)
	h.owed(<-done)
	h.owed(f.Settle(h.Context(), h.proxy.url))
	h.Logf("seed %d: %+v", *seed, f.Tally())
	return f.Tally()
}

// owed shows what the replicas have to say about what they did not do.
func (h *replicas) owed(err error) {
	h.Helper()
	if err == nil {
		return
	}
	var logs strings.Builder
	for i, replica := range h.servers {
		log := replica.Log()
		fmt.Fprintf(&logs, "the log of replica %d ends with\n%s", i, log[max(0, len(log)-2000):])
	}
	h.Fatalf("%v\n%s", err, logs.String())
}
