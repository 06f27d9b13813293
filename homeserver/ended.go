package homeserver

import (
	"errors"
	"net/http"

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
