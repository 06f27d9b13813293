package importer

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"postern/db"
	"postern/handlers"
)

// Account is an account of the source.
type Account struct {
	Name      string // as the source has it
	Localpart string
	Hash      string    // empty: it has no password
	Created   time.Time // zero: unknown

	Deactivated, Locked bool
	Admin               bool // of the homeserver
	Emails              []db.Email

	Skip string // why it does not come; empty: it comes
}

// record is an account as a reader found it.
type record struct {
	localpart, server, hash string

	created             time.Time
	deactivated, locked bool
	unapproved          bool // nobody has approved of it yet, and here it comes locked
	admin               bool
	emails              []db.Email
	skip                string // the source's own reason
}

// accounts decides which records come; of two of one name the first.
func (c Config) accounts(records []record) []Account {
	accounts, seen := make([]Account, len(records)), make(map[string]bool)
	for i, r := range records {
		a := c.account(r)
		if a.Skip == "" && seen[a.Localpart] {
			a.Skip = "is listed twice"
		}
		seen[a.Localpart] = seen[a.Localpart] || a.Skip == ""
		accounts[i] = a
	}
	return accounts
}

// account decides whether a record comes.
func (c Config) account(r record) Account {
	a := Account{
		Name: "@" + r.localpart + ":" + r.server, Localpart: r.localpart, Hash: r.hash, Created: r.created,
		Deactivated: r.deactivated, Locked: r.locked || r.unapproved, Admin: r.admin, Emails: r.emails,
		Skip: r.skip,
	}
	switch {
	case r.server != c.ServerName:
		a.Skip = "another server's user"
	case a.Skip != "" || r.hash == "":
	case r.deactivated && handlers.CheckHash(r.hash) != nil:
		a.Hash = "" // nobody logs in with it; what matters is that the name stays taken
	default:
		if err := handlers.CheckHash(r.hash); err != nil {
			a.Skip = err.Error()
		}
	}
	if a.Skip == "" && !possible(r.localpart, a.Name) {
		a.Skip = "is not a user id"
	}
	return a
}

// possible is what any homeserver may have had for a user id, long ago. Client-Server API v1.19, Appendices,
// "Historical User IDs": names that would not be given today are kept.
func possible(localpart, name string) bool {
	return localpart != "" && !strings.ContainsAny(localpart, ":\x00") && utf8.ValidString(name) && len(name) <= 255
}

// elsewhere is an error if the whole source is of another server, which mostly means a flag that was forgotten.
func (c Config) elsewhere(records []record) error {
	count, most := make(map[string]int), ""
	for _, r := range records {
		if count[r.server]++; count[r.server] > count[most] {
			most = r.server
		}
	}
	if len(records) == 0 || count[c.ServerName] > 0 {
		return nil
	}
	return fmt.Errorf("the accounts are of %q and not of %q; pass --server-name %s", most, c.ServerName, most)
}

// split takes a user id apart; a name that is not one is a localpart of this server.
func (c Config) split(name string) (localpart, server string) {
	id, found := strings.CutPrefix(name, "@")
	if localpart, server, ok := strings.Cut(id, ":"); found && ok {
		return localpart, server
	}
	return name, c.ServerName
}
