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
// Session does; else ErrNotFound. It answers from memory where it can, and where no token ever came it asks the
// database nothing. A token goes with its session; of one that was found before it says ErrEnded, as long as it
// remembers.
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
		d.given.end(hash)
	}
}

const (
	importedToken = `SELECT hash, session_id, refresh, expires FROM imported_tokens WHERE hash = $1`
	importedAny   = `SELECT COUNT(*) FROM (SELECT 1 FROM imported_tokens LIMIT 1) AS any_token`
)

func (d *DB) importedToken(ctx context.Context, hash [sha256.Size]byte) (ImportedToken, error) {
	token, found := d.given.find(hash)
	if found && token.Session != "" {
		return token, nil
	}
	none, err := d.noneImported(ctx)
	switch {
	case err != nil:
		return ImportedToken{}, err
	case none:
		err = ErrNotFound
	default:
		token, err = one(ctx, d, importedToken, scanImported, hash[:])
	}
	if err == nil {
		d.given.add(token)
	} else if found && errors.Is(err, ErrNotFound) {
		err = ErrEnded
	}
	return token, err
}

// noneImported says that there are no such tokens at all, as on any server that began as Postern. On PostgreSQL another
// replica may have brought some a moment ago, so there the token itself is looked for at once.
func (d *DB) noneImported(ctx context.Context) (bool, error) {
	if d.cache == nil {
		return false, nil
	}
	if err := d.ready(ctx); err != nil {
		return false, err
	}
	change, known, none := d.given.state()
	if known {
		return none, nil
	}
	n, err := one(ctx, d, importedAny, func(scan func(...any) error) (n int, err error) {
		err = scan(&n)
		return n, err
	})
	if err != nil {
		return false, err
	}
	d.given.learn(change, n == 0)
	return n == 0, nil
}

func scanImported(scan func(...any) error) (t ImportedToken, err error) {
	var hash []byte
	var expires int64
	err = scan(&hash, &t.Session, &t.Refresh, &expires)
	copy(t.Hash[:], hash)
	t.Expires = at(expires)
	return t, err
}

// given remembers imported tokens. A row of theirs is never changed and goes with its session, so what is remembered is
// right as long as the session is found, and nobody has to be asked about it.
type given struct {
	mu     sync.RWMutex
	size   int
	byHash map[[sha256.Size]byte]ImportedToken

	change uint64 // counts what may have brought the first token: a commit of somebody else, or an import of our own
	known  bool   // none was read since the last change
	none   bool
}

func (g *given) find(hash [sha256.Size]byte) (ImportedToken, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	t, ok := g.byHash[hash]
	return t, ok
}

func (g *given) add(t ImportedToken) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byHash == nil {
		g.byHash = make(map[[sha256.Size]byte]ImportedToken)
	}
	for victim := range g.byHash {
		if len(g.byHash) < g.size {
			break
		}
		delete(g.byHash, victim)
	}
	g.byHash[t.Hash] = t
}

// end remembers that a token has no session any more, unless another import brings it again.
func (g *given) end(hash [sha256.Size]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.byHash[hash]; ok {
		g.byHash[hash] = ImportedToken{Hash: hash}
	}
}

func (g *given) state() (change uint64, known, none bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.change, g.known, g.none
}

// learn keeps what was read since a change, unless there was another one meanwhile.
func (g *given) learn(change uint64, none bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.change == change {
		g.known, g.none = true, none
	}
}

// stir says that there may be tokens now.
func (g *given) stir() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.change++
	g.known = false
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
