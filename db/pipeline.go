package db

import (
	"context"
	"database/sql"
)

// pipeliner is an engine on another machine, for which several statements go out together: each would be a round trip.
// It has no cache.
type pipeliner interface {
	// pipeline runs statements in their order, in one round trip, and calls do with the place and the first row of each
	// that gives one.
	pipeline(ctx context.Context, c *sql.Conn, s []statement, do func(i int, scan func(...any) error) error) error
}

// statement is one whose first row is of interest.
type statement struct {
	query string
	args  []any
}

// answer is what a statement about a session gave.
type answer struct {
	session Session
	found   bool
}

// pipelined is runByRow in one round trip: notes and the first statements of all ops, which are nearly always their
// only ones, go out together. Then each op runs, and finds the answer of its first statement in t.first. Of several ops
// on one session only the first one's statement goes out: a later one must find what that has come to.
func (t *Tx) pipelined(e pipeliner, batch []*op, notes []note) {
	var all []statement
	add := func(notes []note) {
		for _, n := range notes {
			all = append(all, n.statement())
		}
	}
	place := make([]int, len(batch)) // where in all the first statement of each op is; -1: it is not
	last := ""
	for i, o := range batch {
		n := notesUpTo(notes, o.session)
		add(notes[:n])
		notes = notes[n:]
		place[i] = -1
		if o.err = o.ctx.Err(); o.err != nil {
			continue
		}
		if o.first != nil && o.session != last {
			place[i] = len(all)
			all = append(all, o.first())
		}
		last = o.session
	}
	add(notes)
	answers := make([]answer, len(all))
	err := e.pipeline(t.ctx, t.conn, all, func(i int, scan func(...any) error) (err error) {
		answers[i].found = true
		answers[i].session, err = scanSession(scan)
		return err
	})
	if t.err = t.failed(err); err != nil {
		return
	}
	for i, o := range batch {
		if o.err == nil {
			if place[i] >= 0 {
				t.first = &answers[place[i]]
			}
			t.run(batch[i : i+1])
			t.first = nil
		}
	}
}
