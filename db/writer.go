package db

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// batchSize bounds a transaction, and with it how long one fsync's worth of callers waits for each other.
const batchSize = 256

// errClosed is what a write after Close gets.
var errClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)

// op is one caller's write. It runs on the writer's goroutine, perhaps twice: if somebody else spoiled the shared
// transaction it runs again in its own. What it returns is an answer, not a failure: an op that answers with an error after
// writing means what it wrote. Failures of the engine are kept by the tx.
type op struct {
	ctx     context.Context
	session string // whose notes must be in the database before it runs
	run     func(*tx) error
	err     error
	done    chan struct{}
}

// writer owns the write connection. Whoever queued while the last batch was committing shares the next transaction, and
// its fsync: group commit without a delay of its own.
type writer struct {
	tx      *tx
	ops     chan *op
	quit    chan struct{} // closed by stop
	stopped chan struct{} // closed when the goroutine is gone
	fresh   *freshness
	cache   *cache
	pending *pending
	epoch   *atomic.Uint64

	every   time.Duration
	wait    time.Duration
	onBatch func(int, time.Duration)
	outcome atomic.Pointer[error] // of the last transaction
	final   error                 // of the last flush; read after stopped
}

// write runs one op and waits until it is on the disk. A caller that stops waiting does not know whether it happened: to
// the machine that is a lost answer like any other.
func write[T any](ctx context.Context, w *writer, session string, run func(*tx) (T, error)) (T, error) {
	var result, none T
	o := &op{ctx: ctx, session: session, done: make(chan struct{})}
	o.run = func(t *tx) (err error) {
		result, err = run(t)
		return err
	}
	select {
	case w.ops <- o:
	case <-w.quit:
		return none, errClosed
	case <-ctx.Done():
		return none, ctx.Err()
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-w.stopped:
		select {
		case <-o.done:
		default:
			return none, errClosed
		}
	}
	if errors.Is(o.err, ErrUnavailable) {
		return none, o.err // what it computed before the engine failed is not true
	}
	return result, o.err
}

// run is the writer's goroutine.
func (w *writer) run() {
	defer close(w.stopped)
	timer := time.NewTimer(0)
	timer.Stop()
	batch := make([]*op, 0, batchSize)
	for {
		select {
		case o := <-w.ops:
			batch = w.fill(append(batch[:0], o))
			w.serve(batch)
			clear(batch)
		case <-w.pending.wake:
			timer.Reset(w.every)
		case <-timer.C:
			w.serve(nil)
			if !w.pending.empty() {
				timer.Reset(w.retry())
			}
		case <-w.quit:
			w.drain()
			return
		}
	}
}

// retry is when to go on with notes that are left over: at once if there were just too many, later if they failed.
func (w *writer) retry() time.Duration {
	if *w.outcome.Load() != nil {
		return w.every
	}
	return 0
}

// fill takes what has queued, without waiting.
func (w *writer) fill(batch []*op) []*op {
	for len(batch) < batchSize {
		select {
		case o := <-w.ops:
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// drain serves who came before the end, and writes the last notes.
func (w *writer) drain() {
	for {
		batch := w.fill(nil)
		if len(batch) == 0 && w.pending.empty() {
			return
		}
		w.serve(batch)
		if err := *w.outcome.Load(); err != nil && len(batch) == 0 {
			w.final = err
			return
		}
	}
}

// stage is how far a transaction got before it failed.
type stage int

const (
	beginning stage = iota // not even the lock was to be had
	running                // a statement failed
	ending                 // the commit did
)

// serve commits a batch and answers it.
func (w *writer) serve(batch []*op) {
	if len(batch) == 0 && w.pending.empty() {
		return
	}
	began := time.Now()
	w.fresh.turn <- struct{}{}
	got, err := w.commit(batch, batchSize)
	switch {
	case err == nil:
	case got == beginning:
		fail(batch, err)
	default:
		w.shorten(1) // a log that is written back is used anew: on a full disk that may be all the room there is
		err = w.alone(batch, err)
	}
	w.outcome.Store(&err)
	for _, o := range batch {
		close(o.done)
	}
	w.shorten(logPages)
	<-w.fresh.turn
	if w.onBatch != nil && len(batch) > 0 {
		w.onBatch(len(batch), time.Since(began))
	}
}

// alone gives each op of a failed batch a transaction of its own, so that only the guilty one fails. When an op alone
// cannot begin or commit, the others are not made to wait for the same. It returns the last transaction's failure.
func (w *writer) alone(batch []*op, err error) error {
	for i := range batch {
		var got stage
		if got, err = w.commit(batch[i:i+1], 0); err == nil {
			continue
		}
		if got != running {
			fail(batch[i:], err)
			return err
		}
		fail(batch[i:i+1], err)
	}
	return err
}

func fail(batch []*op, err error) {
	for _, o := range batch {
		o.err = err
	}
}

// commit runs a batch in one transaction, preceded by the notes on its sessions and up to spare others. Only what is
// committed reaches the cache, and it does so before turn is given back and anybody is answered.
func (w *writer) commit(batch []*op, spare int) (stage, error) {
	t := w.tx
	t.reset()
	if err := w.begin(); err != nil {
		return beginning, err
	}
	if err := w.fresh.arrive(); err != nil {
		_ = t.control("ROLLBACK")
		return beginning, err
	}
	notes := w.pending.take(batch, spare)
	for _, n := range notes {
		t.note(n)
	}
	for _, o := range batch {
		if o.err = o.ctx.Err(); o.err == nil && t.err == nil { // nobody waits for it any more: it does not happen
			o.err = o.run(t)
		}
	}
	got, err := running, t.err
	if err == nil {
		got, err = ending, t.control("COMMIT")
	}
	if err != nil {
		_ = t.control("ROLLBACK") // the engine may have done so itself; then this one fails, which is fine
		return got, err
	}
	w.cache.apply(t.changes)
	if t.rekeyed {
		w.epoch.Add(1)
	}
	w.pending.written(notes)
	_ = w.fresh.confirm() // if it fails the next check asks for itself, and says so
	return ending, nil
}

// begin takes the write lock, waiting for other processes. While it waits it gives turn back, so that checks go on.
func (w *writer) begin() error {
	deadline := time.Now().Add(w.wait)
	for {
		err := w.tx.control(beginWrite)
		if err == nil || !busy(err) || time.Now().After(deadline) {
			return err
		}
		<-w.fresh.turn
		time.Sleep(2 * time.Millisecond)
		w.fresh.turn <- struct{}{}
	}
}

// shorten writes the log back if it has that many pages. If it fails it is tried after the next batch.
func (w *writer) shorten(pages int64) {
	w.tx.reset()
	if w.tx.logLength() >= pages {
		_ = w.tx.control(shortenLog)
	}
}

// stop serves who is waiting, writes the last notes and ends the goroutine.
func (w *writer) stop() error {
	close(w.quit)
	<-w.stopped
	return w.final
}
