package db

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// reader shares round trips: the questions that are put while the last batches are on their way go out together, in one
// pipeline, as the writer's ops share a transaction. It is there where each question is a round trip (see pipeliner),
// and has no goroutine while nobody asks.
//
// An answer counts every commit that was answered before its question was put: a question joins only a batch that has
// not been sent, and the engine looks at each statement's rows when it comes to it (READ COMMITTED), or later than the
// batch was sent (any other level).
type reader struct {
	*DB
	pipeliner
	patience time.Duration // the engine's

	mu      sync.Mutex
	waiting []*question // in their order, not sent yet
	running int         // batches that are on their way
	sent    time.Time   // the last of them
}

// question is one caller's: a statement whose first row, if there is one, is scanned. Without a statement it is only
// what every batch asks.
type question struct {
	statement
	scan  func(scan func(...any) error) error
	since time.Time
	found bool
	epoch uint64
	err   error
	done  chan struct{}
}

// One batch is on its way at a time, since that makes the fullest. After so long the next does not wait for it: a
// connection that hangs must not keep everybody waiting.
const (
	slow       = 50 * time.Millisecond
	maxRunning = 4
)

// lookAround is asked last in each batch: if the database has moved by then, no answer before counts. The epoch is as
// new as every row before it, or newer.
const lookAround = `SELECT (` + keyEpoch + `), COALESCE((` + findMove + `), '')`

// ask puts a question. One that is not sent yet is taken back if the caller's context ends; once it is sent its answer
// is waited for, no longer than the engine's patience after it was put.
func (r *reader) ask(ctx context.Context, q *question) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.since, q.done = time.Now(), make(chan struct{})
	r.mu.Lock()
	r.waiting = append(r.waiting, q)
	if r.running == 0 || r.running < maxRunning && q.since.Sub(r.sent) > slow {
		r.running++
		r.sent = q.since
		go r.run()
	}
	r.mu.Unlock()
	select {
	case <-q.done:
	case <-ctx.Done():
		if r.takeBack(q) {
			return ctx.Err()
		}
		<-q.done
	}
	return q.err
}

// takeBack reports whether a question was still there to be taken back.
func (r *reader) takeBack(q *question) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.waiting, q)
	if i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
	}
	return i >= 0
}

// run sends batches until nobody waits.
func (r *reader) run() {
	for batch := r.next(); batch != nil; batch = r.next() {
		r.serve(batch)
		for _, q := range batch {
			close(q.done)
		}
	}
}

// next takes the questions that wait; nil ends the run. Whoever can ask at once does so first: the last batch has just
// answered many, and fewer and fuller ones halve the processor time of a check, here and at the server.
func (r *reader) next() []*question {
	runtime.Gosched()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.waiting), batchSize)
	if n == 0 {
		r.running--
		return nil
	}
	batch := r.waiting[:n:n]
	r.waiting, r.sent = r.waiting[n:], time.Now()
	return batch
}

// serve answers a batch. If it fails though the connection was good, one of its statements did, and each question is
// put alone, so that only the guilty one fails.
func (r *reader) serve(batch []*question) {
	ctx, cancel := context.WithTimeout(context.Background(), r.patience-time.Since(batch[0].since))
	defer cancel()
	epoch, err := twice(func() (uint64, error) { return r.send(ctx, batch) })
	if err != nil && len(batch) > 1 && ctx.Err() == nil && !lost(err) && !errors.As(err, new(movedError)) {
		for i := range batch {
			r.serve(batch[i : i+1])
		}
		return
	}
	if _, err = found(epoch, err); err == nil {
		r.epoch.Store(epoch)
	}
	for _, q := range batch {
		q.epoch, q.err = epoch, err
	}
}

// send is one round trip for a batch, if the connection knows its statements.
func (r *reader) send(ctx context.Context, batch []*question) (epoch uint64, err error) {
	all, of := make([]statement, 0, len(batch)+1), make([]*question, 0, len(batch))
	for _, q := range batch {
		if q.query != "" {
			all, of = append(all, q.statement), append(of, q)
			q.found = false
		}
	}
	c, err := r.reads.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	var place string
	err = r.pipeline(ctx, c, append(all, statement{query: lookAround}), func(i int, scan func(...any) error) error {
		if i == len(of) {
			return scan(&epoch, &place)
		}
		of[i].found = true
		return of[i].scan(scan)
	})
	if err == nil && place != "" {
		err = movedError{place}
	}
	return epoch, err
}

// asked is the first row of a statement's result, with the epoch that it was read in; else ErrNotFound.
func asked[T any](ctx context.Context, r *reader, s statement,
	scanRow func(func(...any) error) (T, error)) (T, uint64, error) {
	var v, none T
	q := question{statement: s, scan: func(scan func(...any) error) (err error) {
		v, err = scanRow(scan)
		return err
	}}
	err := r.ask(ctx, &q)
	if err == nil && !q.found {
		err = ErrNotFound
	}
	if err != nil {
		return none, 0, err
	}
	return v, q.epoch, nil
}
