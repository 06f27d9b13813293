package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
)

// freshness answers one question before every look into the cache: has anybody else written? The command line does, and
// so may a shell; a session that they end must be refused by the very next request.
//
// Two connections are asked for their data version, which changes when a connection other than the asked one commits:
//
//	asker   changes by any commit at all. It is asked first, and for most requests it is the only one.
//	writer  changes by foreign commits only. It is asked when the asker's answer has changed, and by the writer itself
//	        when a transaction of its own begins and after it has committed.
//
// `covered` is an answer of the asker such that every foreign commit it counts has emptied the cache. Why none is
// missed:
//
//  1. confirm asks the asker, then the writer, and empties the cache if the writer's answer has changed. Only then does
//     the asker's answer become `covered`. A foreign commit counted in it came before the asker was asked, so before
//     the writer was, so the writer's answer counts it: this one, or an earlier one that emptied the cache already.
//  2. arrive runs inside our own write transaction, when nobody else can commit, so the order of asking is free.
//  3. A check that finds the asker's answer covered saw no commit at all since, and its question was put after the
//     request arrived. So every foreign commit older than the request has emptied the cache.
//  4. Nothing old comes back into the emptied cache: rows fetched before that are not stored (see cache), and our own
//     transactions store rows only between their commit and confirm, while they hold the write lock, without which
//     nobody empties the cache.
//
// A nil freshness has nothing to answer for: nothing is remembered.
//
// Most checks do not even ask: see header, which can see that nothing was committed since the last answer.
//
// A check waits for the writer only between the moment when a commit of our own becomes visible and confirm, some
// microseconds later; never for the disk. (Once per restart of the log the asker's answer changes without a commit, in
// the midst of a batch. Such a check waits for the batch.)
type freshness struct {
	asker  *version      // a connection that does nothing else
	writer *version      // the write connection; asked by the holder of the lock
	lock   chan struct{} // DB.writeLock
	flush  func() error  // DB.foreignCommit, which empties the cache and sets moved
	header *header       // saves asking while nobody commits

	seen uint32 // the writer's last answer; guarded by the lock

	moved   atomic.Pointer[movedError] // nil if the database had not moved when the cache was emptied last
	covered atomic.Uint32
	mu      sync.Mutex    // guards news and the step from looking at covered to waiting for it
	news    chan struct{} // closed when covered moves; nil while nobody waits

	asking chan struct{} // full while somebody asks
}

// check returns once the cache counts every commit that happened before the call: nil, or a movedError. A check that
// waited for another one mostly finds in the header that nobody has committed since, so that one answer is good for
// both.
func (f *freshness) check(ctx context.Context) error {
	if f == nil {
		return nil
	}
	if f.header.unchanged() {
		return f.hasMoved()
	}
	select {
	case f.asking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.asking }()
	if f.header.unchanged() {
		return f.hasMoved()
	}
	seen := f.header.look()
	if err := f.ask(); err != nil {
		return err
	}
	f.header.confirm(seen)
	return f.hasMoved()
}

func (f *freshness) hasMoved() error {
	if e := f.moved.Load(); e != nil {
		return *e
	}
	return nil
}

func (f *freshness) ask() error {
	v, err := f.asker.read()
	if err != nil {
		return err
	}
	for !f.covers(v) {
		news := f.await(v)
		if news == nil {
			return nil
		}
		select {
		case <-news: // the writer came by
		case f.lock <- struct{}{}:
			err := f.confirm()
			<-f.lock
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// await gives a channel that is closed when covered moves, or nil if it moved far enough meanwhile.
func (f *freshness) await(v uint32) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.covers(v) {
		return nil
	}
	if f.news == nil {
		f.news = make(chan struct{})
	}
	return f.news
}

// covers compares as the engine counts: upwards, and around.
func (f *freshness) covers(v uint32) bool { return int32(f.covered.Load()-v) >= 0 }

// confirm is called by the holder of the write lock, with no transaction open and every commit of our own in the cache.
func (f *freshness) confirm() error {
	if f == nil {
		return nil
	}
	seen := f.header.look()
	a, err := f.asker.read() // before the writer's: see 1. above
	if err != nil {
		return err
	}
	w, err := f.writer.read()
	if err != nil {
		return err
	}
	if w != f.seen {
		if err := f.flush(); err != nil {
			return err
		}
		f.seen = w
	}
	f.publish(a)
	f.header.confirm(seen)
	return nil
}

// arrive is called inside a write transaction that has done nothing yet. A movedError if there may be none any more.
func (f *freshness) arrive() error {
	if f == nil {
		return nil
	}
	w, err := f.writer.read()
	if err != nil {
		return err
	}
	if w == f.seen {
		return f.hasMoved()
	}
	if err := f.flush(); err != nil {
		return err
	}
	f.seen = w
	a, err := f.asker.read()
	if err != nil {
		return err
	}
	f.publish(a)
	return f.hasMoved()
}

func (f *freshness) publish(a uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.covered.Store(a)
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// version asks one connection, and only ever that one: answers of two connections mean nothing to each other. It uses
// the driver's statement itself, because every request asks and the pool around it would cost as much as the question.
type version struct {
	mu   sync.Mutex
	stmt driver.Stmt // nil once closed
}

func newVersion(ctx context.Context, c *sql.Conn) (*version, error) {
	v := &version{}
	err := c.Raw(func(raw any) (err error) {
		v.stmt, err = raw.(driver.ConnPrepareContext).PrepareContext(ctx, askVersion)
		return err
	})
	return v, unavailable(err)
}

func (v *version) read() (uint32, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stmt == nil {
		return 0, errClosed
	}
	rows, err := v.stmt.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
	if err != nil {
		return 0, unavailable(err)
	}
	var answer [1]driver.Value
	err = errors.Join(rows.Next(answer[:]), rows.Close())
	n, _ := answer[0].(int64)
	return uint32(n), unavailable(err)
}

func (v *version) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.stmt.Close()
	v.stmt = nil
	return unavailable(err)
}
