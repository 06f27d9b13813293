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
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/term"

	"postern/db"
	"postern/handlers"
	"postern/homeserver"
	"postern/homeserver/imported"
	"postern/homeserver/outbox"
	"postern/mail"
)

type serveCmd struct {
	serveFlags
}

// Help is shown by `postern serve --help`.
func (*serveCmd) Help() string {
	return `The first start makes the database, the master key and a root key. SIGTERM or Ctrl-C lets running
requests end; a second one kills.

Examples:
  postern serve --dev
  postern serve --server-name example.org --db /var/lib/postern/postern.db
  POSTERN_SERVER_NAME=example.org postern serve --trusted-proxy 127.0.0.1
  POSTERN_DB=postgres://postern@db.example.org/postern postern serve --server-name example.org
  postern serve --server-name example.org --public-url https://example.org \
    --oauth-clients known --oauth-known-host element.io --oauth-known-host chat.example.org
  postern serve --server-name example.org --registration open --leaked-passwords pwnedpasswords.txt
  postern serve --server-name example.org --public-url https://matrix.example.org --admin-api \
    --smtp-url smtps://postern@mail.example.org --smtp-password-file smtp.password \
    --notify mailto:ops@example.org --notify https://hooks.example.org/services/T0000
  postern serve --dev --spec login.yaml --record session.har
  postern serve --homeserver http://127.0.0.1:8008 --homeserver-secret-file synapse.secret --listen :8448

GET /health is for monitoring, GET /metrics for Prometheus: on --metrics-listen if there is one, else
on --listen, but not in front of a homeserver.`
}

// Run serves until the context ends.
func (cmd *serveCmd) Run(ctx context.Context, w world, c *common) error {
	set, err := cmd.settings(w, c)
	if err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	log := newLogger(w.stderr, set.level)
	if set.ending.linger > 0 && !cmd.Worker {
		return supervise(ctx, w, log)
	}
	if cmd.Worker {
		var stop context.CancelCauseFunc
		ctx, stop = w.supervised(ctx)
		defer stop(nil)
	} else {
		defer refuseReload(log)()
	}
	tuneMemory(w.getenv)
	if set.ending.sockets, err = cmd.newSockets(w.getenv); err != nil {
		return err
	}
	set.ending.sockets.log, set.ending.sockets.patience = log, cmp.Or(w.patience, strangers)
	config := &set.config
	config.Log, config.Now, config.Random, config.Metrics = log, time.Now, rand.Reader, handlers.NewMetrics()
	fresh := c.missing()
	notices := mail.NewNotices()
	queue, err := c.openQueue(ctx, db.Config{OnBatch: config.Metrics.Batch, Connections: cmd.DBConnections,
		OnEvent: onEvent(notices)})
	if err != nil {
		return err
	}
	config.DB = queue.DB
	defer closeDatabase(config.DB, log)
	cmd.warn(w, c, *config, log)
	only := cmd.claim(c, log)
	defer only.end()
	if err := c.recordName(ctx, config.DB, fresh); err != nil {
		return err
	}
	if err := cmd.keepsSessions(ctx, *config); err != nil {
		return err
	}
	if config.Master, err = c.prepareKeys(ctx, w, config.DB); err != nil {
		return err
	}
	if set.homeserver != nil {
		if err := c.lookAtSource(ctx, config.DB, log); err != nil {
			return err
		}
	}
	config.Foreign = imported.Tokens(config.DB, c.ServerName)
	options := set.homeserver.options()
	options.Only = only.alone
	set.mailing.notices, set.mailing.only = notices, only.alone
	if set.mail != nil {
		config.MailWaits = notices.WakeSoon
	}
	peer, stopSending, err := homeserver.Start(ctx, queue, *config, options)
	if err != nil {
		return err
	}
	defer stopSending()
	set.ending.aside = w.aside
	set.ending.settle = func() {
		stopSending()
		closeDatabase(config.DB, log)
		only.end()
	}
	if peer != nil {
		config.Peer, config.Flows, config.AllowKeyReset = peer, peer.Flows(), peer.AllowKeyReset
		config.Outbox, config.Reopen = peer.Outbox, queue.Reactivate
	}
	return cmd.run(ctx, w, c, set, peer, queue)
}

// run serves with a database, its keys and its homeserver.
func (cmd *serveCmd) run(ctx context.Context, w world, c *common, set settings, peer *homeserver.Peer,
	queue *outbox.Queue) error {
	log, sockets := set.config.Log, set.ending.sockets
	set.config.Patience = sockets.patience.write
	set.config.Passwords.Leaked = lookUp(set.leaked, func(err error) { // the list is open until the program ends
		log.Warn("a password was not looked up among the leaked ones; put the file of --leaked-passwords in order, "+
			"and start again", "error", err)
	})
	listener, err := sockets.listen("--listen", cmd.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	if set.workbench {
		set.config.PublicURL = localURL(listener.Addr())
	}
	server, err := handlers.New(ctx, set.config)
	if err != nil {
		return err
	}
	defer server.Close()
	stopMail, err := set.mailing.start(ctx, server)
	if err != nil {
		return err
	}
	defer stopMail()
	settle := set.ending.settle
	set.ending.settle = func() { stopMail(); settle() }
	handler, err := cmd.newHandler(ctx, w, set, server, peer)
	if err != nil {
		return err
	}
	defer handler.close()
	if handler.Handler, err = cmd.withAdminAPI(handler, server); err != nil {
		return err
	}
	_, end, err := sockets.listenApart("--metrics-listen", cmd.MetricsListen, set.config.Metrics.Handler())
	if err != nil {
		return err
	}
	defer end()
	if err := cmd.announce(ctx, w, c, set.config, handler, listener.Addr()); err != nil {
		if ctx.Err() != nil {
			err = nil // it was stopped before it had begun
		}
		return err
	}
	return set.ending.serve(ctx, listener, handler, handler.moving)
}

// newHandler makes what clients reach first: the reverse proxy if there is a homeserver, else the spec lab if one is
// asked for, else the server alone.
func (cmd *serveCmd) newHandler(ctx context.Context, w world, set settings, s *handlers.Server,
	peer *homeserver.Peer) (publicHandler, error) {
	if set.homeserver != nil {
		return set.homeserver.enter(ctx, s, peer, set.ending)
	}
	return cmd.newSpecLab(ctx, w, set.spec, s)
}

// recordName stores the server name that a database is first served as. It refuses a new database beside an old master
// key, which is mostly a mistake: a folder that is not mounted, or a start in another one. Serving it would log
// everybody out.
func (c *common) recordName(ctx context.Context, d *db.DB, fresh bool) error {
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

// announce logs and prints where the server is and how to get an account.
func (cmd *serveCmd) announce(ctx context.Context, w world, c *common, config handlers.Config, h publicHandler,
	at net.Addr) error {
	log, d, url := config.Log, config.DB, localURL(at)
	log.Info("listening", "address", at.String(), "server_name", c.ServerName, "db", c.path(), "version", w.Version)
	if cmd.Dev {
		if err := greetDev(w.stdout, h.password, url, config.OAuth != nil); err != nil {
			return err
		}
	} else if some, err := d.HasUsers(ctx); err != nil {
		return err
	} else if !some {
		log.Warn("there is no account yet; add one with: postern user add NAME --db " +
			shellWord(c.path()))
	}
	h.announce(w.stdout, len(cmd.Spec) > 0, url)
	debug.FreeOSMemory() // what only the start needed: 3 of 8 MiB
	if cmd.Worker {
		w.ready()
	}
	if w.listening != nil {
		w.listening(at.String())
	}
	return nil
}

// patience is how long a client may take over each part of a request.
type patience struct{ header, read, write, idle time.Duration }

// strangers may hold a connection no longer than an honest phone on a bad line needs.
var strangers = patience{header: 5 * time.Second, read: 15 * time.Second, write: 30 * time.Second,
	idle: 2 * time.Minute}

// closeDatabase logs an error, for which no caller is left.
func closeDatabase(d *db.DB, log *slog.Logger) {
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
	options.ReplaceAttr = visible
	return slog.New(slog.NewJSONHandler(to, options))
}

// visible escapes what cannot be seen, or turns what stands behind it, in what a log line holds of a client's. For a
// terminal package slog does so by itself.
func visible(_ []string, a slog.Attr) slog.Attr {
	if kind := a.Value.Kind(); kind == slog.KindString || kind == slog.KindAny {
		text := a.Value.String()
		if shown := handlers.Printable(text); shown != text {
			a.Value = slog.StringValue(shown)
		}
	}
	return a
}

// tuneMemory trades memory that a small server has for work that it would rather not do. Little is alive at a time, so
// the collector would run hundreds of times a second under load: with four times the distance it takes a seventh less
// processor time for a check and for a refresh. The limit is for logins, which need 19 MiB each for a moment: without
// it eight clients that log in at once make the process 138 MiB large, with it 82. GOGC and GOMEMLIMIT win where they
// are set.
func tuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(64 << 20)
	}
}
