package imported

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"postern/db"
	"postern/db/dbtest"
	"postern/homeserver/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	bg = context.Background()
	t0 = time.UnixMilli(1_800_000_000_000).UTC()
)

// base is an open database, with its outbox, and what finds tokens in it.
type base struct {
	*db.DB
	queue *outbox.Queue
	*finder
}

// open opens a database as each process does, and closes it when the test ends.
func open(tb testing.TB, dsn string) base {
	tb.Helper()
	q, err := outbox.Open(bg, db.Config{DSN: dsn})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := q.DB.Close(); err != nil {
			tb.Error(err)
		}
	})
	return base{q.DB, q, newFinder(q.DB)}
}

// fresh opens an empty database with one account, alice.
func fresh(tb testing.TB) base {
	tb.Helper()
	return freshAt(tb, dbtest.DSN(tb))
}

func freshAt(tb testing.TB, dsn string) base {
	tb.Helper()
	d := open(tb, dsn)
	if err := d.CreateUser(bg, db.User{Localpart: "alice", PasswordHash: "hash", Created: t0}); err != nil {
		tb.Fatal(err)
	}
	return d
}

// login starts a session of alice's on a device.
func login(tb testing.TB, d base, id, device string) {
	tb.Helper()
	_, err := d.StartSession(bg, db.Login{ID: id, Localpart: "alice", PasswordHash: "hash", DeviceID: device, At: t0,
		KeyID: 1})
	if err != nil {
		tb.Fatal(err)
	}
}

// refresh is what a client does a minute after logging in.
func refresh(id string, k int64) db.Refresh {
	return db.Refresh{Session: id, Generation: k, At: t0.Add(time.Minute), KeyID: 1, AccessTTL: 5 * time.Minute,
		Leeway: 30 * time.Second, Seen: db.Seen{At: t0.Add(time.Minute), Addr: "192.0.2.1", Agent: "test"}}
}

// session is Session where it must succeed.
func (d base) session(tb testing.TB, id string) db.Session {
	tb.Helper()
	s, _, err := d.Session(bg, id)
	if err != nil {
		tb.Fatalf("%s: %v", id, err)
	}
	return s
}

func hashOf(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// gadget is a device of another server with an access and a refresh token.
func gadget(id, name string) Device {
	return Device{Session: id, DeviceID: name, DisplayName: "name of " + name, Live: true, Refreshable: true,
		AccessExpires: t0.Add(time.Hour),
		Seen:          db.Seen{At: t0, Addr: "192.0.2.7", Agent: "theirs"}, Tokens: []Token{
			{Hash: hashOf("access " + id), Expires: t0.Add(time.Hour)}, {Hash: hashOf("refresh " + id), Refresh: true}}}
}

// arrive imports one account with its devices.
func (d base) arrive(t testing.TB, again bool, u db.User, devices ...Device) Arrived {
	t.Helper()
	did, err := Add(bg, d.DB,
		Batch{At: t0, KeyID: 1, Again: again, Arrivals: []Arrival{{User: u, WithDevices: true, Devices: devices}}})
	if err != nil {
		t.Fatal(err)
	}
	return did[0]
}

// finds says which session a token leads to.
func (d base) finds(t testing.TB, token, session string) {
	t.Helper()
	_, s, err := d.find(bg, hashOf(token))
	if session == "" {
		if !errors.Is(err, db.ErrNotFound) && !errors.Is(err, db.ErrEnded) { // the latter if it was found before
			t.Errorf("%q leads to %q, %v", token, s.ID, err)
		}
		return
	}
	if s.ID != session || err != nil {
		t.Errorf("%q leads to %q, %v, want %q", token, s.ID, err, session)
	}
}

var bob = db.User{Localpart: "bob", PasswordHash: "theirs", Created: t0}

func did(t testing.TB, got, want Arrived) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
