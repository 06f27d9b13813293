package adminapi

import (
	"context"
	"errors"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
)

// Registration tokens are this server's invitations. One that was revoked by `postern invite revoke` is not there for
// the tools, which know of no such state. Synapse, "Registration Tokens".

// invitation is one as the tools see it.
type invitation struct {
	Token       string `json:"token"`
	UsesAllowed *int64 `json:"uses_allowed"` // null: no bound
	Pending     int64  `json:"pending"`
	Completed   int64  `json:"completed"`
	ExpiryTime  *int64 `json:"expiry_time"` // in milliseconds; null: never
}

func shown(r db.RegistrationToken) invitation {
	i := invitation{Token: r.Token, Pending: r.Reserved, Completed: r.Used}
	if r.UsesAllowed != 0 {
		i.UsesAllowed = new(int64)
		*i.UsesAllowed = max(r.UsesAllowed, 0)
	}
	if ms := db.Millis(r.Expires); ms != 0 {
		i.ExpiryTime = &ms
	}
	return i
}

// valid reports whether somebody could begin to register with it now.
func valid(r db.RegistrationToken, now time.Time) bool {
	r.Used += r.Reserved
	return r.State(now) == "good"
}

// listTokens is GET v1/registration_tokens.
func (a *API) listTokens(r request) (any, error) {
	wanted := r.URL.Query().Get("valid")
	if wanted != "" && wanted != "true" && wanted != "false" {
		return nil, invalidParam("Boolean query parameter 'valid' must be one of ['true', 'false']")
	}
	now := a.Server.Now()
	all, err := a.Queue.DB.RegistrationTokens(r.Context(), now)
	list := []invitation{}
	for _, token := range all {
		if token.Revoked.IsZero() && (wanted == "" || valid(token, now) == (wanted == "true")) {
			list = append(list, shown(token))
		}
	}
	return map[string]any{"registration_tokens": list}, err
}

// getToken is GET v1/registration_tokens/TOKEN.
func (a *API) getToken(r request) (any, error) { return a.token(r.Context(), r.call.Args[0]) }

func (a *API) token(ctx context.Context, token string) (any, error) {
	found, err := a.Queue.DB.RegistrationToken(ctx, token, a.Server.Now())
	if err == nil && found.Revoked.IsZero() {
		return shown(found), nil
	}
	if err == nil {
		err = db.ErrNotFound
	}
	return nil, noToken(token, err)
}

func noToken(token string, err error) error {
	if errors.Is(err, db.ErrNotFound) || errors.Is(err, db.ErrText) {
		return notFound("No such registration token: " + token)
	}
	return err
}

// limits are what a request says of an invitation; a field that is nil is not there.
type limits struct {
	uses    *int64 // as db has it
	expires *time.Time
}

func (a *API) limits(body amend.Object) (l limits, err error) {
	const wrong = "uses_allowed must be a non-negative integer or null"
	if body.Has("uses_allowed") {
		var uses int64
		given, err := read(body, "uses_allowed", &uses, invalidParam(wrong))
		switch {
		case err != nil:
			return l, err
		case uses < 0:
			return l, invalidParam(wrong)
		case given && uses == 0:
			uses = -1 // here 0 is no bound
		}
		l.uses = &uses
	}
	if body.Has("expiry_time") {
		var ms int64
		given, err := read(body, "expiry_time", &ms, invalidParam("expiry_time must be an integer or null"))
		if err != nil {
			return l, err
		}
		end := db.FromMillis(ms)
		if given && end.Before(a.Server.Now()) {
			return l, invalidParam("expiry_time must not be in the past")
		}
		l.expires = &end
	}
	return l, nil
}

// newToken is POST v1/registration_tokens/new.
func (a *API) newToken(r request) (any, error) {
	body, err := r.object(false)
	if err != nil {
		return nil, err
	}
	text, err := a.wantedToken(body)
	if err != nil {
		return nil, err
	}
	l, err := a.limits(body)
	if err != nil {
		return nil, err
	}
	token := db.RegistrationToken{Token: text, Created: a.Server.Now()}
	if l.uses != nil {
		token.UsesAllowed = *l.uses
	}
	if l.expires != nil {
		token.Expires = *l.expires
	}
	if err := a.Queue.DB.AddRegistrationToken(r.Context(), token); errors.Is(err, db.ErrConflict) {
		return nil, invalidParam("Token already exists: " + text)
	} else if err != nil {
		return nil, err
	}
	return shown(token), nil
}

// maxToken is how many characters a token may have.
const maxToken = 64

// wantedToken is the text of a new token, which is random if none is named.
func (a *API) wantedToken(body amend.Object) (text string, err error) {
	if body.Has("token") {
		if _, err := read(body, "token", &text, invalidParam("token must be a string")); err != nil {
			return "", err
		}
		switch {
		case text == "" || len(text) > maxToken:
			return "", invalidParam("token must not be empty and must not be longer than 64 characters")
		case !handlers.IsRegistrationToken(text):
			return "", invalidParam("token must consist only of characters matched by the regex [A-Za-z0-9-_]")
		}
		return text, nil
	}
	length := 16
	if _, err := read(body, "length", &length, invalidParam("length must be an integer")); err != nil {
		return "", err
	}
	if length < 1 || length > maxToken {
		return "", invalidParam("length must be greater than zero and not greater than 64")
	}
	for len(text) < length {
		random, err := handlers.NewID(a.Server.Random)
		if err != nil {
			return "", err
		}
		text += random
	}
	return text[:length], nil
}

// putToken is PUT v1/registration_tokens/TOKEN.
func (a *API) putToken(r request) (any, error) {
	body, err := r.object(false)
	if err != nil {
		return nil, err
	}
	l, err := a.limits(body)
	if err != nil {
		return nil, err
	}
	if l.uses != nil || l.expires != nil {
		if err := a.Queue.DB.ChangeRegistrationToken(r.Context(), r.call.Args[0], l.uses, l.expires); err != nil {
			return nil, noToken(r.call.Args[0], err)
		}
	}
	return a.token(r.Context(), r.call.Args[0])
}

// deleteToken is DELETE v1/registration_tokens/TOKEN.
func (a *API) deleteToken(r request) (any, error) {
	return struct{}{}, noToken(r.call.Args[0], a.Queue.DB.DeleteRegistrationToken(r.Context(), r.call.Args[0]))
}
