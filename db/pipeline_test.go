package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// What goes out in one round trip has the same answers as one by one: good refreshes, a second one of the same token,
// a replay, a token of nobody, a caller who has left, each after the note on its session.
func TestPipelined(t *testing.T) {
	t.Parallel()
	at := dsn(t)
	d := freshAt(t, Config{DSN: at, flushEvery: time.Hour})
	for i := range 6 {
		id := fmt.Sprint("s", i)
		login(t, d, id, id)
	}
	for _, id := range []string{"s2", "s3"} {
		if _, err := d.AdvanceGeneration(bg, refresh(id, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"s0", "s1", "s5"} {
		d.NoteUse(d.session(t, id), 1, Seen{At: t0, Addr: "192.0.2.9"})
	}
	// used long ago: its predecessor is a replay
	d.NoteUse(d.session(t, "s3"), 2, Seen{At: t0.Add(-time.Hour), Addr: "192.0.2.9"})
	left, leave := context.WithCancel(bg)
	calls := []struct {
		ctx        context.Context
		id         string
		k          int64
		err        error
		generation int64
	}{
		{bg, "s0", 1, nil, 2}, {bg, "s0", 1, nil, 2}, {bg, "s1", 1, nil, 2}, {bg, "s2", 1, nil, 2}, {bg, "s3", 1, ErrReplay, 2},
		{bg, "nobody", 1, ErrNotFound, 0}, {left, "s4", 1, context.Canceled, 0}, {bg, "s4", 7, nil, 8},
	}
	var wg sync.WaitGroup
	var once sync.Once
	taken, release := make(chan struct{}), make(chan struct{})
	wg.Go(func() { // the writer is busy with this, so that the calls wait for each other
		_ = d.Write(bg, func(*Tx) error {
			once.Do(func() { close(taken) }) // it may run again
			<-release
			return nil
		})
	})
	<-taken
	got, errs := make([]Session, len(calls)), make([]error, len(calls))
	for i, c := range calls {
		wg.Go(func() { got[i], errs[i] = d.AdvanceGeneration(c.ctx, refresh(c.id, c.k)) })
	}
	for len(d.writer.ops) < len(calls) {
		time.Sleep(time.Millisecond)
	}
	leave()
	close(release)
	wg.Wait()
	for i, c := range calls {
		if !errors.Is(errs[i], c.err) || (errs[i] == nil) != (c.err == nil) || got[i].Generation != c.generation {
			t.Errorf("%s %d: %d, %v; want %d, %v", c.id, c.k, got[i].Generation, errs[i], c.generation, c.err)
		}
	}
	if got[0] != got[1] {
		t.Errorf("two pairs for one token: %+v, %+v", got[0], got[1])
	}
	if s := d.session(t, "s4"); s.Generation != 8 {
		t.Errorf("who had left was served: %+v", s)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if s := open(t, Config{DSN: at}).session(t, "s5"); !s.Used.Equal(t0) || s.Seen.Addr != "192.0.2.9" {
		t.Errorf("a note was lost: %+v", s)
	}
}

// Two tabs wake up with two generations of one session, the older one first: it gets the pair in force, and then the
// newer one moves on. The other way round the older one would be a replay.
func TestTabsInTheirOrder(t *testing.T) {
	t.Parallel()
	d := fresh(t)
	login(t, d, "one", "A")
	login(t, d, "two", "B") // so that a batch is sent ahead
	if _, err := d.AdvanceGeneration(bg, refresh("one", 1)); err != nil {
		t.Fatal(err)
	}
	d.writeLock <- struct{}{}
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.SetSetting(bg, "any", "value") })
	time.Sleep(50 * time.Millisecond) // the writer has it, and waits for its turn
	got, errs := make([]Session, 3), make([]error, 3)
	for i, c := range []struct {
		id string
		k  int64
	}{{"one", 1}, {"one", 2}, {"two", 1}} {
		wg.Go(func() { got[i], errs[i] = d.AdvanceGeneration(bg, refresh(c.id, c.k)) })
		for len(d.writer.ops) <= i {
			time.Sleep(time.Millisecond)
		}
	}
	<-d.writeLock
	wg.Wait()
	if err := errors.Join(errs...); err != nil || got[0].Generation != 2 || got[1].Generation != 3 ||
		got[2].Generation != 2 {
		t.Errorf("generations %d, %d and %d: %v", got[0].Generation, got[1].Generation, got[2].Generation, err)
	}
}
