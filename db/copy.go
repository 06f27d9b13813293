package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// CopyConfig says from where to where.
type CopyConfig struct {
	From, To   string                             // DSNs
	KeepSource bool                               // leave the source unmarked: both live on, apart
	Progress   func(table string, done, rows int) // called now and then; may be nil
	Extensions []Extension                        // as for Open
}

// Copied is what a copy holds.
type Copied struct{ Tables []TableRows }

// TableRows is how many rows a table has.
type TableRows struct {
	Table string
	Rows  int
}

// copiedFrom is a setting of a copy: a digest of what it held when it was made, and where that came from.
const copiedFrom = "copied_from"

// insertRows is how many rows are written at once: few for SQLite, which looks every parameter's name up in a list, and
// enough for a server, where each statement is a way there and back.
const insertRows = 20

// Copy moves everything to another database, of any engine, without losing a write: nobody writes to the source from
// the moment when it is read until it is marked as moved (see movedTo), and it is marked after the copy was compared
// and committed. Killed at any moment, it leaves the source unmarked and complete, or marked and the copy complete; it
// may then be run again.
//
// The target has to be empty, or given up: marked as moved, or a copy of this very source that nobody has written to
// since. It is then replaced, in one transaction. With KeepSource the source is only read, at one moment, and nobody
// waits.
//
// The master key is not in here, so the copy is only good with the same one.
func Copy(ctx context.Context, c CopyConfig) (Copied, error) {
	return between(ctx, c, func(from, to *side) (Copied, error) {
		if from.engine.String() == to.engine.String() {
			return Copied{}, fmt.Errorf("%s is the source and the target: name another one", from.engine)
		}
		if err := from.begin(ctx, !c.KeepSource); err != nil {
			return Copied{}, err
		}
		if err := from.present(ctx); err != nil {
			return Copied{}, err
		}
		if err := to.begin(ctx, true); err != nil {
			return Copied{}, err
		}
		if err := to.clear(ctx, from.engine.String()); err != nil {
			return Copied{}, err
		}
		copied, sum, err := c.tables(ctx, from, to)
		if err != nil {
			return Copied{}, err
		}
		if err := to.set(ctx, copiedFrom, sum.String()+" "+from.engine.String()); err != nil {
			return Copied{}, err
		}
		if err := to.commit(ctx); err != nil {
			return Copied{}, fmt.Errorf("%w; the source is as it was: run it again", err)
		}
		if c.KeepSource {
			return copied, nil
		}
		return copied, from.leave(context.WithoutCancel(ctx), to.engine.String())
	})
}

// between opens both sides and closes them.
func between(ctx context.Context, c CopyConfig, do func(from, to *side) (Copied, error)) (Copied, error) {
	from, err := openSide(ctx, c.From, c.Extensions...)
	if err != nil {
		return Copied{}, err
	}
	to, err := openSide(ctx, c.To, c.Extensions...)
	if err != nil {
		return Copied{}, errors.Join(err, from.close())
	}
	copied, err := do(from, to)
	if ctx.Err() != nil && err != nil {
		err = ctx.Err() // and not the interruption it came as
	}
	return copied, errors.Join(err, to.close(), from.close())
}

// present refuses a source that has moved away.
func (s *side) present(ctx context.Context) error {
	place, err := s.setting(ctx, movedTo)
	if err == nil && place != "" {
		err = movedError{place}
	}
	return err
}

// leave marks the source.
func (s *side) leave(ctx context.Context, place string) error {
	err := s.set(ctx, movedTo, place)
	if err == nil {
		err = s.commit(ctx)
	}
	if err != nil {
		return fmt.Errorf("the copy is complete, but the source may not be marked as moved: run it again, and until "+
			"then start no server on the copy: %w", err)
	}
	return nil
}

// clear makes an empty target of one that may be replaced, or says why it may not.
func (s *side) clear(ctx context.Context, source string) error {
	replaceable, err := s.replaceable(ctx, source)
	if err != nil {
		return err
	}
	for _, t := range slices.Backward(s.tables) {
		n, err := s.count(ctx, t)
		if err != nil {
			return err
		}
		if n > 0 && !replaceable {
			return fmt.Errorf("%s is not empty (it has %d rows in %s), and only an empty database, or one that has "+
				"moved away, is written to: "+
				"name another one, or remove its file, or drop its schema, if nobody needs it", s.engine, n, t.Name)
		}
		if err := s.exec(ctx, "DELETE FROM "+t.Name); err != nil {
			return err
		}
	}
	return nil
}

// replaceable says that nobody needs what a target holds: it has moved, or it is a copy of the source, as it was made.
func (s *side) replaceable(ctx context.Context, source string) (bool, error) {
	place, err := s.setting(ctx, movedTo)
	if err != nil || place != "" {
		return place != "", err
	}
	origin, err := s.setting(ctx, copiedFrom)
	if err != nil || origin == "" {
		return false, err
	}
	made, from, _ := strings.Cut(origin, " ")
	if from != source {
		return false, nil
	}
	var all digest
	for _, t := range s.tables {
		d, err := s.digest(ctx, t)
		if err != nil {
			return false, err
		}
		all.join(d)
	}
	return all.String() == made, nil
}

// tables copies all tables and compares what arrived.
func (c CopyConfig) tables(ctx context.Context, from, to *side) (copied Copied, all digest, err error) {
	for _, t := range from.tables {
		sent, err := c.table(ctx, t, from, to)
		if err != nil {
			return Copied{}, digest{}, fmt.Errorf("copying %s: %w", t.Name, err)
		}
		arrived, err := to.digest(ctx, t)
		if err != nil {
			return Copied{}, digest{}, fmt.Errorf("comparing %s: %w", t.Name, err)
		}
		if sent != arrived {
			return Copied{}, digest{}, fmt.Errorf(
				"comparing %s: %v rows were sent and %v arrived: nothing was changed; this is a bug, or a disk that "+
					"fails", t.Name, sent, arrived)
		}
		all.join(arrived)
		copied.Tables = append(copied.Tables, TableRows{t.Name, arrived.rows})
	}
	return copied, all, nil
}

// table copies one table.
func (c CopyConfig) table(ctx context.Context, t Table, from, to *side) (sent digest, err error) {
	rows, err := from.count(ctx, t)
	if err != nil {
		return digest{}, err
	}
	full, err := to.conn.PrepareContext(ctx, t.inserts(insertRows))
	if err != nil {
		return digest{}, to.failed(err)
	}
	defer full.Close()
	var args []any
	err = from.each(ctx, t, func(row []any) error {
		sent.add(t, row)
		args = append(args, row...)
		if len(args) < insertRows*t.width() {
			return nil
		}
		_, err := full.ExecContext(ctx, args...)
		args = args[:0]
		if c.Progress != nil {
			c.Progress(t.Name, sent.rows, rows)
		}
		return to.failed(err)
	})
	if err == nil && len(args) > 0 {
		err = to.exec(ctx, t.inserts(len(args)/t.width()), args...)
	}
	if err == nil && c.Progress != nil {
		c.Progress(t.Name, sent.rows, rows)
	}
	return sent, err
}
