package handlers

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"postern/db"
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

// Spelled resolves what a person typed to a localpart of this server, in the letters that were typed: a whole user id
// or a localpart. It is empty when no account here can have the name: it belongs to another server, or is longer than
// any (it is also a key of the rate limiter, which must not hold what a stranger likes).
func Spelled(user, serverName string) string {
	if len(user) > maxUserID {
		return ""
	}
	if !strings.HasPrefix(user, "@") {
		return user
	}
	local, server, found := strings.Cut(user[1:], ":")
	if !found || !strings.EqualFold(server, serverName) {
		return ""
	}
	return local
}

// localpart is [Spelled] in lower case, which is how accounts are named since the grammar says so.
func localpart(user, serverName string) string { return strings.ToLower(Spelled(user, serverName)) }

// Find finds the account that somebody means, see [db.DB.UserNamed]. It takes one read, whether there is such an
// account or not. Client-Server API v1.19, Appendices, "Historical User IDs".
func Find(ctx context.Context, d *db.DB, user, serverName string) (db.User, error) {
	return d.UserNamed(ctx, Spelled(user, serverName))
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

// NewLocalpart is what a new account is called that an operator typed, or says why it cannot be.
func NewLocalpart(user, serverName string) (string, error) {
	name := localpart(user, serverName)
	if name == "" && user != "" {
		return "", fmt.Errorf("it is not a user id of this server, which would end in :%s", serverName)
	}
	return name, CheckLocalpart(name, serverName)
}
