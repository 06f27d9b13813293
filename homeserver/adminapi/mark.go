package adminapi

import (
	"errors"

	"postern/db"
)

// isAdmin is GET v1/users/ID/admin. Synapse, "Get whether a user is a server administrator or not".
func (a *API) isAdmin(r request) (any, error) {
	name, err := a.local(r.call.Args[0], onlyLocalAdmins)
	if err != nil {
		return nil, err
	}
	account, _, err := a.account(r.Context(), name)
	return map[string]bool{"admin": account.Admin}, err
}

const onlyLocalAdmins = "Only local users can be admins of this homeserver"

// setAdmin is PUT v1/users/ID/admin. Nobody may take the mark away from themselves, so that one stays who has it.
// Synapse, "Change whether a user is a server administrator or not".
func (a *API) setAdmin(r request) (any, error) {
	body, err := r.object(false)
	if err != nil {
		return nil, err
	}
	if !body.Has("admin") {
		return nil, missing("admin")
	}
	name, err := a.local(r.call.Args[0], onlyLocalAdmins)
	if err != nil {
		return nil, err
	}
	var admin *bool
	// Synapse takes whatever is not empty for a yes, "false" too.
	if _, err := read(body, "admin", &admin, badJSON("Param 'admin' must be a boolean")); err != nil {
		return nil, err
	}
	switch {
	case admin == nil:
		return nil, badJSON("Param 'admin' must be a boolean")
	case !*admin && name == r.who.Session.Localpart:
		return nil, demotesSelf()
	}
	err = a.Queue.DB.SetAdmin(r.Context(), name, *admin)
	if errors.Is(err, db.ErrNotFound) {
		err = notFound("User not found")
	}
	return struct{}{}, err
}
