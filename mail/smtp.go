package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"postern/db"
)

const (
	stepTimeout = 30 * time.Second // from the connection to EHLO, from there to the end of AUTH, and for one mail
	quitTimeout = 2 * time.Second
)

// SMTP is the [Transport] of mailto: targets. It keeps a session for the mails of a batch.
type SMTP struct {
	settings Settings
	letters  *Letters
	client   *gomail.Client
	session  *smtp.Client // nil: there is none

	mu   sync.Mutex
	conn net.Conn // below the session, or below one that is being begun
}

// NewSMTP makes the transport; letters write the mails.
func NewSMTP(s Settings, letters *Letters) (*SMTP, error) {
	x := &SMTP{settings: s, letters: letters}
	port, err := strconv.Atoi(s.Port)
	if err != nil {
		return nil, err
	}
	options := []gomail.Option{gomail.WithPort(port), gomail.WithDialContextFunc(x.dial),
		gomail.WithTLSConfig(s.tlsConfig()), gomail.WithoutSMTPUTF8(), gomail.WithTimeout(stepTimeout)}
	switch s.TLS {
	case TLSAtOnce:
		options = append(options, gomail.WithSSL())
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case StartTLSIfOffered:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.User != "" {
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(s.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	x.client, err = gomail.NewClient(s.Host, options...)
	return x, err
}

// dial keeps the connection, so that it can be closed whatever happens to the client above it.
func (x *SMTP) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	x.conn = conn
	x.mu.Unlock()
	if x.settings.TLS != TLSAtOnce {
		return conn, nil
	}
	secured := tls.Client(conn, x.settings.tlsConfig())
	return secured, secured.HandshakeContext(ctx)
}

// Send sends a mail by the session that there is, or by a new one.
func (x *SMTP) Send(ctx context.Context, v db.Delivery) error {
	letter, err := x.letters.Write(v)
	if err != nil {
		return err
	}
	if x.session != nil {
		if err = x.try(ctx, letter); !errors.Is(err, errStale) {
			return err
		}
	}
	if err = x.begin(ctx); err != nil {
		return &Away{fmt.Errorf("%s: %w", net.JoinHostPort(x.settings.Host, x.settings.Port), err)}
	}
	return x.try(ctx, letter)
}

// errStale says that the session cannot be used any more. Nothing was sent.
var errStale = errors.New("the server has ended the session")

// begin begins a session.
func (x *SMTP) begin(ctx context.Context) (err error) {
	defer context.AfterFunc(ctx, x.hangUp)()
	if x.session, err = x.client.DialToSMTPClientWithContext(ctx); err != nil {
		x.drop()
	}
	return err
}

// try sends a mail, and drops the session if it cannot be used any more.
func (x *SMTP) try(ctx context.Context, letter *gomail.Msg) error {
	defer context.AfterFunc(ctx, x.hangUp)()
	err := x.client.SendWithSMTPClient(x.session, letter)
	var failed *gomail.SendError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failed):
		x.drop()
		return &Away{err} // unreachable
	}
	code := failed.ErrorCode()
	err = errors.New(briefly(err.Error()))
	if code == 0 || code == closing {
		x.drop()
	}
	switch {
	case letter.IsDelivered():
		return nil // what has failed after that is of the next mail
	case failed.Reason == gomail.ErrConnCheck:
		return &Away{fmt.Errorf("%w: %w", errStale, err)}
	case code == closing, failed.Reason == gomail.ErrSMTPMailFrom:
		return &Away{err} // it is about us, not about the recipient
	case code >= 500:
		return &Refused{err}
	}
	return err
}

// briefly leaves out which mail an error is about: that stands beside it.
func briefly(words string) string {
	words, _, _ = strings.Cut(words, ", affected recipient")
	words, _, _ = strings.Cut(words, ", affected message")
	return words
}

// closing is the reply of a server that is about to close the connection. RFC 5321, section 3.8.
const closing = 421

// Rest ends the session.
func (x *SMTP) Rest() {
	if x.session == nil {
		return
	}
	x.mu.Lock()
	_ = x.conn.SetDeadline(time.Now().Add(quitTimeout)) // else closing it takes as long as the system thinks
	x.mu.Unlock()
	_ = x.session.Quit()
	x.drop()
}

// drop forgets the session.
func (x *SMTP) drop() {
	x.session = nil
	x.hangUp()
}

// hangUp closes the connection.
func (x *SMTP) hangUp() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.conn != nil {
		x.conn.Close()
	}
}
