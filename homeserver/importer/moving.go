// Package importer reads the accounts of another homeserver, and of Synapse the devices and tokens too, so that they
// can move here: `postern user import`.
//
// # What it reads
//
//   - Synapse, from SQLite or PostgreSQL: the table users, as it is in schema version 94 (release 1.163) and in older
//     ones, which have fewer columns; see synapse.go. With ReadSessions also access_tokens, refresh_tokens and devices;
//     see sessions.go.
//   - Dendrite, from SQLite or PostgreSQL: the table userapi_accounts, which was called account_accounts until October
//     2022. See dendrite.go.
//   - A CSV file, for everything else. See csv.go.
//
// # Laws
//
//   - The source is never written: SQLite files are opened read-only, PostgreSQL is read in a read-only transaction.
//     Both may be in use. All that is read is of one instant, and it is held in memory, so that the transaction is over
//     soon: a hundred thousand accounts take about 30 MiB, and with a device and three tokens each about 200 MiB.
//   - A token is hashed as soon as it is read, and kept nowhere.
//   - Nothing is guessed. An account either moves as it is, or stays behind and the reason is told.
//   - No error holds a password hash or the password of a database.
//
// It decides which accounts can move and knows nothing of where they move to: what a usable hash is, the caller says.
//
//	contents, err := moving.ReadSessions(ctx, …)
//	kind, accounts, err := moving.Read(ctx, moving.Config{From: "homeserver.db", ServerName: "example.org"})
package importer

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"postern/handlers"
)

// Kind is where accounts come from.
type Kind string

// The kinds there are.
const (
	Synapse  Kind = "synapse"
	Dendrite Kind = "dendrite"
	CSV      Kind = "csv"
)

// Config says what to read.
type Config struct {
	From       string // a file, or the URL of a PostgreSQL database
	Format     Kind   // empty: seen from the name and the tables
	ServerName string // whose accounts move

	patience time.Duration // for a connection, or for a lock; ten seconds
}

// Account is an account of the source.
type Account struct {
	Name      string // as the source has it
	Localpart string
	Hash      string    // empty: it has no password
	Created   time.Time // zero: unknown

	Deactivated, Locked bool
	Admin               bool // of the homeserver

	Skip string // why it stays behind; empty: it moves
}

// Read reads all accounts, those that stay behind too.
func Read(ctx context.Context, c Config) (Kind, []Account, error) {
	kind, records, err := c.records(ctx)
	if err != nil {
		return "", nil, err
	}
	return kind, c.accounts(records), c.elsewhere(records)
}

// accounts decides which records move; of two of one name the first.
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

func (c Config) isCSV() bool {
	return c.Format == CSV || c.Format == "" && strings.EqualFold(filepath.Ext(c.From), ".csv")
}

func (c Config) records(ctx context.Context) (Kind, []record, error) {
	if c.isCSV() {
		records, err := c.readCSV()
		return CSV, records, err
	}
	s, err := c.open(ctx)
	if err != nil {
		return "", nil, err
	}
	defer s.close()
	return c.recordsOf(ctx, s)
}

// recordsOf finds out whose database it is, and reads its accounts.
func (c Config) recordsOf(ctx context.Context, s *source) (Kind, []record, error) {
	kind, read, err := c.recognise(ctx, s)
	if err != nil {
		return "", nil, err
	}
	records, err := read(ctx)
	return kind, records, s.explain(err)
}

// record is an account as a reader found it.
type record struct {
	localpart, server, hash string

	created             time.Time
	deactivated, locked bool
	admin               bool
	skip                string // the source's own reason
}

// account decides whether a record moves.
func (c Config) account(r record) Account {
	a := Account{
		Name: "@" + r.localpart + ":" + r.server, Localpart: r.localpart, Hash: r.hash, Created: r.created,
		Deactivated: r.deactivated, Locked: r.locked, Admin: r.admin, Skip: r.skip,
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

// elsewhere finds out that the whole source is of another server, which is a flag forgotten more often than anything
// else.
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
