package mail

import (
	"context"
	"fmt"
	"strings"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/log"

	"postern/db"
)

// Try sends a mail at once and says each line of both sides, without the password.
func Try(ctx context.Context, s Settings, serverName string, v db.Delivery, say func(line string)) error {
	x, err := NewSMTP(s, &Letters{ServerName: serverName, From: s.From, ReplyTo: s.ReplyTo})
	if err != nil {
		return err
	}
	say(fmt.Sprintf("connecting to %s, port %s; encryption: %s", s.Host, s.Port, s.TLS))
	for _, set := range []gomail.Option{gomail.WithLogger(heard(say)), gomail.WithDebugLog()} {
		if err := set(x.client); err != nil {
			return err
		}
	}
	defer x.Rest()
	return x.Send(ctx, v)
}

// heard prints what both sides say.
type heard func(line string)

// Debugf implements [log.Logger].
func (h heard) Debugf(l log.Log) {
	mark := "<- "
	if l.Direction == log.DirClientToServer {
		mark = "-> "
	}
	for line := range strings.Lines(fmt.Sprintf(l.Format, l.Messages...)) {
		h(mark + strings.TrimRight(line, "\r\n"))
	}
}

// Infof implements [log.Logger].
func (h heard) Infof(l log.Log) { h.Debugf(l) }

// Warnf implements [log.Logger].
func (h heard) Warnf(l log.Log) { h.Debugf(l) }

// Errorf implements [log.Logger].
func (h heard) Errorf(l log.Log) { h.Debugf(l) }
