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

// op is one caller's write. It runs on the writer's goroutine, perhaps twice: if another op spoiled the transaction
// that they shared it runs again in one of its own. What it returns is an answer, not a failure: an op that answers
// with an error after writing means what it wrote. Failures of the engine are kept by the Tx.
type op struct {
	ctx context.Context
	scope
	// What a pipeline may run instead of run: if it finds a session it has done all, and taken gets that; else it has
	// done nothing. Running it twice does what running it once does. Nil: there is none.
	first func() statement
	taken func(Session)
	run   func(*Tx) error
	err   error
	left  bool // its first statement has found nothing
	done  chan struct{}
}

// writer owns the write connection. All ops that queued while the last transaction was committing share the next one,
// and its fsync: group commit without a delay of its own.
type writer struct {
	db      *DB
	tx      *Tx
	ops     chan *op
	quit    chan struct{}         // closed by stop
	stopped chan struct{}         // closed when the goroutine is gone
	outcome atomic.Pointer[error] // of the last transaction
	final   error                 // of the last flush; read after stopped
	kept    *op                   // that did not get its row, of those that are served
}

func newWriter(d *DB, t *Tx) *writer {
	w := &writer{db: d, tx: t, ops: make(chan *op, 4*batchSize), quit: make(chan struct{}),
		stopped: make(chan struct{})}
	w.outcome.Store(new(error))
	return w
}

// Write runs one write beside no other one, of any replica, and waits until it is on the disk. What run wrote stands,
// whatever it returns; only a failure of the engine, ErrUnavailable, undoes it. It may be run twice, of which the first
// time is undone. A caller that stops waiting does not know whether it happened.
func (d *DB) Write(ctx context.Context, run func(*Tx) error) error {
	return d.in(ctx, everything, run)
}

// WriteFor is Write for what concerns one account: others may run beside it, but none that concerns the same account.
func (d *DB) WriteFor(ctx context.Context, localpart string, run func(*Tx) error) error {
	return d.in(ctx, account(localpart), run)
}

// in is Write in a scope.
func (d *DB) in(ctx context.Context, s scope, run func(*Tx) error) error {
	_, err := write(ctx, d, s, func(t *Tx) (struct{}, error) { return struct{}{}, run(t) })
	return err
}

// exec is a write of one statement.
func (d *DB) exec(ctx context.Context, s scope, query string, args ...any) error {
	return d.in(ctx, s, func(t *Tx) error { return t.Exec(query, args...) })
}

// write is Write with a result and a scope.
func write[T any](ctx context.Context, d *DB, s scope, run func(*Tx) (T, error)) (T, error) {
	var result T
	return await(d.writer, &result, &op{ctx: ctx, scope: s, run: func(t *Tx) (err error) {
		result, err = run(t)
		return err
	}})
}

// await has an op written, and gives its result once it is there.
func await[T any](w *writer, result *T, o *op) (T, error) {
	var none T
	o.done = make(chan struct{})
	select {
	case w.ops <- o:
	case <-w.quit:
		return none, errClosed
	case <-o.ctx.Done():
		return none, o.ctx.Err()
	}
	select {
	case <-o.done:
	case <-o.ctx.Done():
		return none, o.ctx.Err()
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
	return *result, o.err
}

// must runs a write that has to find something, and returns otherwise if it did not.
func (d *DB) must(ctx context.Context, s scope, otherwise error, run func(*Tx) (bool, error)) error {
	_, err := write(ctx, d, s, func(t *Tx) (none struct{}, err error) {
		found, err := run(t)
		if err == nil && !found {
			err = otherwise
		}
		return none, err
	})
	return err
}

// run is the writer's goroutine.
func (w *writer) run() {
	defer close(w.stopped)
	timer := time.NewTimer(0)
	timer.Stop()
	batch := make([]*op, 0, w.db.config.MaxBatch)
	for {
		select {
		case o := <-w.ops:
			batch = w.fill(append(batch[:0], o))
			w.serve(batch)
			clear(batch)
		case <-w.db.notes.wake:
			timer.Reset(w.db.config.flushEvery)
		case <-timer.C:
			w.serve(nil)
			if !w.db.notes.empty() {
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
		return w.db.config.flushEvery
	}
	return 0
}

// fill takes what has queued, without waiting.
func (w *writer) fill(batch []*op) []*op {
	for len(batch) < w.db.config.MaxBatch {
		select {
		case o := <-w.ops:
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// drain serves the ops that came before the end, and writes the last notes.
func (w *writer) drain() {
	for {
		batch := w.fill(nil)
		if len(batch) == 0 && w.db.notes.empty() {
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

// stop serves the ops that wait, writes the last notes and ends the goroutine.
func (w *writer) stop() error {
	close(w.quit)
	<-w.stopped
	return w.final
}

// stage is how far a transaction got before it failed.
type stage int

const (
	beginning stage = iota // not even the lock was to be had
	running                // a statement failed
	ending                 // the commit did
)

// errDoubt says that nobody knows whether a transaction was committed.
var errDoubt = errors.New("whether it was done is not known: look, and ask again")

// serve commits a batch and answers it.
func (w *writer) serve(batch []*op) {
	if len(batch) == 0 && w.db.notes.empty() {
		return
	}
	began := time.Now()
	w.kept = nil
	w.db.writeLock <- struct{}{}
	if e, ok := w.db.engine.(pipeliner); ok {
		w.serveApart(e, batch)
	} else {
		w.transact(batch, func() (stage, error) { return w.commit(batch, batchSize) })
	}
	_ = w.db.engine.maintain(w.tx, afterBatch)
	<-w.db.writeLock
	if f := w.db.config.OnBatch; f != nil && len(batch) > 0 {
		f(len(batch), time.Since(began))
	}
}

// transact commits ops in one transaction, and answers those that are not left.
func (w *writer) transact(batch []*op, commit func() (stage, error)) {
	got, err := w.persist(commit)
	switch {
	case err == nil:
	case got == beginning, got == running && lost(err):
		fail(batch, err)
	case got == ending && lost(err):
		err = fmt.Errorf("%w: %w", err, errDoubt)
		fail(batch, err)
	default:
		_ = w.db.engine.maintain(w.tx, afterFailure)
		err = w.alone(batch, err)
	}
	w.outcome.Store(&err)
	for _, o := range batch {
		if !o.left {
			close(o.done)
		}
	}
}

// alone gives each op of a failed batch a transaction of its own, so that only the guilty one fails. When an op alone
// cannot begin or commit, the others are not made to wait for the same; nor do two wait for one row that is kept. It
// returns the last transaction's failure.
func (w *writer) alone(batch []*op, err error) error {
	for i, o := range batch {
		if k := w.kept; k != nil && o.row == k.row && o.row != "" {
			o.err = k.err
			continue
		}
		var got stage
		got, err = w.persist(func() (stage, error) { return w.commit(batch[i:i+1], 0) })
		if err == nil {
			continue
		}
		if got != running {
			fail(batch[i:], err)
			return err
		}
		fail(batch[i:i+1], err)
		if held(err) {
			w.kept = o
		}
	}
	return err
}

func fail(batch []*op, err error) {
	for _, o := range batch {
		o.err = err
	}
}

// tries bounds how often a transaction is run again because it met another one, or because the connection was lost
// before it was to be committed. The waits between them add up to 0.1 s.
const tries = 8

// persist commits, again and again while that may help. A row that another replica holds is waited for briefly, and not
// again: all who write here would wait with it. Each op is run once more by itself, when whoever waited for a row of
// ours has got that: so two that wait for each other go on.
func (w *writer) persist(commit func() (stage, error)) (got stage, err error) {
	doubt := false
	for try := range tries {
		got, err = commit()
		doubt = doubt || errors.Is(err, errDoubt)
		if err == nil || w.tx.ctx.Err() != nil || !again(err) && (got != running || !lost(err)) {
			break
		}
		time.Sleep(time.Millisecond << min(try, 4))
	}
	if doubt && err != nil && !errors.Is(err, errDoubt) {
		err = fmt.Errorf("%w: %w", err, errDoubt)
	}
	return got, err
}
