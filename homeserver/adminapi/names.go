package adminapi

import (
	"net/http"

	"postern/homeserver/amend"
)

// usernameAvailable is GET v1/username_available. Names that wait for approval, and those of deactivated accounts, are
// taken, and so is what the homeserver alone has. Synapse, "Check username availability".
func (a *API) usernameAvailable(r request) (any, error) {
	query := r.URL.Query()
	if !query.Has("username") {
		return nil, amend.Refused(http.StatusBadRequest, "M_MISSING_PARAM",
			"Missing required string query parameter 'username'")
	}
	return map[string]bool{"available": true}, a.Server.CheckNewName(r.Context(), query.Get("username"))
}
