package homeserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"postern/db"
	"postern/handlers"
)

// Ended gives the refusal of a token that was good if its session is over by now or locked. That a token has merely
// expired meanwhile, or has a successor, is no reason to lose the answer to what it asked in time.
func (g *Gate) Ended(r *http.Request, text string) error {
	session, err := g.server.SessionOf(r.Context(), text)
	if err == nil {
		err = session.Accepts(session.Generation, g.server.Now())
	}
	switch {
	case errors.Is(err, db.ErrSoft), errors.Is(err, db.ErrEnded):
		soft := handlers.UnknownToken("The access token is no longer good.", true)
		soft.Cause = err
		return soft
	case errors.Is(err, db.ErrLocked), handlers.IsStatus(err, http.StatusUnauthorized):
		return err
	}
	return nil
}

// lasting finds those of the sessions $2 and on that Ended has nothing against.
const lasting = `SELECT id FROM sessions WHERE state = 'live' AND NOT locked AND (expires = 0 OR expires > $1)
	AND (imported OR key_id NOT IN (SELECT id FROM root_keys WHERE retired <> 0)) AND id IN ($2`

// Over gives those of the sessions that Ended has a refusal for.
func (g *Gate) Over(ctx context.Context, sessions []string) (over []string, err error) {
	for some := range slices.Chunk(sessions, 1<<10) {
		lasts, err := g.lasting(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, id := range some {
			if !lasts[id] {
				over = append(over, id)
			}
		}
	}
	return over, nil
}

// lasting is the set of the sessions that last.
func (g *Gate) lasting(ctx context.Context, sessions []string) (map[string]bool, error) {
	query, args := bytes.NewBufferString(lasting), []any{db.Millis(g.server.Now()), sessions[0]}
	// The last one is repeated up to a power of two, so that there are few different statements to prepare.
	for n := 1; n < len(sessions) || n&(n-1) != 0; n++ {
		fmt.Fprintf(query, ", $%d", n+2)
		args = append(args, sessions[min(n, len(sessions)-1)])
	}
	query.WriteByte(')')
	lasts := make(map[string]bool, len(sessions))
	err := g.server.DB.Read(ctx, query.String(), args, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		lasts[id] = true
		return err
	})
	return lasts, err
}
