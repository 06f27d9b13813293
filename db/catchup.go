package db

import (
	"context"
	"time"
)

// Ahead is an authentic token of a later generation than its session's row has come to. The token was given in an
// answer, so the row is what is behind: a failover or a restored backup has lost commits.
type Ahead struct {
	Session       string
	Generation    int64
	KeyID         int64     // the root key that the token was minted with
	AccessExpires time.Time // when the access token of its generation expires; zero: never
	At            time.Time
}

// Behind reports whether an authentic token of generation k is newer than a row that may catch up with it.
func (s Session) Behind(k int64, now time.Time) bool {
	return k > s.Generation && s.State == Live && !s.ended(now) && !s.Locked
}

// CatchUp moves the row on to the generation of a token that is newer, as if the commits in between had not been lost,
// and writes an event of it. All racers find the row at the newest generation that any of them has shown. It returns
// the row as it is then. A session that is not live, has ended, or whose account is locked stays as it is: what the
// database still knows counts. ErrNotFound if there is none, ErrKeyGone if the token's root key was retired.
func (d *DB) CatchUp(ctx context.Context, a Ahead) (Session, error) {
	return write(ctx, d, onRow(a.Session), func(t *Tx) (Session, error) { return t.catchUp(a) })
}

// catchUp is the whole of catching up. What the row cannot know of the generations between is supposed to be as it was
// before them: whether the 2015 draft's endpoint was used, and that nobody has changed the root key. Several tokens
// that come within a minute belong to one loss.
const catchUp = `UPDATE sessions SET generation = $2, minted = $3, used = $3, imported = FALSE, caught_up = $3,
	caught_from = CASE WHEN caught_up > CAST($3 AS BIGINT) - 60000 THEN caught_from ELSE generation END,
	oldest = CASE WHEN single_use OR access_expires = 0 THEN $2 ELSE oldest END,
	prev_key_id = CASE WHEN generation < $2 - 1 THEN CAST($4 AS BIGINT) WHEN imported THEN 0 ELSE key_id END,
	key_id = $4, access_expires = ` + accessExpires + `
	WHERE id = $1 AND generation < $2 AND state = 'live' AND (expires = 0 OR expires > $3) AND NOT locked
		AND ` + keyOpens + ` RETURNING ` + sessionColumns

func (t *Tx) catchUp(a Ahead) (Session, error) {
	for {
		s, won, err := t.session(catchUp, a.Session, a.Generation, Millis(a.At), a.KeyID, Millis(a.AccessExpires))
		if won && err == nil {
			// a session depends on it again
			err = t.Exec(openRootKey, a.KeyID)
		}
		if won && err == nil {
			err = t.Record(Event{Kind: EventCaughtUp, Localpart: s.Localpart, DeviceID: s.DeviceID, Session: s.ID,
				Generation: a.Generation})
		}
		if won || err != nil {
			return s, err
		}
		s, there, err := t.session(sessionByID, a.Session)
		if err != nil || !there {
			return Session{}, or(err, ErrNotFound)
		}
		if gone, err := t.keyGone(a.KeyID); gone || err != nil {
			return Session{}, or(err, ErrKeyGone)
		}
		if !s.Behind(a.Generation, FromMillis(Millis(a.At))) {
			return s, nil
		}
		// another process moved the row between two of our statements
	}
}

// ahead is what a refresh token says when it is newer than its row. When the access token of its generation expires it
// does not say, so that is minted anew.
func (r Refresh) ahead() Ahead {
	return Ahead{Session: r.Session, Generation: r.Generation, KeyID: or(r.TokenKeyID, r.KeyID),
		AccessExpires: FromMillis(r.accessEnd()), At: r.At}
}
