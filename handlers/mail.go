package handlers

import (
	"context"
	"strings"
	"time"

	"postern/db"
)

// Mail is one that somebody has asked for, or that tells of what has happened. It is queued in the database, and sent
// by package mail, which has the texts. Every mail names the account, if it is about one, and this server.
//
//	Kind           its values                    who gets it
//	verify_address link                          an address that its owner is to show
//	reset_password link                          an address of the account
//	app_address    link, from                    the same, when an app has asked
//	app_password   link, from                    an address of the account, when an app has asked
//	address_known  none                          an address that somebody wants to use, and an account has
//	new_device, approved, …                      each address of the account: package mail, by the event itself
//	notice         what, text (of several lines) an operator
//	test                                         whom an operator names
type Mail struct {
	Kind      string
	To        string // an [Address]
	Localpart string // of the account; empty: it is about none
	Language  string // such as "de"; empty: English
	Values    map[string]string
	Until     time.Time // its link's end: it is not sent later; zero: three days
	Unsent    bool      // nobody gets it: it does what one does that is sent, so that whoever asks learns nothing
}

// The kinds of mails that are not events of package db.
const (
	MailVerify    = "verify_address"
	MailReset     = "reset_password"
	MailAppVerify = "app_address"
	MailAppReset  = "app_password"
	MailKnown     = "address_known"
	MailNotice    = "notice"
	MailTest      = "test"
)

// MailLink is the value that holds a secret: a mail with it is only sent if a server has sealed it.
const MailLink = "link"

// MailFrom is the value that says from which network something was asked for or done.
const MailFrom = "from"

// MailLife is how long a mail without a link is tried.
const MailLife = 3 * 24 * time.Hour

// MailLimits are for mails of one kind that somebody asks for. Whoever asks, one mailbox gets few: nobody can fill it.
// One network alone gets fewer sent there, so that a stranger does not use up those of the owner. And this server sends
// so many in all: it is no cannon, even for somebody who has many networks.
var MailLimits = []db.Limit{{Count: 5, In: time.Hour}, {Count: 10, In: 24 * time.Hour},
	{Count: 3, In: time.Hour, Of: db.ByAsker}, {Count: 6, In: 24 * time.Hour, Of: db.ByAsker},
	{Count: 300, In: time.Hour, Of: db.Requested}}

// MailTarget is the target of deliveries to an [Address].
func MailTarget(address string) string { return "mailto:" + address }

// MailOn reports whether this server sends mail.
func (s *Server) MailOn() bool { return s.MailWaits != nil }

// SendMail queues a mail that somebody has asked for; once it returns, the mail is sent even if the server is killed.
// One too many is not sent: whoever asked for it is not told.
func (s *Server) SendMail(ctx context.Context, m Mail) error { return s.sendAbout(ctx, m, nil) }

// sendAbout queues a mail and, in the same transaction, keeps the interaction that it is about, if it is about one.
// Whether the mail is sent or not, as much is written, and the sender is woken. [db.ErrConflict] if the interaction is
// not as it was.
func (s *Server) sendAbout(ctx context.Context, m Mail, about *db.Asked) error {
	v, err := s.delivery(ctx, m)
	if err != nil {
		return err
	}
	full, err := s.DB.DeliverAsked(ctx, v, about, MailLimits...)
	if err != nil {
		return err
	}
	if full {
		s.Log.WarnContext(ctx, "there are too many mails of a kind, to one address or in all; this one is not sent",
			"kind", m.Kind, "domain", m.To[strings.LastIndex(m.To, "@")+1:], "user", m.Localpart)
	}
	s.MailWaits()
	return nil
}

// delivery is what is written of a mail.
func (s *Server) delivery(ctx context.Context, m Mail) (v db.Delivery, err error) {
	now := s.Now()
	id, err := s.randomID(16)
	if err != nil {
		return v, err
	}
	v = db.Delivery{ID: m.Kind + " " + id, Kind: m.Kind, Target: MailTarget(m.To), Localpart: m.Localpart,
		Language: m.Language, Created: now, Expires: m.Until, Unsent: m.Unsent}
	if m.Until.IsZero() {
		v.Expires = now.Add(MailLife)
	}
	v.Expires = v.Expires.Truncate(time.Millisecond) // as it is kept, and sealed
	if v.Counted, err = s.Master.Mark("mails to " + mailbox(m.To)); err != nil {
		return v, err
	}
	if v.Asker, err = s.Master.Mark("mails asked for by " + network(CallerOf(ctx).Addr)); err != nil {
		return v, err
	}
	row := db.Interaction{ID: v.ID, Expires: v.Expires}
	err = s.Sealer().Seal(&row, m.Values)
	v.Sealed = row.Sealed
	return v, err
}

// mailbox is where the mail to an [Address] arrives at many a provider, whatever stands behind a plus.
func mailbox(address string) string {
	at := strings.LastIndex(address, "@")
	if plus := strings.Index(address, "+"); plus > 0 && plus < at {
		return address[:plus] + address[at:]
	}
	return address
}
