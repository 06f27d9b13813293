package handlers

import (
	"cmp"
	"context"
	"errors"
	"time"

	"postern/db"
)

// EmailsPage is the page of an account's mail addresses, where a link leads that shows one.
const EmailsPage = AccountPath + "?action=emails"

// mailRate is how many mails an address may ask for, and an account: fewer than it may guess passwords, since each is
// written down, and may bother somebody. An operator may allow still fewer of both.
func mailRate(r Rate) Rate {
	mails := Rate{Count: 10, Period: 10 * time.Minute}
	if r.Count == 0 || r.Period/time.Duration(r.Count) > mails.Period/time.Duration(mails.Count) {
		return r
	}
	return mails
}

// CountMail counts somebody who asks for a mail on a page: by their address and, if they are signed in, by their
// account.
func (s *Server) CountMail(ctx context.Context, localpart string) error {
	return s.traceOnPage(ctx, rateLimited, localpart, s.countMail(ctx, localpart))
}

// countMail is CountMail for an operation of the API, whose error leaves its trace by itself: see logRefusal.
func (s *Server) countMail(ctx context.Context, localpart string) error {
	who := CallerOf(ctx)
	err := s.mails.takeAddress(who.Addr, who.Now)
	if err == nil && localpart != "" {
		err = s.mails.takeAccount(localpart, who.Now)
	}
	return err
}

// AskRecovery mails a link to choose a new password to the owner of the account that somebody means, by its name or one
// of its mail addresses. If there is none, or it has no address or is locked, the same is done for nobody: as much is
// read, sealed and written, and as much of it in a time.
func (s *Server) AskRecovery(ctx context.Context, typed, language string) error {
	if err := s.CountMail(ctx, ""); err != nil {
		return err
	}
	nobody, err := s.nobody(typed)
	if err != nil {
		return err
	}
	account, to, err := s.recoverable(ctx, typed)
	if err != nil {
		return err
	}
	unsent := to.Address == ""
	if unsent {
		to.Address = nobody
	}
	until := s.Now().Add(MailedLinkLife)
	made, err := s.linkTo(RecoverPath+"?", resetLink, account, to.Address, until)
	if err != nil {
		return err
	}
	return s.SendMail(ctx, Mail{Kind: MailReset, To: to.Address, Localpart: account.Localpart, Until: until,
		Language: cmp.Or(to.Language, language), Values: map[string]string{MailLink: made}, Unsent: unsent})
}

// nobody stands for the address of a mail that is not sent ([Mail.Unsent]), since no account has what was typed. What
// was typed cannot be read in it.
func (s *Server) nobody(typed string) (string, error) {
	return s.Master.Mark("nobody's address " + db.Clip(typed, maxAddress))
}

// recoverable finds an account that can be recovered, and where its owner is written to: at the address that was typed
// or, if it was the account's name, at its first one. It takes two reads. Both are empty if there is none.
func (s *Server) recoverable(ctx context.Context, typed string) (account db.User, to db.Email, err error) {
	if address, none := Address(typed); none == nil {
		to, err = s.DB.Email(ctx, address)
		if err == nil || errors.Is(err, db.ErrNotFound) {
			account, err = s.DB.User(ctx, to.Localpart)
		}
	} else {
		account, err = Find(ctx, s.DB, typed, s.ServerName)
		if err == nil || errors.Is(err, db.ErrNotFound) {
			var all []db.Email
			var failed error
			if all, failed = s.DB.Emails(ctx, account.Localpart); len(all) > 0 {
				to = all[0]
			}
			err = cmp.Or(failed, err)
		}
	}
	switch {
	case errors.Is(err, db.ErrNotFound), err == nil && (!account.Locked.IsZero() || !account.Deactivated.IsZero()):
		return db.User{}, db.Email{}, nil
	}
	return account, to, err
}

// AskAddress mails a link to an address that somebody says is theirs, for [Server.BindAddress]. Whether it is another
// account's already is only told to whoever reads its mail.
func (s *Server) AskAddress(ctx context.Context, account db.User, address, language string) error {
	until := s.Now().Add(AddressLinkLife)
	made, err := s.linkTo(EmailsPage+"&", addressLink, account, address, until)
	if err != nil {
		return err
	}
	return s.SendMail(ctx, Mail{Kind: MailVerify, To: address, Localpart: account.Localpart, Until: until,
		Language: language, Values: map[string]string{MailLink: made}})
}

// LinkedAddress is the address that a link shows, and the account that it is to be bound to; else [ErrLinkOver].
func (s *Server) LinkedAddress(ctx context.Context, text string) (address string, account db.User, err error) {
	l, account, err := s.openLink(ctx, addressLink, text, s.DB.User)
	return l.Address, account, err
}

// WaitingAddress is [Server.LinkedAddress] of an account that waits for approval.
func (s *Server) WaitingAddress(ctx context.Context, text string) (address string, account db.User, err error) {
	l, account, err := s.openLink(ctx, addressLink, text, s.WaitingNamed)
	return l.Address, account, err
}

// ShowWaiting has an account wait with the address of a link: it has it once it is approved, and its owner hears of
// that there. Nobody can sign in to it yet, so whoever reads the address's mail decides alone, about an account that
// the caller has named to them. [ErrLinkOver], also if the account is approved by now: then BindAddress is for the
// link; [db.ErrConflict] if another account has the address.
func (s *Server) ShowWaiting(ctx context.Context, text, language string) error {
	l, account, err := s.openLink(ctx, addressLink, text, s.WaitingNamed)
	if err != nil {
		return err
	}
	now := s.Now()
	err = s.DB.WriteFor(ctx, l.Localpart, func(t *db.Tx) error {
		err := t.ShowWaiting(db.Email{Address: l.Address, Localpart: l.Localpart, Validated: now, Language: language},
			account.PasswordHash)
		if err == nil {
			err = t.Spend(l.spent(), now, l.expires)
		}
		return err
	})
	switch {
	case errors.Is(err, db.ErrTokenSpent): // the form was sent twice
		return nil
	case errors.Is(err, db.ErrNotFound):
		return ErrLinkOver
	}
	return err
}

// BindAddress binds the address of a link to the account that has asked for it, once. The caller has made sure that the
// owner of that account is who has opened the link: so nobody gets an address whose mail they do not read, and nobody
// can make somebody else bind one that is not theirs. [ErrLinkOver]; [db.ErrConflict] as [db.DB.AddEmail] says, and
// then the link is over as well.
func (s *Server) BindAddress(ctx context.Context, account db.User, text, language string) error {
	l, owner, err := s.openLink(ctx, addressLink, text, s.DB.User)
	if err == nil && owner.Localpart != account.Localpart {
		err = ErrLinkOver
	}
	if err != nil {
		return err
	}
	now := s.Now()
	err = s.DB.WriteFor(ctx, l.Localpart, func(t *db.Tx) error {
		if err := t.Spend(l.spent(), now, l.expires); err != nil {
			return err
		}
		bound, err := t.AddEmail(db.Email{Address: l.Address, Localpart: l.Localpart, Validated: now, Added: now,
			Language: language})
		if err == nil && !bound {
			err = db.ErrConflict
		}
		return err
	})
	if errors.Is(err, db.ErrTokenSpent) {
		if has, _ := s.hasEmail(ctx, l.Localpart, l.Address); has {
			return nil // the form was sent twice
		}
		err = ErrLinkOver
	}
	return err
}
