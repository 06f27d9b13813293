package adminapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"postern/handlers"
	"postern/homeserver/amend"
)

// What Synapse refuses in a request, in its words: some tools show them, and some compare them.

func invalid(message string) error { return amend.Refused(http.StatusBadRequest, "M_UNKNOWN", message) }

func invalidParam(message string) error {
	return amend.Refused(http.StatusBadRequest, "M_INVALID_PARAM", message)
}

func badJSON(message string) error {
	return amend.Refused(http.StatusBadRequest, "M_BAD_JSON", message)
}

func missing(name string) error {
	return amend.Refused(http.StatusBadRequest, "M_MISSING_PARAM", "Missing params: ['"+name+"']")
}

func notFound(message string) error {
	return amend.Refused(http.StatusNotFound, "M_NOT_FOUND", message)
}

// local is the localpart of a user id, which has to be one of this server's; otherwise says what it is needed for.
func (a *API) local(userID, otherwise string) (string, error) {
	if !strings.HasPrefix(userID, "@") {
		return "", invalidParam("Expected UserID string to start with '@'")
	}
	name, server, found := strings.Cut(userID[1:], ":")
	switch {
	case !found:
		return "", invalidParam("Expected UserID of the form '@localname:domain'")
	case server != a.Server.ServerName:
		return "", invalid(otherwise)
	}
	return name, nil
}

// object reads the body of a request; an empty one is an empty object where that may be.
func (r request) object(mayBeEmpty bool) (amend.Object, error) {
	raw, err := handlers.ReadBody(r.w, r.Request)
	if err != nil {
		return amend.Object{}, err
	}
	if len(raw) == 0 && mayBeEmpty {
		raw = []byte("{}")
	}
	if !utf8.Valid(raw) {
		return amend.Object{}, amend.Refused(http.StatusBadRequest, "M_NOT_JSON", "Content not JSON.")
	}
	return amend.ParseObject(raw)
}

// read reads a field of a body into a value. It reports whether it is there, and refuses it if it is of another type.
func read[T any](body amend.Object, name string, into *T, otherwise error) (there bool, err error) {
	text := body.Get(name)
	if text == nil {
		return false, nil
	}
	if json.Unmarshal(text, into) != nil {
		return true, otherwise
	}
	return true, nil
}

// maxPassword is how many characters of a password Synapse takes.
const maxPassword = 512

// password reads one that Synapse would take; empty: there is none.
func password(body amend.Object, name string) (string, error) {
	var text string
	wrong := invalid("Invalid password")
	there, err := read(body, name, &text, wrong)
	if err == nil && there && (text == "" || utf8.RuneCountInString(text) > maxPassword) {
		err = wrong
	}
	return text, err
}
