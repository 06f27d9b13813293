package db

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// ImportedToken is a token that another server gave and that came here with its session: an access or a refresh token
// of the session's first generation. This is the one exception to the rule that no hash of a token is at rest: such a
// token cannot be computed. Its hash needs no salt and no slowness, because Synapse's tokens hold 20 random letters of
// 52, which are 114 bits.
type ImportedToken struct {
	Hash    [sha256.Size]byte // of the whole token
	Session string
	Refresh bool
	Expires time.Time // zero: never
}

// SessionByImported finds the session of a token that came from another server, by the token's SHA-256, exactly as
// Session does; else ErrNotFound. It remembers the tokens that it found. A token goes with its session; of one that was
// found before it says ErrEnded, as long as it remembers.
func (d *DB) SessionByImported(ctx context.Context, hash [sha256.Size]byte) (ImportedToken, Session, error) {
	for {
		token, err := d.importedToken(ctx, hash)
		if err != nil {
			return ImportedToken{}, Session{}, err
		}
		s, _, err := d.Session(ctx, token.Session)
		if !errors.Is(err, ErrNotFound) {
			return token, s, err
		}
		// the session ended, and the token with it; or a later import has put another session in its place
		d.imported.end(hash)
	}
}

const importedToken = `SELECT hash, session_id, refresh, expires FROM imported_tokens WHERE hash = $1`

func (d *DB) importedToken(ctx context.Context, hash [sha256.Size]byte) (ImportedToken, error) {
	token, remembered := d.imported.find(hash)
	if remembered && token.Session != "" {
		return token, nil
	}
	token, err := one(ctx, d, importedToken, scanImported, hash[:])
	if err == nil {
		d.imported.add(token)
	} else if remembered && errors.Is(err, ErrNotFound) {
		err = ErrEnded
	}
	return token, err
}

func scanImported(scan func(...any) error) (t ImportedToken, err error) {
	var hash []byte
	var expires int64
	err = scan(&hash, &t.Session, &t.Refresh, &expires)
	copy(t.Hash[:], hash)
	t.Expires = fromMS(expires)
	return t, err
}

// importedTokens remembers tokens that were found. A row of theirs is never changed and goes with its session, so what
// is remembered is right as long as the session is found, and nobody has to be asked about it.
type importedTokens struct {
	mu     sync.RWMutex
	size   int
	byHash map[[sha256.Size]byte]ImportedToken // without a session if that has ended
}

func newImportedTokens(size int) *importedTokens {
	return &importedTokens{size: size, byHash: make(map[[sha256.Size]byte]ImportedToken)}
}

func (m *importedTokens) find(hash [sha256.Size]byte) (ImportedToken, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t, ok := m.byHash[hash]
	return t, ok
}

func (m *importedTokens) add(t ImportedToken) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for victim := range m.byHash {
		if len(m.byHash) < m.size {
			break
		}
		delete(m.byHash, victim)
	}
	m.byHash[t.Hash] = t
}

// end remembers that a token has no session any more, unless another import brings it again.
func (m *importedTokens) end(hash [sha256.Size]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.byHash[hash]; ok {
		m.byHash[hash] = ImportedToken{Hash: hash}
	}
}

// Made is what is only here, and would be lost to a server that everything was imported from.
type Made struct {
	Sessions  int // that began here, or were renewed here since they came
	Passwords int // that were set here, of accounts that came
	Users     int // that did not come from elsewhere
}

// MadeSince counts what was made here since accounts and sessions came from another server.
func (d *DB) MadeSince(ctx context.Context) (Made, error) {
	const q = `SELECT (SELECT COUNT(*) FROM sessions WHERE state = 'live' AND NOT imported),
		(SELECT COUNT(*) FROM users WHERE imported <> '' AND own_password AND deactivated = 0),
		(SELECT COUNT(*) FROM users WHERE imported = '' AND deactivated = 0)`
	return one(ctx, d, q, func(scan func(...any) error) (m Made, err error) {
		err = scan(&m.Sessions, &m.Passwords, &m.Users)
		return m, err
	})
}
