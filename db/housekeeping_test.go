package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

// count counts rows behind the back of everything else.
func (d *DB) count(tb testing.TB, from string) (n int) {
	tb.Helper()
	if err := d.reads.QueryRowContext(bg, `SELECT COUNT(*) FROM `+from).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// bulk adds expired sessions, or such without an end, of alice's.
func (d *DB) bulk(tb testing.TB, name string, n int, expires time.Time) {
	tb.Helper()
	for i := 0; i < n; i += 1000 {
		_, err := write(bg, d, everything, func(t *Tx) (struct{}, error) {
			for j := i; j < min(i+1000, n); j++ {
				l := Login{ID: fmt.Sprint(name, j), Localpart: "alice", DeviceID: fmt.Sprint(name, j), At: t0,
					Expires: expires, KeyID: 1, Refreshable: true}
				if _, err := t.start(l); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// Whatever there is, exactly what is over for long enough goes, and what stays is as it was.
func TestTidyTouchesNothingThatLives(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.hasten(t)
	now := t0.Add(1000 * day)
	c := TidyConfig{KeepExpired: 30 * day, KeepEvents: 365 * day, Pause: 1}
	random := rand.New(rand.NewPCG(1, 2))
	var ends []time.Time
	for _, limit := range []time.Time{now.Add(-c.KeepExpired), now.Add(-c.KeepEvents), now.Add(-rememberLoginTokens),
		now} {
		ends = append(ends, limit.Add(-time.Millisecond), limit, limit.Add(time.Millisecond))
	}
	for range 250 {
		ends = append(ends, now.Add(time.Duration(random.Int64N(int64(800*day)))-500*day))
	}
	invite(t, d, RegistrationToken{Token: "door"})
	d.bulk(t, "endless", 50, time.Time{})
	if err := d.Write(bg, func(t *Tx) error { return t.Exec(`DELETE FROM events`) }); err != nil {
		t.Fatal(err)
	}
	var wantSessions, wantEvents []string
	var wantTokens, wantReservations int
	for i, end := range ends {
		id := fmt.Sprint("s", i)
		_, err := write(bg, d, everything, func(tx *Tx) (struct{}, error) {
			_, err := tx.start(Login{ID: id, Localpart: "alice", DeviceID: id, At: now, Expires: end})
			return struct{}{}, errors.Join(err,
				tx.Record(Event{At: end, Kind: EventReplay, Localpart: "alice", Session: id}),
				tx.Exec(spendLoginToken, id, Millis(end)),
				tx.Exec(`INSERT INTO registration_reservations (token, session_id, expires) VALUES ('door', $1, $2)`,
					id, Millis(end)))
		})
		if err != nil {
			t.Fatal(err)
		}
		if !end.Before(now.Add(-c.KeepExpired)) {
			wantSessions = append(wantSessions, id)
		}
		if !end.Before(now.Add(-c.KeepEvents)) {
			wantEvents = append(wantEvents, id)
		}
		if !end.Before(now.Add(-rememberLoginTokens)) {
			wantTokens++
			wantReservations++
		}
	}
	before := make(map[string]Session)
	all, err := d.Sessions(bg, "")
	for _, s := range all {
		before[s.ID] = s
	}
	done, err2 := d.Tidy(bg, now, c)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	n := len(ends)
	want := Tidied{Sessions: n - len(wantSessions), Events: n - len(wantEvents), LoginTokens: n - wantTokens,
		Reservations: n - wantReservations}
	if done != want {
		t.Errorf("%+v went, want %+v", done, want)
	}
	for i := range 50 {
		wantSessions = append(wantSessions, fmt.Sprint("endless", i))
	}
	wantSame(t, d, before, wantSessions)
	var events []string
	got, err := d.Events(bg, "", 10_000)
	for _, e := range got {
		if e.Kind == EventReplay {
			events = append(events, e.Session)
		}
	}
	slices.Sort(events)
	slices.Sort(wantEvents)
	if err != nil || !cmp.Equal(events, wantEvents) {
		t.Errorf("events: %v, %s", err, cmp.Diff(wantEvents, events))
	}
	if tokens, reservations := d.count(t, "used_login_tokens"),
		d.count(t, "registration_reservations"); tokens != wantTokens || reservations != wantReservations {
		t.Errorf("%d tokens and %d reservations stay, want %d and %d", tokens, reservations, wantTokens,
			wantReservations)
	}
	if again, err := d.Tidy(bg, now, c); err != nil || again != (Tidied{}) {
		t.Errorf("once more: %+v, %v", again, err)
	}
}

func wantSame(t *testing.T, d *DB, before map[string]Session, want []string) {
	t.Helper()
	all, err := d.Sessions(bg, "")
	if err != nil || len(all) != len(want) {
		t.Errorf("%d sessions stay, want %d, %v", len(all), len(want), err)
	}
	for id := range before {
		stays := slices.Contains(want, id)
		s, _, err := d.Session(bg, id) // from memory, where there is one
		if stays && (err != nil || s != before[id]) || !stays && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %+v, %v; stays: %v", id, s, err, stays)
		}
	}
}

// No transaction removes more than a batch, and others get their turn in between.
func TestTidyInBatches(t *testing.T) {
	t.Parallel()
	var d *DB
	var watching atomic.Bool
	last, most := 0, 0 // the writer's
	d = freshAt(t, Config{DSN: dsn(t), OnBatch: func(int, time.Duration) {
		if watching.Load() {
			left := d.count(t, "sessions")
			most, last = max(most, last-left), left
		}
	}})
	d.hasten(t)
	const n = 5*tidyBatch + 7
	d.bulk(t, "old", n, t0.Add(time.Minute))
	login(t, d, "one", "A")
	last = n + 1
	watching.Store(true)
	tidied := make(chan error, 1)
	var done Tidied
	go func() {
		var err error
		done, err = d.Tidy(bg, t0.Add(1000*day), TidyConfig{})
		tidied <- err
	}()
	for k := int64(1); len(tidied) == 0; k++ {
		if s, err := d.AdvanceGeneration(bg, refresh("one", k)); err != nil || s.Generation != k+1 {
			t.Fatalf("refreshing meanwhile: %+v, %v", s, err)
		}
	}
	if err := <-tidied; err != nil || done.Sessions != n {
		t.Errorf("%+v, %v", done, err)
	}
	watching.Store(false)
	if err := d.Close(); err != nil { // the writer is done
		t.Error(err)
	}
	if most != tidyBatch {
		t.Errorf("a transaction removed %d rows", most)
	}
}

// Stopped in the midst, it says what it knows to have gone; and the rest goes next time.
func TestTidyStops(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	d.bulk(t, "old", 3*tidyBatch, t0.Add(time.Minute))
	ctx, stop := context.WithTimeout(bg, 50*time.Millisecond)
	defer stop()
	done, err := d.Tidy(ctx, t0.Add(1000*day), TidyConfig{Pause: time.Hour})
	if err == nil || done.Sessions > tidyBatch {
		t.Errorf("%+v, %v", done, err)
	}
	// On a slow machine it stops while it waits for a batch: that one goes, and is not counted.
	_ = d.SetSetting(bg, "any", "after it")
	left := d.count(t, "sessions")
	if rest, err := d.Tidy(bg, t0.Add(1000*day), TidyConfig{}); err != nil || left < 2*tidyBatch ||
		rest.Sessions != left {
		t.Errorf("%+v, %d left and then %+v, %v", done, left, rest, err)
	}
}

// BenchmarkRefreshWhileTidying is what a client notices of 100,000 expired sessions being removed.
func BenchmarkRefreshWhileTidying(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		d := freshAt(b, Config{DSN: dsn(b)})
		login(b, d, "one", "A")
		b.Run("alone", func(b *testing.B) { refreshes(b, d, time.Second, func() {}) })
		d.bulk(b, "old", 100_000, t0.Add(time.Minute))
		b.StartTimer()
		b.Run("tidying", func(b *testing.B) {
			refreshes(b, d, time.Hour, func() {
				if done, err := d.Tidy(bg, t0.Add(1000*day), TidyConfig{}); err != nil || done.Sessions != 100_000 {
					b.Errorf("%+v, %v", done, err)
				}
			})
		})
	}
}

// refreshes refreshes one session again and again while something is done, or for a time, and reports how long one
// took.
func refreshes(b *testing.B, d *DB, most time.Duration, do func()) {
	var wg sync.WaitGroup
	ended := make(chan struct{})
	if most == time.Hour {
		wg.Go(func() { do(); close(ended) })
	}
	var took []time.Duration
	s := d.session(b, "one")
	for began, over := time.Now(), false; !over && time.Since(began) < most; {
		select {
		case <-ended:
			over = true
		default:
		}
		one := time.Now()
		var err error
		if s, err = d.AdvanceGeneration(bg, refresh("one", s.Generation)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(one))
	}
	wg.Wait()
	slices.Sort(took)
	for name, q := range map[string]float64{"p50-ms": .5, "p99-ms": .99, "p99.9-ms": .999, "max-ms": 1} {
		b.ReportMetric(float64(took[min(int(q*float64(len(took))), len(took)-1)].Microseconds())/1000, name)
	}
	b.ReportMetric(float64(len(took)), "refreshes")
}
