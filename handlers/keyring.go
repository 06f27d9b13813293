package handlers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"postern/db"
	"postern/tokens"
)

// keyring holds the root keys, unwrapped, as of one epoch of the database. The command line rotates and
// retires keys while the server runs; the epoch tells that it did.
type keyring struct {
	db     *db.DB
	master tokens.MasterKey

	mu      sync.Mutex // one reload at a time
	current atomic.Pointer[ringAt]
}

// errNoKey says that every root key is retired: nothing can be minted.
var errNoKey = errors.New("no root key is in force; make one with `postern keys rotate`")

type ringAt struct {
	*tokens.Keyring
	epoch uint64
}

// load gives the ring in memory, which a check then proves fresh by the session's epoch.
func (k *keyring) load() *ringAt { return k.current.Load() }

// at gives the ring of an epoch or a later one, and reads it when the one in memory is older.
func (k *keyring) at(ctx context.Context, epoch uint64) (*ringAt, error) {
	if ring := k.current.Load(); ring != nil && ring.epoch >= epoch {
		return ring, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if ring := k.current.Load(); ring != nil && ring.epoch >= epoch {
		return ring, nil
	}
	// The epoch is read first: keys that change meanwhile make it rise, and the next request reads again.
	at := k.db.Epoch()
	ring, err := ReadKeyring(ctx, k.db, k.master)
	if err != nil {
		return nil, err
	}
	fresh := &ringAt{Keyring: ring, epoch: at}
	k.current.Store(fresh)
	return fresh, nil
}

// ReadKeyring reads the root keys that are in force and unwraps them with the master key.
func ReadKeyring(ctx context.Context, d *db.DB, master tokens.MasterKey) (*tokens.Keyring, error) {
	rows, err := d.RootKeys(ctx)
	if err != nil {
		return nil, err
	}
	var keys []tokens.Key
	for _, row := range rows {
		if !row.Retired.IsZero() {
			continue
		}
		key, err := master.Unwrap(row.ID, row.Wrapped)
		if err != nil {
			return nil, fmt.Errorf("root key %d: %w", row.ID, err)
		}
		keys = append(keys, key)
	}
	return tokens.NewKeyring(keys...), nil
}

// freshKeys gives the ring as the database has it now, after asking whether another process has written.
func (s *Server) freshKeys(ctx context.Context) (*ringAt, error) {
	epoch, err := s.db.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	return s.keys.at(ctx, epoch)
}
