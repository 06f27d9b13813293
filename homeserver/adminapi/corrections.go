package adminapi

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"postern/handlers"
	"postern/homeserver/front"
)

// Synapse asks this server who is an administrator and does not write it down, so what it says of that is overwritten:
// a tool that reads a user, changes a field and writes all of it back would else take the mark away.

// getUser is GET v2/users/ID.
func (a *API) getUser(Call) front.Operation { return front.Operation{Edit: a.correct} }

// listUsers is GET v2/users and v3/users.
func (a *API) listUsers(Call) front.Operation {
	return front.Operation{Query: withoutGuests, Edit: a.correctAll}
}

// correctTime is how long an answer waits for the database.
const correctTime = 5 * time.Second

// correct overwrites the mark of a user, and adds the mail addresses that Synapse was not told of yet.
func (a *API) correct(user map[string]json.RawMessage) {
	ctx, done := context.WithTimeout(context.Background(), correctTime)
	defer done()
	var name string
	_ = json.Unmarshal(user["name"], &name)
	name = handlers.Spelled(name, a.Server.ServerName)
	account, _, err := a.account(ctx, name)
	a.overwrite(user, account.Admin, err)
	if err = a.addEmails(ctx, user, name); err != nil {
		delete(user, "threepids")
	}
}

// overwrite writes the mark. If it is not known, the field is left out: tools leave it alone then.
func (a *API) overwrite(user map[string]json.RawMessage, admin bool, err error) {
	if err != nil {
		delete(user, "admin")
		return
	}
	user["admin"] = json.RawMessage("false")
	if admin {
		user["admin"] = json.RawMessage("true")
	}
}

// correctAll overwrites the marks of a list of users.
func (a *API) correctAll(list map[string]json.RawMessage) {
	var users []map[string]json.RawMessage
	if json.Unmarshal(list["users"], &users) != nil {
		return
	}
	ctx, done := context.WithTimeout(context.Background(), correctTime)
	defer done()
	admins, err := a.admins(ctx)
	for _, user := range users {
		var name string
		_ = json.Unmarshal(user["name"], &name)
		a.overwrite(user, admins[handlers.Spelled(name, a.Server.ServerName)], err)
	}
	if text, err := json.Marshal(users); err == nil {
		list["users"] = text
	}
}

// admins are the localparts of the administrators.
func (a *API) admins(ctx context.Context) (map[string]bool, error) {
	all := make(map[string]bool)
	err := a.Queue.DB.Read(ctx, `SELECT localpart FROM users WHERE admin`, nil, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		all[name] = true
		return err
	})
	return all, err
}

// withoutGuests asks for a list without guests, of whom there are none: unless Synapse is asked so, it refuses to list
// anybody, and the tools ask as they ever did.
func withoutGuests(query string) string {
	kept := []string{"guests=false"}
	for field := range strings.FieldsFuncSeq(strings.TrimPrefix(query, "?"), isSeparator) {
		name, _, _ := strings.Cut(field, "=")
		if plain, err := url.QueryUnescape(name); err != nil || plain != "guests" {
			kept = append(kept, field)
		}
	}
	return "?" + strings.Join(kept, "&")
}

// isSeparator: Twisted separates fields at semicolons too.
func isSeparator(r rune) bool { return r == '&' || r == ';' }
