package db

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// batchSize bounds a transaction unless the caller says otherwise, and with it how long one fsync's worth of callers
// waits for each other.
const batchSize = 256

// errClosed is what a write after Close gets.
var errClosed = fmt.Errorf("%w: it is closed", ErrUnavailable)

// op is one caller's write. It runs on the writer's goroutine, perhaps twice: if somebody else spoiled the shared
// transaction it runs again in its own. What it returns is an answer, not a failure: an op that answers with an error
// after writing means what it wrote. Failures of the engine are kept by the tx.
type op struct {
	ctx context.Context
	// the one row that it changes, after the notes on it; empty: it must run beside no other transaction
	session string
	first   func() statement // what run begins with, if that may be sent ahead with those of others; see tx.ahead
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
	turn    chan struct{} // DB.turn
	fresh   *freshness
	cache   *cache
	pending *pending
	given   *given // DB.given
	epoch   *atomic.Uint64
	mark    *lastMark // DB.mark
	news    chan struct{}

	most    int // ops in a transaction
	every   time.Duration
	wait    time.Duration
	onBatch func(int, time.Duration)
	outcome atomic.Pointer[error] // of the last transaction
	final   error                 // of the last flush; read after stopped
}

// write runs one op and waits until it is on the disk. A caller that stops waiting does not know whether it happened:
// to the machine that is a lost answer like any other.
func write[T any](ctx context.Context, w *writer, session string, run func(*tx) (T, error)) (T, error) {
	return writeFirst(ctx, w, session, nil, run)
}

// writeFirst is write for an op that begins with a statement which may be sent ahead.
func writeFirst[T any](ctx context.Context, w *writer, session string, first func() statement,
	run func(*tx) (T, error)) (T, error) {
	var result, none T
	o := &op{ctx: ctx, session: session, first: first, done: make(chan struct{})}
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
	batch := make([]*op, 0, w.most)
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
	for len(batch) < w.most {
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
			if !errors.As(err, new(movedError)) { // where the database lives now, these notes are lost as in a crash
				w.final = err
			}
			return
		}
	}
}

// stop serves who is waiting, writes the last notes and ends the goroutine.
func (w *writer) stop() error {
	close(w.quit)
	<-w.stopped
	return w.final
}
