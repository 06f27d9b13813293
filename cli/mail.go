package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/mail"
)

// mailCmds are about mail.
type mailCmds struct {
	Test  mailTest  `cmd:"" help:"Send one mail now, and print what the server says."`
	List  mailList  `cmd:"" help:"List what waits to be sent."`
	Retry mailRetry `cmd:"" help:"Try what waits again, now."`
}

type mailTest struct {
	mailFlags
	Address string `arg:"" help:"Whom to send it to."`
}

// Help is shown by `postern mail test --help`.
func (*mailTest) Help() string {
	return `It connects at once, not through the queue, and prints each line of both sides; the password is not
shown. The last line says whether the server has taken the mail, or what to look at. Give it the same
flags or environment as postern serve.

Examples:
  postern mail test me@example.org --smtp-url smtps://postern@mail.example.org --smtp-password-file smtp.password
  POSTERN_SMTP_URL=smtp://localhost:25 postern mail test me@example.org --mail-from matrix@example.org`
}

// Run sends it.
func (cmd *mailTest) Run(ctx context.Context, w world, c *common) error {
	problems := flagErrors(c.problems())
	s, wrong := cmd.settings(c.ServerName, w.getenv)
	problems.add(wrong...)
	to, err := handlers.Address(cmd.Address)
	if err != nil {
		problems.add(fmt.Errorf("%q: %w", cmd.Address, err))
	}
	if s == nil {
		problems.add(errors.New("there is no mail server; name it with --smtp-url, such as " +
			"smtp://postern@mail.example.org:587"))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	now := time.Now()
	err = mail.Try(ctx, *s, c.ServerName, db.Delivery{ID: "test " + rand.Text(), Kind: handlers.MailTest,
		Target: handlers.MailTarget(to), Sealed: []byte("{}"), Created: now, Expires: now.Add(time.Hour)},
		func(line string) { fmt.Fprintln(w.stdout, printableLines(line)) })
	if err != nil {
		return fmt.Errorf("the mail was not sent: %w", err)
	}
	fmt.Fprintf(w.stdout, "%s has taken the mail to %s\n", s.Host, to)
	return nil
}

type mailList struct{ listFlags }

// Help is shown by `postern mail list --help`.
func (*mailList) Help() string {
	return `The server tries by itself again: after a minute, then twice as long each time, up to four hours. A
mail with a link is given up when the link ends, others after three days.

Examples:
  postern mail list
  postern mail list --format json
  postern mail list --db /var/lib/postern/postern.db`
}

// maxListed bounds what is listed of a queue.
const maxListed = 1000

// shownDelivery is what waits to be sent, in JSON.
type shownDelivery struct {
	Kind      string `json:"kind"`
	Target    string `json:"target"`
	UserID    string `json:"user_id,omitempty"`
	Localpart string `json:"localpart,omitempty"`
	SinceTS   int64  `json:"since_ts"`
	Tries     int    `json:"tries"`
	NextTS    int64  `json:"next_ts"`
	Error     string `json:"last_error,omitempty"`
}

// Run lists what waits.
func (cmd *mailList) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		waiting, err := d.Deliveries(ctx, maxListed)
		if err != nil {
			return err
		}
		t := cmd.listing(w.stdout, "KIND TO USER SINCE TRIES NEXT LAST-ERROR")
		if len(waiting) == 0 && !t.json {
			fmt.Fprintln(w.stdout, "nothing waits")
			return nil
		}
		for _, v := range waiting {
			user := ""
			if v.Localpart != "" {
				user = string(handlers.NewUserID(v.Localpart, c.ServerName))
			}
			shown := shownDelivery{v.Kind, v.Target, user, v.Localpart, db.Millis(v.Created), v.Tries, db.Millis(v.Due),
				v.Error}
			if err := t.add(shown, v.Kind, strings.TrimPrefix(v.Target, "mailto:"), user, when(v.Created),
				strconv.Itoa(v.Tries), when(v.Due), v.Error); err != nil {
				return err
			}
		}
		return t.end()
	})
}

type mailRetry struct{}

// Help is shown by `postern mail retry --help`.
func (*mailRetry) Help() string {
	return `The server that runs tries within seconds.

Examples:
  postern mail retry`
}

// Run makes everything due.
func (cmd *mailRetry) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		if err := d.RetryDeliveries(ctx, time.Now()); err != nil {
			return err
		}
		n, _, err := d.WaitingDeliveries(ctx)
		if err == nil {
			fmt.Fprintf(w.stdout, "%s to be sent\n", plural(n, "message"))
		}
		return err
	})
}
