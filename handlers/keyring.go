package handlers

import (
	"context"
	"crypto/sha256"
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
	epoch    uint64
	verified verified
}

// verified remembers access tokens whose signature holds with the keys of one ring, so that a token that comes with
// every request costs its HMACs once: a tenth of a check. It says nothing of sessions and caveats, which are judged
// each time. A token is found by its hash, so that looking does not compare secrets.
type verified struct {
	mu   sync.RWMutex
	byID map[[sha256.Size]byte]*tokens.Authentic
}

// maxVerified bounds it, at about 600 bytes each.
const maxVerified = 10_000

func (v *verified) find(id [sha256.Size]byte) *tokens.Authentic {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.byID[id]
}

func (v *verified) add(id [sha256.Size]byte, token *tokens.Authentic) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byID == nil {
		v.byID = make(map[[sha256.Size]byte]*tokens.Authentic)
	}
	for victim := range v.byID {
		if len(v.byID) < maxVerified {
			break
		}
		delete(v.byID, victim)
	}
	v.byID[id] = token
}

// load gives the ring in memory, which a check then proves fresh by the session's epoch.
func (k *keyring) load() *ringAt { return k.current.Load() }

// asOf gives the ring of an epoch, and reads it when the one in memory is of another.
func (k *keyring) asOf(ctx context.Context, epoch uint64) (*ringAt, error) {
	if ring := k.current.Load(); ring != nil && ring.epoch == epoch {
		return ring, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if ring := k.current.Load(); ring != nil && ring.epoch == epoch {
		return ring, nil
	}
	// The epoch is read before the keys and after them: a ring of other keys than its epoch's would never be read
	// again.
	for range ringTries {
		ring, err := ReadKeyring(ctx, k.db, k.master)
		if err != nil {
			return nil, err
		}
		now, err := k.db.Fresh(ctx)
		if err != nil {
			return nil, err
		}
		if now == epoch {
			fresh := &ringAt{Keyring: ring, epoch: epoch}
			k.current.Store(fresh)
			return fresh, nil
		}
		epoch = now
	}
	return nil, errKeysUnsettled
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
	epoch, err := s.DB.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	return s.keys.asOf(ctx, epoch)
}

// withKeys runs a write that mints, with the newest root key, and again when that key, or the one that the session is
// on, turns out to have been retired or not known yet.
func (s *Server) withKeys(ctx context.Context, write func(*ringAt, tokens.Key) error) error {
	return s.retrying(ctx, s.freshKeys, write)
}

// withTheseKeys is withKeys after a session was read, which has already shown whether keys have changed.
func (s *Server) withTheseKeys(ctx context.Context, write func(*ringAt, tokens.Key) error) error {
	current := func(ctx context.Context) (*ringAt, error) { return s.keys.asOf(ctx, s.DB.Epoch()) }
	return s.retrying(ctx, current, write)
}

func (s *Server) retrying(ctx context.Context, keys func(context.Context) (*ringAt, error),
	write func(*ringAt, tokens.Key) error) error {
	for try := 0; ; try++ {
		ring, err := keys(ctx)
		keys = s.freshKeys
		if err != nil {
			return err
		}
		key, ok := ring.Newest()
		if !ok {
			return errNoKey
		}
		err = write(ring, key)
		if again := errors.Is(err, db.ErrKeyGone) || errors.Is(err, errKeyGone); !again || try == keyTries {
			return err
		}
	}
}

// keyTries bounds the repetitions: keys that change more often are not rotated but broken.
const keyTries = 5
