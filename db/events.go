package db

import (
	"context"
	"sync"
	"time"
)

// Event is something that an operator, or the user, should know of.
type Event struct {
	At                                        time.Time
	Kind                                      string // one of those below
	Localpart, DeviceID, Session, Addr, Agent string // Addr and Agent are the actor's; see By
	Generation                                int64  // of the token that came back, or that died; else 0
}

// maxEvents bounds how many events an account has. The oldest go first. One that logs in and out each minute reaches it
// in two days.
const maxEvents = 10_000

// Actor is who asks for a change.
type Actor interface {
	// Seen is when and from where it asks.
	Seen() Seen
}

type actorKey struct{}

// By puts an actor into the context of writes. Their events say so; without one they say nothing of who it was.
func By(ctx context.Context, who Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, who)
}

// ActorOf gives the actor that By has put into a context, or nil.
func ActorOf(ctx context.Context) Actor {
	who, _ := ctx.Value(actorKey{}).(Actor)
	return who
}

// by is when and from where the present write was asked for. That is looked up for an event, not for each write.
func (t *Tx) by() (seen Seen) {
	if who := ActorOf(t.asked); who != nil {
		seen = who.Seen().Clip()
	}
	if seen.At.IsZero() {
		seen.At = t.db.config.now()
	}
	return seen
}

// Record writes an event into the same transaction as what it tells of. What it leaves out of time, address and agent
// is the actor's.
func (t *Tx) Record(e Event) error {
	const q = `INSERT INTO events (at, kind, localpart, device_id, session_id, generation, addr, agent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`
	if e.At.IsZero() || e.Addr == "" && e.Agent == "" {
		by := t.by()
		e.At, e.Addr, e.Agent = or(e.At, by.At), or(e.Addr, by.Addr), or(e.Agent, by.Agent)
	}
	err := t.Exec(q, Millis(e.At), e.Kind, e.Localpart, e.DeviceID, e.Session, e.Generation, e.Addr, e.Agent)
	if err == nil && t.db.config.OnEvent != nil {
		err = t.require(t.db.config.OnEvent(t, e))
	}
	return err
}

// Change runs a statement that changes an event's account ($1) unless that is so already, and records the event if it
// has. It says whether there is such an account.
func (t *Tx) Change(e Event, query string, args ...any) (found bool, err error) {
	changed, err := t.Get(query, nil, append([]any{e.Localpart}, args...)...)
	switch {
	case err != nil:
		return false, err
	case changed:
		return true, t.Record(e)
	}
	return t.Get(userByName, nil, e.Localpart)
}

// Soften logs a session out softly, if it is live, because of an event, and writes that down. The event's account,
// device and generation are the session's.
func (t *Tx) Soften(e Event) (softened bool, err error) {
	const q = `UPDATE sessions SET state = 'soft' WHERE id = $1 AND state = 'live' RETURNING ` + sessionColumns
	s, softened, err := t.session(q, e.Session)
	if err != nil || !softened {
		return false, err
	}
	e.Localpart, e.DeviceID, e.Generation = s.Localpart, s.DeviceID, s.Generation
	return true, t.Record(e)
}

// Record writes an event of something that the database does not see.
func (d *DB) Record(ctx context.Context, e Event) error {
	return d.WriteFor(ctx, e.Localpart, func(t *Tx) error { return t.Record(e) })
}

// RecordHourly writes an event that concerns no account, unless this process has written one of the kind within the
// hour. What lasts is an event again and again, but not all the time.
func (d *DB) RecordHourly(ctx context.Context, kind string, now time.Time) error {
	if !d.hourly.begins(kind, now) {
		return nil
	}
	return d.Record(ctx, Event{Kind: kind, At: now})
}

// hourly says of each kind when it was last an event, of those that are one at most once an hour.
type hourly struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// begins reports whether a kind was no event within the hour, or the clock was set back since, and is one now.
func (h *hourly) begins(kind string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.last[kind]).Abs() < time.Hour {
		return false
	}
	if h.last == nil {
		h.last = make(map[string]time.Time)
	}
	h.last[kind] = now
	return true
}

func scanEvent(scan func(...any) error) (e Event, err error) {
	var when int64
	err = scan(&when, &e.Kind, &e.Localpart, &e.DeviceID, &e.Session, &e.Generation, &e.Addr, &e.Agent)
	e.At = FromMillis(when)
	return e, err
}

const eventColumns = `at, kind, localpart, device_id, session_id, generation, addr, agent`

// Events lists the newest events first, at most limit of them; of one account, or of all if localpart is empty.
func (d *DB) Events(ctx context.Context, localpart string, limit int) ([]Event, error) {
	return d.EventPage(ctx, EventFilter{Localpart: localpart}, Event{}, limit)
}
