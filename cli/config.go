package cli

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"postern/db"
)

// cli is the command line. Flags come first, then POSTERN_… of the environment, then the default here.
type cli struct {
	common

	Serve   serveCmd    `cmd:"" help:"Run the server."`
	User    userCmds    `cmd:"" help:"Accounts: add, list, import, passwd, deactivate, lock, admin and more."`
	Invite  inviteCmds  `cmd:"" help:"Registration tokens: add, list, revoke."`
	Session sessionCmd  `cmd:"" help:"Sessions: list, end, events."`
	Client  clientCmds  `cmd:"" help:"Clients of the OAuth 2.0 API: add, list, remove."`
	Token   tokenCmds   `cmd:"" help:"Tokens: issue, inspect, verify, restrict."`
	Keys    keysCmd     `cmd:"" help:"Root keys: list, rotate, retire."`
	Mail    mailCmds    `cmd:"" help:"Mail: test, list, retry."`
	Backup  backupCmd   `cmd:"" help:"Write everything into a new file while the server runs."`
	Move    dbCmds      `cmd:"" name:"db" help:"The database: copy."`
	Notify  notifyCmds  `cmd:"" help:"Notices to operators: test."`
	Synapse synapseCmds `cmd:"" help:"In front of a Synapse: doctor, setup, sync, outbox, restore."`
	Spec    specCmds    `cmd:"" help:"Specs: check one against the contract, diff two of any API, list calls that one lacks, watch the contract."`

	Version kong.VersionFlag `help:"Show the version."`
}

// common are the flags that every command shares.
type common struct {
	DB            string `name:"db" default:"postern.db" env:"POSTERN_DB" help:"The database: the path of a SQLite file, or postgres://user@host/database."`
	MasterKeyFile string `env:"POSTERN_MASTER_KEY_FILE" placeholder:"FILE" help:"File of the master key that wraps the root keys; by default beside the database, ending in .key. POSTERN_MASTER_KEY may hold the key itself."`
	ServerName    string `env:"POSTERN_SERVER_NAME" placeholder:"NAME" help:"The part of user ids after the colon; by default what the database was first served as, or localhost."`

	recordedName string // that the database was first served as; empty: none yet
}

// onServer says that the database is not a file but a PostgreSQL.
func (c *common) onServer() bool {
	scheme, rest, found := strings.Cut(c.DB, ":")
	return found && (scheme == "postgres" || scheme == "postgresql" || strings.HasPrefix(rest, "//") &&
		scheme != "sqlite" && scheme != "file")
}

// path is the file of the database, without the scheme and the escapes of a URL; or where the server is, without a
// password, so that a log or an error may hold it.
func (c *common) path() string {
	switch {
	case c.onServer():
		return db.Place(c.DB)
	case strings.Contains(c.DB, "password="):
		return "the database that --db names"
	}
	for _, scheme := range []string{"sqlite://", "sqlite:", "file://", "file:"} {
		if rest, found := strings.CutPrefix(c.DB, scheme); found {
			if path, err := url.PathUnescape(rest); err == nil {
				return path
			}
			return rest
		}
	}
	return c.DB
}

// serverName is a host name, an IPv4 address or an IPv6 address in brackets, with an optional port.
// Client-Server API v1.19, Appendices, "Server Name".
var serverName = regexp.MustCompile(`^([A-Za-z0-9.-]{1,230}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)

func (c *common) problems() []error {
	if strings.Contains(c.DB, "password=") && !strings.Contains(c.DB, "://") { // or a file of that name would be made
		return []error{errors.New("--db is neither a path nor a URL; write a database server like " +
			"postgres://user@host/database")}
	}
	if !serverName.MatchString(c.ServerName) {
		return []error{fmt.Errorf("--server-name %q is not a server name; write it like example.org", c.ServerName)}
	}
	return nil
}
