package adminapi

import (
	"errors"

	"postern/db"
)

// resetPassword is POST v1/reset_password/ID. Synapse, "Reset password".
func (a *API) resetPassword(r request) (any, error) {
	name, err := a.local(r.call.Args[0], "Unknown user")
	if err != nil {
		return nil, err
	}
	body, err := r.object(false)
	if err != nil {
		return nil, err
	}
	if !body.Has("new_password") {
		return nil, missing("new_password")
	}
	text, err := password(body, "new_password")
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, invalid("Invalid password")
	}
	end := true
	if _, err := read(body, "logout_devices", &end,
		invalid("'logout_devices' parameter is not of type boolean")); err != nil {
		return nil, err
	}
	_, err = a.Server.SetPassword(r.Context(), name, text, end)
	if errors.Is(err, db.ErrNotFound) {
		err = notFound("Unknown user")
	}
	return struct{}{}, err
}
