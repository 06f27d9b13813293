package db

import (
	"context"
	"time"
)

// AdvanceGeneration exchanges a refresh token. Without an error the row is what the pair is computed from: a new
// generation, or the newest one again. The errors are ErrSpent, ErrReplay, ErrSoft, ErrEnded and ErrLocked, all with
// the session as it is now, and ErrNotFound and ErrKeyGone. See Session for the rules, Client-Server API v1.19,
// "Refreshing access tokens", for the reasons.
func (d *DB) AdvanceGeneration(ctx context.Context, r Refresh) (Session, error) {
	r.At = at(ms(r.At)) // the row's precision, so that the clock and the row agree
	if r.Seen.At.IsZero() {
		r.Seen.At = r.At
	}
	r.Seen = r.Seen.clip()
	first := func() statement { return statement{advance, r.arguments()} }
	return writeFirst(ctx, d.writer, r.Session, first, func(t *tx) (Session, error) {
		if known, ok := t.known(d.cache, r.Session); ok && d.cache != nil && known.Generation == r.Generation {
			if s, won, err := t.advance(known, r); won || err != nil {
				return s, err
			}
		}
		return t.refresh(r) // which finds out the rest, or reads the row that memory does not have
	})
}

// The access token must not outlive the session. $5 = 0 stands for "never" and is cast because an engine that infers
// types could not tell what it is.
const accessExpires = `CASE WHEN expires <> 0 AND (CAST($5 AS BIGINT) = 0 OR CAST($5 AS BIGINT) > expires)
		THEN expires ELSE CAST($5 AS BIGINT) END`

const (
	// advance is the whole of a good refresh: whoever finds the row still at the token's generation moves it on, all
	// others find it moved.
	advanceOnly = `UPDATE sessions SET generation = generation + 1, minted = $3, prev_key_id = CASE WHEN imported THEN 0 ELSE key_id END, key_id = $4, access_expires = ` + accessExpires + `,
		used = $6, single_use = $7, seen_at = $8, seen_addr = $9, seen_agent = $10, imported = FALSE
		WHERE id = $1 AND generation = $2 AND state = 'live' AND (expires = 0 OR expires > $3) AND NOT locked
			AND NOT EXISTS (SELECT 1 FROM root_keys WHERE root_keys.id = $4 AND root_keys.retired <> 0)`
	advance = advanceOnly + ` RETURNING ` + sessionColumns

	remint = `UPDATE sessions SET minted = $3, key_id = $4, access_expires = ` + accessExpires + `
		WHERE id = $1 AND generation = $2 AND minted = $6 AND NOT locked
		RETURNING ` + sessionColumns

	soften = `UPDATE sessions SET state = 'soft' WHERE id = $1 AND generation = $2 AND state = 'live' RETURNING ` +
		sessionColumns
)

// accessEnd is when an access token minted now expires, the session's own end apart; 0: never.
func (r Refresh) accessEnd() int64 { return ms(accessEnd(r.At, r.AccessTTL, time.Time{})) }

// used is when the new generation was used first. At the draft's door that is now, as if a token of the new pair was
// seen: the old pair is dead at once.
func (r Refresh) used() time.Time {
	if r.SingleUse {
		return r.At
	}
	return time.Time{}
}

// arguments are those of advance.
func (r Refresh) arguments() []any {
	return []any{r.Session, r.Generation, ms(r.At), r.KeyID, r.accessEnd(), ms(r.used()), r.SingleUse, ms(r.Seen.At),
		r.Seen.Addr, r.Seen.Agent}
}

// advance is a good refresh of a session whose row is known. Only whether it succeeded must be asked then: reading the
// 19 columns back, and the pool around the statement, took an eighth of the server's time for a refresh.
func (t *tx) advance(s Session, r Refresh) (Session, bool, error) {
	n, err := t.affect(advanceOnly, r.arguments()...)
	if n == 0 || err != nil {
		return Session{}, false, err
	}
	s.Generation++
	s.KeyID, s.Minted, s.AccessExpires = r.KeyID, r.At, at(ms(accessEnd(r.At, r.AccessTTL, s.Expires)))
	s.Used, s.SingleUse, s.Seen, s.Imported = r.used(), r.SingleUse, r.Seen, false
	t.put(s)
	return s, true, nil
}

// claim runs advance, or takes what it gave when it was sent ahead. Where that is done no cache has to be told.
func (t *tx) claim(r Refresh) (Session, bool, error) {
	if t.sent == nil {
		return t.session(advance, r.arguments()...)
	}
	a := *t.sent
	t.sent = nil
	return a.session, a.found, t.err
}

func (t *tx) refresh(r Refresh) (Session, error) {
	s, won, err := t.claim(r)
	if won || err != nil {
		return s, err
	}
	if gone, err := t.keyGone(r.KeyID); gone || err != nil {
		return Session{}, or(err, ErrKeyGone)
	}
	s, known, err := t.session(sessionByID, r.Session)
	if err != nil {
		return Session{}, err
	}
	if !known {
		return Session{}, ErrNotFound
	}
	gone, err := t.keyGone(s.KeyID)
	if err != nil {
		return Session{}, err
	}
	return t.settle(s, r, s.decide(r, gone))
}

// settle does what the machine decided about a token that is not of the newest generation.
func (t *tx) settle(s Session, r Refresh, do step) (Session, error) {
	switch do {
	case stepSame:
		return s, nil
	case stepRemint:
		again, won, err := t.session(remint, s.ID, s.Generation, ms(r.At), r.KeyID, r.accessEnd(), ms(s.Minted))
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
			err = t.event(Event{At: r.At, Kind: EventReplay, Localpart: s.Localpart, DeviceID: s.DeviceID,
				Session:    s.ID,
				Generation: r.Generation, Addr: r.Seen.Addr, Agent: r.Seen.Agent})
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
