package db

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// pipeliner is an engine on another machine, for which several statements go out together: each would be a round trip.
// It has no cache.
type pipeliner interface {
	// pipeline runs statements in their order, in one round trip, and calls do with the place and the first row of each
	// that gives one.
	pipeline(ctx context.Context, c *sql.Conn, s []statement, do func(i int, scan func(...any) error) error) error
	// together begins a transaction beside others, statement by statement; the last of them gives a row.
	together() []statement
}

// statement is one whose first row is of interest.
type statement struct {
	query string
	args  []any
}

// journeySize bounds a journey, so that a socket takes it in whole: of one that has arrived in part what it has changed
// is kept until its process goes on, or the server ends it (see ends).
const journeySize = 64

// serveApart gives each kind of ops a transaction of its own, so that none waits for more than it needs: those that one
// journey may serve, which leave nothing open whatever becomes of this process; those that have something for
// themselves; and those that must be alone.
func (w *writer) serveApart(e pipeliner, batch []*op) {
	byRow := func(a, b *op) int { return cmp.Compare(a.row, b.row) }
	slices.SortStableFunc(batch, byRow)
	var first, apart, alone []*op
	for _, o := range batch {
		switch {
		case o.first != nil && (len(first) == 0 || first[len(first)-1].row != o.row):
			first = append(first, o)
		case o.scope.everything():
			alone = append(alone, o)
		default:
			apart = append(apart, o) // a later one on a row must find what that has come to
		}
	}
	for i := 0; i < len(first) || i == 0 && len(batch) == 0; i += journeySize {
		ops := first[i:min(i+journeySize, len(first))]
		w.transact(ops, func() (stage, error) { return w.journey(e, ops) })
	}
	for _, o := range slices.Backward(first) { // in front of those that came later
		if o.left {
			o.left = false
			apart = append([]*op{o}, apart...)
		}
	}
	slices.SortStableFunc(apart, byRow)
	for _, ops := range [][]*op{apart, alone} {
		if len(ops) > 0 {
			w.transact(ops, func() (stage, error) { return w.commit(ops, 0) })
		}
	}
}

// journey commits, in one round trip, the first statements of ops, which are nearly always their only ones, with the
// notes on their rows, and others for which there is room. It goes through the rows in one order, each with its note
// first, so that two replicas do not wait for each other in a circle. An op whose first statement finds nothing is
// left.
//
// What was sent happens or does not, whatever becomes of this process. If the connection is lost, nobody knows; then it
// is sent again, which does no harm.
func (w *writer) journey(e pipeliner, ops []*op) (stage, error) {
	t := w.tx
	t.reset()
	if err := w.begin(func() error { return nil }); err != nil {
		return beginning, err
	}
	notes := w.db.notes.take(ops, journeySize-len(ops))
	legs := legsOf(ops, notes)
	all := e.together()
	begun := len(all) // so many statements only begin the transaction
	for _, s := range legs {
		all = append(all, s.statement)
	}
	got := beginning
	err := t.failed(e.pipeline(t.ctx, t.conn, append(all, statement{query: "COMMIT"}),
		func(i int, scan func(...any) error) error {
			if i < begun-1 {
				return nil
			}
			if got = running; i < begun { // the last of these has been answered
				return nil
			}
			return legs[i-begun].found(scan)
		}))
	if err != nil {
		for _, o := range ops {
			o.left = false
		}
		return t.astray(got, err)
	}
	w.db.notes.written(notes)
	return ending, nil
}

// leg is a statement of a journey, about one row; the op is nil if it is a note.
type leg struct {
	row string
	statement
	op *op
}

// legsOf gives the legs in their order. One whose caller does not wait any more has none.
func legsOf(ops []*op, notes []note) []leg {
	legs := make([]leg, 0, len(ops)+len(notes))
	for _, n := range notes {
		legs = append(legs, leg{n.session, n.statement(), nil})
	}
	for _, o := range ops {
		o.err = o.ctx.Err()
		if o.left = o.err == nil; o.left {
			legs = append(legs, leg{o.row, o.first(), o})
		}
	}
	slices.SortStableFunc(legs, func(a, b leg) int { return cmp.Compare(a.row, b.row) })
	return legs
}

// found says that a first statement has done what its op is for. A note is for nobody.
func (l leg) found(scan func(...any) error) error {
	if l.op == nil {
		return nil
	}
	s, err := scanSession(scan)
	l.op.left = false
	l.op.taken(s)
	return err
}

// astray is undone for a transaction that was sent as a whole. Only what the server says is known.
func (t *Tx) astray(got stage, err error) (stage, error) {
	state, known := sqlState(err)
	// The first a pooler says of a server that it has lost, the second a server that is stopped, of whatever it did.
	known = known && !strings.HasPrefix(state, "08") && !strings.HasPrefix(state, "57P")
	t.undone(got, err)
	switch {
	case known && got == beginning && !lost(err):
		return beginning, t.movedBy(err)
	case !known:
		err = fmt.Errorf("%w: %w", err, errDoubt)
	}
	return running, err
}
