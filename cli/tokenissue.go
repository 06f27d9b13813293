package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/homeserver/outbox"
	"postern/oauth"
	"postern/tokens"
)

type tokenIssue struct {
	Account  string   `arg:"" name:"name" help:"Localpart, or whole user id."`
	Caveat   []string `arg:"" optional:"" sep:"none" help:"Caveats, each in quotes; all of them have to hold. Without any the token opens everything."`
	Admin    bool     `help:"Make a token for the admin API, which opens that and nothing else; the account has to be an administrator (postern user admin)."`
	Name     string   `default:"Bot" help:"What the account's devices show it as."`
	DeviceID string   `placeholder:"ID" help:"The device that the token is to have; by default a new one. One that has a session is refused."`
	Expires  string   `default:"365d" placeholder:"WHEN" help:"When it ends: a time from now such as 12h or 90d, a day such as 2027-06-30 (until its end, UTC), or never."`
	Format   string   `enum:"token,env" default:"token" help:"What is printed: token, the token alone; env, POSTERN_TOKEN=… for a file of variables."`
}

// Help is shown by `postern token issue --help`.
func (*tokenIssue) Help() string {
	return `The token is a session of its own: 'postern session list' shows it, 'postern session end' ends it at once,
and so does whatever ends all sessions of the account, such as a new password. It is printed once and kept
nowhere. It keeps the root key that it was made with in use until it ends.

Examples:
  umask 077    # before a token is written into a file
  postern token issue alice --name Bell 'method in PUT' 'path under /_matrix/client/v3/rooms/!room:example.org/send'
  postern token issue alice --name Backup --expires 90d 'method in GET,HEAD' 'path under /_matrix' > backup.token
  postern token issue alice --name nio --expires never --format env 'addr in 192.0.2.7' > nio.env
  postern token issue --admin alice --name Inviter 'path under /_postern/admin/v1/invitations' > inviter.token`
}

// Run makes a token. A server that runs takes it at once.
func (cmd *tokenIssue) Run(ctx context.Context, w world, c *common) error {
	now := time.Now()
	expires, err := endOf(cmd.Expires, now)
	if err != nil {
		return err
	}
	caveats, err := oauth.ParseCaveats(cmd.Caveat, now)
	if err != nil {
		return err
	}
	if !handlers.GoodBotName(cmd.Name) {
		return fmt.Errorf("--name %q is empty, has more than %d characters, or some that nobody sees", cmd.Name,
			db.MaxDeviceName)
	}
	return c.accountQueue(ctx, cmd.Account, func(q *outbox.Queue, name string) error {
		wanted := handlers.Bot{Name: cmd.Name, DeviceID: cmd.DeviceID, Expires: expires, Caveats: caveats}
		if cmd.Admin {
			wanted.Scope = db.ScopeAdmin
		}
		pair, err := c.issue(ctx, w, q.DB, name, wanted)
		if err != nil {
			return cmd.refused(name, err)
		}
		if cmd.Format == "env" {
			fmt.Fprint(w.stdout, "POSTERN_TOKEN=")
		}
		fmt.Fprintln(w.stdout, pair.Access)
		tellOpened(w, pair.Session, caveats)
		return tellHomeserver(ctx, w, q, pair.Session)
	})
}

// outboxPatience is how long a server that runs may take to tell the homeserver of a device: it looks each second.
const outboxPatience = 3 * time.Second

// tellHomeserver waits until the homeserver, if there is one, knows the device of a token.
func tellHomeserver(ctx context.Context, w world, q *outbox.Queue, session db.Session) error {
	for end := time.Now().Add(outboxPatience); ; {
		waits, err := q.Waits(ctx, session.Localpart, session.DeviceID)
		if err != nil || !waits {
			return err
		}
		if time.Now().After(end) {
			fmt.Fprintln(w.stderr, "The homeserver has not heard of the device yet: it does once the server runs. "+
				"Until then it answers the token with 503.")
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// issue makes the token as the account page does.
func (c *common) issue(ctx context.Context, w world, d *db.DB, name string, b handlers.Bot) (handlers.Pair, error) {
	var err error
	if b.Account, err = d.User(ctx, name); err != nil {
		return handlers.Pair{}, err
	}
	master, err := c.prepareKeys(ctx, w, d)
	if err != nil {
		return handlers.Pair{}, err
	}
	server, err := handlers.New(ctx, handlers.Config{DB: d, ServerName: c.ServerName, Master: master,
		Metrics: handlers.NewMetrics(), Log: slog.New(slog.DiscardHandler), Now: time.Now, Random: rand.Reader})
	if err != nil {
		return handlers.Pair{}, err
	}
	defer server.Close()
	who := &handlers.Caller{Agent: db.ActorOf(ctx).Seen().Agent, Now: time.Now()}
	return server.IssueToken(handlers.WithCaller(ctx, who), b)
}

// refused says what to do when there is no token.
func (cmd *tokenIssue) refused(name string, err error) error {
	switch {
	case errors.Is(err, db.ErrDeviceTaken):
		return fmt.Errorf("%s has a session on the device %q, which a token does not replace; leave --device-id out, "+
			"or end that first with `postern session end --user %s --device %s`", name, cmd.DeviceID, name,
			shellWord(cmd.DeviceID))
	case errors.Is(err, handlers.ErrNotAdmin):
		return fmt.Errorf("%s is not an administrator, so this token would open nothing; `postern user admin %s on` "+
			"makes it one", name, name)
	case errors.Is(err, db.ErrFull):
		return fmt.Errorf("%s has as many tokens for bots as an account may have; `postern session list %s` shows "+
			"them, and `postern session end` ends those that nobody needs", name, name)
	case errors.Is(err, db.ErrLocked), errors.Is(err, db.ErrConflict):
		return fmt.Errorf("%s is deactivated or locked, or has changed in this moment; no token was made. "+
			"`postern user unlock %s` or `postern user reactivate %s` opens it", name, name, name)
	case errors.Is(err, tokens.ErrMalformed):
		return errors.New("these caveats are too long for a token; leave some out")
	}
	return err
}

// tellOpened says what a token opens, so that who made it sees a mistake before the bot does.
func tellOpened(w world, session db.Session, caveats []tokens.Caveat) {
	ends := "never ends"
	if !session.Expires.IsZero() {
		ends = "ends on " + when(session.Expires) + " UTC"
	}
	fmt.Fprintf(w.stderr, "The token is the device %s, and %s. It is not shown again. It\n",
		handlers.Printable(session.DeviceID), ends)
	opened := oauth.Opens(caveats)
	if session.Scope == db.ScopeAdmin {
		fmt.Fprintln(w.stderr, "  opens the admin API, and nothing else")
		opened = nil
	}
	for _, x := range opened {
		may := "may not"
		if x.Open {
			may = "may"
		}
		fmt.Fprintf(w.stderr, "  %-8s%s (%s %s)\n", may, strings.ToLower(x.Words()[:1])+x.Words()[1:], x.Method, x.Path)
	}
	for _, c := range caveats {
		if c.Key != "method" && c.Key != "path" || opened == nil {
			fmt.Fprintf(w.stderr, "  only while %s%s\n", c, inWords(c.String()))
		}
	}
}

// endOf reads when something ends; zero: never.
func endOf(text string, now time.Time) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	end := now
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		end = day.AddDate(0, 0, 1)
	} else if days, found := strings.CutSuffix(text, "d"); found {
		var n int
		if _, err := fmt.Sscanf(days+";", "%d;", &n); err == nil && n < 100*366 {
			end = now.AddDate(0, 0, n)
		}
	} else if life, err := time.ParseDuration(text); err == nil {
		end = now.Add(life)
	}
	if !end.After(now) || end.Year() > 9998 {
		return time.Time{}, fmt.Errorf("--expires %q is no time that is still to come; write it like 90d, 2027-06-30 "+
			"or never", text)
	}
	return end, nil
}
