package db

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

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
	w.turn <- struct{}{}
	got, err := w.persist(batch, batchSize)
	switch {
	case err == nil:
	case got == beginning, got == running && lost(err):
		fail(batch, err)
	case got == ending && lost(err):
		err = fmt.Errorf("%w: whether it was done is not known: look, and ask again", err)
		fail(batch, err)
	default:
		_ = w.tx.engine.maintain(w.tx, afterFailure)
		err = w.alone(batch, err)
	}
	w.outcome.Store(&err)
	for _, o := range batch {
		close(o.done)
	}
	_ = w.tx.engine.maintain(w.tx, afterBatch)
	<-w.turn
	if w.onBatch != nil && len(batch) > 0 {
		w.onBatch(len(batch), time.Since(began))
	}
}

// alone gives each op of a failed batch a transaction of its own, so that only the guilty one fails. When an op alone
// cannot begin or commit, the others are not made to wait for the same. It returns the last transaction's failure.
func (w *writer) alone(batch []*op, err error) error {
	for i := range batch {
		var got stage
		if got, err = w.persist(batch[i:i+1], 0); err == nil {
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

// tries bounds how often a transaction is run again because it met another one, or because the connection was lost
// before it was to be committed. The waits between them add up to 0.1 s.
const tries = 8

// persist commits a batch, again and again while that may help.
func (w *writer) persist(batch []*op, spare int) (got stage, err error) {
	for try := range tries {
		got, err = w.commit(batch, spare)
		if err == nil || w.tx.ctx.Err() != nil || !again(err) && !(got == running && lost(err)) {
			break
		}
		time.Sleep(time.Millisecond << min(try, 4))
	}
	return got, err
}

// commit runs a batch in one transaction, together with the notes on its sessions and up to spare others. Only what is
// committed reaches the cache, and it does so before turn is given back and anybody is answered.
func (w *writer) commit(batch []*op, spare int) (stage, error) {
	t := w.tx
	t.reset()
	alone := slices.ContainsFunc(batch, func(o *op) bool { return o.session == "" })
	if err := w.begin(t.engine.begin(alone)); err != nil {
		return beginning, t.movedBy(err)
	}
	err := w.fresh.arrive()
	if err == nil {
		err = w.here()
	}
	if err != nil {
		_ = t.control("ROLLBACK")
		return beginning, err
	}
	notes := w.pending.take(batch, spare)
	if alone {
		t.notes(notes)
		t.ops(batch)
	} else {
		t.together(batch, notes)
	}
	got := running
	if err = t.err; err == nil {
		got, err = ending, t.control("COMMIT")
	}
	if err != nil {
		_ = t.control("ROLLBACK") // the engine may have done so itself; then this one fails, which is fine
		if lost(err) {
			t.abandon()
		}
		return got, err
	}
	w.cache.apply(t.changes)
	if t.brought {
		w.given.stir()
	}
	if t.rekeyed && w.cache != nil {
		w.epoch.Add(1)
	}
	if t.told {
		select {
		case w.news <- struct{}{}:
		default: // nobody has looked since
		}
	}
	w.pending.written(notes)
	_ = w.fresh.confirm() // if it fails the next check asks for itself, and says so
	return ending, nil
}

// together goes through the rows in one order, each with its note first, so that two replicas do not wait for each
// other in a circle.
func (t *tx) together(batch []*op, notes []note) {
	slices.SortStableFunc(batch, func(a, b *op) int { return cmp.Compare(a.session, b.session) })
	slices.SortFunc(notes, func(a, b note) int { return cmp.Compare(a.session, b.session) })
	if e, ok := t.engine.(pipeliner); ok && len(batch)+len(notes) > 1 {
		t.ahead(e, batch, notes)
		return
	}
	for i := range batch {
		before := before(notes, batch[i].session)
		t.notes(notes[:before])
		notes = notes[before:]
		t.ops(batch[i : i+1])
	}
	t.notes(notes)
}

// before counts the notes, which are in order, up to those of a session.
func before(notes []note, session string) int {
	n, _ := slices.BinarySearchFunc(notes, session,
		func(n note, session string) int { return cmp.Compare(n.session, session) })
	for n < len(notes) && notes[n].session == session {
		n++
	}
	return n
}

// A statement gives at most one session.
type statement struct {
	query string
	args  []any
}

// An answer is what a statement gave.
type answer struct {
	session Session
	found   bool
}

// ahead is together where a statement is a journey to another machine and back: notes and the first statements of all
// ops, which are nearly always their only ones, make it in one. Then each op goes on with its answer. Of several ops on
// one session only the first is sent ahead: a later one must find what that has come to.
func (t *tx) ahead(e pipeliner, batch []*op, notes []note) {
	var all []statement
	add := func(notes []note) {
		for _, n := range notes {
			all = append(all, n.statement())
		}
	}
	sent := make([]int, len(batch)) // where in all the first statement of each op is; -1: it is not
	last := ""
	for i, o := range batch {
		n := before(notes, o.session)
		add(notes[:n])
		notes = notes[n:]
		sent[i] = -1
		if o.err = o.ctx.Err(); o.err != nil {
			continue
		}
		if o.first != nil && o.session != last {
			sent[i] = len(all)
			all = append(all, o.first())
		}
		last = o.session
	}
	add(notes)
	answers, err := e.pipeline(t.ctx, t.conn, all)
	if t.err = t.failed(err); err != nil {
		return
	}
	for i, o := range batch {
		if o.err == nil {
			if sent[i] >= 0 {
				t.sent = &answers[sent[i]]
			}
			t.ops(batch[i : i+1])
			t.sent = nil
		}
	}
}

func (t *tx) notes(notes []note) {
	for _, n := range notes {
		t.note(n)
	}
}

func (t *tx) ops(batch []*op) {
	for _, o := range batch {
		if o.err = o.ctx.Err(); o.err == nil && t.err == nil { // nobody waits for it any more: it does not happen
			o.err = o.run(t)
		}
	}
}

// begin takes the write lock, waiting for other processes, and for a server that is just being started again. While it
// waits it gives turn back, so that checks go on. A server that has been away for longer is not waited for.
func (w *writer) begin(statement string) error {
	deadline := time.Now().Add(w.wait)
	patient := *w.outcome.Load() == nil
	for {
		err := w.tx.revive()
		if err != nil && !patient {
			return err
		}
		if err == nil {
			if err = w.tx.control(statement); err == nil {
				return nil
			}
			_ = w.tx.control("ROLLBACK") // it may have begun, and then not have got the lock
		}
		if !passing(err) || time.Now().After(deadline) {
			return err
		}
		<-w.turn
		time.Sleep(2 * time.Millisecond)
		w.turn <- struct{}{}
	}
}
