package mail

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"strings"

	"postern/handlers"
)

// Settings say by which server mail is sent, and in whose name.
type Settings struct {
	Host, Port     string
	TLS            string         // TLSAtOnce, StartTLS, StartTLSIfOffered or NoTLS
	User, Password string         // empty: the server asks for none
	Roots          *x509.CertPool // of certificates; nil: the system's
	From           mail.Address
	ReplyTo        string // empty: nobody reads what is answered
}

// How a connection is encrypted. The certificate is checked in each case.
const (
	TLSAtOnce         = "tls"      // smtps://
	StartTLS          = "required" // ?starttls=
	StartTLSIfOffered = "optional"
	NoTLS             = "off"
)

// ParseURL reads smtp://user@host:587?starttls=…&ca=FILE or smtps://…. The password is elsewhere, unless the URL is a
// secret: then it may be in there. No error holds it.
func ParseURL(text string, secret bool) (s Settings, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" ||
		strings.Trim(u.Path, "/") != "" {
		return s, errors.New("it is not the URL of a mail server; write it like smtp://postern@mail.example.org:587 " +
			"or smtps://postern@mail.example.org")
	}
	s = Settings{Host: u.Hostname(), Port: u.Port(), User: u.User.Username()}
	if u.Scheme == "smtps" {
		s.TLS = TLSAtOnce
	}
	if s.Port == "" {
		s.Port = map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
	}
	var has bool
	if s.Password, has = u.User.Password(); has && !secret {
		return s, errors.New("it holds a password, which others on this machine can see; put the password into a " +
			"file and name it with --smtp-password-file, or set the whole URL as POSTERN_SMTP_URL in the environment")
	}
	return s, s.options(u.Query())
}

// options understands what stands behind the question mark.
func (s *Settings) options(query url.Values) error {
	for name, values := range query {
		value := values[len(values)-1]
		switch {
		case name == "starttls" && s.TLS == TLSAtOnce:
			return errors.New("smtps:// is TLS from the first byte on; leave out starttls")
		case name == "starttls" && (value == StartTLS || value == StartTLSIfOffered || value == NoTLS):
			s.TLS = value
		case name == "starttls":
			return fmt.Errorf("starttls=%q is none of required, optional, off", value)
		case name == "ca":
			if err := s.trust(value); err != nil {
				return fmt.Errorf("ca: %w", err)
			}
		default:
			return fmt.Errorf("%q is none of starttls, ca", name)
		}
	}
	if s.TLS == "" {
		if s.TLS = StartTLS; loopback(s.Host) {
			s.TLS = NoTLS
		}
	}
	if s.User != "" && s.TLS != TLSAtOnce && s.TLS != StartTLS && !loopback(s.Host) {
		return fmt.Errorf("with starttls=%s the password could be read on the way; use starttls=required or smtps://",
			s.TLS)
	}
	return nil
}

// trust adds the certificates of a file to those of the system.
func (s *Settings) trust(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if s.Roots, err = x509.SystemCertPool(); err != nil {
		s.Roots = x509.NewCertPool()
	}
	if !s.Roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return nil
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// ParseFrom reads who mails are from: an address, or `Name <address>`. An empty text stands for postern@ the server
// name.
func ParseFrom(text, serverName string) (mail.Address, error) {
	if text == "" {
		host, _, _ := strings.Cut(serverName, ":")
		address, err := handlers.Address("postern@" + host)
		if err != nil || !strings.Contains(host, ".") || net.ParseIP(host) != nil {
			return mail.Address{}, fmt.Errorf("with the server name %s it needs saying; write it like "+
				"'Example <matrix@example.org>'", serverName)
		}
		return mail.Address{Name: serverName, Address: address}, nil
	}
	parsed, err := mail.ParseAddress(text)
	if err == nil {
		parsed.Address, err = handlers.Address(parsed.Address)
	}
	if err != nil {
		return mail.Address{}, fmt.Errorf("%q is not a mail address; write it like matrix@example.org or "+
			"'Example <matrix@example.org>'", text)
	}
	parsed.Name = handlers.Printable(parsed.Name)
	return *parsed, nil
}

// tlsConfig checks the certificate for the host's name.
func (s Settings) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
}
