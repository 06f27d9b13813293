package imported

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"postern/db"
)

// Token is a token that another server gave and that came here with its session: an access or a refresh token
// of the session's first generation. This is the one exception to the rule that no hash of a token is at rest: such a
// token cannot be computed. Its hash needs no salt and no slowness, because Synapse's tokens hold 20 random letters of
// 52, which are 114 bits.
type Token struct {
	Hash    [sha256.Size]byte // of the whole token
	Session string
	Refresh bool
	Expires time.Time // zero: never
}

// finder finds the sessions of tokens.
type finder struct {
	db    *db.DB
	known *memory
}

func newFinder(d *db.DB) *finder { return &finder{d, newMemory(maxRemembered)} }

// maxRemembered bounds the memory to some 5 MB.
const maxRemembered = 50_000

// find finds the session of a token that came from another server, by the token's SHA-256, exactly as [db.DB.Session]
// does; else db.ErrNotFound. It remembers the tokens that it found. A token goes with its session; of one that was
// found before it says db.ErrEnded, as long as it remembers.
func (f *finder) find(ctx context.Context, hash [sha256.Size]byte) (Token, db.Session, error) {
	for {
		token, err := f.token(ctx, hash)
		if err != nil {
			return Token{}, db.Session{}, err
		}
		s, _, err := f.db.Session(ctx, token.Session)
		if !errors.Is(err, db.ErrNotFound) {
			return token, s, err
		}
		// the session ended, and the token with it; or a later import has put another session in its place
		f.known.end(hash)
	}
}

func (f *finder) token(ctx context.Context, hash [sha256.Size]byte) (Token, error) {
	token, remembered := f.known.find(hash)
	if remembered && token.Session != "" {
		return token, nil
	}
	const query = `SELECT session_id, refresh, expires FROM imported_tokens WHERE hash = $1`
	token.Hash = hash
	var expires int64
	found, err := f.db.Get(ctx, query, []any{&token.Session, &token.Refresh, &expires}, hash[:])
	switch {
	case err != nil:
	case found:
		token.Expires = db.FromMillis(expires)
		f.known.add(token)
	case remembered:
		err = db.ErrEnded
	default:
		err = db.ErrNotFound
	}
	return token, err
}

// memory remembers tokens that were found. A row of theirs is never changed and goes with its session, so what
// is remembered is right as long as the session is found, and nobody has to be asked about it.
type memory struct {
	mu     sync.RWMutex
	size   int
	byHash map[[sha256.Size]byte]Token // without a session if that has ended
}

func newMemory(size int) *memory {
	return &memory{size: size, byHash: make(map[[sha256.Size]byte]Token)}
}

func (m *memory) find(hash [sha256.Size]byte) (Token, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t, ok := m.byHash[hash]
	return t, ok
}

func (m *memory) add(t Token) {
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
func (m *memory) end(hash [sha256.Size]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.byHash[hash]; ok {
		m.byHash[hash] = Token{Hash: hash}
	}
}
