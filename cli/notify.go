package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"postern/db"
	"postern/handlers"
	"postern/mail"
	"postern/notify"
)

// notifyFlags say where operators are told of events, as they were written.
type notifyFlags struct {
	Notify         []string `name:"notify" env:"POSTERN_NOTIFY" placeholder:"TARGET" help:"Tell operators of replays, floods, new administrators and what fails, at most once an hour of a kind: mailto:ops@example.org (needs --smtp-url) or https://hooks.example.org/…; may be repeated."`
	NotifyFile     string   `name:"notify-file" env:"POSTERN_NOTIFY_FILE" placeholder:"FILE" help:"File with more targets, one a line, for URLs that are secrets."`
	NotifySecret   string   `name:"notify-secret-file" env:"POSTERN_NOTIFY_SECRET_FILE" placeholder:"FILE" help:"File with the secret that signs webhooks (Standard Webhooks): whsec_ and 24 to 64 bytes in Base64."`
	NotifyInternal bool     `env:"POSTERN_NOTIFY_INTERNAL" help:"Let webhooks reach addresses of this machine and of networks of yours, and by http."`
}

// settings understands the flags, or tells everything that is wrong with them. What may be a secret is not repeated.
func (f *notifyFlags) settings(mails bool) (targets []notify.Target, hook notify.Webhook, problems flagErrors) {
	hook.Internal = f.NotifyInternal
	add := func(where, text string) {
		target, err := notify.ParseTarget(text, f.NotifyInternal)
		if err == nil && target.Mail != "" {
			if _, err = handlers.Address(target.Mail); err == nil && !mails {
				err = errors.New("a mail address needs --smtp-url, the server by which mail is sent")
			}
		}
		if err != nil {
			problems.add(fmt.Errorf("%s: %w", where, err))
			return
		}
		targets = append(targets, target)
	}
	for n, text := range f.Notify {
		add(fmt.Sprintf("--notify, number %d", n+1), text)
	}
	if f.NotifyFile != "" {
		text, err := os.ReadFile(f.NotifyFile)
		if err != nil {
			problems.add(fmt.Errorf("--notify-file: %w", err))
		}
		for n, line := range strings.Split(string(text), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				add(fmt.Sprintf("--notify-file %s, line %d", f.NotifyFile, n+1), line)
			}
		}
	}
	if f.NotifySecret != "" {
		text, err := os.ReadFile(f.NotifySecret)
		if err == nil {
			hook.Secret, err = notify.ParseSecret(string(text))
		}
		if err != nil {
			problems.add(fmt.Errorf("--notify-secret-file %s: %w", f.NotifySecret, err))
		}
	}
	return targets, hook, problems
}

type notifyCmds struct {
	Test notifyTest `cmd:"" help:"Send a notice that says that it is a test."`
}

type notifyTest struct {
	notifyFlags
	mailFlags
}

// Help is shown by `postern notify test --help`.
func (*notifyTest) Help() string {
	return `Give it the flags, or the environment, that serve has. It sends to each target at once, and not by the
queue, and says what the receiver answers. A URL is shown by its host and a digest.

Examples:
  postern notify test --notify https://hooks.example.org/services/T0000
  postern notify test --notify-file /etc/postern/notify --notify-secret-file /etc/postern/notify.secret
  postern notify test --notify http://127.0.0.1:9000/hook --notify-internal
  postern notify test --notify mailto:ops@example.org --smtp-url smtp://mail.example.org:587`
}

// Run sends to each target.
func (cmd *notifyTest) Run(ctx context.Context, w world, c *common) error {
	targets, hook, problems := cmd.notifyFlags.settings(cmd.SMTPURL != "")
	mails, wrong := cmd.mailFlags.settings(c.ServerName, w.getenv)
	if problems.add(wrong...); len(targets) == 0 && len(problems) == 0 {
		problems.add(errors.New("there is no target; name one with --notify or --notify-file"))
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	return c.existing(ctx, func(d *db.DB) error {
		n := notify.Notices{DB: d, ServerName: c.ServerName, Now: time.Now, Targets: targets, Webhook: hook}
		var failed flagErrors
		for _, target := range targets {
			send := n.Test
			if target.Mail != "" {
				send = func(ctx context.Context, t notify.Target) error { return testMail(ctx, *mails, n, t) }
			}
			if err := send(ctx, target); err != nil {
				failed.add(fmt.Errorf("%s: %w", target, err))
				continue
			}
			fmt.Fprintf(w.stdout, "%s: sent\n", target)
		}
		return errors.Join(failed...)
	})
}

// testMail sends a notice that is a test to a mail address.
func testMail(ctx context.Context, s mail.Settings, n notify.Notices, t notify.Target) error {
	what, text := n.TestMail()
	v, now := db.Delivery{ID: "notify/test/" + rand.Text(), Kind: notify.Kind, Target: t.String()}, n.Now()
	v.Created, v.Expires = now, now.Add(time.Hour)
	if err := setNotice(&v, what, text); err != nil {
		return err
	}
	return mail.Try(ctx, s, n.ServerName, v, func(string) {})
}

// setNotice has a delivery say what a mail to an operator does.
func setNotice(v *db.Delivery, what, text string) (err error) {
	v.Sealed, err = json.Marshal(map[string]string{"what": what, "text": text})
	return err
}
