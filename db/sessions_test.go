package db

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStartSession(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	got := login(t, d, "one", "A")
	want := Session{ID: "one", Localpart: "alice", DeviceID: "A", DisplayName: "name of one", Created: t0,
		Refreshable: true, Generation: 1, Oldest: 1,
		KeyID: 1, Minted: t0, AccessExpires: t0.Add(5 * time.Minute), State: Live,
		Seen: Seen{At: t0, Addr: "192.0.2.1", Agent: "test"}}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if got := d.session(t, "one"); !cmp.Equal(got, want) {
		t.Error("from memory:", cmp.Diff(want, got))
	}
	d.cache.flush()
	if got := d.session(t, "one"); !cmp.Equal(got, want) {
		t.Error("from the database:", cmp.Diff(want, got))
	}
}

func TestStartSessionCapsAccess(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	s, err := d.StartSession(bg, Login{ID: "one", Localpart: "alice", PasswordHash: "hash", DeviceID: "A", At: t0,
		Expires: t0.Add(time.Second)})
	if err != nil || !s.AccessExpires.Equal(t0.Add(time.Second)) {
		t.Errorf("access expires %v, %v", s.AccessExpires, err)
	}
}

func TestStartSessionRefuses(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for _, l := range []Login{
		{ID: "x", Localpart: "nobody", PasswordHash: "hash", DeviceID: "A", At: t0},
		{ID: "x", Localpart: "alice", PasswordHash: "an older hash", DeviceID: "A", At: t0},
	} {
		if _, err := d.StartSession(bg, l); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v", l.Localpart, err)
		}
	}
	gone(t, d, "x")
}

func TestStartSessionOnKnownDevice(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "old", "A")
	login(t, d, "other", "B")
	d.NoteUse(d.session(t, "old"), 1, Seen{At: t0, Addr: "192.0.2.9"})
	s := login(t, d, "new", "A")
	if s.DisplayName != "name of old" || s.Generation != 1 || !s.Used.IsZero() {
		t.Errorf("got %+v", s)
	}
	gone(t, d, "old")
	d.session(t, "new")
	d.session(t, "other")
}

func TestStartSessionRevivesSoftDevice(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "old", "A")
	d.advance(t, "old", 3)
	if s, err := d.AdvanceGeneration(bg, refresh("old", 1)); !errors.Is(err, ErrReplay) || s.State != Soft {
		t.Fatalf("%+v, %v", s, err)
	}
	if s := login(t, d, "new", "A"); s.State != Live || s.DisplayName != "name of old" {
		t.Errorf("got %+v", s)
	}
	gone(t, d, "old")
}

func TestEnd(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	for _, id := range []string{"a", "b", "c", "d"} {
		login(t, d, id, strings.ToUpper(id))
	}
	if err := d.EndSession(bg, "a"); err != nil {
		t.Error(err)
	}
	if err := d.EndDevice(bg, "alice", "B"); err != nil {
		t.Error(err)
	}
	gone(t, d, "a", "b")
	if err := d.EndSession(bg, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	if err := d.EndDevice(bg, "alice", "B"); !errors.Is(err, ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	if all, err := d.Sessions(bg, "alice"); len(all) != 2 || err != nil {
		t.Errorf("left: %v, %v", all, err)
	}
	if n, err := d.EndSessions(bg, "alice"); n != 2 || err != nil {
		t.Errorf("EndSessions: %d, %v", n, err)
	}
	gone(t, d, "c", "d")
	if n, err := d.EndSessions(bg, "nobody"); n != 0 || err != nil {
		t.Errorf("EndSessions: %d, %v", n, err)
	}
}

func TestNoteUse(t *testing.T) {
	t.Parallel()
	c := Config{DSN: dsn(t), flushEvery: time.Hour}
	d := freshAt(t, c)
	login(t, d, "one", "A")
	first := Seen{At: t0.Add(time.Second), Addr: "192.0.2.1", Agent: "test"}
	d.NoteUse(d.session(t, "one"), 1, first)
	s := d.session(t, "one")
	if !s.Used.Equal(first.At) || s.Seen != first {
		t.Fatalf("not exact: %+v", s)
	}

	// Nothing new: nothing is noted.
	before := len(d.notes.bySession)
	d.NoteUse(s, 1, Seen{At: t0.Add(2 * time.Second), Addr: "192.0.2.1", Agent: "test"})
	d.NoteUse(s, 0, Seen{At: t0.Add(2 * time.Second), Addr: "192.0.2.1", Agent: "test"})
	if got := d.session(t, "one"); got != s || len(d.notes.bySession) != before {
		t.Errorf("noted %+v", got)
	}

	// A new place is news, but the first use stays the first.
	moved := Seen{At: t0.Add(3 * time.Second), Addr: "192.0.2.2", Agent: "test"}
	d.NoteUse(s, 1, moved)
	if got := d.session(t, "one"); !got.Used.Equal(first.At) || got.Seen != moved {
		t.Errorf("got %+v", got)
	}
	if all, _ := d.Sessions(bg, ""); len(all) != 1 || !all[0].Used.Equal(first.At) {
		t.Errorf("list: %+v", all)
	}

	// Whoever refreshes counts the note: generation 0 was superseded by a generation that is used.
	r := refresh("one", 0)
	r.Leeway = 0
	if s, err := d.AdvanceGeneration(bg, r); !errors.Is(err, ErrReplay) || !s.Used.Equal(first.At) {
		t.Errorf("got %+v, %v", s, err)
	}
	if len(d.notes.bySession) != 0 {
		t.Errorf("still pending: %v", d.notes.bySession)
	}
}

// A note of a generation that was superseded meanwhile says nothing about the new one.
func TestNoteUseTooLate(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	old := login(t, d, "one", "A")
	if _, err := d.AdvanceGeneration(bg, refresh("one", 1)); err != nil {
		t.Fatal(err)
	}
	d.NoteUse(old, 1, Seen{At: t0, Addr: "192.0.2.7"})
	if s := d.session(t, "one"); !s.Used.IsZero() || s.Seen.Addr != "192.0.2.7" {
		t.Errorf("got %+v", s)
	}
	if err := d.SetSetting(bg, "any", "write"); err != nil {
		t.Fatal(err)
	}
	d.cache.flush()
	if s := d.session(t, "one"); !s.Used.IsZero() || s.Seen.Addr != "192.0.2.7" {
		t.Errorf("got %+v", s)
	}
}

func TestNoteUseIsFlushed(t *testing.T) {
	t.Parallel()
	path := dsn(t)
	d := freshAt(t, Config{DSN: path, flushEvery: 10 * time.Millisecond})
	login(t, d, "idle", "A")
	d.NoteUse(d.session(t, "idle"), 1, Seen{At: t0, Addr: "192.0.2.1"})
	for end := time.Now().Add(time.Minute); !d.notes.empty(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never written")
		}
	}
	login(t, d, "last", "B")
	d.NoteUse(d.session(t, "last"), 1, Seen{At: t0, Addr: "192.0.2.1"})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, Config{DSN: path})
	for _, id := range []string{"idle", "last"} {
		if s := d.session(t, id); !s.Used.Equal(t0) {
			t.Errorf("%s: used %v", id, s.Used)
		}
	}
}

// What was noted stays true while it moves from memory to the database.
func TestNoteNeverVanishes(t *testing.T) {
	t.Parallel()
	d := freshAt(t, Config{DSN: dsn(t), flushEvery: time.Microsecond})
	d.hasten(t)
	s := login(t, d, "one", "A")
	for k := int64(1); k < 500; k++ {
		d.NoteUse(s, k, Seen{At: t0.Add(time.Duration(k) * time.Millisecond), Addr: "192.0.2.1"})
		for range 30 {
			if s := d.session(t, "one"); s.Used.IsZero() {
				t.Fatalf("generation %d is unused again", k)
			}
		}
		var err error
		if s, err = d.AdvanceGeneration(bg, refresh("one", k)); err != nil {
			t.Fatal(err)
		}
	}
}

// A stranger's header neither grows the row nor poisons it.
func TestSeenIsClipped(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	s := login(t, d, "one", "A")
	d.NoteUse(s, 1, Seen{At: t0, Addr: strings.Repeat("f", 1000), Agent: "a\x00b\xff" + strings.Repeat("é", 1000)})
	got := d.session(t, "one").Seen
	if len(got.Addr) > 64 || len(got.Agent) > 256 || !strings.HasPrefix(got.Agent, "abé") {
		t.Errorf("got %d bytes, %q", len(got.Addr), got.Agent)
	}
}

func TestEviction(t *testing.T) {
	t.Parallel()
	onSQLite(t)
	d := freshAt(t, Config{DSN: dsn(t), cacheSize: 2, flushEvery: time.Hour})
	ids := []string{"a", "b", "c", "d", "e"}
	for _, id := range ids {
		d.NoteUse(login(t, d, id, id), 1, Seen{At: t0.Add(time.Second), Addr: "192.0.2.1"})
	}
	for range 3 {
		for _, id := range ids {
			if s := d.session(t, id); !s.Used.Equal(t0.Add(time.Second)) {
				t.Errorf("%s: used %v", id, s.Used)
			}
			if n := len(d.cache.sessions); n > 2 {
				t.Errorf("%d sessions in memory", n)
			}
		}
	}
}

// A reader that fetched the row before a commit must not store it after.
func TestLoadOvertaken(t *testing.T) {
	t.Parallel()
	c := newCache(10)
	old, changed := Session{ID: "s", Generation: 1}, Session{ID: "s", Generation: 2}
	commits := c.counted("s")
	c.apply([]change{{"s", &changed}})
	c.store(&old, commits)
	if s, _ := c.get("s"); s.Generation != 2 {
		t.Errorf("generation %d in memory", s.Generation)
	}
	commits = c.counted("s")
	late := c.counted("s")
	c.flush()
	c.store(&old, commits)
	c.store(&old, late)
	if s, ok := c.get("s"); ok {
		t.Errorf("an old row was stored: %+v", s)
	}
	c.store(&old, c.counted("s"))
	if s, ok := c.get("s"); !ok || s.Generation != 1 {
		t.Errorf("%+v in memory, want the row that was fetched after all commits", s)
	}
}
