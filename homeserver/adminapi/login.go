package adminapi

import (
	"errors"
	"net/http"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/amend"
)

// login is POST v1/users/ID/login: a token by which an administrator acts as a user. It is a session of its own, as a
// token for a bot is, so its user sees it among the devices and may end it. Synapse, "Login as a user".
func (a *API) login(r request) (any, error) {
	name, err := a.local(r.call.Args[0], "Only local users can be logged in as")
	if err != nil {
		return nil, err
	}
	body, err := r.object(true)
	if err != nil {
		return nil, err
	}
	account, known, err := a.account(r.Context(), name)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, notFound("User not found")
	case name == r.who.Session.Localpart:
		return nil, invalid("Cannot use admin API to login as self")
	}
	by := handlers.NewUserID(r.who.Session.Localpart, a.Server.ServerName)
	bot := handlers.Bot{Account: account, Name: db.DeviceName("Administrator " + string(by))}
	if bot.Expires, err = a.validUntil(body); err != nil {
		return nil, err
	}
	pair, err := a.Server.IssueToken(r.Context(), bot)
	if err != nil {
		return nil, noLogin(err)
	}
	return map[string]string{"access_token": pair.Access}, nil
}

// validUntil is when the token ends; zero: when it is ended.
func (a *API) validUntil(body amend.Object) (time.Time, error) {
	var ms int64
	there, err := read(body, "valid_until_ms", &ms, invalid("'valid_until_ms' parameter must be an int"))
	if err != nil || !there {
		return time.Time{}, err
	}
	if end := db.FromMillis(ms); end.After(a.Server.Now()) && end.Year() < 9999 {
		return end, nil
	}
	return time.Time{}, invalidParam("'valid_until_ms' must be a time to come")
}

// noLogin says why there is no token. That the account is locked must not seem to be said of the administrator's.
func noLogin(err error) error {
	said := ""
	switch {
	case errors.Is(err, db.ErrLocked):
		said = "This account is locked. Unlock it first."
	case errors.Is(err, db.ErrConflict):
		said = "This account is deactivated, or has changed in this moment."
	case errors.Is(err, db.ErrFull):
		said = "This account has as many tokens as an account may have. End some of its devices first."
	default:
		return err
	}
	return &handlers.Error{Status: http.StatusForbidden, Code: "M_FORBIDDEN", Message: said, Cause: err}
}
