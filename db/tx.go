package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// Tx is a write transaction: the write connection, its prepared statements, and what is to be done if it commits. Its
// statements run without the caller's context: a transaction that several callers share outlives any one of them.
//
// After the first failure of the engine no statement runs any more, since the engine may have rolled back already, and
// the transaction does not commit.
type Tx struct {
	db        *DB
	pool      *sql.DB
	conn      *sql.Conn
	stmts     map[string]*sql.Stmt
	rawStmts  map[string]driver.Stmt // of the driver; see affect
	ctx       context.Context        // bounds what runs now, where a statement does not end by itself
	asked     context.Context        // of the caller whose op runs now; it bounds nothing
	cancel    context.CancelFunc     // nil if there is nothing to cancel
	err       error                  // the engine's first failure
	changes   []change               // of sessions, for the cache
	committed []func()
}

// reset makes it ready for the next transaction.
func (t *Tx) reset() {
	t.err = nil
	clear(t.changes)
	t.changes = t.changes[:0]
	t.committed = nil
	if t.cancel != nil {
		t.cancel()
	}
	t.ctx, t.cancel = context.Background(), nil
	if p := t.db.engine.patience(); p > 0 {
		t.ctx, t.cancel = context.WithTimeout(t.ctx, p)
	}
}

// commit runs a batch in one transaction, together with the notes on its sessions and up to spare others. Only what is
// committed reaches the cache, and it does so before the write lock is given back and any op is answered.
func (w *writer) commit(batch []*op, spare int) (stage, error) {
	t := w.tx
	t.reset()
	if err := w.begin(func() error { return t.control(t.db.engine.begin(batch)) }); err != nil {
		return beginning, t.movedBy(err)
	}
	if err := w.db.fresh.arrive(); err != nil {
		_ = t.control("ROLLBACK")
		return beginning, err
	}
	notes := w.db.notes.take(batch, spare)
	t.write(notes)
	t.run(batch)
	got, err := running, t.err
	if err == nil {
		got, err = ending, t.control("COMMIT")
	}
	if err != nil {
		return t.undone(got, err), err
	}
	w.db.cache.apply(t.changes)
	for _, do := range t.committed {
		do()
	}
	w.db.notes.written(notes)
	_ = w.db.fresh.confirm() // if it fails the next check asks for itself, and says so
	return ending, nil
}

// undone gives up what did not commit. A server that did not hear of us for too long has not committed either: it says
// so, or closes the connection before the commit is sent. Then it is as if a statement had failed.
func (t *Tx) undone(got stage, err error) stage {
	_ = t.control("ROLLBACK") // the engine may have done so itself; then this one fails, which is fine
	if lost(err) {
		t.abandon()
	}
	if got == ending && (timedOut(err) || errors.Is(err, driver.ErrBadConn)) {
		return running
	}
	return got
}

// write writes notes; nothing happens to one whose session is gone. What a row has come to follows from the one in
// memory; read back, 24 columns cost as much as writing it. t keeps the error.
func (t *Tx) write(notes []note) {
	for _, n := range notes {
		note := n.statement()
		changed, _ := t.affect(note.query, note.args...)
		if s, ok := t.cached(n.session); ok && changed > 0 {
			t.put(n.over(s))
		} else {
			t.Forget(n.session)
		}
	}
}

// run runs ops. One whose caller does not wait any more does not happen.
func (t *Tx) run(batch []*op) {
	for _, o := range batch {
		if o.err = o.ctx.Err(); o.err == nil && t.err == nil {
			t.asked = o.ctx
			o.err = o.run(t)
		}
	}
}

// begin takes the engine's write lock, waiting for other processes, and for a server that is just being started again.
// While it waits it gives ours back, so that checks go on. A server that has been away for longer is not waited for.
func (w *writer) begin(open func() error) error {
	deadline := time.Now().Add(w.db.config.wait)
	patient := *w.outcome.Load() == nil
	for {
		err := w.tx.reconnect()
		if err != nil && !patient {
			return err
		}
		if err == nil {
			if err = open(); err == nil {
				return nil
			}
			_ = w.tx.control("ROLLBACK") // it may have begun, and then not have got the lock
		}
		if !passing(err) || time.Now().After(deadline) {
			return err
		}
		<-w.db.writeLock
		time.Sleep(2 * time.Millisecond)
		w.db.writeLock <- struct{}{}
	}
}

// Get runs a statement that gives at most one row, and scans that if there is one. Without dest only whether there is
// one is of interest. ErrUnavailable if the engine fails, which ends the transaction.
func (t *Tx) Get(query string, dest []any, args ...any) (found bool, err error) {
	err = t.Each(query, args, func(scan func(...any) error) error {
		found = true
		if dest == nil {
			return nil
		}
		return scan(dest...)
	})
	return found, err
}

// Each runs a statement and calls do for every row of its result; scan is only good during the call. ErrUnavailable if
// the engine fails, which ends the transaction; so does an error of do's.
func (t *Tx) Each(query string, args []any, do func(scan func(...any) error) error) error {
	if t.err != nil {
		return t.err
	}
	s, err := t.prepare(query)
	if err == nil {
		var rows *sql.Rows
		if rows, err = s.QueryContext(t.ctx, storable(args)...); err == nil {
			err = each(rows, do)
		}
	}
	t.err = t.failed(err)
	return t.err
}

// Exec runs a statement whose result is of no interest. ErrUnavailable if the engine fails, which ends the transaction.
func (t *Tx) Exec(query string, args ...any) error {
	_, err := t.affect(query, args...)
	return err
}

// AfterCommit has something called when the transaction has committed, before its callers are answered; the writer
// waits for it. If the transaction does not commit it is not called.
func (t *Tx) AfterCommit(do func()) { t.committed = append(t.committed, do) }

// Follow calls Config.Follow. This package does so for its own changes; a package that changes accounts or sessions
// with statements of its own calls it after each. If it fails, so does the transaction.
func (t *Tx) Follow(localpart, deviceID string) error {
	if t.db.config.Follow == nil {
		return nil
	}
	return t.require(t.db.config.Follow(t, localpart, deviceID))
}

// require ends the transaction with an error of what has to be committed with a change or not at all.
func (t *Tx) require(err error) error {
	if err != nil && t.err == nil {
		t.err = t.failed(err)
	}
	return err
}

// affect runs a statement that gives no rows, and returns how many it changed. It uses the driver's own statement,
// because every refresh passes here, one after the other.
func (t *Tx) affect(query string, args ...any) (int64, error) {
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.affected(query, args)
	t.err = t.failed(err)
	return n, t.err
}

func (t *Tx) affected(query string, args []any) (int64, error) {
	stmt, err := t.prepareRaw(query)
	if err != nil {
		return 0, err
	}
	named := make([]driver.NamedValue, len(args))
	for i, a := range storable(args) {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return 0, err
		}
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	result, err := stmt.(driver.StmtExecContext).ExecContext(t.ctx, named)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t *Tx) prepareRaw(query string) (stmt driver.Stmt, err error) {
	if s := t.rawStmts[query]; s != nil {
		return s, nil
	}
	err = t.conn.Raw(func(raw any) error {
		stmt, err = raw.(driver.ConnPrepareContext).PrepareContext(t.ctx, query)
		return err
	})
	if err == nil {
		t.rawStmts[query] = stmt
	}
	return stmt, err
}

func (t *Tx) prepare(query string) (*sql.Stmt, error) {
	if s := t.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, t.failed(err)
	}
	t.stmts[query] = s
	return s, nil
}

// control runs a statement about transactions, which does not count as one of them.
func (t *Tx) control(query string) error {
	if t.conn == nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, driver.ErrBadConn)
	}
	_, err := t.conn.ExecContext(t.ctx, query)
	return t.failed(err)
}

// failed is unavailable for a statement of ours: when the time is over, it is the engine that took too long.
func (t *Tx) failed(err error) error {
	if err != nil && t.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return unavailable(err)
}
