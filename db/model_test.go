package db

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"postern/test/rig/postgres"
)

// model is what the design says about one session, written down a second time and without a database.
type model struct {
	id, name                                      string
	n, minted, accessEnd, end, used, caught, from int64
	oldest                                        int64 // superseded access tokens are good from this generation on
	single, soft, locked                          bool
}

func (m *model) access(k, now int64) error {
	good := k >= m.n || k == m.n-1 && m.used == 0 && !m.single || k >= m.oldest && k < m.n
	switch {
	case m.soft:
		return ErrSoft
	case m.end != 0 && now >= m.end:
		return ErrEnded
	case good && m.locked:
		return ErrLocked
	case good:
		return nil
	}
	return ErrSuperseded
}

func (m *model) refresh(k, now, ttl, leeway int64, draft bool) error {
	if m.behind(k, now) {
		m.catchUp(k, now, now+ttl)
	}
	caught := m.caught != 0 && leeway > 0 && now-m.caught <= leeway && m.caught-now <= leeway && k >= m.from
	lately := m.used == 0 || now-m.used <= leeway || caught
	older := k == m.n-1 || caught && k < m.n
	again := older && !draft && !m.single && (m.used == 0 || leeway > 0 && lately)
	end := now + ttl
	if m.end != 0 {
		end = min(end, m.end)
	}
	switch {
	case m.soft:
		return ErrSoft
	case m.end != 0 && now >= m.end:
		return ErrEnded
	case m.locked && (k >= m.n || again):
		return ErrLocked
	case k == m.n && draft:
		m.n, m.minted, m.accessEnd, m.used, m.single = m.n+1, now, end, now, true
		m.oldest = m.n
	case k == m.n:
		m.n, m.minted, m.accessEnd, m.used, m.single = m.n+1, now, end, 0, false
	case older && lately && (draft || m.single):
		return ErrSpent
	case again:
		if now >= m.accessEnd {
			m.minted, m.accessEnd = now, end
		}
	default:
		m.soft = true
		return ErrReplay
	}
	return nil
}

func (m *model) behind(k, now int64) bool {
	return k > m.n && !m.soft && !m.locked && (m.end == 0 || now < m.end)
}

// catchUp is what a token does that is newer than the row.
func (m *model) catchUp(k, now, accessEnd int64) {
	if m.end != 0 {
		accessEnd = min(accessEnd, m.end)
	}
	if m.single {
		m.oldest = k
	}
	if m.caught <= now-60_000 {
		m.from = m.n
	}
	m.n, m.minted, m.accessEnd, m.used, m.caught = k, now, accessEnd, now, now
}

// agrees compares a row, as it was answered or found, with the model.
func (m *model) agrees(t *rapid.T, what string, s Session) {
	state := Live
	if m.soft {
		state = Soft
	}
	if s.ID != m.id || s.DisplayName != m.name || s.Generation != m.n || Millis(s.Minted) != m.minted ||
		Millis(s.AccessExpires) != m.accessEnd || Millis(s.Expires) != m.end || Millis(s.Used) != m.used ||
		Millis(s.CaughtUp) != m.caught || s.CaughtFrom != m.from || s.Oldest != m.oldest ||
		s.SingleUse != m.single || s.State != state || s.Locked != m.locked {
		t.Fatalf("%s: the database says %+v, the model %+v", what, s, *m)
	}
}

// story is a database with another process at it, and what the model says is in it: one account, alice, on few devices.
type story struct {
	c        Config
	d, other *DB
	now      int64
	made     int // sessions, and hashes, made so far
	born     map[string]int64
	facts
	back   moment
	before *facts // what was true at that moment
}

// facts are what the database knows, and forgets when it goes back.
type facts struct {
	sessions map[string]*model // by device
	hash     string
	locked   bool
	spent    map[string]bool // login tokens
	ended    map[string]bool // ids of sessions
	events   int             // replays
}

var device = rapid.SampledFrom([]string{"A", "B", "C"})

// by is us or the command line.
func (y *story) by(t *rapid.T) *DB {
	if rapid.Bool().Draw(t, "by the command line") {
		return y.other
	}
	return y.d
}

func (y *story) seen() Seen { return Seen{At: FromMillis(y.now), Addr: "192.0.2.1", Agent: "model"} }

// token is one that the client, or a thief, may have.
func (y *story) token(t *rapid.T, dev string) (id string, k int64) {
	if m := y.sessions[dev]; m != nil {
		return m.id, m.n + rapid.SampledFrom([]int64{0, 0, 0, -1, -1, -2, -3, 1, 4}).Draw(t, "k")
	}
	return "none of " + dev, 1
}

// end ends the session on a device.
func (y *story) end(dev string) {
	if m := y.sessions[dev]; m != nil {
		y.ended[m.id] = true
		delete(y.sessions, dev)
	}
}

// Any story of logins, refreshes at both doors, lost answers, tabs, replays, logouts, ends, locks, new passwords,
// clocks that jump, other processes that write, restarts,
// and a database that goes back to an earlier moment: every answer is the one that the model gives.
func TestModel(t *testing.T) {
	t.Parallel()
	next, back := blanks(t), moments(t)
	rapid.Check(t, func(t *rapid.T) {
		c := Config{DSN: next(t), cacheSize: rapid.SampledFrom([]int{1, 2, 100}).Draw(t, "cache"),
			flushEvery: rapid.SampledFrom([]time.Duration{time.Millisecond, time.Hour}).Draw(t, "flush")}
		y := &story{c: c, d: mustOpen(t, c), other: mustOpen(t, c), now: Millis(t0), born: make(map[string]int64),
			facts: facts{sessions: make(map[string]*model), hash: "hash", spent: make(map[string]bool),
				ended: make(map[string]bool)}, back: back}
		defer func() { y.d.Close(); y.other.Close() }()
		actions := map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				y.now += rapid.SampledFrom([]int64{1, 1_000, 29_999, 30_000, 30_001, 300_000, -1_000, -60_000}).Draw(t,
					"step")
			},
			"refresh": y.refresh, "use": y.use, "restart": y.restart, "": y.check,
			"remember": y.remember, "go back": y.goBack,
		}
		maps.Copy(actions, y.account())
		t.Repeat(actions)
	})
}

func (y *story) refresh(t *rapid.T) {
	dev := device.Draw(t, "device")
	id, k := y.token(t, dev)
	draft, leeway := rapid.Bool().Draw(t, "draft"), rapid.SampledFrom([]int64{0, 30_000}).Draw(t, "leeway")
	times := rapid.IntRange(1, 2).Draw(t, "times") // a lost answer, or two tabs
	for range times {
		s, err := y.d.AdvanceGeneration(bg,
			Refresh{Session: id, Generation: k, At: FromMillis(y.now), KeyID: 1, AccessTTL: 5 * time.Minute,
				Leeway: time.Duration(leeway) * time.Millisecond, SingleUse: draft, Seen: y.seen()})
		m := y.sessions[dev]
		if m == nil {
			if !errors.Is(err, ErrNotFound) {
				t.Fatalf("refresh of no session: %v", err)
			}
			continue
		}
		want := m.refresh(k, y.now, 300_000, leeway, draft)
		if errors.Is(want, ErrReplay) {
			y.events++
		}
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Fatalf("refresh of %d (draft %v): %v, the model says %v", k, draft, err, want)
		}
		m.agrees(t, "refresh", s)
	}
}

func (y *story) use(t *rapid.T) {
	dev := device.Draw(t, "device")
	id, k := y.token(t, dev)
	s, _, err := y.d.Session(bg, id)
	m := y.sessions[dev]
	if m != nil && m.behind(k, y.now) {
		expires := y.now + rapid.SampledFrom([]int64{1, 300_000, -60_000}).Draw(t, "expires")
		m.catchUp(k, y.now, expires)
		if !s.Behind(k, FromMillis(y.now)) {
			t.Fatalf("%+v is not behind %d", s, k)
		}
		s, err = y.d.CatchUp(bg, Ahead{Session: id, Generation: k, KeyID: 1, AccessExpires: FromMillis(expires),
			At: FromMillis(y.now)})
	}
	if m == nil {
		if !errors.Is(err, ErrNotFound) {
			t.Fatalf("use of no session: %v", err)
		}
		return
	}
	want := m.access(k, y.now)
	if got := s.Accepts(k, FromMillis(y.now)); err != nil || got != want {
		t.Fatalf("use of %d: %v, %v, the model says %v", k, got, err, want)
	}
	if want == nil {
		y.d.NoteUse(s, k, y.seen())
		if k == m.n && m.used == 0 {
			m.used = y.now
		}
	}
}

func (y *story) restart(t *rapid.T) {
	if err := y.d.Close(); err != nil {
		t.Fatal(err)
	}
	y.d = mustOpen(t, y.c)
}

func (y *story) check(t *rapid.T) {
	for _, dev := range []string{"A", "B", "C"} {
		m := y.sessions[dev]
		if m == nil {
			if _, err := y.d.Device(bg, "alice", dev); !errors.Is(err, ErrNotFound) {
				t.Fatalf("device %s: %v", dev, err)
			}
			continue
		}
		s, _, err := y.d.Session(bg, m.id)
		if err != nil {
			t.Fatal(err)
		}
		m.agrees(t, "session", s)
		if again, err := y.d.Device(bg, "alice", dev); err != nil || again != s {
			t.Fatalf("the session is %+v, the device's %+v, %v", s, again, err)
		}
	}
	for id, born := range y.born {
		want := !y.ended[id] && y.now-born/1000*1000 < 600_000
		if lost, err := y.d.MayBeLost(bg, id, FromMillis(y.now), 10*time.Minute); err != nil || lost != want {
			t.Fatalf("%s may be lost: %v, %v; ended: %v", id, lost, err, y.ended[id])
		}
	}
	if all, err := y.d.Sessions(bg, ""); err != nil || len(all) != len(y.sessions) {
		t.Fatalf("%d sessions, want %d: %v", len(all), len(y.sessions), err)
	}
	all, err := y.d.Events(bg, "alice", 1_000_000)
	all = slices.DeleteFunc(all, func(e Event) bool { return e.Kind != EventReplay })
	if err != nil || len(all) != y.events {
		t.Fatalf("%d replays, want %d: %v", len(all), y.events, err)
	}
	if u, err := y.d.User(bg, "alice"); err != nil || u.PasswordHash != y.hash || u.Locked.IsZero() == y.locked {
		t.Fatalf("account %+v, want hash %s, locked %v: %v", u, y.hash, y.locked, err)
	}
}

// blanks gives databases with one account, alice, one after the other. Making one takes longer than most stories, so a
// file is copied and a schema is emptied.
func blanks(t *testing.T) func(*rapid.T) string {
	at := dsn(t)
	if err := freshAt(t, Config{DSN: at}).Close(); err != nil {
		t.Fatal(err)
	}
	if postgres.Chosen() {
		raw, err := sql.Open("pgx", postgres.Direct(t, at))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { raw.Close() })
		return func(t *rapid.T) string {
			const q = `DELETE FROM sessions; DELETE FROM events; DELETE FROM used_login_tokens;
				DELETE FROM ended_sessions;
				UPDATE users SET password_hash = 'hash', deactivated = 0, locked = 0`
			if _, err := raw.ExecContext(bg, q); err != nil {
				t.Fatal(err)
			}
			return at
		}
	}
	image, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	dir, stories := t.TempDir(), 0
	return func(t *rapid.T) string {
		stories++
		path := filepath.Join(dir, fmt.Sprint(stories, ".db"))
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func mustOpen(t *rapid.T, c Config) *DB {
	d, err := Open(bg, c)
	if err != nil {
		t.Fatal(err)
	}
	if postgres.Chosen() {
		return d
	}
	d.writeLock <- struct{}{}
	defer func() { <-d.writeLock }()
	if err := d.writer.tx.control("PRAGMA synchronous = OFF"); err != nil { // this is not about power cuts
		t.Fatal(err)
	}
	return d
}
