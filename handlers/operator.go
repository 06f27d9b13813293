package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"postern/db"
)

// What operators do, in the ways that they have: the pages and the command line.

// Operator is the caller as events name them for what they do to the accounts of others: how they came, such as "desk:
// alice", and from where. The address is not one of the account's that an event is about, and its owner is not shown
// it: they read that whoever runs the server did it.
func (c *Caller) Operator(how string) *Caller {
	who := *c
	who.Agent, who.Addr = cameFrom(how)+c.Addr.String(), netip.Addr{}
	return &who
}

// cameFrom is how an operator came, before the address.
func cameFrom(how string) string { return how + ", from " }

// ByOperator reports whether an event is what an operator has done who came so.
func ByOperator(how string, e db.Event) bool {
	return e.Addr == "" && strings.HasPrefix(e.Agent, cameFrom(how))
}

// Untold is something that the homeserver has to be told still.
type Untold struct {
	Localpart, DeviceID string // without a device id: the account itself
	Since, Due          time.Time
	Tries               int
	Refused             bool   // the homeserver answered that it does not take it
	Error               string // of the last try
}

// Reactivate opens a deactivated account again, here and at the homeserver if there is one.
func (s *Server) Reactivate(ctx context.Context, localpart string) error {
	if s.Reopen != nil {
		return s.Reopen(ctx, localpart)
	}
	return s.DB.Reactivate(ctx, localpart)
}

// registrationToken is what a registration token may be. Client-Server API v1.19, "Token-authenticated registration".
var registrationToken = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

// IsRegistrationToken reports whether a text can be a registration token.
func IsRegistrationToken(text string) bool { return registrationToken.MatchString(text) }

// InvitationLink is where people make an account with a registration token, on the pages of a server at a public URL.
func InvitationLink(publicURL, token string) string {
	return strings.TrimSuffix(publicURL, "/") + RegisterPath + "?" + url.Values{"token": {token}}.Encode()
}

// GivenAddress is a mail address that an account has because an operator says that it is its owner's: it is as good as
// one that was shown by mail.
func GivenAddress(localpart, address string, now time.Time) db.Email {
	return db.Email{Address: address, Localpart: localpart, Validated: now, Added: now}
}

// Why GiveAddress gives none.
var (
	ErrClosed        = errors.New("the account is deactivated")
	ErrAddressesFull = fmt.Errorf("the account has %d mail addresses; it may have no more", db.MaxEmails)
)

// AddressTaken is the error of a mail address that another account has. It is for operators: to anybody else it would
// tell who has an account here.
type AddressTaken struct{ By string } // its localpart

// Error says whose it is.
func (e AddressTaken) Error() string { return e.By + " has this mail address" }

// GiveAddress binds a [GivenAddress]. One that the account has already stays as it is. Its errors are AddressTaken,
// ErrClosed, ErrAddressesFull and, if there is no such account, db.ErrNotFound.
func GiveAddress(ctx context.Context, d *db.DB, localpart, address string, now time.Time) error {
	err := d.AddEmail(ctx, GivenAddress(localpart, address, now))
	if !errors.Is(err, db.ErrConflict) {
		return err
	}
	return whyNoAddress(ctx, d, localpart, address)
}

func whyNoAddress(ctx context.Context, d *db.DB, localpart, address string) error {
	other, err := d.Email(ctx, address)
	switch {
	case err == nil && other.Localpart != localpart:
		return AddressTaken{other.Localpart}
	case err != nil && !errors.Is(err, db.ErrNotFound):
		return err
	}
	u, err := d.User(ctx, localpart)
	switch {
	case err != nil:
		return err
	case !u.Deactivated.IsZero():
		return ErrClosed
	}
	return ErrAddressesFull
}
