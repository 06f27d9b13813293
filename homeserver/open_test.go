package homeserver

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// unsecured are the operations of the Client-Server API v1.19 whose `security` is absent or optional.
const unsecured = `
GET /.well-known/matrix/client
GET /.well-known/matrix/policy_server
GET /.well-known/matrix/support
GET /_matrix/client/v1/auth_metadata
GET /_matrix/client/v1/register/m.login.registration_token/validity
GET /_matrix/client/v3/directory/list/room/%21x%3Aexample.org
GET /_matrix/client/v3/directory/room/%23a%2Fb%3Aexample.org
GET /_matrix/client/v3/login
GET /_matrix/client/v3/login/sso/redirect
GET /_matrix/client/v3/login/sso/redirect/oidc-x
GET /_matrix/client/v3/profile/@alice:example.org
GET /_matrix/client/v3/profile/@alice:example.org/displayname
GET /_matrix/client/v3/publicRooms
GET /_matrix/client/v3/register/available
GET /_matrix/client/versions
GET /_matrix/media/v3/download/example.org/x
GET /_matrix/media/v3/download/example.org/x/name.png
GET /_matrix/media/v3/thumbnail/example.org/x
POST /_matrix/client/v3/account/3pid/email/requestToken
POST /_matrix/client/v3/account/3pid/msisdn/requestToken
POST /_matrix/client/v3/account/deactivate
POST /_matrix/client/v3/account/password
POST /_matrix/client/v3/account/password/email/requestToken
POST /_matrix/client/v3/account/password/msisdn/requestToken
POST /_matrix/client/v3/login
POST /_matrix/client/v3/refresh
POST /_matrix/client/v3/register
POST /_matrix/client/v3/register/email/requestToken
POST /_matrix/client/v3/register/msisdn/requestToken`

// TestOpen: each operation that needs no token is either one of this server, which looks at none, or the homeserver's,
// and open.
func TestOpen(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	for request := range strings.SplitSeq(strings.TrimSpace(unsecured), "\n") {
		method, path, _ := strings.Cut(request, " ")
		op := s.gate.Operation(method, path, "")
		_, secured, own := s.server.Operation(method, path)
		switch {
		case strings.HasSuffix(path, "/deactivate"):
			// A stranger would have to prove who they are by mail, and a mail is good for a password alone.
			if op.Handler == nil || !secured {
				t.Errorf("%s is open: %+v", request, op)
			}
		case op.Handler != nil && (secured || !own), op.Handler == nil && !op.Open:
			t.Errorf("%s is answered only with a good token: %+v", request, op)
		}
	}
	for request, want := range map[string]bool{
		"GET /_matrix/client/r0/profile/x":      true,
		"HEAD /_matrix/client/api/v1/profile/x": true,
		"GET /_matrix/client/v1/media/config":   false,
		"PUT /_matrix/client/v3/profile/x/y":    false,
		"POST /_matrix/client/v3/publicRooms":   false,
		"GET /_matrix/client/v3/versions":       false, // there is no such operation
		"GET /profile/x":                        false,
		"GET /_matrix/client/v3/sync":           false,
		"GET /_matrix/media/v3/config":          false,
		"POST /_matrix/media/v3/upload":         false,
		"GET /_synapse/admin/v1/users":          false,
		// it has a token of its own kind
		"GET /_matrix/federation/v1/openid/userinfo":                           false,
		"GET /_matrix/client/v3/profile/x/y/z":                                 false,
		"POST /_matrix/client/v3/keys/query":                                   false,
		"GET /_matrix/client/v3/account/whoami":                                false,
		"POST /_matrix/client/v3/account/3pid/add":                             false,
		"GET /_matrix/client/v3/directory/room/a/b":                            false,
		"GET /_matrix/client/unstable/im.nheko.summary/rooms/%21x%3Ay/summary": true,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := needsNoToken(method, path); got != want {
			t.Errorf("%s is open: %v", request, got)
		}
	}
}

// TestExchangeOpen: where no token is needed, one that is not good is refused here, and not by the homeserver, which
// would refuse to answer; an application service's stays.
func TestExchangeOpen(t *testing.T) {
	t.Parallel()
	s := newSiteBefore(t)
	const path = "/_matrix/client/versions"
	token := s.loggedIn().Text("access_token")
	if sent, ours, ok, _ := s.exchange("GET", path, token); !ok || !ours || sent != token {
		t.Errorf("%v %v: a good token passes as %s", ok, ours, sent)
	}
	_, _, _, refusal := s.exchange("GET", path, "syt_other")
	s.want(refusal, 401, "M_UNKNOWN_TOKEN")
	sent, _, ok, _ := s.exchange("GET", "/_matrix/federation/v1/openid/userinfo", "openid")
	if !ok || sent != "openid" {
		t.Errorf("%v: another kind of token passes as %s", ok, sent)
	}
	bridged, _ := newSiteWithBridges(t)
	pass, err := bridged.gate.Exchange(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), path, ircToken)
	if err != nil || pass.Token != ircToken || !pass.Trusted || pass.Session != "" {
		t.Errorf("an application service's: %+v, %v", pass, err)
	}
}
