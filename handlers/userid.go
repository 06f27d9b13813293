package handlers

import (
	"errors"
	"regexp"
	"strings"
)

// maxUserID bounds a whole user id. Client-Server API v1.19, Appendices, "User Identifiers".
const maxUserID = 255

// localpartGrammar is what a new account may be called. The same section; older accounts may hold more.
var localpartGrammar = regexp.MustCompile(`^[a-z0-9._=/+-]+$`)

// UserID is a whole Matrix user id, `@localpart:server`.
type UserID string

// NewUserID puts the two parts together.
func NewUserID(localpart, serverName string) UserID {
	return UserID("@" + localpart + ":" + serverName)
}

// localpart resolves what a person typed to a localpart of this server: a whole user id or a localpart,
// upper case accepted. It is empty when no account here can have the name: it belongs to another server, or
// is longer than any (it is also a key of the rate limiter, which must not hold what a stranger likes).
func localpart(user, serverName string) string {
	if len(user) > maxUserID {
		return ""
	}
	user = strings.ToLower(user)
	if !strings.HasPrefix(user, "@") {
		return user
	}
	local, server, found := strings.Cut(user[1:], ":")
	if !found || server != strings.ToLower(serverName) {
		return ""
	}
	return local
}

// CheckLocalpart says why a new account cannot have the name, or nil.
func CheckLocalpart(name, serverName string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case !localpartGrammar.MatchString(name):
		return errors.New("a name may hold a-z, 0-9 and . _ = - / + only")
	case len(NewUserID(name, serverName)) > maxUserID:
		return errors.New("the whole user id would be longer than 255 bytes")
	}
	return nil
}

// Localpart resolves what an operator typed the way a login does.
func Localpart(user, serverName string) string { return localpart(user, serverName) }
