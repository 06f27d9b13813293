package homeserver

import (
	"net/http"
	"path"
	"strings"
)

// Clients send their access token with whatever they ask, and some begin anew by asking what needs none: with a token
// that has expired, GET /versions would be refused to them for ever. So these operations are answered whatever token
// comes along. They are those of the Client-Server API v1.19 whose `security` is absent or optional, and those that
// Synapse answers a stranger. A name that is missing here costs a client with a bad token a refusal; one too many costs
// the homeserver a question, and the client is refused all the same.
//
// Synapse's allow_expired and allow_locked add no others: behind delegated authentication it asks for neither, and
// there are no guests.

// open are the methods and paths, `*` standing for one segment. Those of the client API are below any release.
var open = map[string][]string{
	http.MethodGet: {
		"/_matrix/client/versions", "/.well-known/matrix/*", "/health", "/_synapse/admin/v1/server_version",
		"/_matrix/key/v2/server", "/_matrix/key/v2/server/*", "/_matrix/key/v2/query/*",
		"/_matrix/federation/v1/version",
		"/_matrix/media/*/download/*/*", "/_matrix/media/*/download/*/*/*", "/_matrix/media/*/thumbnail/*/*",
		"directory/room/*", "directory/list/room/*", "publicRooms", "profile/*", "profile/*/*", "password_policy",
		"room_summary/*", "im.nheko.summary/summary/*", "im.nheko.summary/rooms/*/summary",
		"login/sso/redirect", "login/sso/redirect/*", "login/cas/redirect", "login/cas/ticket",
		"add_threepid/email/submit_token", "registration/*/submit_token", "account_validity/renew",
		"io.element.msc4388/rendezvous/*",
	},
	http.MethodPost: {
		"/_matrix/key/v2/query",
		"register/*/requestToken", "account/password/*/requestToken", "account/3pid/*/requestToken",
		"add_threepid/msisdn/submit_token", "org.matrix.msc4108/rendezvous",
		"org.matrix.msc4140/delayed_events/*", "org.matrix.msc4140/delayed_events/*/*",
	},
	http.MethodPut:    {"io.element.msc4388/rendezvous/*"},
	http.MethodDelete: {"io.element.msc4388/rendezvous/*"},
}

// needsNoToken reports whether the homeserver answers an operation without an access token. Path is as it came,
// escaped.
func needsNoToken(method, sent string) bool {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	below, found := strings.CutPrefix(sent, clientAPI)
	for _, release := range releases {
		if rest, released := strings.CutPrefix(below, release); found && released {
			sent = rest
			break
		}
	}
	for _, pattern := range open[method] {
		if prefix, _, _ := strings.Cut(pattern, "*"); strings.HasPrefix(sent, prefix) { // path.Match is slow
			if fits, _ := path.Match(pattern, sent); fits {
				return true
			}
		}
	}
	return false
}
