package outbox

import (
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/db"
	"postern/db/dbtest"
	"postern/homeserver/synapse"
	"postern/test/rig/fakesynapse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "the_secret_of_the_tests"

var t0 = time.UnixMilli(1_800_000_000_000).UTC()

// site is a database, a homeserver, and a sender that works when the test calls round.
type site struct {
	testing.TB
	queue  *Queue
	db     *db.DB
	dsn    string
	there  *fakesynapse.Server
	sender *Sender
	mu     sync.Mutex
	now    time.Time
	sent   map[string]int
}

// open opens a database as each process does, and closes it when the test ends.
func open(t testing.TB, dsn string) *Queue {
	t.Helper()
	q, err := Open(t.Context(), db.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func newSite(t testing.TB) *site {
	t.Helper()
	x := &site{TB: t, dsn: dbtest.DSN(t), there: fakesynapse.New(t, secret), now: t0, sent: make(map[string]int)}
	x.queue = open(t, x.dsn)
	x.db = x.queue.DB
	x.sender = x.newSender(x.queue)
	x.must(x.queue.SetHomeserver(t.Context(), x.there.URL))
	return x
}

func (x *site) newSender(q *Queue) *Sender {
	s := New(Config{Queue: q, Synapse: x.newClient(500 * time.Millisecond), Log: slog.New(slog.DiscardHandler),
		Now: x.clock, Sent: x.count, Only: true})
	x.Cleanup(s.Close)
	return s
}

func (x *site) newClient(timeout time.Duration) *synapse.Client {
	client := synapse.New(synapse.Config{URL: x.there.URL, Secret: secret, Timeout: timeout})
	x.Cleanup(client.Close)
	return client
}

func (x *site) clock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

func (x *site) step(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.now = x.now.Add(d)
}

func (x *site) count(outcome string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sent[outcome]++
}

func (x *site) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

// round lets the sender work until nothing is due.
func (x *site) round() {
	x.Helper()
	for range 100 {
		_, err := x.sender.sendDue(x.Context())
		x.must(err)
		x.sender.running.Wait()
		due, _, err := x.queue.Due(x.Context(), x.clock())
		x.must(err)
		if !due {
			return
		}
	}
	x.Fatal("it never ends")
}

// user adds an account, and login a session on a device. The homeserver is not told of them before round.
func (x *site) user(name string) {
	x.Helper()
	x.must(x.db.CreateUser(x.Context(), db.User{Localpart: name, PasswordHash: "hash", Created: t0}))
}

func (x *site) login(name, device string) db.Session {
	x.Helper()
	s, err := x.db.StartSession(x.Context(),
		db.Login{ID: rand.Text(), Localpart: name, PasswordHash: "hash", DeviceID: device,
			DisplayName: "of " + device, At: t0, KeyID: 1})
	x.must(err)
	return s
}

// waiting lists the rows of the outbox, as "alice A".
func (x *site) waiting() []string {
	x.Helper()
	all, err := x.queue.List(x.Context())
	x.must(err)
	var names []string
	for _, w := range all {
		names = append(names, w.Localpart+" "+w.DeviceID)
	}
	slices.Sort(names)
	return names
}

// settled fails the test unless the outbox is empty and the homeserver has exactly the devices that have sessions.
func (x *site) settled() {
	x.Helper()
	if w := x.waiting(); len(w) > 0 {
		x.Errorf("%q wait", w)
	}
	x.same()
}

func (x *site) same() {
	x.Helper()
	sessions, err := x.db.Sessions(x.Context(), "")
	x.must(err)
	want := []string{}
	for _, s := range sessions {
		want = append(want, s.Localpart+" "+s.DeviceID)
	}
	slices.Sort(want)
	if got := x.there.Devices(); !slices.Equal(got, want) {
		x.Errorf("the homeserver has %q, and there are sessions on %q", got, want)
	}
}
