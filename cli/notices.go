package cli

import (
	"context"
	"errors"

	"postern/db"
	"postern/mail"
	"postern/notify"
)

// onEvent is what every process has written down with an event: what its owner and what operators are told of it.
func onEvent(owners *mail.Notices) func(*db.Tx, db.Event) error {
	operators := notify.OnEvent(owners.Wake)
	return func(t *db.Tx, e db.Event) error {
		if err := operators(t, e); err != nil {
			return err
		}
		return owners.OnEvent(t, e)
	}
}

// webhooks is the transport of notices to them.
type webhooks struct{ *notify.Notices }

// Send implements [mail.Transport].
func (w webhooks) Send(ctx context.Context, v db.Delivery) error {
	return forGood(w.Notices.Send(ctx, v))
}

// Rest implements [mail.Transport]. Each notice has a connection of its own.
func (webhooks) Rest() {}

// noticeMails is the transport of mails, of which notices are written when they are sent.
type noticeMails struct {
	mail.Transport
	notices *notify.Notices
}

// Send implements [mail.Transport].
func (m noticeMails) Send(ctx context.Context, v db.Delivery) error {
	if v.Kind == notify.Kind {
		what, text, err := m.notices.Mail(ctx, v)
		if err == nil {
			err = setNotice(&v, what, text)
		}
		if err != nil {
			return forGood(err)
		}
	}
	return m.Transport.Send(ctx, v)
}

// forGood says to the sender which error of a notice stays one.
func forGood(err error) error {
	if errors.Is(err, notify.ErrNoTarget) {
		return &mail.Refused{Err: err}
	}
	return err
}
