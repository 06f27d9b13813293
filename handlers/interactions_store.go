package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"time"

	"postern/db"
	"postern/tokens"
)

// interactions keeps the user-interactive sessions that are open, as rows of the database, so that any replica can
// continue them. Each row is sealed: it may hold a password that somebody wants to register with, which must not be
// readable in the database or in a backup of it.
type interactions struct {
	db *db.DB
	Sealer
}

// Sealer seals what waits in the database, under its row's id and end.
type Sealer struct {
	master tokens.MasterKey
	random io.Reader
	log    *slog.Logger
}

// Sealer is the server's.
func (s *Server) Sealer() Sealer { return s.interactions.Sealer }

// Seal puts a state into a row.
func (x Sealer) Seal(row *db.Interaction, state any) error {
	plain, err := json.Marshal(state)
	if err != nil {
		return err // unreachable: strings, numbers, booleans and times
	}
	row.Sealed, err = x.master.Seal(x.random, row.ID, row.Expires, plain)
	return err
}

// Unseal reads a row's state. A row that cannot be opened counts as absent, which the log has; what names it there.
func (x Sealer) Unseal(row db.Interaction, state any, what string) bool {
	plain, err := x.master.Open(row.ID, row.Expires, row.Sealed)
	if err == nil {
		err = json.Unmarshal(plain, state)
	}
	if err != nil {
		x.log.Warn(what+" cannot be opened and counts as absent; do all servers on this database "+
			"have the same master key and release?", "error", err)
	}
	return err == nil
}

// get finds an interaction that is open at the time, or gives nil. One that cannot be unsealed counts as absent: the
// client begins again, which is all that it can do.
func (x *interactions) get(ctx context.Context, id string, now time.Time) (*interaction, error) {
	row, err := x.db.Interaction(ctx, interactionName(id))
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if row.Kind != "" || !openAt(row.Expires, now, interactionLife) {
		return nil, nil
	}
	i := &interaction{id: id, expires: row.Expires, version: row.Version}
	if !x.Unseal(row, &i.state, "a user-interactive session") {
		return nil, nil
	}
	return i, nil
}

// seal is the row of an interaction with that state.
func (x *interactions) seal(i *interaction, s state) (db.Interaction, error) {
	row := db.Interaction{ID: i.name(), Expires: i.expires, Version: i.version}
	return row, x.Seal(&row, s)
}

// add keeps a new interaction, and removes those whose time is over and, when there are too many, the oldest. A
// registration token that such a one has reserved becomes free by itself.
func (x *interactions) add(ctx context.Context, i *interaction) error {
	i.version = 1
	row, err := x.seal(i, i.state)
	if err != nil {
		return err
	}
	return x.db.AddInteraction(ctx, row, i.expires.Add(-interactionLife), maxInteractions)
}

// save keeps the present state of an interaction, unless it has ended or another request has saved it since it was
// read.
func (x *interactions) save(ctx context.Context, i *interaction) (bool, error) {
	row, err := x.seal(i, i.state)
	if err != nil {
		return false, err
	}
	switch err = x.db.SaveInteraction(ctx, row); {
	case errors.Is(err, db.ErrConflict):
		return false, nil
	case err != nil:
		return false, err
	}
	i.version++
	return true, nil
}

// end removes an interaction and reports whether it was there: of several requests that finish it, one does.
func (x *interactions) end(ctx context.Context, i *interaction) (bool, error) {
	err := x.db.EndInteraction(ctx, i.name())
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// register is [db.DB.Register], which saves in the same transaction what the registration has led to. db.ErrConflict
// also means that another request has saved the interaction since it was read.
func (x *interactions) register(ctx context.Context, i *interaction, m made, r db.Registration) (db.Session,
	error) {
	if i.version > 0 { // or nobody else can know of it
		row, err := x.seal(i, i.finish(m))
		if err != nil {
			return db.Session{}, err
		}
		r.Interaction = &row
	}
	return x.db.Register(ctx, r)
}
