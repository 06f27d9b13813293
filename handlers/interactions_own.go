package handlers

import (
	"context"
	"sync"
	"time"

	"postern/db"
)

// ownInteractions keeps them in memory, where this process is the only one to serve the database: what a person has
// typed is not written down before it counts.
type ownInteractions struct {
	db        *db.DB
	finishing sync.Mutex // one registration at a time, which is how the database does it too

	mu   sync.Mutex
	byID map[string]interaction
	line []lined // in the order of opening; ended ones leave it when their turn comes
}

type lined struct {
	id      string
	expires time.Time
}

func (x *ownInteractions) get(_ context.Context, id string, now time.Time) (*interaction, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i, known := x.byID[id]
	if !known || !openAt(i.expires, now) {
		return nil, nil
	}
	return &i, nil
}

func (x *ownInteractions) add(_ context.Context, i *interaction) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for now := i.expires.Add(-interactionLife); len(x.line) > 0; x.line = x.line[1:] {
		oldest := x.line[0]
		if _, open := x.byID[oldest.id]; open && len(x.line) < maxInteractions && openAt(oldest.expires, now) {
			break
		}
		delete(x.byID, oldest.id)
	}
	i.version = 1
	x.put(i)
	x.line = append(x.line, lined{i.id, i.expires})
	return nil
}

func (x *ownInteractions) expire(now time.Time) (gone int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var line []lined
	for _, l := range x.line {
		switch _, open := x.byID[l.id]; {
		case open && openAt(l.expires, now):
			line = append(line, l)
		case open:
			delete(x.byID, l.id)
			gone++
		}
	}
	x.line = line
	return gone
}

// put keeps a copy. The caller holds mu.
func (x *ownInteractions) put(i *interaction) {
	kept := *i
	kept.changes = nil
	x.byID[i.id] = kept
}

func (x *ownInteractions) save(_ context.Context, i *interaction) (bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.unmoved(i) {
		return false, nil
	}
	i.version++
	x.put(i)
	return true, nil
}

// unmoved reports whether nobody has saved or ended it since. The caller holds mu.
func (x *ownInteractions) unmoved(i *interaction) bool {
	kept, known := x.byID[i.id]
	return known && kept.version == i.version
}

func (x *ownInteractions) end(_ context.Context, i *interaction) (bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, known := x.byID[i.id]
	delete(x.byID, i.id)
	return known, nil
}

func (x *ownInteractions) register(ctx context.Context, i *interaction, m made, r db.Registration) (db.Session, error) {
	if i.version == 0 {
		return x.db.Register(ctx, r) // nobody else can know of it
	}
	x.finishing.Lock()
	defer x.finishing.Unlock()
	x.mu.Lock()
	unmoved := x.unmoved(i)
	x.mu.Unlock()
	if !unmoved {
		return db.Session{}, db.ErrConflict
	}
	session, err := x.db.Register(ctx, r)
	if err == nil {
		x.finished(i, m)
	}
	return session, err
}

// finished keeps what came of a registration, whoever has completed a stage meanwhile.
func (x *ownInteractions) finished(i *interaction, m made) {
	x.mu.Lock()
	defer x.mu.Unlock()
	kept, known := x.byID[i.id]
	if !known {
		return
	}
	kept.state = kept.finish(m)
	kept.version++
	x.put(&kept)
}
