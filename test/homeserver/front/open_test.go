package front

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"postern/test/rig/synapse"
)

// opened are operations that Synapse answers a stranger, as `M_MISSING_TOKEN` shows that it does not others.
var opened = []string{
	"GET /_matrix/client/versions", "GET /.well-known/matrix/client", "GET /.well-known/matrix/server",
	"GET /_matrix/client/v3/profile/@alice:" + synapse.ServerName,
	"GET /_matrix/client/r0/profile/@alice:" + synapse.ServerName + "/displayname",
	"GET /_matrix/client/v3/directory/room/%23x%3A" + synapse.ServerName,
	"GET /_matrix/client/v3/directory/list/room/!x:" + synapse.ServerName,
	"GET /_matrix/client/v1/room_summary/!x:" + synapse.ServerName,
	"GET /_matrix/client/v3/password_policy", "GET /_matrix/client/v3/login/sso/redirect",
	"GET /_matrix/media/v3/download/" + synapse.ServerName + "/x",
	"GET /_matrix/media/v3/thumbnail/" + synapse.ServerName + "/x?width=1&height=1",
	"GET /_matrix/key/v2/server", "GET /_matrix/federation/v1/version", "GET /_synapse/admin/v1/server_version",
	"POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/x/send",
	"POST /_matrix/client/v3/account/password/email/requestToken",
	"POST /_matrix/client/v3/register/msisdn/requestToken",
	"POST /_matrix/client/v3/account/3pid/email/requestToken",
	// these are Postern's
	"GET /_matrix/client/v3/login", "POST /_matrix/client/v3/login", "POST /_matrix/client/r0/refresh",
	"POST /_matrix/client/v3/register", "GET /_matrix/client/v3/register/available?username=x",
	"GET /_matrix/client/v1/auth_metadata", "GET /health",
	"GET /_matrix/client/v1/register/m.login.registration_token/validity?token=x",
}

// TestOpen: what needs no token is answered whatever token comes along, and just as without one.
func TestOpen(t *testing.T) {
	t.Parallel()
	s := newPair(t, "--expose-admin")
	bad := map[string]string{
		"ended":   s.login(t, "alice", "GONE").access,
		"locked":  s.login(t, "bob", "LOCKED").access,
		"unknown": "syt_YWxpY2U_x_y",
		"empty":   " ",
	}
	synapse.Call(t, "POST", s.Server.URL+"/_matrix/client/v3/logout", bad["ended"], nil)
	s.Run(t, "", "user", "lock", "bob")
	for _, request := range opened {
		plain := s.asked(t, request, "")
		if strings.Contains(plain, "M_MISSING_TOKEN") {
			t.Errorf("%s needs a token: %s", request, plain)
		}
		for why, token := range bad {
			if got := s.asked(t, request, token); got != plain {
				t.Errorf("%s with a token that is %s answers %s, want %s", request, why, got, plain)
			}
		}
	}
	// By default Synapse shows nobody the list of rooms who has no token. That is no reason to forget a session.
	const rooms = "GET /_matrix/client/v3/publicRooms"
	if got := s.asked(t, rooms, bad["locked"]); !strings.Contains(got, "M_USER_LOCKED") {
		t.Errorf("the locked hear %s", got)
	}
	if got := s.asked(t, rooms, ""); !strings.Contains(got, "M_MISSING_TOKEN") {
		t.Errorf("a stranger hears %s", got)
	}
	s.Run(t, "", "user", "unlock", "bob")
	bob := &person{s, bad["locked"], ""}
	bob.ok(t, "GET", "/_matrix/client/versions", nil)
	bob.ok(t, "GET", rooms[4:], nil)
}

// varies are what two answers to the same request differ in.
var varies = regexp.MustCompile(`"(session|valid_until_ts|ed25519:[^"]*)":("[^"]*"|\d+)`)

// asked is the answer to a request with an empty object as its body.
func (s *pair) asked(t *testing.T, request, token string) string {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, s.Server.URL+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.Status + " " + varies.ReplaceAllString(string(text), "")
}
