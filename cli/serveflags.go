package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/handlers"
	"postern/homeserver/delegation"
	"postern/oauth"
	"postern/passwords"
	"postern/speclab/spec"
)

// serveFlags are the flags of `serve` as they were written. They are text, and not yet durations and addresses, so that
// every problem is reported together.
type serveFlags struct {
	specFlags
	recordFlags
	homeserverFlags
	mailFlags
	passwordFlags
	notifyFlags

	Listen          string   `default:"127.0.0.1:8008" env:"POSTERN_LISTEN" help:"Address and port to listen on."`
	MetricsListen   string   `env:"POSTERN_METRICS_LISTEN" placeholder:"ADDRESS" help:"Answer GET /metrics on an address of its own, and not on --listen."`
	DBConnections   int      `name:"db-connections" default:"9" env:"POSTERN_DB_CONNECTIONS" placeholder:"NUMBER" help:"Connections that this replica takes of a PostgreSQL, 9 by default: one writes, the others read. A SQLite file needs no such choice."`
	AccessTTL       string   `name:"access-ttl" default:"5m" env:"POSTERN_ACCESS_TTL" help:"Life of an access token when the client can refresh."`
	AccessTTLLegacy string   `name:"access-ttl-legacy" default:"0" env:"POSTERN_ACCESS_TTL_LEGACY" help:"Life of an access token when the client cannot refresh; 0: until logout."`
	SessionTTL      string   `name:"session-ttl" default:"0" env:"POSTERN_SESSION_TTL" help:"Absolute life of a session; 0: no end. At the end clients other than Element may lose their encryption keys."`
	KeepExpired     string   `default:"720h" env:"POSTERN_KEEP_EXPIRED" help:"How long a session past its --session-ttl is remembered; until then its client gets soft_logout, and its device is kept; Element keeps its encryption keys then. Also how long after its start an ended session leaves a mark, which tells it from one that the database has lost."`
	KeepEvents      string   `default:"8760h" env:"POSTERN_KEEP_EVENTS" help:"How long audit events are kept; of one account at most 10,000."`
	RefreshLeeway   string   `default:"30s" env:"POSTERN_REFRESH_LEEWAY" help:"How long a refresh token whose successor was used still gets the same pair; 0 switches it off."`
	RateLimit       string   `default:"30/1m" env:"POSTERN_RATE_LIMIT" help:"Logins per address and per account, and as many refreshes; off switches it off."`
	Registration    string   `default:"closed" env:"POSTERN_REGISTRATION" help:"Who may make an account: closed, token (see postern invite), approval (see postern user approve) or open."`
	TermsURL        string   `name:"terms-url" env:"POSTERN_TERMS_URL" placeholder:"URL" help:"Terms that a new user must agree to."`
	TermsVersion    string   `default:"1" env:"POSTERN_TERMS_VERSION" help:"Their version, which clients get."`
	LoginTokens     bool     `env:"POSTERN_LOGIN_TOKENS" help:"Let sessions, and postern user login-link, make tokens that log another device in, once."`
	LoginTokenTTL   string   `name:"login-token-ttl" default:"2m" env:"POSTERN_LOGIN_TOKEN_TTL" help:"Life of such a token."`
	PublicURL       string   `name:"public-url" env:"POSTERN_PUBLIC_URL" placeholder:"URL" help:"Where clients find the server, as /.well-known/matrix/client and a login answer. With it the OAuth 2.0 API is served."`
	OAuth           string   `name:"oauth" env:"POSTERN_OAUTH" placeholder:"on|off" help:"Serve the OAuth 2.0 API, by which Element X and other clients of today sign in, beside the others; by default on where there is a --public-url."`
	OAuthClients    string   `name:"oauth-clients" default:"open" env:"POSTERN_OAUTH_CLIENTS" help:"Which clients people may let in by the OAuth 2.0 API: open (all that register), known (those of --oauth-known-host) or static (see postern client)."`
	OAuthKnownHost  []string `name:"oauth-known-host" env:"POSTERN_OAUTH_KNOWN_HOST" placeholder:"HOST" help:"With --oauth-clients known: a client is admitted whose client_uri is at this host or below; may be repeated."`
	SecondFactor    string   `default:"optional" env:"POSTERN_SECOND_FACTOR" placeholder:"WHOM" help:"Which accounts have to have a second factor: none (optional), those of administrators (admins) or all (required); needs the OAuth 2.0 API, for its pages."`
	AdminAPI        bool     `name:"admin-api" env:"POSTERN_ADMIN_API" help:"Serve the admin API, by which scripts look after accounts, below /_postern/admin on --listen; only tokens that were made for it open it (postern token issue --admin). With --dev it is served."`
	SynapsePepper   string   `name:"synapse-pepper-file" env:"POSTERN_SYNAPSE_PEPPER_FILE" placeholder:"FILE" help:"File with Synapse's password_config.pepper, if it had one, for accounts imported from it."`
	Linger          string   `default:"0" env:"POSTERN_LINGER" help:"How long up- and downloads go on once the server is stopped, while nobody waits for them; 0: the stop waits for them, up to 10s. With it SIGUSR1 (systemctl reload) starts the next server beside this one. For a service manager that ends only the process it has started, such as systemd with KillMode=process."`
	Worker          bool     `hidden:"" help:"This is the process that serves, and another waits for it: see --linger."`
	Successor       bool     `hidden:"" help:"This worker takes over from another."`
	TrustedProxy    []string `env:"POSTERN_TRUSTED_PROXY" placeholder:"CIDR" help:"Proxy whose X-Forwarded-For is believed: an address or a network; may be repeated."`
	LogLevel        string   `default:"info" env:"POSTERN_LOG_LEVEL" help:"debug, info, warn or error."`
	Dev             bool     `env:"POSTERN_DEV" help:"Make the user alice with a random password and print commands to paste."`
}

// settings are the same flags, understood.
type settings struct {
	config     handlers.Config     // without what only a started server has
	homeserver *homeserverSettings // nil: Postern stands alone
	mailing
	leaked    *passwords.Leaked // nil: there is no list
	spec      spec.Files
	level     slog.Level
	ending    ending
	workbench bool // clients find the server where it listens
}

// settings understands the flags, or reports everything that is wrong with them.
func (f *serveFlags) settings(w world, c *common) (settings, error) {
	problems := flagErrors(c.problems())
	problems.add(address("--listen", f.Listen, "127.0.0.1:8008"))
	s := settings{config: f.handlersConfig(c, &problems)}
	var err error
	s.config.Passwords, s.leaked, err = f.rules()
	problems.add(err)
	problems.add(f.accountProblems()...)
	spec, wrong := f.specFlags.settings()
	s.spec = spec
	problems.add(wrong...)
	s.homeserver, wrong = f.homeserverFlags.settings(c.ServerName)
	problems.add(wrong...)
	s.mail, wrong = f.mailFlags.settings(c.ServerName, w.getenv)
	problems.add(wrong...)
	s.targets, s.webhook, wrong = f.notifyFlags.settings(f.SMTPURL != "")
	problems.add(wrong...)
	if s.homeserver != nil && (f.Dev || len(f.Spec) > 0) {
		problems.add(errors.New("--dev and --spec are for a workbench; leave them out in front of a homeserver"))
	}
	if f.DBConnections < 2 {
		problems.add(fmt.Errorf("--db-connections %d is less than 2; one connection writes, the others read",
			f.DBConnections))
	}
	if f.MetricsListen != "" {
		problems.add(address("--metrics-listen", f.MetricsListen, "127.0.0.1:9009"))
	}
	s.ending.linger = problems.duration("--linger", f.Linger, 0)
	problems.add(f.recordFlags.problems(f.Dev || len(f.Spec) > 0, s.ending.linger > 0)...)
	s.config.MetricsApart, s.workbench = f.MetricsListen != "", f.onWorkbench()
	if err := s.level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		problems.add(fmt.Errorf("--log-level %q is none of debug, info, warn, error", f.LogLevel))
	}
	return s, errors.Join(problems...)
}

// handlersConfig is what the flags say to the handlers.
func (f *serveFlags) handlersConfig(c *common, p *flagErrors) handlers.Config {
	config := handlers.Config{
		ServerName:      c.ServerName,
		AccessTTL:       p.duration("--access-ttl", f.AccessTTL, time.Millisecond),
		AccessTTLLegacy: p.duration("--access-ttl-legacy", f.AccessTTLLegacy, 0),
		SessionTTL:      p.duration("--session-ttl", f.SessionTTL, 0),
		// Not less than an hour: a client that was offline for a moment must still get soft_logout.
		KeepExpired:    p.duration("--keep-expired", f.KeepExpired, time.Hour),
		KeepEvents:     p.duration("--keep-events", f.KeepEvents, time.Hour),
		RefreshLeeway:  p.duration("--refresh-leeway", f.RefreshLeeway, 0),
		LoginTokenTTL:  p.duration("--login-token-ttl", f.LoginTokenTTL, time.Second),
		Registration:   handlers.Registration(f.Registration),
		Terms:          handlers.Terms{URL: f.TermsURL, Version: f.TermsVersion},
		SecondFactor:   handlers.SecondFactorPolicy(f.SecondFactor),
		PublicURL:      strings.TrimSuffix(f.PublicURL, "/"),
		TrustedProxies: p.networks("--trusted-proxy", f.TrustedProxy),
	}
	if config.LoginTokenTTL > handlers.MaxLoginTokenTTL {
		p.add(fmt.Errorf("--login-token-ttl %q is more than %s", f.LoginTokenTTL, handlers.MaxLoginTokenTTL))
	}
	rules := f.oauthRules(p)
	if serves, _ := f.servesOAuth(); serves {
		config.OAuth = oauth.With(rules)
	}
	if !f.LoginTokens {
		config.LoginTokenTTL = 0
	}
	var err error
	if config.RateLimit, err = handlers.ParseRate(f.RateLimit); err != nil {
		p.add(fmt.Errorf("--rate-limit %w", err))
	}
	if f.SynapsePepper != "" {
		if config.SynapsePepper, err = delegation.ReadPepper(f.SynapsePepper); err != nil {
			p.add(fmt.Errorf("--synapse-pepper-file: %w", err))
		}
	}
	return config
}

// accountProblems are those of the flags about accounts.
func (f *serveFlags) accountProblems() (p flagErrors) {
	switch handlers.Registration(f.Registration) {
	case handlers.RegistrationClosed, handlers.RegistrationToken, handlers.RegistrationApproval,
		handlers.RegistrationOpen:
	default:
		p.add(fmt.Errorf("--registration %q is none of closed, token, approval, open", f.Registration))
	}
	p.add(webURL("--terms-url", f.TermsURL), webURL("--public-url", f.PublicURL))
	if _, err := f.servesOAuth(); f.OAuth != "" {
		p.add(err) // else it is a warning
	}
	p.add(f.secondFactorProblem())
	return p
}

// secondFactorProblem is that nobody could set one up: that needs a page.
func (f *serveFlags) secondFactorProblem() error {
	switch serves, _ := f.servesOAuth(); handlers.SecondFactorPolicy(f.SecondFactor) {
	case handlers.SecondFactorOptional, "":
	case handlers.SecondFactorAdmins, handlers.SecondFactorRequired:
		if !serves {
			return fmt.Errorf("--second-factor %s needs the OAuth 2.0 API, on whose pages people set one up: set "+
				"--public-url to the https address by which clients reach the server, and leave out --oauth off",
				f.SecondFactor)
		}
	default:
		return fmt.Errorf("--second-factor %q is none of optional, admins, required", f.SecondFactor)
	}
	return nil
}

// flagErrors collects what is wrong with flags.
type flagErrors []error

// add collects the errors that are not nil.
func (p *flagErrors) add(more ...error) {
	*p = append(*p, slices.DeleteFunc(more, func(err error) bool { return err == nil })...)
}

// address checks where to listen.
func address(flag, text, example string) error {
	if _, err := net.ResolveTCPAddr("tcp", text); err != nil {
		return fmt.Errorf("%s %q is not an address and port; write it like %s", flag, text, example)
	}
	return nil
}

// webURL checks where a browser goes; an empty text is fine.
func webURL(flag, text string) error {
	if u, err := url.Parse(text); text != "" &&
		(err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("%s %q is not a URL; write it like https://example.org", flag, text)
	}
	return nil
}

func (p *flagErrors) duration(flag, text string, least time.Duration) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < least {
		p.add(fmt.Errorf("%s %q is not a time of at least %s; write it like 90s, 5m or 720h", flag, text, least))
	}
	return d
}

func (p *flagErrors) networks(flag string, texts []string) (all []netip.Prefix) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if addr, wrong := netip.ParseAddr(text); wrong == nil {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			p.add(fmt.Errorf("%s %q is neither an address nor a network; write it like 10.0.0.0/8", flag, text))
		}
		all = append(all, network)
	}
	return all
}
