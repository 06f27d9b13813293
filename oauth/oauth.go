// Package oauth is Matrix's OAuth 2.0 API: today's clients log in by a browser, refresh and log out by it.
// Client-Server API v1.19, "OAuth 2.0 API".
//
// # The same session, the same machine
//
// A session that begins here is one row like any other, with the client's id in it, and its pair is the same pair of
// macaroons. A refresh is the compare-and-swap of package db: everybody who races gets the same pair, a lost answer
// costs nothing, a replay logs the session out softly.
//
// # What is kept
//
// Little waits. A client's id is computed from its metadata, and the row under it exists once however often it
// registers. An authorization request stays in the browser's address until its owner agrees. The authorization code is
// sealed, not stored: it holds who agreed to what, and only that it was redeemed is remembered. So whoever leaves at
// any point leaves nothing behind, and a server that is killed at any point has a session with one pair, or none. A
// device that shows a code is one sealed row until its owner decides; a browser that is signed in is one row, which
// names the sessions that began in it for clients that are pages.
//
// # The pages
//
// A visit is one request of a browser, and an errand is what it came for: to let a client in (authorize.go), to connect
// a device (connect.go), to get a login token (sso.go), to look at the account (account.go). The visit knows how people
// sign in, by a password (visit.go), a second factor (second.go) or a passkey (passkeys.go), make an account and sign
// out; the errand knows who asks, and what comes next.
//
// # Laws
//
//   - A code that is redeemed again within moments, by who redeemed it first and before its tokens were used, gives the
//     same pair: the answer was lost. Any other second use ends the session softly and is in the events. RFC 6749,
//     section 4.1.2, wants every second use denied; this departs from it knowingly, and PKCE bounds it.
//   - An error says `invalid_grant` only when the session is over. What passes is 503 without a body: clients take any
//     error that they can read for the end.
//   - Nothing is sent to a redirect URI that the client has not registered.
//
// What it does not do: clients with secrets, OpenID Connect's id_token, and scopes but the one that Matrix has.
package oauth

import (
	"net/url"

	"postern/gen"
	"postern/handlers"
	"postern/oauth/passkey"
	"postern/oauth/protocol"
	"postern/oauth/rendezvous"
)

// API implements [handlers.OAuth] for a server.
type API struct {
	server *handlers.Server
	base   string // the server's public URL, without a slash at its end
	rules  protocol.Rules
	found  discovery
	party  *passkey.Party // nil: browsers make no passkeys for the server's address

	*rendezvous.Mailboxes
}

var _ handlers.OAuth = (*API)(nil)

// New makes the API of a server that knows its public URL; for [handlers.Config.OAuth]. It admits every client.
func New(server *handlers.Server) handlers.OAuth { return With(protocol.Rules{})(server) }

// With is New for a server with rules of its own.
func With(rules protocol.Rules) func(*handlers.Server) handlers.OAuth {
	return func(server *handlers.Server) handlers.OAuth {
		a := &API{server: server, base: server.PublicURL, rules: rules,
			Mailboxes: rendezvous.New(server, server.PublicURL)}
		if u, err := url.Parse(a.base); err == nil && u.Scheme == "http" {
			a.rules.Loopback = true // a workbench: the operator's flags allow that on loopback alone
		}
		a.found = a.discovery()
		a.party, _ = passkey.New(a.base, server.ServerName) // without a domain there are none, which the pages say
		return a
	}
}

// issuer names this server to clients. It ends in a slash, since some of them look for the metadata below it.
func (a *API) issuer() string { return a.base + "/" }

// Metadata are the server's. RFC 8414, section 2.
func (a *API) Metadata() gen.AuthMetadata {
	yes, account, device := true, a.base+handlers.AccountPath, a.base+DeviceAuthorizationPath
	prompts, actions := []string(nil), a.actions()
	if a.server.Registration != handlers.RegistrationClosed {
		prompts = []string{"create"}
	}
	return gen.AuthMetadata{
		Issuer:                a.issuer(),
		AuthorizationEndpoint: a.base + handlers.AuthorizePath,
		TokenEndpoint:         a.base + handlers.TokenPath,
		RevocationEndpoint:    a.base + handlers.RevokePath,
		RegistrationEndpoint:  a.base + handlers.RegistrationPath,

		DeviceAuthorizationEndpoint: &device,

		ResponseTypesSupported:        []string{"code"},
		ResponseModesSupported:        []string{protocol.ModeQuery, protocol.ModeFragment},
		GrantTypesSupported:           []string{protocol.GrantCode, protocol.GrantRefresh, protocol.GrantDevice},
		CodeChallengeMethodsSupported: []string{"S256"},

		TokenEndpointAuthMethodsSupported:          &[]string{"none"},
		PromptValuesSupported:                      optional(prompts),
		AuthorizationResponseIssParameterSupported: &yes,
		AccountManagementURI:                       &account,
		AccountManagementActionsSupported:          &actions,
	}
}

// optional is nil for a list without values: the field is left out.
func optional(list []string) *[]string {
	if list == nil {
		return nil
	}
	return &list
}
