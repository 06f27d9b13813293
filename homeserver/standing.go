package homeserver

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
	"postern/homeserver/synapse"
)

// The homeserver's word counts: who is deactivated there, and whose device is deleted there (by its administrator, by
// its own pruning, by a restored backup), is so here. It is heard when somebody logs in, when the homeserver refuses a
// token that is good, when its admin API is used through the gate (adminapi.go), and from `postern synapse sync`. What
// waits in the outbox is newer than its word, which is not asked for then.

// stillOpen refuses a login to an account that is deactivated at the homeserver, and deactivates it here.
func (p *Peer) stillOpen(ctx context.Context, localpart string) error {
	if waits, err := p.Queue.Waits(ctx, localpart, ""); waits || err != nil {
		return err // it may not have heard yet that the account was reactivated
	}
	user, err := p.User(ctx, localpart)
	switch {
	case errors.Is(err, synapse.ErrNotFound):
		return nil // it is made in a moment
	case err != nil:
		return amend.Away(err)
	case !user.Deactivated:
		return nil
	}
	closed, err := p.close(ctx, localpart)
	if err == nil && closed {
		return handlers.UserDeactivated()
	}
	return err
}

// close deactivates an account that is deactivated at the homeserver, unless that has to be told of the account still.
func (p *Peer) close(ctx context.Context, localpart string) (bool, error) {
	if waits, err := p.Queue.Waits(ctx, localpart, ""); waits || err != nil {
		return false, err
	}
	p.Log.Warn("an account is deactivated at the homeserver, and so it is here", "user", localpart)
	_, err := p.Queue.DB.Deactivate(ctx, localpart, p.Now(), false)
	return err == nil, err
}

// Disowned looks into why the homeserver does not know the device or the user of a token that is good. What it has not
// been told of, it is told; what it does not have any more, ends here too. A device that went there is not made anew
// behind its client's back, since its encryption keys are gone.
func (g *Gate) Disowned(r *http.Request, text string) {
	session, err := g.server.SessionOf(r.Context(), text)
	if err == nil {
		err = g.peer.disowned(r.Context(), session)
	}
	if err != nil {
		g.server.Log.Warn("it could not be found out why the homeserver does not know a session", "error", err)
	}
}

func (p *Peer) disowned(ctx context.Context, session db.Session) error {
	waits, err := p.Queue.Waits(ctx, session.Localpart, session.DeviceID)
	if waits || err != nil {
		return err // it is told in a moment
	}
	user, err := p.User(ctx, session.Localpart)
	switch {
	case errors.Is(err, synapse.ErrNotFound) && !p.forgotten.few(session.Localpart, p.Now()):
		p.Log.Error("the homeserver does not know several users any more, so it is not told of them again and nobody "+
			"is logged out: was it started on another database? See `postern synapse sync --dry-run`",
			"user", session.Localpart)
		return nil
	case errors.Is(err, synapse.ErrNotFound):
		reminded, err := p.Queue.Remind(ctx, session.Localpart)
		if reminded {
			p.Log.Warn("the homeserver does not know a user any more; it is told again", "user", session.Localpart)
		}
		return err
	case err != nil:
		return err
	case user.Deactivated:
		if closed, err := p.close(ctx, session.Localpart); closed || err != nil {
			return err
		}
	}
	known, err := p.HasDevice(ctx, session.Localpart, session.DeviceID, session.DisplayName)
	if known || err != nil {
		return err // what it refused was an answer that it remembers, for two minutes
	}
	return p.deviceGone(ctx, session)
}

// deviceGone logs a session out softly whose device the homeserver does not have any more, unless it has to be told of
// the device still.
func (p *Peer) deviceGone(ctx context.Context, session db.Session) error {
	softened, err := SoftenGone(ctx, p.Queue.DB, session, p.Now())
	if softened {
		p.Log.Warn("the homeserver does not know a device any more; its session is logged out softly",
			"user", session.Localpart, "device", session.DeviceID)
	}
	return err
}

// forgotten are the users that the homeserver was found not to know any more, lately.
type forgotten struct {
	mu    sync.Mutex
	users map[string]time.Time
}

// A homeserver that has lost one user, or a few, was put back to an earlier state, and is told of them again. One that
// knows nobody is on the wrong database: were it told, everybody's devices would be new there, and their sessions over.
const (
	fewForgotten    = 3
	forgottenLately = time.Hour
)

// few notes a user, and reports whether there are few.
func (f *forgotten) few(localpart string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users == nil {
		f.users = make(map[string]time.Time)
	}
	for name, at := range f.users {
		if now.Sub(at).Abs() > forgottenLately {
			delete(f.users, name)
		}
	}
	if _, known := f.users[localpart]; !known && len(f.users) > fewForgotten {
		return false
	}
	f.users[localpart] = now
	return len(f.users) <= fewForgotten
}
