package handlers

import (
	"context"
	"errors"
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
	Once      string    // of mails of a kind that have the same one, one is sent; it can be read in the database
	Unsent    bool      // nobody gets it: it does what one does that is sent, so that whoever asks learns nothing
}

// The kinds of mails that are not events of package db.
const (
	MailVerify = "verify_address"
	MailReset  = "reset_password"
	MailKnown  = "address_known"
	MailNotice = "notice"
	MailTest   = "test"
)

// MailLink is the value that holds a secret: a mail with it is only sent if a server has sealed it.
const MailLink = "link"

// MailLife is how long a mail without a link is tried.
const MailLife = 3 * 24 * time.Hour

// MailLimits are for mails of one kind to one address, whoever asks for them: nobody can fill somebody's mailbox.
var MailLimits = []db.Limit{{Count: 5, In: time.Hour}, {Count: 10, In: 24 * time.Hour}}

// MailTarget is the target of deliveries to an [Address].
func MailTarget(address string) string { return "mailto:" + address }

// MailOn reports whether this server sends mail.
func (s *Server) MailOn() bool { return s.MailWaits != nil }

// SendMail queues a mail; once it returns, the mail is sent even if the server is killed. One too many to an address is
// not sent, and neither is one that was sent already: whoever asked for it is not told.
func (s *Server) SendMail(ctx context.Context, m Mail) error {
	now, once := s.Now(), m.Once
	if once == "" {
		var err error
		if once, err = s.randomID(16); err != nil {
			return err
		}
	}
	v := db.Delivery{ID: m.Kind + " " + once, Kind: m.Kind, Target: MailTarget(m.To), Localpart: m.Localpart,
		Language: m.Language, Created: now, Expires: m.Until, Unsent: m.Unsent}
	if m.Until.IsZero() {
		v.Expires = now.Add(MailLife)
	}
	v.Expires = v.Expires.Truncate(time.Millisecond) // as it is kept, and sealed
	row := db.Interaction{ID: v.ID, Expires: v.Expires}
	if err := s.Sealer().Seal(&row, m.Values); err != nil {
		return err
	}
	v.Sealed = row.Sealed
	switch err := s.DB.DeliverAtMost(ctx, v, MailLimits...); {
	case errors.Is(err, db.ErrConflict):
		return nil
	case errors.Is(err, db.ErrFull):
		s.Log.WarnContext(ctx, "there are too many mails of a kind to one address; this one is not sent",
			"kind", m.Kind, "domain", m.To[strings.LastIndex(m.To, "@")+1:], "user", m.Localpart)
		return nil
	case err != nil:
		return err
	}
	s.MailWaits()
	return nil
}
