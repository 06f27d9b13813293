package front

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/test/rig/process"
)

// TestOAuth: a client of today signs in by the pages, before a real Synapse, and everything else goes to that with the
// token that it got.
func TestOAuth(t *testing.T) {
	t.Parallel()
	const public = "http://127.0.0.1:8448" // what the metadata say; the test goes to the real address
	s := newPair(t, "--oauth", "on", "--public-url", public)
	nobody := &person{pair: s}
	metadata := nobody.ok(t, "GET", "/_matrix/client/v1/auth_metadata", nil)
	if metadata["issuer"] != public+"/" || metadata["token_endpoint"] != public+"/oauth2/token" {
		t.Fatalf("the metadata are %v", metadata)
	}
	// By the versions that Synapse says a client takes the unstable path.
	for _, path := range []string{"/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
		"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		if diff := cmp.Diff(metadata, nobody.ok(t, "GET", path, nil)); diff != "" {
			t.Errorf("%s (-/v1/auth_metadata, +it):\n%s", path, diff)
		}
	}
	versions := nobody.ok(t, "GET", "/_matrix/client/versions", nil)
	list, _ := versions["versions"].([]any)
	drafts, _ := versions["unstable_features"].(map[string]any)
	if slices.Contains(list, any("v1.19")) || !slices.Contains(list, any("v1.11")) || len(drafts) < 20 {
		t.Errorf("the versions are not Synapse's: %v", versions)
	}
	if drafts["org.matrix.msc4108"] != true { // of which Synapse says false
		t.Errorf("nobody learns of the rendezvous: %v", drafts)
	}
	issuer := nobody.ok(t, "GET", "/_matrix/client/unstable/org.matrix.msc2965/auth_issuer", nil)
	if issuer["issuer"] != public+"/" || len(issuer) != 1 {
		t.Errorf("the issuer is %v", issuer)
	}
	s.ownsPages(t)
	s.ownsMailboxes(t)
	app := process.NewClient(1)
	defer app.Close()
	client, err := app.RegisterOAuth(t.Context(), s.Server.URL)
	must(t, err)
	code, err := app.Authorize(t.Context(), s.Server.URL, process.Consent{Client: client, Device: "OAUTHPHONE",
		User: "alice", Password: password})
	must(t, err)
	s.hs.Stop(t)
	var refused *process.Refusal
	if _, err := app.Redeem(t.Context(), s.Server.URL, client, code); !errors.As(err, &refused) || !refused.Passes {
		t.Errorf("while Synapse is away the code gives %v", err)
	}
	s.hs.Run(t)
	tokens, err := app.Redeem(t.Context(), s.Server.URL, client, code)
	must(t, err)
	alice := &person{s, tokens.Access, tokens.Refresh}
	alice.ok(t, "POST", "/_matrix/client/v3/createRoom", map[string]any{"preset": "private_chat"})
	keys := alice.ok(t, "POST", "/_matrix/client/v3/keys/upload", map[string]any{})
	if keys["one_time_key_counts"] == nil {
		t.Errorf("Synapse does not know the device: %v", keys)
	}
	must(t, app.Revoke(t.Context(), s.Server.URL, client, alice.refresh))
	alice.refused(t, "GET", syncing, 401, "M_UNKNOWN_TOKEN", false)
}

// ownsPages holds that what the OAuth 2.0 API has besides its metadata is Postern's, and not Synapse's.
func (s *pair) ownsPages(t *testing.T) {
	t.Helper()
	ask := func(method, path string) http.Header {
		r, err := http.NewRequestWithContext(t.Context(), method, s.Server.URL+path, nil)
		must(t, err)
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		must(t, answer.Body.Close())
		return answer.Header
	}
	for _, path := range []string{"/account", "/oauth2/device", "/oauth2/authorize"} {
		if h := ask("GET", path); h.Get("Content-Security-Policy") == "" || h.Get("Server") != "" ||
			h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s is not Postern's page: %v", path, h)
		}
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/registration",
		"/oauth2/device_authorization", "/_matrix/client/v1/auth_metadata", "/.well-known/openid-configuration"} {
		if h := ask("OPTIONS", path); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Server") != "" {
			t.Errorf("a client in a browser may not use %s: %v", path, h)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ownsMailboxes: devices that link each other meet here. Synapse has a rendezvous of its own, behind experimental
// settings, and says that it is off.
func (s *pair) ownsMailboxes(t *testing.T) {
	t.Helper()
	nobody := &person{pair: s}
	features, _ := nobody.ok(t, "GET", "/_matrix/client/versions", nil)["unstable_features"].(map[string]any)
	if features["org.matrix.msc4108"] != true || features["io.element.msc4388"] != true || len(features) < 10 {
		t.Errorf("the drafts are %v", features)
	}
	const mailboxes = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
	mailbox := nobody.ok(t, "POST", mailboxes, map[string]any{"data": "hello"})
	if read := nobody.ok(t, "GET", mailboxes+"/"+mailbox["id"].(string), nil); read["data"] != "hello" {
		t.Errorf("the mailbox holds %v", read)
	}
}
