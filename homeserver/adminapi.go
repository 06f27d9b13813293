package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
)

// Synapse's admin API changes users and devices that are this server's as well. The requests pass on their way to it,
// and what it has done is done here before the administrator is answered. Synapse, "User Admin API".

const adminAPI = "/_synapse/admin/"

// effect is what a request of the admin API, with this body, changes once the homeserver has obeyed it.
type effect func(ctx context.Context, body amend.Object) error

// adminRequest is the amendment of a request of the admin API that changes a user or a device; nil for any other.
func (g *Gate) adminRequest(method, path string) Amendment {
	rest, found := strings.CutPrefix(path, adminAPI)
	if !found {
		return nil
	}
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil { // unreachable: net/http has decoded it before
			return nil
		}
		parts[i] = plain
	}
	do := g.peer.effectOf(method, parts)
	if do == nil {
		return nil
	}
	return g.amendment(func(w http.ResponseWriter, r *http.Request, next http.Handler) error {
		return carryOut(w, r, next, do)
	})
}

// effectOf finds what a request changes by its path below adminAPI.
func (p *Peer) effectOf(method string, path []string) effect {
	is := func(wanted string, words ...string) bool {
		if method != wanted || len(path) != len(words) {
			return false
		}
		for i, word := range words {
			if word != "" && word != path[i] {
				return false
			}
		}
		return true
	}
	user := func(i int) string { return handlers.Spelled(path[i], p.ServerName) }
	switch {
	case is(http.MethodDelete, "v2", "users", "", "devices", ""):
		return func(ctx context.Context, _ amend.Object) error { return p.devicesDeleted(ctx, user(2), path[4]) }
	case is(http.MethodPost, "v2", "users", "", "delete_devices"):
		return func(ctx context.Context, body amend.Object) error {
			var devices []string
			_ = json.Unmarshal(body.Get("devices"), &devices) // the homeserver has obeyed, so it is such a list
			return p.devicesDeleted(ctx, user(2), devices...)
		}
	case is(http.MethodPost, "v1", "deactivate", ""):
		return func(ctx context.Context, _ amend.Object) error {
			return p.accountChanged(ctx, user(2), "deactivated", true)
		}
	case is(http.MethodPut, "v2", "users", ""):
		return func(ctx context.Context, body amend.Object) error { return p.accountPut(ctx, user(2), body) }
	}
	return nil
}

// carryOut has the homeserver answer, and does here what that has done. The administrator hears of an error here, and
// may ask again: the homeserver says the same.
func carryOut(w http.ResponseWriter, r *http.Request, next http.Handler, do effect) error {
	raw, err := handlers.ReadBody(w, r)
	if err != nil {
		return err
	}
	body, _ := amend.ParseObject(raw) // the homeserver refuses what is none
	rec, err := amend.Ask(next, amend.WithBody(r.Context(), r, raw))
	if err != nil {
		return err
	}
	if rec.Status/100 == 2 {
		if err := do(context.WithoutCancel(r.Context()), body); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
	}
	rec.Forward(w)
	return nil
}

// devicesDeleted logs the sessions out softly whose devices the homeserver has deleted.
func (p *Peer) devicesDeleted(ctx context.Context, localpart string, deviceIDs ...string) error {
	for _, id := range deviceIDs {
		session, err := p.Queue.DB.Device(ctx, localpart, id)
		if errors.Is(err, db.ErrNotFound) {
			continue
		}
		if err == nil {
			err = p.Queue.Forget(ctx, localpart, id)
		}
		if err == nil {
			err = p.deviceGone(ctx, session)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// accountPut does what `PUT /v2/users` has done to an account.
func (p *Peer) accountPut(ctx context.Context, localpart string, body amend.Object) error {
	for _, field := range []string{"deactivated", "locked"} {
		var value *bool
		if json.Unmarshal(body.Get(field), &value) != nil || value == nil {
			continue // it is not there
		}
		if err := p.accountChanged(ctx, localpart, field, *value); err != nil {
			return err
		}
	}
	return nil
}

// accountChanged makes a field of an account what it is at the homeserver.
func (p *Peer) accountChanged(ctx context.Context, localpart, field string, value bool) error {
	account, err := p.Queue.DB.User(ctx, localpart)
	if err != nil {
		return err
	}
	deactivated, locked := !account.Deactivated.IsZero(), !account.Locked.IsZero()
	switch {
	case field == "deactivated" && value && !deactivated:
		_, err = p.Queue.DB.Deactivate(ctx, localpart, p.Now(), false)
	case field == "deactivated" && !value && deactivated:
		err = p.Queue.Reactivate(ctx, localpart)
	case field == "locked" && value && !locked:
		err = p.Queue.DB.LockUser(ctx, localpart, p.Now())
	case field == "locked" && !value && locked:
		err = p.Queue.DB.UnlockUser(ctx, localpart)
	default:
		return nil
	}
	if err == nil {
		p.Log.Info("an administrator of the homeserver changed an account", "user", localpart, field, value)
	}
	return err
}
