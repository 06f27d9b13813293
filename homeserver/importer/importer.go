// Package importer brings the accounts of another homeserver here, and of Synapse the devices and tokens too: `postern
// user import`.
//
// # What it reads
//
//   - Synapse, from SQLite or PostgreSQL: the table users, as it is in schema version 94 (release 1.163) and in older
//     ones, which have fewer columns; see synapse.go. With Config.Sessions also access_tokens, refresh_tokens and
//     devices; see sessions.go.
//   - Dendrite, from SQLite or PostgreSQL: the table userapi_accounts, which was called account_accounts until October
//     2022. See dendrite.go.
//   - Of both, the mail addresses of accounts. See emails.go.
//   - A CSV file, for everything else. See csv.go.
//
// # Laws
//
//   - The source is never written: SQLite files are opened read-only, PostgreSQL is read in a read-only transaction.
//     Both may be in use. All that is read is of one instant, and it is held in memory, so that the transaction is over
//     soon: a hundred thousand accounts take about 30 MiB, and with a device and three tokens each about 200 MiB.
//   - A token is hashed as soon as it is read, and kept nowhere.
//   - Nothing is guessed. An account either comes as it is, or is skipped for a reason that the result names.
//   - No error holds a password hash or the password of a database.
//   - What is here already is left alone, and an import that broke off may be run again: it goes on where it stopped.
//
// # Usage
//
//	contents, err := importer.Read(ctx, importer.Config{From: "homeserver.db", ServerName: "example.org", …})
//	result, err := importer.Import(ctx, db, contents, importer.Options{Now: time.Now(), …})
//
// Count reads only names, to be compared with who is here. LastSource and Source.Look tell whether Synapse has given
// tokens since the last import. MovedOut says whether Synapse has had the accounts again
// since the last import: then another import cannot bring the database up to date.
package importer

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"postern/homeserver/imported"
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
	ServerName string // whose accounts come
	Sessions   bool   // read devices and tokens too, which only Synapse's databases have

	timeout time.Duration // for a connection, or for a lock; ten seconds
}

// Contents is all that a source has, as it was at one instant.
type Contents struct {
	Kind     Kind
	Accounts []Account
	Sessions bool                         // devices and tokens were read too
	Devices  map[string][]imported.Device // by the name of an account that is not skipped
	Source   Source                       // where they are, if devices and tokens were read
	Skipped  map[string]int               // how many devices or tokens are skipped, by the reason
}

// Read reads all accounts, those that Import will skip too; and of Synapse, if Config.Sessions is set, the devices and
// tokens of those that it will not.
func Read(ctx context.Context, c Config) (Contents, error) {
	if c.Sessions {
		return c.readSessions(ctx)
	}
	kind, records, err := c.records(ctx)
	if err != nil {
		return Contents{}, err
	}
	return Contents{Kind: kind, Accounts: c.accounts(records)}, c.elsewhere(records)
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
	if err == nil {
		err = c.readEmails(ctx, s, kind, records)
	}
	return kind, records, s.explain(err)
}
