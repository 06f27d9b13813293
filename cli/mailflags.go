package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"postern/db"
	"postern/handlers"
	"postern/mail"
	"postern/notify"
)

// mailFlags say by which server mail is sent, as they were written.
type mailFlags struct {
	SMTPURL          string `name:"smtp-url" env:"POSTERN_SMTP_URL" placeholder:"URL" help:"Server by which mail is sent: smtp://user@host:587 (STARTTLS) or smtps://user@host:465; with ?starttls=optional or off, and ?ca=FILE for an authority of your own. Without it there is no mail."`
	SMTPPasswordFile string `name:"smtp-password-file" env:"POSTERN_SMTP_PASSWORD_FILE" placeholder:"FILE" help:"File with the password at that server."`
	MailFrom         string `name:"mail-from" env:"POSTERN_MAIL_FROM" placeholder:"ADDRESS" help:"Who mails are from, such as 'Example <matrix@example.org>'; by default postern@ the server name."`
	MailReplyTo      string `name:"mail-reply-to" env:"POSTERN_MAIL_REPLY_TO" placeholder:"ADDRESS" help:"Who reads what people answer; by default nobody."`
}

// settings understands the flags, or reports everything that is wrong with them. Without a server it gives nil.
func (f *mailFlags) settings(serverName string, getenv func(string) string) (*mail.Settings, []error) {
	var problems flagErrors
	if f.SMTPURL == "" {
		if f.SMTPPasswordFile != "" || f.MailFrom != "" || f.MailReplyTo != "" {
			problems.add(errors.New("--smtp-password-file, --mail-from and --mail-reply-to need --smtp-url, the " +
				"server by which mail is sent"))
		}
		return nil, problems
	}
	s, err := mail.ParseURL(f.SMTPURL, f.SMTPURL == getenv("POSTERN_SMTP_URL"))
	if err != nil {
		problems.add(fmt.Errorf("--smtp-url: %w", err))
	}
	problems.add(f.password(&s))
	if s.From, err = mail.ParseFrom(f.MailFrom, serverName); err != nil {
		problems.add(fmt.Errorf("--mail-from: %w", err))
	}
	if f.MailReplyTo != "" {
		if s.ReplyTo, err = handlers.Address(f.MailReplyTo); err != nil {
			problems.add(fmt.Errorf("--mail-reply-to: %w", err))
		}
	}
	return &s, problems
}

// password reads the file, if there is one.
func (f *mailFlags) password(s *mail.Settings) error {
	if f.SMTPPasswordFile == "" {
		if s.User != "" && s.Password == "" {
			return errors.New("--smtp-url names a user; put the password into a file and name it with " +
				"--smtp-password-file")
		}
		return nil
	}
	text, err := os.ReadFile(f.SMTPPasswordFile)
	switch {
	case err != nil:
		return fmt.Errorf("--smtp-password-file: %w", err)
	case s.Password != "":
		return errors.New("POSTERN_SMTP_URL holds a password, and --smtp-password-file names another; leave out one")
	case s.User == "" && s.Host != "":
		return errors.New("--smtp-password-file needs a user in --smtp-url, such as " +
			"smtp://postern@mail.example.org:587")
	}
	s.Password = string(bytes.TrimRight(text, "\r\n"))
	return nil
}

// mailing is the mail of a server.
type mailing struct {
	mail    *mail.Settings // nil: there is none
	notices *mail.Notices
	only    bool            // no other server runs on the same SQLite file
	targets []notify.Target // where operators are told
	webhook notify.Webhook
}

// start begins to send what waits, and sees to it that more is queued; without settings, that nothing is. Stop ends the
// sending.
func (m mailing) start(ctx context.Context, server *handlers.Server) (stop func(), err error) {
	c := server.Config
	if err := notify.Keep(ctx, c.DB, m.targets); err != nil {
		return nil, err
	}
	changed, err := mail.Enable(ctx, c.DB, m.mail != nil)
	if err != nil {
		return nil, err
	}
	if changed && m.mail == nil {
		c.Log.Warn("without --smtp-url nobody gets mail any more; what waits is sent by a start with it, if that " +
			"is soon")
	}
	transports, err := m.transports(server)
	if err != nil || len(transports) == 0 {
		return func() {}, err
	}
	var counted db.To // all, if there is more than one
	for to := range transports {
		if len(transports) == 1 {
			counted = to
		}
	}
	collectors, sent := mail.Metrics(c.DB, counted, c.Now)
	c.Metrics.Register(collectors...)
	var senders []*mail.Sender
	for to, transport := range transports {
		senders = append(senders, mail.New(mail.Config{DB: c.DB, To: to, Transport: transport, News: m.notices.News(),
			Log: c.Log, Now: c.Now, Only: m.only, Sent: sent}))
		senders[len(senders)-1].Start()
	}
	return func() { closeAll(senders) }, nil
}

// closeAll closes senders, all at the same time.
func closeAll(senders []*mail.Sender) {
	var closing sync.WaitGroup
	for _, s := range senders {
		closing.Go(s.Close)
	}
	closing.Wait()
}

// transports are those of the targets that there may be.
func (m mailing) transports(server *handlers.Server) (map[db.To]mail.Transport, error) {
	c, all := server.Config, make(map[db.To]mail.Transport)
	notices := &notify.Notices{DB: c.DB, ServerName: c.ServerName, Now: c.Now, Targets: m.targets, Webhook: m.webhook}
	if c.OAuth != nil && c.PublicURL != "" {
		notices.Desk = c.PublicURL + handlers.DeskPath
	}
	if len(m.targets) > 0 {
		all[notify.Webhooks] = webhooks{notices}
	}
	if m.mail == nil {
		return all, nil
	}
	smtp, err := mail.NewSMTP(*m.mail, &mail.Letters{ServerName: c.ServerName, From: m.mail.From,
		ReplyTo: m.mail.ReplyTo, Unseal: server.Sealer().Unseal})
	all[mail.Mails] = noticeMails{smtp, notices}
	return all, err
}
