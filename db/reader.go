package db

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
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

	mu      sync.Mutex
	waiting []*question // in their order, not sent yet
	running int         // batches that are on their way
}

// question is one caller's: a statement whose first row, if there is one, is scanned. Without a statement it is only
// what every batch asks.
type question struct {
	statement
	scan  func(scan func(...any) error) error
	since time.Time
	taken atomic.Bool // by a batch, or by its caller, who does not wait any more
	found bool
	epoch uint64
	err   error
	done  chan struct{}
}

// maxRunning is how many batches may be on their way. With a second one a connection that hangs does not keep
// everybody waiting.
const maxRunning = 2

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
	idle := r.running < maxRunning
	if idle {
		r.running++
	}
	r.mu.Unlock()
	if idle {
		go r.run()
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		if q.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-q.done
	}
	return q.err
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

// next takes the questions that wait; nil ends the run.
func (r *reader) next() []*question {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.waiting) > 0 {
		n := min(len(r.waiting), batchSize)
		batch := make([]*question, 0, n)
		for _, q := range r.waiting[:n] {
			if q.taken.CompareAndSwap(false, true) {
				batch = append(batch, q)
			}
		}
		if r.waiting = r.waiting[n:]; len(batch) > 0 {
			return batch
		}
	}
	r.running--
	return nil
}

// serve answers a batch. If it fails though the connection was good, one of its statements did, and each question is put
// alone, so that only the guilty one fails.
func (r *reader) serve(batch []*question) {
	ctx, cancel := context.WithTimeout(context.Background(), r.engine.patience()-time.Since(batch[0].since))
	defer cancel()
	epoch, err := twice(func() (uint64, error) { return r.send(ctx, batch) })
	if err != nil && len(batch) > 1 && ctx.Err() == nil && !lost(err) && !errors.As(err, new(movedError)) {
		for i := range batch {
			r.serve(batch[i : i+1])
		}
		return
	}
	_, err = found(epoch, err)
	for _, q := range batch {
		q.epoch, q.err = r.raise(epoch), err
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
