package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/mail"
	"postern/notify"
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
mail with a link is given up when the link ends, others after three days. A summary of what happens in
an hour is planned for its end.

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
		waiting, err := d.Deliveries(ctx, time.Now(), maxListed)
		if err == nil && slices.ContainsFunc(waiting, func(v db.Delivery) bool { return isMail(v.Target) }) {
			err = warnOfNoMail(ctx, w, d)
		}
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
			next := when(v.Due)
			if v.Planned() {
				next = "summary, at " + next
			}
			t.add(shown, v.Kind, short(strings.TrimPrefix(v.Target, string(mail.Mails))), short(user),
				when(v.Created), strconv.Itoa(v.Tries), next, v.Error)
		}
		return t.end(nil)
	})
}

// maxCell bounds an address in a list, in runes. In JSON it is whole.
const maxCell = 60

// short is a text of that length at most.
func short(text string) string {
	if runes := []rune(text); len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return text
}

func isMail(target string) bool { return strings.HasPrefix(target, string(mail.Mails)) }

// warnOfNoMail says so if no server sends mail now.
func warnOfNoMail(ctx context.Context, w world, d *db.DB) error {
	on, err := mail.Enabled(ctx, d)
	if err == nil && !on {
		fmt.Fprintln(w.stderr, "The server sends no mail now: it runs without --smtp-url. Mails that wait are sent "+
			"by a start with it, unless they have expired by then.")
	}
	return err
}

type mailRetry struct{}

// Help is shown by `postern mail retry --help`.
func (*mailRetry) Help() string {
	return `The server that runs tries within seconds. What is planned for later, such as a summary of an hour, is
sent at its time.

Examples:
  postern mail retry`
}

// Run makes everything due.
func (cmd *mailRetry) Run(ctx context.Context, w world, c *common) error {
	return c.existing(ctx, func(d *db.DB) error {
		on, err := mail.Enabled(ctx, d)
		if err != nil {
			return err
		}
		var sendable db.To // all
		if !on {
			sendable = notify.Webhooks
		}
		now := time.Now()
		if err := d.RetryDeliveries(ctx, sendable, now); err != nil {
			return err
		}
		n, _, err := d.WaitingDeliveries(ctx, sendable, now)
		if err != nil {
			return err
		}
		fmt.Fprintf(w.stdout, "%s to be sent\n", plural(n, "message"))
		if mails, _, err := d.WaitingDeliveries(ctx, mail.Mails, now); mails == 0 || err != nil {
			return err
		}
		return warnOfNoMail(ctx, w, d)
	})
}
