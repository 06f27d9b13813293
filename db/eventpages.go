package db

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// EventFilter says which events are wanted: those for which all holds that is not empty.
type EventFilter struct {
	Localpart    string
	Kinds        []string  // one of them
	Since, Until time.Time // not before the one, and before the other
}

const (
	eventsBefore = `SELECT ` + eventColumns + ` FROM events WHERE at >= $1 AND at <= $2
		AND (at < $2 OR (localpart, session_id, kind) > ($3, $4, $5))`
	newestFirst = ` ORDER BY at DESC, localpart, session_id, kind LIMIT $6`
)

// EventPage lists at most limit events, the newest first, before one of them.
func (d *DB) EventPage(ctx context.Context, f EventFilter, before Event, limit int) ([]Event, error) {
	query, args := f.query(before, limit)
	return list(ctx, d, query, scanEvent, args...)
}

// query is the text that gives the page, and its arguments. The events of an account, of a kind, and all of them have
// an index each, so those of several kinds are those of each.
func (f EventFilter) query(before Event, limit int) (string, []any) {
	before, last := f.end(before)
	args := []any{Millis(f.Since), last, before.Localpart, before.Session, before.Kind, limit}
	query, kind := eventsBefore, `kind`
	if f.Localpart != "" {
		args = append(args, f.Localpart)
		query += ` AND localpart = $7`
		kind = `kind || ''` // not by the index of the kind: an account has few events, a kind may have millions
	}
	var each []string
	for _, k := range f.Kinds {
		args = append(args, k)
		each = append(each, fmt.Sprintf(`SELECT %s FROM (%s AND %s = $%d%s) AS of_%d`, eventColumns, query, kind,
			len(args), newestFirst, len(args)))
	}
	if len(each) > 0 {
		query = strings.Join(each, ` UNION ALL `)
	}
	return query + newestFirst, args
}

// end is the last moment whose events are wanted, and of that moment's those after before.
func (f EventFilter) end(before Event) (after Event, last int64) {
	last = maxTime
	if !f.Until.IsZero() {
		last = Millis(f.Until) - 1
	}
	if at := Millis(before.At); at != 0 && at <= last {
		return before, at
	}
	return Event{}, last
}
