package db

import (
	"context"
	"time"
)

// Event is something that an operator, or the user, should know of.
type Event struct {
	At                                        time.Time
	Kind                                      string // EventReplay or EventKeyRetired
	Localpart, DeviceID, Session, Addr, Agent string
	Generation                                int64 // of the token that came back, or that died
}

// The kinds of events: a refresh token was replayed, a root key was retired. Both log a session out softly.
const (
	EventReplay     = "replay"
	EventKeyRetired = "key_retired"
)

func scanEvent(scan func(...any) error) (e Event, err error) {
	var when int64
	err = scan(&when, &e.Kind, &e.Localpart, &e.DeviceID, &e.Session, &e.Generation, &e.Addr, &e.Agent)
	e.At = FromMillis(when)
	return e, err
}

// Events lists the newest events first, at most limit of them; of one account, or of all if localpart is empty.
func (d *DB) Events(ctx context.Context, localpart string, limit int) ([]Event, error) {
	const columns = `SELECT at, kind, localpart, device_id, session_id, generation, addr, agent FROM events`
	if localpart == "" {
		return list(ctx, d, columns+` ORDER BY at DESC, session_id LIMIT $1`, scanEvent, limit)
	}
	return list(ctx, d, columns+` WHERE localpart = $1 ORDER BY at DESC, session_id LIMIT $2`, scanEvent, localpart,
		limit)
}

// Record writes what happened into the same transaction as what was done about it.
func (t *Tx) Record(e Event) error {
	const q = `INSERT INTO events (at, kind, localpart, device_id, session_id, generation, addr, agent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`
	return t.Exec(q, Millis(e.At), e.Kind, e.Localpart, e.DeviceID, e.Session, e.Generation, e.Addr, e.Agent)
}
