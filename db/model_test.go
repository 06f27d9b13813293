package db

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is what the design says about one session, written down a second time and without a database.
type model struct {
	id                              string
	n, minted, accessEnd, end, used int64
	single, soft                    bool
}

func (m *model) access(k, now int64) error {
	switch {
	case m.soft:
		return ErrSoft
	case m.end != 0 && now >= m.end:
		return ErrEnded
	case k == m.n || k == m.n-1 && m.used == 0 && !m.single:
		return nil
	}
	return ErrSuperseded
}

func (m *model) refresh(k, now, ttl, leeway int64, draft bool) error {
	lately := m.used == 0 || now-m.used <= leeway
	end := now + ttl
	if m.end != 0 {
		end = min(end, m.end)
	}
	switch {
	case m.soft:
		return ErrSoft
	case m.end != 0 && now >= m.end:
		return ErrEnded
	case k == m.n && draft:
		m.n, m.minted, m.accessEnd, m.used, m.single = m.n+1, now, end, now, true
	case k == m.n:
		m.n, m.minted, m.accessEnd, m.used, m.single = m.n+1, now, end, 0, false
	case k == m.n-1 && lately && (draft || m.single):
		return ErrSpent
	case k == m.n-1 && !draft && !m.single && (m.used == 0 || leeway > 0 && lately):
		if now >= m.accessEnd {
			m.minted, m.accessEnd = now, end
		}
	default:
		m.soft = true
		return ErrReplay
	}
	return nil
}

// agrees compares a row, as it was answered or found, with the model.
func (m *model) agrees(t *rapid.T, what string, s Session) {
	state := Live
	if m.soft {
		state = Soft
	}
	if s.ID != m.id || s.Generation != m.n || ms(s.Minted) != m.minted || ms(s.AccessExpires) != m.accessEnd || ms(s.Expires) != m.end ||
		ms(s.Used) != m.used || s.SingleUse != m.single || s.State != state {
		t.Fatalf("%s: the database says %+v, the model %+v", what, s, *m)
	}
}

// Any story of logins, refreshes at both doors, lost answers, tabs, replays, logouts, ends, clocks that jump, other
// processes that write, and restarts: every answer is the one that the model gives.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	stories := 0
	blank := filepath.Join(dir, "blank.db") // copied, because making one takes longer than most stories
	if err := freshAt(t, Config{DSN: blank}).Close(); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(blank)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		stories++
		c := Config{DSN: filepath.Join(dir, fmt.Sprint(stories, ".db")), CacheSize: rapid.SampledFrom([]int{1, 2, 100}).Draw(t, "cache"),
			FlushEvery: rapid.SampledFrom([]time.Duration{time.Millisecond, time.Hour}).Draw(t, "flush")}
		if err := os.WriteFile(c.DSN, image, 0o600); err != nil {
			t.Fatal(err)
		}
		d, other := mustOpen(t, c), mustOpen(t, c)
		defer func() { d.Close(); other.Close() }()
		sessions := make(map[string]*model) // by device
		events, logins := 0, 0
		now := ms(t0)
		device := rapid.SampledFrom([]string{"A", "B", "C"})
		seen := func() Seen { return Seen{At: at(now), Addr: "192.0.2.1", Agent: "model"} }
		id := func(dev string) (string, int64) { // of a token that the client, or a thief, may have
			if m := sessions[dev]; m != nil {
				return m.id, m.n + rapid.SampledFrom([]int64{0, 0, 0, -1, -1, -2, -3, 1}).Draw(t, "k")
			}
			return "none of " + dev, 1
		}
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				now += rapid.SampledFrom([]int64{1, 1_000, 29_999, 30_000, 30_001, 300_000, -1_000, -60_000}).Draw(t, "step")
			},
			"login": func(t *rapid.T) {
				dev, end := device.Draw(t, "device"), rapid.SampledFrom([]int64{0, 0, 600_000}).Draw(t, "end")
				logins++
				l := Login{ID: fmt.Sprint("session", logins), Localpart: "alice", PasswordHash: "hash", DeviceID: dev, At: at(now),
					KeyID: 1, AccessTTL: 5 * time.Minute, Seen: seen()}
				m := &model{id: l.ID, n: 1, minted: now, accessEnd: now + 300_000}
				if end != 0 {
					m.end, l.Expires = now+end, at(now+end)
				}
				s, err := d.StartSession(bg, l)
				if err != nil {
					t.Fatal(err)
				}
				m.agrees(t, "login", s)
				sessions[dev] = m
			},
			"refresh": func(t *rapid.T) {
				dev := device.Draw(t, "device")
				sid, k := id(dev)
				draft, leeway := rapid.Bool().Draw(t, "draft"), rapid.SampledFrom([]int64{0, 30_000}).Draw(t, "leeway")
				times := rapid.IntRange(1, 2).Draw(t, "times") // a lost answer, or two tabs
				for range times {
					s, err := d.AdvanceGeneration(bg, Refresh{Session: sid, Generation: k, At: at(now), KeyID: 1, AccessTTL: 5 * time.Minute,
						Leeway: time.Duration(leeway) * time.Millisecond, SingleUse: draft, Seen: seen()})
					m := sessions[dev]
					if m == nil {
						if !errors.Is(err, ErrNotFound) {
							t.Fatalf("refresh of no session: %v", err)
						}
						continue
					}
					want := m.refresh(k, now, 300_000, leeway, draft)
					if errors.Is(want, ErrReplay) {
						events++
					}
					if !errors.Is(err, want) || (err == nil) != (want == nil) {
						t.Fatalf("refresh of %d (draft %v): %v, the model says %v", k, draft, err, want)
					}
					m.agrees(t, "refresh", s)
				}
			},
			"use": func(t *rapid.T) {
				dev := device.Draw(t, "device")
				sid, k := id(dev)
				s, _, err := d.Session(bg, sid)
				m := sessions[dev]
				if m == nil {
					if !errors.Is(err, ErrNotFound) {
						t.Fatalf("use of no session: %v", err)
					}
					return
				}
				want := m.access(k, now)
				if got := s.Accepts(k, at(now)); err != nil || got != want {
					t.Fatalf("use of %d: %v, %v, the model says %v", k, got, err, want)
				}
				if want == nil {
					d.NoteUse(s, k, seen())
					if k == m.n && m.used == 0 {
						m.used = now
					}
				}
			},
			"logout": func(t *rapid.T) {
				dev := device.Draw(t, "device")
				by := d
				if rapid.Bool().Draw(t, "by the command line") {
					by = other
				}
				err := by.EndDevice(bg, "alice", dev)
				if (err == nil) != (sessions[dev] != nil) {
					t.Fatalf("logout: %v", err)
				}
				delete(sessions, dev)
			},
			"deactivate": func(t *rapid.T) {
				n, err := other.Deactivate(bg, "alice", at(now))
				if err != nil || n != len(sessions) {
					t.Fatalf("%d of %d ended, %v", n, len(sessions), err)
				}
				clear(sessions)
				if err := other.Reactivate(bg, "alice"); err != nil {
					t.Fatal(err)
				}
			},
			"restart": func(t *rapid.T) {
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				d = mustOpen(t, c)
			},
			"": func(t *rapid.T) {
				for _, dev := range []string{"A", "B", "C"} {
					if m := sessions[dev]; m != nil {
						s, _, err := d.Session(bg, m.id)
						if err != nil {
							t.Fatal(err)
						}
						m.agrees(t, "session", s)
					}
				}
				if all, err := d.Sessions(bg, ""); err != nil || len(all) != len(sessions) {
					t.Fatalf("%d sessions, want %d: %v", len(all), len(sessions), err)
				}
				if all, err := d.Events(bg, "alice", 1_000_000); err != nil || len(all) != events {
					t.Fatalf("%d events, want %d: %v", len(all), events, err)
				}
			},
		})
	})
}

func mustOpen(t *rapid.T, c Config) *DB {
	d, err := Open(bg, c)
	if err != nil {
		t.Fatal(err)
	}
	d.fresh.turn <- struct{}{}
	defer func() { <-d.fresh.turn }()
	if err := d.writer.tx.control("PRAGMA synchronous = OFF"); err != nil { // this is not about power cuts
		t.Fatal(err)
	}
	return d
}
