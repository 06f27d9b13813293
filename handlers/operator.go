package handlers

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// What operators do, in the ways that they have: the pages and the command line.

// Operator is the caller as events name them for what they do to the accounts of others: how they came, such as "desk:
// alice", and from where. The address is not one of the account's that an event is about, and its owner is not shown
// it: they read that whoever runs the server did it.
func (c *Caller) Operator(how string) *Caller {
	who := *c
	who.Agent, who.Addr = fmt.Sprintf("%s, from %s", how, c.Addr), netip.Addr{}
	return &who
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
