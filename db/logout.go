package db

import "context"

const (
	endSession = `DELETE FROM sessions WHERE id = $1 RETURNING ` + endedColumns
	// $2 has the ids that are kept, each between spaces.
	endSessions = `DELETE FROM sessions WHERE localpart = $1
		AND REPLACE(CAST($2 AS TEXT), ' ' || id || ' ', '') = CAST($2 AS TEXT) RETURNING ` + endedColumns

	letIn = `SELECT let_in FROM browsers WHERE id = $1 AND localpart = $2`

	endedColumns = `id, localpart, device_id, bot`
)

// EndSession logs one session out; ErrNotFound if there is none.
func (d *DB) EndSession(ctx context.Context, id string) error {
	return d.must(ctx, onRow(id), ErrNotFound, func(t *Tx) (bool, error) { return t.end(endSession, id) })
}

// end runs a statement that ends at most one session.
func (t *Tx) end(query string, args ...any) (found bool, err error) {
	ended, err := t.endAll(EventLogout, query, args...)
	return ended > 0, err
}

// EndSessions logs an account out everywhere, and returns how many sessions ended.
func (d *DB) EndSessions(ctx context.Context, localpart string) (int, error) {
	return write(ctx, d, account(localpart), func(t *Tx) (int, error) { return t.endSessions(localpart, "") })
}

// Ended is how much has ended.
type Ended struct{ Sessions, Browsers int }

// EndOthers logs an account out everywhere but in one browser of it. What began in that goes on.
func (d *DB) EndOthers(ctx context.Context, localpart, browser string) (Ended, error) {
	return write(ctx, d, account(localpart), func(t *Tx) (n Ended, err error) {
		began := ""
		if _, err := t.Get(letIn, []any{&began}, browser, localpart); err != nil {
			return n, err
		}
		if n.Browsers, err = t.remove(endOtherBrowsers, localpart, browser); err == nil {
			n.Sessions, err = t.endAllBut(localpart, began)
		}
		return n, err
	})
}

// endSessions ends every session of an account but one, and signs its browsers out.
func (t *Tx) endSessions(localpart, keep string) (ended int, err error) {
	if err := t.Exec(endBrowsers, localpart); err != nil {
		return 0, err
	}
	return t.endAllBut(localpart, keep)
}

// endAllBut ends every session of an account but some, whose ids are separated by spaces.
func (t *Tx) endAllBut(localpart, keep string) (ended int, err error) {
	return t.endAll(EventLogout, endSessions, localpart, " "+keep+" ")
}

// endAll runs a statement that ends sessions, and returns how many ended. Each leaves an event of the kind, or none
// without one; of a bot's token that is not taken for a device's.
func (t *Tx) endAll(kind, query string, args ...any) (int, error) {
	var gone []Session
	err := t.Each(query, args, func(scan func(...any) error) error {
		var s Session
		err := scan(&s.ID, &s.Localpart, &s.DeviceID, &s.Bot)
		gone = append(gone, s)
		return err
	})
	for _, s := range gone {
		if err == nil {
			err = t.MarkEnded(s.ID)
		}
		if err == nil {
			err = t.Follow(s.Localpart, s.DeviceID)
		}
		of := kind
		if s.Bot && kind == EventLogout {
			of = EventTokenEnded
		}
		if err == nil && kind != "" {
			err = t.Record(Event{Kind: of, Localpart: s.Localpart, DeviceID: s.DeviceID, Session: s.ID})
		}
	}
	return len(gone), err
}
