package db

import (
	"errors"
	"flag"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/test/rig/postgres"
)

func TestAdvanceGeneration(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	first := login(t, d, "one", "A")
	r := refresh("one", 1)
	second, err := d.AdvanceGeneration(bg, r)
	want := first
	want.Generation, want.Minted, want.AccessExpires, want.Seen = 2, r.At, r.At.Add(r.AccessTTL), r.Seen
	if err != nil || !cmp.Equal(second, want) {
		t.Fatalf("%v, %s", err, cmp.Diff(want, second))
	}

	// The answer was lost: the same pair, an hour later minted anew.
	r.At = r.At.Add(time.Second)
	if again, err := d.AdvanceGeneration(bg, r); err != nil || again != second {
		t.Errorf("%v, %s", err, cmp.Diff(second, again))
	}
	r.At = r.At.Add(time.Hour)
	again, err := d.AdvanceGeneration(bg, r)
	if err != nil || again.Generation != 2 || !again.Minted.Equal(r.At) ||
		!again.AccessExpires.Equal(r.At.Add(r.AccessTTL)) || !again.Used.IsZero() {
		t.Errorf("minted anew: %+v, %v", again, err)
	}

	// Another tab within the leeway: the same pair. After it: a replay, told once.
	d.NoteUse(d.session(t, "one"), 2, Seen{At: r.At, Addr: "192.0.2.1", Agent: "test"})
	r.At = r.At.Add(30 * time.Second)
	if tab, err := d.AdvanceGeneration(bg, r); err != nil || tab.Generation != 2 || !tab.Minted.Equal(again.Minted) {
		t.Errorf("second tab: %+v, %v", tab, err)
	}
	r.At = r.At.Add(time.Millisecond)
	r.Seen = Seen{At: r.At, Addr: "203.0.113.66", Agent: "thief"}
	if s, err := d.AdvanceGeneration(bg, r); !errors.Is(err, ErrReplay) || s.State != Soft || s.DeviceID != "A" {
		t.Errorf("replay: %+v, %v", s, err)
	}
	if s := d.session(t, "one"); s.State != Soft {
		t.Errorf("state %q", s.State)
	}
	for _, k := range []int64{1, 2, 3} {
		r.Generation = k
		if s, err := d.AdvanceGeneration(bg, r); !errors.Is(err, ErrSoft) || s.ID != "one" {
			t.Errorf("refreshing a soft session: %+v, %v", s, err)
		}
	}
	event := Event{At: r.At, Kind: EventReplay, Localpart: "alice", DeviceID: "A", Session: "one", Generation: 1,
		Addr: "203.0.113.66", Agent: "thief"}
	for _, who := range []string{"alice", ""} {
		if got := d.events(t, who, EventReplay); !cmp.Equal(got, []Event{event}) {
			t.Errorf("replays of %q: %v", who, got)
		}
	}
	if got, _ := d.Events(bg, "bob", 10); len(got) != 0 {
		t.Errorf("bob's events: %v", got)
	}
}

// A refresh of a session that is in memory and one that reads the row come to the same, in the answer, in memory and in
// the database.
func TestAdvanceGenerationFromMemory(t *testing.T) {
	t.Parallel()
	end := t0.Add(time.Hour)
	for _, expires := range []time.Time{{}, end} {
		for _, ttl := range []time.Duration{0, 5 * time.Minute, 90*time.Second + time.Microsecond, 2 * time.Hour} {
			for _, single := range []bool{false, true} {
				d := fresh(t)
				var got, stored [2]Session
				for i := range got {
					l := Login{ID: "one", Localpart: "alice", PasswordHash: "hash", DeviceID: "A", DisplayName: "a",
						At: t0, Expires: expires, Refreshable: true, KeyID: 1}
					if _, err := d.StartSession(bg, l); err != nil {
						t.Fatal(err)
					}
					if i == 1 {
						d.cache.flush()
					}
					r := refresh("one", 1)
					r.KeyID, r.AccessTTL, r.SingleUse = 2, ttl, single
					var err error
					if got[i], err = d.AdvanceGeneration(bg, r); err != nil {
						t.Fatal(err)
					}
					if s := d.session(t, "one"); s != got[i] {
						t.Errorf("in memory: %s", cmp.Diff(got[i], s))
					}
					d.cache.flush()
					stored[i] = d.session(t, "one")
					if err := d.EndSession(bg, "one"); err != nil {
						t.Fatal(err)
					}
				}
				if got[0] != got[1] || stored[0] != stored[1] || got[0] != stored[0] {
					t.Errorf("until %v, for %v: %s%s", expires, ttl, cmp.Diff(got[1], got[0]),
						cmp.Diff(stored[1], stored[0]))
				}
			}
		}
	}
}

// What the shared transaction did to a session before its refresh counts, though memory does not know it yet.
func TestAdvanceGenerationAfterItsOwnTransaction(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	renamed := func(t *Tx) (Session, error) {
		s, _, err := t.session(renameDevice, "alice", "A", "new name")
		if err != nil {
			return s, err
		}
		known, ok := t.cached("one")
		if !ok || known.DisplayName != "new name" {
			return s, errors.New("the transaction does not know what it wrote")
		}
		s, won, err := t.advanceCached(known, refresh("one", 1))
		if known, _ := t.cached("one"); !won || known.Generation != 2 || known != s {
			return s, errors.New("the transaction does not know that it refreshed")
		}
		if _, err := t.end(endSession, "one"); err != nil {
			return s, err
		}
		if _, ok := t.cached("one"); ok {
			return s, errors.New("the transaction knows a session that it ended")
		}
		return s, err
	}
	s, err := write(bg, d, onRow("one"), renamed)
	if err != nil || s.DisplayName != "new name" || s.Generation != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	gone(t, d, "one")
}

func TestAdvanceGenerationAtTheDraftsDoor(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	r := refresh("one", 1)
	r.SingleUse = true
	s, err := d.AdvanceGeneration(bg, r)
	if err != nil || s.Generation != 2 || !s.SingleUse || !s.Used.Equal(r.At) {
		t.Fatalf("%+v, %v", s, err)
	}
	if err := s.Accepts(1, r.At); !errors.Is(err, ErrSuperseded) {
		t.Errorf("the old access token: %v", err)
	}
	for _, door := range []bool{true, false} {
		r.SingleUse, r.At = door, r.At.Add(time.Second)
		if got, err := d.AdvanceGeneration(bg, r); !errors.Is(err, ErrSpent) || got != s {
			t.Errorf("single use %v: %+v, %v", door, got, err)
		}
	}
	if s, err = d.AdvanceGeneration(bg, refresh("one", 2)); err != nil || s.SingleUse || !s.Used.IsZero() {
		t.Errorf("on to today's door: %+v, %v", s, err)
	}
	r = refresh("one", 1)
	r.SingleUse = true
	if s, err := d.AdvanceGeneration(bg, r); !errors.Is(err, ErrReplay) || s.State != Soft {
		t.Errorf("replay: %+v, %v", s, err)
	}
}

func TestAbsoluteEnd(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	end := t0.Add(2 * time.Minute)
	s, err := d.StartSession(bg, Login{ID: "one", Localpart: "alice", PasswordHash: "hash", DeviceID: "A", At: t0,
		Expires: end, AccessTTL: time.Hour})
	if err != nil || !s.AccessExpires.Equal(end) {
		t.Fatalf("%+v, %v", s, err)
	}
	r := refresh("one", 1)
	if s, err = d.AdvanceGeneration(bg, r); err != nil || !s.AccessExpires.Equal(end) || s.Generation != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	r.AccessTTL, r.Generation = 0, 2
	if s, err = d.AdvanceGeneration(bg, r); err != nil || !s.AccessExpires.Equal(end) || s.Generation != 3 {
		t.Errorf("a token that never expires: %+v, %v", s, err)
	}
	for k := range int64(5) {
		r.Generation, r.At = k, end
		if got, err := d.AdvanceGeneration(bg, r); !errors.Is(err, ErrEnded) || got != s {
			t.Errorf("at the end: %+v, %v", got, err)
		}
	}
}

// The promise of the design's table: 64 racers get one pair.
func TestRacersGetOnePair(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	for k := int64(1); k <= 20; k++ {
		results, errs := race(d, refresh("one", k))
		for i := range results {
			if errs[i] != nil || results[i] != results[0] {
				t.Fatalf("racer %d: %v, %s", i, errs[i], cmp.Diff(results[0], results[i]))
			}
		}
		if results[0].Generation != k+1 {
			t.Fatalf("generation %d after %d rounds", results[0].Generation, k)
		}
	}
}

func TestRacersAtTheDraftsDoor(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	for k := int64(1); k <= 20; k++ {
		r := refresh("one", k)
		r.SingleUse = true
		won := 0
		_, errs := race(d, r)
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, ErrSpent):
				t.Fatal(err)
			}
		}
		if won != 1 {
			t.Fatalf("%d racers won", won)
		}
	}
	if s := d.session(t, "one"); s.Generation != 21 || s.State != Live {
		t.Errorf("got %+v", s)
	}
}

func race(d *DB, r Refresh) ([]Session, []error) {
	const racers = 64
	results, errs := make([]Session, racers), make([]error, racers)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			results[i], errs[i] = d.AdvanceGeneration(bg, r)
		})
	}
	close(start)
	wg.Wait()
	return results, errs
}

// With the race detector, or with a server, 100,000 refreshes take minutes.
var long = flag.Bool("long", false,
	"refresh one session 100,000 times, and not 10,000, to see whether the database grows")

// However often one session is refreshed, the database keeps its size.
func TestDatabaseDoesNotGrow(t *testing.T) {
	t.Parallel()
	n := int64(10_000)
	switch {
	case *long:
		n = 100_000
	case testing.Short():
		n = 3_000
	}
	var place string
	if postgres.Chosen() {
		place = postgres.Database(t, postgres.URL(t))
	} else {
		place = dsn(t)
	}
	d := freshAt(t, Config{DSN: place})
	d.hasten(t)
	login(t, d, "one", "A")
	var sizes []int64 // on PostgreSQL, before and after each tenth
	for k := int64(1); k <= n; k++ {
		if postgres.Chosen() && k%(n/10) == 1 {
			sizes = append(sizes, sizeOfSessions(t, d))
		}
		if _, err := d.AdvanceGeneration(bg, refresh("one", k)); err != nil {
			t.Fatal(err)
		}
	}
	if postgres.Chosen() {
		// A row that changes in place leaves its old versions on its page, and the next change that finds the page full
		// prunes them, unless a transaction that began before is not over yet: then the table grows for a while. What
		// grows with each refresh grows in each tenth of them.
		least := int64(1 << 40)
		for i := range sizes[1:] {
			least = min(least, sizes[i+1]-sizes[i])
		}
		if least > n/10*8 && sizes[len(sizes)-1] > 1<<20 {
			t.Errorf("the table and its indexes grow: %d bytes", sizes)
		}
		t.Logf("%d bytes while %d refreshes", sizes, n)
		return
	}
	for name, limit := range map[string]int64{place: 320 << 10, place + "-wal": 5 << 20} {
		if fi, err := os.Stat(name); err != nil || fi.Size() > limit {
			t.Errorf("%s: %d bytes, %v", name, fi.Size(), err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(place + "-wal"); !os.IsNotExist(err) {
		t.Errorf("the log is still there: %v", err)
	}
}

// sizeOfSessions is that of the table with its indexes.
func sizeOfSessions(t *testing.T, d *DB) (bytes int64) {
	t.Helper()
	if err := d.reads.QueryRow(`SELECT pg_total_relation_size('sessions')`).Scan(&bytes); err != nil {
		t.Fatal(err)
	}
	return bytes
}
