package fleet

import (
	"context"
	"errors"
	"time"

	"postern/test/rig/process"
	"postern/tokens"
)

// loss is when commits were answered that the database has lost. The zero value: none.
type loss struct{ from, to time.Time }

// Forget says that the database has lost what it answered from one time to another. From then on it is owed:
//
//   - Who began a session before goes on, however often it was refreshed meanwhile.
//   - Who began a session then may be logged out, but softly, and logs in again.
//   - A logout, and that a token was used, may be forgotten. A second tab may get another pair of the generation that
//     its client has, until that is refreshed.
//
// With the zero time as its beginning the loss took the root key of every session.
func (f *Fleet) Forget(from, to time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loss = loss{from, to}
}

func (f *Fleet) lost() loss {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loss
}

// took reports whether the database may have lost what was answered at a time.
func (l loss) took(t time.Time) bool { return !t.Before(l.from) && t.Before(l.to) }

// behind reports whether the database may have lost what happened to something since a time.
func (l loss) behind(t time.Time) bool { return t.Before(l.to) }

// isTwin reports whether a pair is of the same session and generation as the client's own.
func (m *member) isTwin(pair process.Pair) bool {
	token, err := tokens.Decode(pair.Refresh)
	return err == nil && token.Session() == m.session && token.Generation() == m.generation
}

// forgotten reports whether a request was refused because the database has lost the session, and forgets it too. Not
// every API says in its refusal that the logout is soft, so the client asks whose its token is.
func (m *member) forgotten(ctx context.Context, url string, err error) bool {
	f := m.fleet
	var refusal *process.Refusal
	if !f.lost().took(m.began) || !errors.As(err, &refusal) || refusal.Unavailable() {
		return false
	}
	if !errors.As(f.client.Whoami(ctx, url, m.pair.Access), &refusal) || !refusal.SoftLogout ||
		refusal.Status != 401 || refusal.Code != "M_UNKNOWN_TOKEN" {
		return false
	}
	m.pair, m.ended, m.grant = process.Pair{}, "", grant{client: m.grant.client}
	f.count(&f.tally.Soft)
	return true
}
