package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/term"

	"postern/db"
	"postern/handlers"
)

// drain is how long running requests may take once the server is told to stop.
const drain = 10 * time.Second

type serveCmd struct {
	serveFlags
}

// Help is shown by `postern serve --help`.
func (*serveCmd) Help() string {
	return `The first start makes the database, the master key and a root key. SIGTERM or Ctrl-C lets running requests end; a second one kills.

Examples:
  postern serve --dev
  postern serve --server-name example.org --db /var/lib/postern/postern.db
  POSTERN_SERVER_NAME=example.org postern serve --trusted-proxy 127.0.0.1
  POSTERN_DB=postgres://postern@db.example.org/postern postern serve --server-name example.org
  postern serve --dev --spec login.yaml
  postern serve --homeserver http://127.0.0.1:8008 --homeserver-secret-file synapse.secret --listen :8448

GET /health is for monitoring, GET /metrics for Prometheus.`
}

// Run serves until the context ends.
func (cmd *serveCmd) Run(ctx context.Context, w world, c *common) error {
	set, err := cmd.settings(c)
	if err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	log := newLogger(w.stderr, set.level)
	tuneMemory(w.getenv)
	metrics := handlers.NewMetrics()
	fresh := c.missing()
	d, err := db.Open(ctx, db.Config{DSN: c.DB, OnBatch: metrics.Batch})
	if err != nil {
		return err
	}
	defer closing(d, log)
	if err := c.adopt(ctx, d, fresh); err != nil {
		return err
	}
	master, err := c.prepareKeys(ctx, w, d)
	if err != nil {
		return err
	}
	behind, untell, err := set.behind.telling(ctx, d, metrics, log)
	if err != nil {
		return err
	}
	defer untell()
	config := cmd.config(set)
	config.DB, config.ServerName, config.Master, config.Metrics, config.Homeserver = d, c.ServerName, master, metrics,
		behind
	config.Log, config.Now, config.Random = log, time.Now, rand.Reader
	server, err := handlers.New(ctx, config)
	if err != nil {
		return err
	}
	defer server.Close()
	patience := cmp.Or(w.patience, strangers)
	public, err := cmd.enter(ctx, w, set, server, log, patience)
	if err != nil {
		return err
	}
	defer public.close()
	listener, err := net.Listen("tcp", cmd.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen: %w; choose another with --listen", err)
	}
	if err := cmd.greet(ctx, w, c, d, log, public, listener.Addr().String()); err != nil {
		if ctx.Err() != nil {
			err = nil // told to stop before it had begun
		}
		return errors.Join(err, listener.Close())
	}
	return serve(ctx, listener, public, log, patience)
}

// config is what the flags say to the handlers.
func (cmd *serveCmd) config(set settings) handlers.Config {
	return handlers.Config{
		AccessTTL: set.accessTTL, AccessTTLLegacy: set.accessTTLLegacy, SessionTTL: set.sessionTTL,
		KeepExpired: set.keepExpired, KeepEvents: set.keepEvents,
		RefreshLeeway: set.leeway, RateLimit: set.rate, TrustedProxies: set.proxies, SynapsePepper: set.pepper,
		Registration: handlers.Registration(cmd.Registration),
		Terms:        handlers.Terms{URL: cmd.TermsURL, Version: cmd.TermsVersion},
		MinPassword:  cmd.PasswordMin, LoginTokenTTL: set.loginTokenTTL,
		PublicURL: strings.TrimSuffix(cmd.PublicURL, "/"),
		Services:  set.behind.services(),
	}
}

// enter puts before the server what clients meet first: the front where there is a homeserver, else the spec lab where
// one is asked for.
func (cmd *serveCmd) enter(ctx context.Context, w world, set settings, s *handlers.Server, log *slog.Logger,
	p patience) (publicHandler, error) {
	if set.behind != nil {
		return set.behind.enter(ctx, s, log, p)
	}
	return cmd.newSpecLab(ctx, w, set.spec, s)
}

// adopt notes what a database is served as. A new one beside an old master key is a mistake more often than a wish: a
// folder that is not mounted, or a start in another one. Serving it would log everybody out.
func (c *common) adopt(ctx context.Context, d *db.DB, fresh bool) error {
	if _, err := os.Stat(c.masterKeyFile()); fresh && c.MasterKeyFile == "" && err == nil {
		return fmt.Errorf("%s is there, but its database %s was not; put the database back, or, to begin anew, "+
			"remove the key file", c.masterKeyFile(), c.path())
	}
	_, err := d.Setting(ctx, servedAs)
	if errors.Is(err, db.ErrNotFound) {
		return d.SetSetting(ctx, servedAs, c.ServerName)
	}
	return err
}

// greet says where the server is and how to get an account.
func (cmd *serveCmd) greet(ctx context.Context, w world, c *common, d *db.DB, log *slog.Logger, public publicHandler,
	address string) error {
	log.Info("listening", "address", address, "server_name", c.ServerName, "db", c.path(), "version", w.Version)
	if cmd.Dev {
		if err := greetDev(ctx, w.stdout, d, "http://"+address); err != nil {
			return err
		}
	} else if users, err := d.Users(ctx); err != nil {
		return err
	} else if len(users) == 0 {
		log.Warn("there is no account yet; add one with: postern user add NAME --db " + c.path())
	}
	public.announce(w.stdout, len(cmd.Spec) > 0, "http://"+address)
	debug.FreeOSMemory() // what only the start needed: 3 of 8 MiB
	forgetProgram()
	if w.listening != nil {
		w.listening(address)
	}
	return nil
}

// patience is how long a client may take over each part of a request.
type patience struct{ header, read, write, idle time.Duration }

// strangers may hold a connection no longer than an honest phone on a bad line needs.
var strangers = patience{header: 5 * time.Second, read: 15 * time.Second, write: 30 * time.Second,
	idle: 2 * time.Minute}

// serve answers until the context ends, and then lets running requests end.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger, p patience) error {
	server := newServer(handler, log, p)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping; running requests may end", "within", drain.String())
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		log.Warn("requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}

func newServer(handler http.Handler, log *slog.Logger, p patience) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: p.header,
		ReadTimeout:       p.read,
		WriteTimeout:      p.write,
		IdleTimeout:       p.idle,
		MaxHeaderBytes:    32 << 10, // a token takes at most 8 KiB of it
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// closing closes the database; what fails then has no caller left to tell.
func closing(d *db.DB, log *slog.Logger) {
	if err := d.Close(); err != nil {
		log.Error("the database did not close cleanly", "error", err)
	}
}

// newLogger writes for a person on a terminal and JSON for a machine.
func newLogger(to io.Writer, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if file, ok := to.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return slog.New(slog.NewTextHandler(to, options))
	}
	return slog.New(slog.NewJSONHandler(to, options))
}

// tuneMemory trades memory that a small server has for work that it would rather not do. Little is alive at a time, so
// the collector would run hundreds of times a second under load: with four times the distance it takes a seventh less
// processor time for a check and for a refresh. The limit is for logins, which need 19 MiB each for a moment: without
// it eight clients at once drove the process to 138 MiB, with it to 82. Who sets GOGC or GOMEMLIMIT is obeyed.
func tuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(64 << 20)
	}
}
