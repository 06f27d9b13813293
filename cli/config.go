package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"postern/db"
	"postern/handlers"
	"postern/speclab/spec"
)

// cli is the command line. Flags come first, then POSTERN_… of the environment, then the default here.
type cli struct {
	common

	Serve   serveCmd    `cmd:"" help:"Run the server."`
	User    userCmds    `cmd:"" help:"Accounts: add, list, import, passwd, deactivate, lock, admin and more."`
	Invite  inviteCmds  `cmd:"" help:"Registration tokens: add, list, revoke."`
	Session sessionCmd  `cmd:"" help:"Sessions: list, end, events."`
	Token   tokenCmds   `cmd:"" help:"Tokens: inspect, verify, restrict."`
	Keys    keysCmd     `cmd:"" help:"Root keys: list, rotate, retire."`
	Backup  backupCmd   `cmd:"" help:"Write everything into a new file while the server runs."`
	Move    dbCmds      `cmd:"" name:"db" help:"The database: copy."`
	Synapse synapseCmds `cmd:"" help:"In front of a Synapse: doctor, setup, outbox, restore."`
	Spec    specCmds    `cmd:"" help:"The contract: check a changed one, watch."`

	Version kong.VersionFlag `help:"Show the version."`
}

// common are the flags that every command shares.
type common struct {
	DB            string `name:"db" default:"postern.db" env:"POSTERN_DB" help:"The database: the path of a SQLite file, or postgres://user@host/database."`
	MasterKeyFile string `env:"POSTERN_MASTER_KEY_FILE" placeholder:"FILE" help:"File of the master key that wraps the root keys; by default beside the database, ending in .key. POSTERN_MASTER_KEY may hold the key itself."`
	ServerName    string `env:"POSTERN_SERVER_NAME" placeholder:"NAME" help:"The part of user ids after the colon; by default what the database was first served as, or localhost."`
}

// masterKeyFile is where the master key lies. It does not begin with the database's whole name, so that a
// backup of `postern.db*` does not take the key along.
func (c *common) masterKeyFile() string {
	if c.MasterKeyFile != "" {
		return c.MasterKeyFile
	}
	if c.onServer() {
		return "postern.key"
	}
	path := c.path()
	if filepath.Ext(path) == ".key" {
		return path + ".master"
	}
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".key"
}

// onServer says that the database is not a file but a PostgreSQL.
func (c *common) onServer() bool {
	scheme, rest, found := strings.Cut(c.DB, ":")
	return found && (scheme == "postgres" || scheme == "postgresql" || strings.HasPrefix(rest, "//") &&
		scheme != "sqlite" && scheme != "file")
}

// path is the file of the database, without the scheme and the escapes of a URL; or where the server is, as it may be
// told to anybody, in a log or an error: without a password.
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

// serveFlags are the flags of `serve` as they were written. They are text, and not yet durations and addresses, so that
// every problem can be told at once.
type serveFlags struct {
	specFlags
	homeserverFlags

	Listen          string   `default:"127.0.0.1:8008" env:"POSTERN_LISTEN" help:"Address and port to listen on."`
	AccessTTL       string   `name:"access-ttl" default:"5m" env:"POSTERN_ACCESS_TTL" help:"Life of an access token when the client can refresh."`
	AccessTTLLegacy string   `name:"access-ttl-legacy" default:"0" env:"POSTERN_ACCESS_TTL_LEGACY" help:"Life of an access token when the client cannot refresh; 0: until logout."`
	SessionTTL      string   `name:"session-ttl" default:"0" env:"POSTERN_SESSION_TTL" help:"Absolute life of a session; 0: no end."`
	KeepExpired     string   `default:"720h" env:"POSTERN_KEEP_EXPIRED" help:"How long a session past its --session-ttl is remembered; till then its client is told soft_logout and keeps its encryption keys."`
	KeepEvents      string   `default:"8760h" env:"POSTERN_KEEP_EVENTS" help:"How long audit events are kept."`
	RefreshLeeway   string   `default:"30s" env:"POSTERN_REFRESH_LEEWAY" help:"How long a refresh token whose successor was used still gets the same pair; 0 switches it off."`
	RateLimit       string   `default:"30/1m" env:"POSTERN_RATE_LIMIT" help:"Logins, and counted apart refreshes, per address and per account; off switches it off."`
	Registration    string   `default:"closed" env:"POSTERN_REGISTRATION" help:"Who may make an account: closed, token (see postern invite) or open."`
	TermsURL        string   `name:"terms-url" env:"POSTERN_TERMS_URL" placeholder:"URL" help:"Terms that a new user must agree to."`
	TermsVersion    string   `default:"1" env:"POSTERN_TERMS_VERSION" help:"Their version, told to clients."`
	PasswordMin     int      `name:"password-min-length" default:"8" env:"POSTERN_PASSWORD_MIN_LENGTH" help:"Characters that a new password must have."`
	LoginTokens     bool     `env:"POSTERN_LOGIN_TOKENS" help:"Let sessions, and postern user login-link, make tokens that log another device in, once."`
	LoginTokenTTL   string   `name:"login-token-ttl" default:"2m" env:"POSTERN_LOGIN_TOKEN_TTL" help:"Life of such a token."`
	PublicURL       string   `name:"public-url" env:"POSTERN_PUBLIC_URL" placeholder:"URL" help:"Where clients find the server; told by /.well-known/matrix/client and at login."`
	SynapsePepper   string   `name:"synapse-pepper-file" env:"POSTERN_SYNAPSE_PEPPER_FILE" placeholder:"FILE" help:"File with Synapse's password_config.pepper, if it had one, for accounts imported from it."`
	TrustedProxy    []string `env:"POSTERN_TRUSTED_PROXY" placeholder:"CIDR" help:"Proxy whose X-Forwarded-For is believed: an address or a network; may be repeated."`
	LogLevel        string   `default:"info" env:"POSTERN_LOG_LEVEL" help:"debug, info, warn or error."`
	Dev             bool     `env:"POSTERN_DEV" help:"Make the user alice with a random password and print commands to paste."`
}

// settings are the same flags, understood.
type settings struct {
	accessTTL, accessTTLLegacy, sessionTTL, leeway time.Duration
	keepExpired, keepEvents                        time.Duration

	loginTokenTTL time.Duration // 0: they are not enabled

	spec    spec.Files
	behind  *homeserver // nil: Postern stands alone
	pepper  string      // Synapse's
	rate    handlers.Rate
	proxies []netip.Prefix
	level   slog.Level
}

// settings understands the flags, or tells everything that is wrong with them.
func (f *serveFlags) settings(c *common) (settings, error) {
	s, problems := settings{}, c.problems()
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	var err error
	note(address("--listen", f.Listen, "127.0.0.1:8008"))
	s.accessTTL, err = duration("--access-ttl", f.AccessTTL, time.Millisecond)
	note(err)
	s.accessTTLLegacy, err = duration("--access-ttl-legacy", f.AccessTTLLegacy, 0)
	note(err)
	s.sessionTTL, err = duration("--session-ttl", f.SessionTTL, 0)
	note(err)
	// Not less than an hour: who was asleep for a moment must still hear soft_logout.
	s.keepExpired, err = duration("--keep-expired", f.KeepExpired, time.Hour)
	note(err)
	s.keepEvents, err = duration("--keep-events", f.KeepEvents, time.Hour)
	note(err)
	s.leeway, err = duration("--refresh-leeway", f.RefreshLeeway, 0)
	note(err)
	s.loginTokenTTL, err = duration("--login-token-ttl", f.LoginTokenTTL, time.Second)
	if err == nil && s.loginTokenTTL > handlers.MaxLoginTokenTTL {
		err = fmt.Errorf("--login-token-ttl %q is more than %s", f.LoginTokenTTL, handlers.MaxLoginTokenTTL)
	}
	note(err)
	if !f.LoginTokens {
		s.loginTokenTTL = 0
	}
	set, wrong := f.specFlags.settings()
	s.spec = set
	behind, misplaced := f.homeserverFlags.settings(c.ServerName)
	s.behind = behind
	if behind != nil && (f.Dev || len(f.Spec) > 0) {
		note(errors.New("--dev and --spec are for a workbench; leave them out in front of a homeserver"))
	}
	for _, problem := range slices.Concat(f.accountProblems(), wrong, misplaced) {
		note(problem)
	}
	if s.rate, err = handlers.ParseRate(f.RateLimit); err != nil {
		note(fmt.Errorf("--rate-limit %w", err))
	}
	s.pepper, err = pepper(f.SynapsePepper)
	note(err)
	if err := s.level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		note(fmt.Errorf("--log-level %q is none of debug, info, warn, error", f.LogLevel))
	}
	for _, text := range f.TrustedProxy {
		p, err := network(text)
		note(err)
		s.proxies = append(s.proxies, p)
	}
	return s, errors.Join(problems...)
}

// accountProblems are those of the flags about making accounts.
func (f *serveFlags) accountProblems() (problems []error) {
	switch handlers.Registration(f.Registration) {
	case handlers.RegistrationClosed, handlers.RegistrationToken, handlers.RegistrationOpen:
	default:
		problems = append(problems, fmt.Errorf("--registration %q is none of closed, token, open", f.Registration))
	}
	for flag, text := range map[string]string{"--terms-url": f.TermsURL, "--public-url": f.PublicURL} {
		if u, err := url.Parse(text); text != "" &&
			(err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			problems = append(problems, fmt.Errorf("%s %q is not a URL; write it like https://example.org", flag, text))
		}
	}
	if f.PasswordMin < 1 || f.PasswordMin > 512 {
		problems = append(problems, fmt.Errorf("--password-min-length \"%d\" is not between 1 and 512", f.PasswordMin))
	}
	return problems
}

// pepper reads Synapse's pepper. A newline at the end is the editor's.
func pepper(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--synapse-pepper-file: %w", err)
	}
	pepper := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if pepper == "" {
		return "", fmt.Errorf("--synapse-pepper-file: %s is empty; leave the flag out if Synapse had no pepper", file)
	}
	return pepper, nil
}

// address says what is wrong with where to listen.
func address(flag, text, example string) error {
	if _, err := net.ResolveTCPAddr("tcp", text); err != nil {
		return fmt.Errorf("%s %q is not an address and port; write it like %s", flag, text, example)
	}
	return nil
}

func duration(flag, text string, least time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < least {
		return 0, fmt.Errorf("%s %q is not a time of at least %s; write it like 90s, 5m or 720h", flag, text, least)
	}
	return d, nil
}

func network(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("--trusted-proxy %q is neither an address nor a network; write it like 10.0.0.0/8", text)
	}
	return p, nil
}
