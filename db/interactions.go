package db

import (
	"context"
	"time"
)

// Interaction is a user-interactive session (Client-Server API v1.19, "User-Interactive Authentication API") that every
// replica goes on with. What it holds is sealed by the caller: it may be a password.
type Interaction struct {
	ID      string
	Expires time.Time
	Version int64 // rises with each save
	Sealed  []byte
}

// Shared says whether other replicas may use this database, so that what they must know of each other has to be in it.
func (d *DB) Shared() bool { return d.cache == nil }

// Who adds one makes room: more than are added, and never many at once.
const interactionBatch = 100

const (
	findInteraction    = `SELECT id, expires, version, sealed FROM interactions WHERE id = $1`
	addInteraction     = `INSERT INTO interactions (id, expires, version, sealed) VALUES ($1, $2, $3, $4)`
	saveInteraction    = `UPDATE interactions SET sealed = $3, version = version + 1 WHERE id = $1 AND version = $2 RETURNING id`
	endInteraction     = `DELETE FROM interactions WHERE id = $1 RETURNING id`
	interactionVersion = `SELECT version FROM interactions WHERE id = $1`

	forgetInteractions = `DELETE FROM interactions WHERE id IN
		(SELECT id FROM interactions WHERE expires > $1 AND expires <= $2 ORDER BY expires LIMIT $3)`

	// All live equally long, so the oldest are those that end first.
	crowdOutInteractions = `DELETE FROM interactions WHERE id IN
		(SELECT id FROM interactions WHERE expires > 0 ORDER BY expires DESC LIMIT $1 OFFSET $2)`
)

// Interaction finds one by its id, also one whose time is over; ErrNotFound if there is none.
func (d *DB) Interaction(ctx context.Context, id string) (Interaction, error) {
	return one(ctx, d, findInteraction, func(scan func(...any) error) (i Interaction, err error) {
		var expires int64
		err = scan(&i.ID, &expires, &i.Version, &i.Sealed)
		i.Expires = at(expires)
		return i, err
	}, id)
}

// AddInteraction adds one, whose id is new. Some of those whose time is over go, and those that, by this clock, have
// not begun yet; and of more than most the oldest.
func (d *DB) AddInteraction(ctx context.Context, i Interaction, now time.Time, most int) error {
	if ms(i.Expires) == 0 {
		return errNoTime
	}
	_, err := write(ctx, d.writer, "", func(t *tx) (none struct{}, err error) {
		life := i.Expires.Sub(now)
		for _, over := range [][2]int64{{0, ms(now)}, {ms(i.Expires.Add(life)), maxTime}} {
			if err := t.exec(forgetInteractions, over[0], over[1], interactionBatch); err != nil {
				return none, err
			}
		}
		if err := t.exec(crowdOutInteractions, interactionBatch, most-1); err != nil {
			return none, err
		}
		return none, t.exec(addInteraction, i.ID, ms(i.Expires), i.Version, i.Sealed)
	})
	return err
}

// maxTime is later than any.
const maxTime = 1<<63 - 1

// SaveInteraction replaces what one holds, if its version is still the one given. ErrConflict if it is not, or it has
// ended.
func (d *DB) SaveInteraction(ctx context.Context, i Interaction) error {
	return d.mustIn(ctx, i.ID, ErrConflict, func(t *tx) (bool, error) {
		return t.get(saveInteraction, []any{new(string)}, i.ID, i.Version, i.Sealed)
	})
}

// EndInteraction ends one. Of several who do, one succeeds, and the others get ErrNotFound.
func (d *DB) EndInteraction(ctx context.Context, id string) error {
	return d.mustIn(ctx, id, ErrNotFound,
		func(t *tx) (bool, error) { return t.get(endInteraction, []any{new(string)}, id) })
}

// unmoved says ErrConflict if an interaction has moved on or ended.
func (t *tx) unmoved(i *Interaction) error {
	if i == nil {
		return nil
	}
	var version int64
	found, err := t.get(interactionVersion, []any{&version}, i.ID)
	if err == nil && (!found || version != i.Version) {
		err = ErrConflict
	}
	return err
}

// moveOn replaces what an interaction holds, in a transaction that has found it unmoved and runs beside no other one.
func (t *tx) moveOn(i *Interaction) error {
	if i == nil {
		return nil
	}
	return t.exec(saveInteraction, i.ID, i.Version, i.Sealed)
}
