package db

import (
	"context"
	"time"
)

// Interaction is what waits for somebody to go on with it, at any replica: a user-interactive session (Client-Server
// API v1.19, "User-Interactive Authentication API"), or what other packages keep for minutes. What it holds is sealed
// by the caller: it may be a password.
type Interaction struct {
	Kind    string // of which all live equally long; empty: a user-interactive session
	ID      string // no other has it, of any kind
	Expires time.Time
	Version int64 // rises with each save
	Sealed  []byte
}

// Shared says whether other replicas may use this database, so that what they must know of each other has to be in it.
func (d *DB) Shared() bool { return d.cache == nil }

// Adding one removes up to this many that are over: more than are added, and never many at once.
const interactionBatch = 100

const (
	findInteraction = `SELECT id, expires, version, sealed, kind FROM interactions WHERE id = $1`
	addInteraction  = `INSERT INTO interactions (id, expires, version, sealed, kind) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING RETURNING id`
	saveInteraction = `UPDATE interactions SET sealed = $3, version = version + 1 WHERE id = $1 AND version = $2
		RETURNING id`
	renewInteraction = `UPDATE interactions SET sealed = $3, expires = $4, version = version + 1
		WHERE id = $1 AND version = $2 RETURNING id`
	endInteraction = `DELETE FROM interactions WHERE id = $1 RETURNING id`
	// It changes nothing, and nobody else changes the row until the transaction ends.
	holdInteraction = `UPDATE interactions SET version = version WHERE id = $1 AND version = $2 RETURNING id`

	forgetInteractions = `DELETE FROM interactions WHERE id IN
		(SELECT id FROM interactions WHERE kind = $4 AND expires > $1 AND expires <= $2 ORDER BY expires LIMIT $3)`

	// All of a kind live equally long, so the oldest are those that end first.
	crowdOutInteractions = `DELETE FROM interactions WHERE id IN
		(SELECT id FROM interactions WHERE kind = $3 AND expires > 0 ORDER BY expires DESC LIMIT $1 OFFSET $2)`
)

// Interaction finds one by its id, also one whose time is over; ErrNotFound if there is none.
func (d *DB) Interaction(ctx context.Context, id string) (Interaction, error) {
	return one(ctx, d, findInteraction, func(scan func(...any) error) (i Interaction, err error) {
		var expires int64
		err = scan(&i.ID, &expires, &i.Version, &i.Sealed, &i.Kind)
		i.Expires = FromMillis(expires)
		return i, err
	}, id)
}

// AddInteraction adds one; ErrConflict if there is one of that id. Of its kind some go whose time is over, and those
// that, by this clock, have not begun yet; and of more than most the oldest.
func (d *DB) AddInteraction(ctx context.Context, i Interaction, now time.Time, most int) error {
	if Millis(i.Expires) == 0 {
		return errNoTime
	}
	return d.in(ctx, scope{}.with("interactions", i.Kind), func(t *Tx) error { return t.addInteraction(i, now, most) })
}

func (t *Tx) addInteraction(i Interaction, now time.Time, most int) error {
	life := i.Expires.Sub(now)
	for _, over := range [][2]int64{{0, Millis(now)}, {Millis(i.Expires.Add(life)), maxTime}} {
		if err := t.Exec(forgetInteractions, over[0], over[1], interactionBatch, i.Kind); err != nil {
			return err
		}
	}
	if err := t.Exec(crowdOutInteractions, interactionBatch, most-1, i.Kind); err != nil {
		return err
	}
	added, err := t.Get(addInteraction, nil, i.ID, Millis(i.Expires), i.Version, i.Sealed, i.Kind)
	if err == nil && !added {
		err = ErrConflict
	}
	return err
}

// maxTime is later than any.
const maxTime = 1<<63 - 1

// SaveInteraction replaces what one holds, if its version is still the one given. ErrConflict if it is not, or it has
// ended.
func (d *DB) SaveInteraction(ctx context.Context, i Interaction) error {
	return d.must(ctx, onRow(i.ID), ErrConflict, func(t *Tx) (bool, error) {
		return t.Get(saveInteraction, nil, i.ID, i.Version, i.Sealed)
	})
}

// renewInteraction is SaveInteraction of its end as well.
func (t *Tx) renewInteraction(i Interaction) error {
	renewed, err := t.Get(renewInteraction, nil, i.ID, i.Version, i.Sealed, Millis(i.Expires))
	if err == nil && !renewed {
		err = ErrConflict
	}
	return err
}

// EndInteraction ends one. Of several calls one succeeds, and the others get ErrNotFound.
func (d *DB) EndInteraction(ctx context.Context, id string) error {
	return d.must(ctx, onRow(id), ErrNotFound,
		func(t *Tx) (bool, error) { return t.EndInteraction(id) })
}

// EndInteraction is [DB.EndInteraction] within a transaction. It says whether there was one.
func (t *Tx) EndInteraction(id string) (bool, error) { return t.Get(endInteraction, nil, id) }

// checkInteraction says ErrConflict if an interaction was saved by somebody else meanwhile, or has ended; else it stays
// as it is.
func (t *Tx) checkInteraction(i *Interaction) error {
	if i == nil {
		return nil
	}
	found, err := t.Get(holdInteraction, nil, i.ID, i.Version)
	if err == nil && !found {
		err = ErrConflict
	}
	return err
}

// saveInteraction replaces what an interaction holds, in a transaction that has checked it.
func (t *Tx) saveInteraction(i *Interaction) error {
	if i == nil {
		return nil
	}
	return t.Exec(saveInteraction, i.ID, i.Version, i.Sealed)
}
