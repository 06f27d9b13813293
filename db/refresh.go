package db

import (
	"context"
	"time"
)

// Refresh is a refresh token presented: its claims and the rules of the endpoint it was presented at.
type Refresh struct {
	Session    string
	Generation int64
	At         time.Time
	TokenKeyID int64         // the root key that it was minted with
	KeyID      int64         // the root key that a new generation is minted with
	AccessTTL  time.Duration // of a new access token; 0: it never expires
	Leeway     time.Duration // how long the predecessor of a used generation still yields the same pair; 0: not at all
	SingleUse  bool          // the 2015 draft's endpoint
	Seen       Seen
}

// AdvanceGeneration exchanges a refresh token. Without an error the row is what the pair is computed from: a new
// generation, or the newest one again. The errors are ErrSpent, ErrReplay, ErrSoft, ErrEnded and ErrLocked, all with
// the session as it is now, and ErrNotFound and ErrKeyGone. See Session for the rules, Client-Server API v1.19,
// "Refreshing access tokens", for the reasons.
func (d *DB) AdvanceGeneration(ctx context.Context, r Refresh) (Session, error) {
	r.At = FromMillis(Millis(r.At)) // the row's precision, so that the clock and the row agree
	if r.Seen.At.IsZero() {
		r.Seen.At = r.At
	}
	r.Seen = r.Seen.Clip()
	var result Session
	o := &op{ctx: ctx, scope: scope{row: r.Session}, taken: func(s Session) { result = s }}
	if !r.SingleUse { // which is refused when it is sent twice
		o.first = func() statement { return statement{advanceReturning, r.arguments()} }
	}
	o.run = func(t *Tx) (err error) {
		result, err = t.advance(r)
		return err
	}
	return await(d.writer, &result, o)
}

// advance is AdvanceGeneration. If memory has the row only whether it moves has to be asked.
func (t *Tx) advance(r Refresh) (Session, error) {
	if s, ok := t.cached(r.Session); ok && t.db.cache != nil && s.Generation == r.Generation {
		if s, won, err := t.advanceCached(s, r); won || err != nil {
			return s, err
		}
	}
	return t.refresh(r) // which finds out the rest, or reads the row that memory does not have
}

// The access token must not outlive the session. $5 = 0 stands for "never" and is cast because an engine that infers
// types could not infer one here.
const accessExpires = `CASE WHEN expires <> 0 AND (CAST($5 AS BIGINT) = 0 OR CAST($5 AS BIGINT) > expires)
		THEN expires ELSE CAST($5 AS BIGINT) END`

const (
	// advance is the whole of a good refresh: the first to find the row at the token's generation moves it on, and all
	// others find it moved.
	advance = `UPDATE sessions SET generation = generation + 1, minted = $3,
		oldest = CASE WHEN $7 OR access_expires = 0 THEN generation + 1 ELSE oldest END,
		prev_key_id = CASE WHEN imported THEN 0 ELSE key_id END, key_id = $4, access_expires = ` + accessExpires + `,
		used = $6, single_use = $7, seen_at = $8, seen_addr = $9, seen_agent = $10, imported = FALSE
		WHERE id = $1 AND generation = $2 AND state = 'live' AND (expires = 0 OR expires > $3) AND NOT locked
			AND ` + keyMints
	advanceReturning = advance + ` RETURNING ` + sessionColumns

	remint = `UPDATE sessions SET minted = $3, key_id = $4, access_expires = ` + accessExpires + `
		WHERE id = $1 AND generation = $2 AND minted = $6 AND NOT locked
		RETURNING ` + sessionColumns

	soften = `UPDATE sessions SET state = 'soft' WHERE id = $1 AND generation = $2 AND state = 'live' RETURNING ` +
		sessionColumns
)

// accessEnd is when an access token minted now expires, the session's own end apart; 0: never.
func (r Refresh) accessEnd() int64 { return Millis(accessEnd(r.At, r.AccessTTL, time.Time{})) }

// used is when the new generation was used first. At the 2015 draft's endpoint that is now, as if a token of the new
// pair was seen: the old pair is dead at once.
func (r Refresh) used() time.Time {
	if r.SingleUse {
		return r.At
	}
	return time.Time{}
}

// arguments are those of advance.
func (r Refresh) arguments() []any {
	return []any{r.Session, r.Generation, Millis(r.At), r.KeyID, r.accessEnd(), Millis(r.used()), r.SingleUse,
		Millis(r.Seen.At), r.Seen.Addr, r.Seen.Agent}
}

// advanceCached is a good refresh of a session whose row is in memory. Only whether it succeeded has to be asked then:
// with the 19 columns read back, and database/sql around the statement, a server that does nothing but refresh did 0.87
// of the refreshes (and three times the allocations), so the rule stands here in Go and in advance in SQL. A test holds
// them together.
func (t *Tx) advanceCached(s Session, r Refresh) (Session, bool, error) {
	n, err := t.affect(advance, r.arguments()...)
	if n == 0 || err != nil {
		return Session{}, false, err
	}
	s.Generation++
	if r.SingleUse || s.AccessExpires.IsZero() {
		s.Oldest = s.Generation
	}
	s.KeyID, s.Minted, s.AccessExpires = r.KeyID, r.At, FromMillis(Millis(accessEnd(r.At, r.AccessTTL, s.Expires)))
	s.Used, s.SingleUse, s.Seen, s.Imported = r.used(), r.SingleUse, r.Seen, false
	t.put(s)
	return s, true, nil
}

// refresh moves the row on, or finds out why it may not be moved and what to answer instead.
func (t *Tx) refresh(r Refresh) (Session, error) {
	s, won, err := t.session(advanceReturning, r.arguments()...)
	if won || err != nil {
		return s, err
	}
	if gone, err := t.keyClosed(r.KeyID); gone || err != nil {
		return Session{}, or(err, ErrKeyGone)
	}
	s, there, err := t.session(sessionByID, r.Session)
	if err != nil {
		return Session{}, err
	}
	if !there {
		return Session{}, ErrNotFound
	}
	gone, err := t.keyGone(s.KeyID)
	if err != nil {
		return Session{}, err
	}
	return t.carryOut(s.decide(r, gone), s, r)
}

// carryOut does what was decided about a token that is not of the newest generation.
func (t *Tx) carryOut(do step, s Session, r Refresh) (Session, error) {
	switch do {
	case stepSame:
		return s, nil
	case stepBehind:
		if _, err := t.catchUp(r.ahead()); err != nil {
			return Session{}, err
		}
	case stepRemint:
		again, won, err := t.session(remint, s.ID, s.Generation, Millis(r.At), r.KeyID, r.accessEnd(), Millis(s.Minted))
		if won || err != nil {
			return again, err
		}
	case stepSpent:
		return s, ErrSpent
	case stepSoft:
		return s, ErrSoft
	case stepEnded:
		return s, ErrEnded
	case stepLocked:
		return s, ErrLocked
	case stepReplay:
		soft, won, err := t.session(soften, s.ID, s.Generation)
		if err == nil && won {
			err = t.Record(Event{At: r.At, Kind: EventReplay, Localpart: s.Localpart, DeviceID: s.DeviceID,
				Session: s.ID, Generation: r.Generation, Addr: r.Seen.Addr, Agent: r.Seen.Agent})
		}
		if err != nil {
			return Session{}, err
		}
		if won {
			return soft, ErrReplay
		}
	}
	return t.refresh(r) // another process moved the row between two of our statements
}

// step is what is done about a refresh token.
type step int

const (
	stepAdvance step = iota // n becomes n+1
	stepSame                // the pair n is computed again: no write
	stepRemint              // n stays, minted anew: its access token or its root key is gone
	stepBehind              // the row catches up; then n becomes n+1
	stepSpent               // refused; nothing ends
	stepReplay              // refused; the session is soft-logged-out
	stepSoft                // refused; it was soft-logged-out before
	stepEnded               // refused; past its absolute end
	stepLocked              // refused for now: one of the first four, were the account not locked
)

// decide is the whole law of refreshing, see Session. keyGone says that generation n's root key was retired: nobody can
// mint or hold a token of it.
func (s Session) decide(r Refresh, keyGone bool) step {
	do := s.decideUnlocked(r, keyGone)
	if s.Locked && do <= stepBehind {
		return stepLocked
	}
	return do
}

// decideUnlocked is decide if the account is not locked.
func (s Session) decideUnlocked(r Refresh, keyGone bool) step {
	switch {
	case s.State != Live:
		return stepSoft
	case s.ended(r.At):
		return stepEnded
	case r.Generation == s.Generation:
		return stepAdvance
	case r.Generation > s.Generation:
		return stepBehind
	case r.Generation != s.Generation-1 && !r.amidCatchingUp(s):
		return stepReplay
	}

	// The predecessor came back: an answer was lost, two tabs share a session, or a thief has it.
	recent := s.Used.IsZero() || r.At.Sub(s.Used) <= r.Leeway || r.amidCatchingUp(s)
	switch {
	case r.SingleUse || s.SingleUse:
		if recent {
			return stepSpent
		}
		return stepReplay
	case !s.Used.IsZero() && (r.Leeway <= 0 || !recent):
		return stepReplay
	case keyGone || !s.AccessExpires.IsZero() && !r.At.Before(s.AccessExpires):
		return stepRemint
	}
	return stepSame
}

// amidCatchingUp reports whether the row has just caught up with a token, and this one is of a generation that was
// lost. Processes that share a session come back then with tokens of different generations, and which of those were
// used is lost. They come in any order, and to replicas whose clocks differ; a clock that steps back by more than the
// leeway only costs this leniency.
func (r Refresh) amidCatchingUp(s Session) bool {
	since := r.At.Sub(s.CaughtUp)
	return !s.CaughtUp.IsZero() && r.Leeway > 0 && since.Abs() <= r.Leeway && r.Generation >= s.CaughtFrom
}

// accessEnd is when an access token minted now for a session that ends at end expires; zero: never.
func accessEnd(now time.Time, ttl time.Duration, end time.Time) time.Time {
	if ttl <= 0 {
		return end
	}
	if t := now.Add(ttl); end.IsZero() || t.Before(end) {
		return t
	}
	return end
}
