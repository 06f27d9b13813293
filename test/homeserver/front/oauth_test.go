package front

import (
	"testing"

	"postern/test/rig/process"
)

// TestOAuth: a client of today signs in by the pages, before a real Synapse, and everything else goes to that with the
// token that it got.
func TestOAuth(t *testing.T) {
	t.Parallel()
	const public = "http://127.0.0.1:8448" // what the metadata say; the test goes to the real address
	s := newPair(t, "--oauth", "on", "--public-url", public)
	nobody := &person{pair: s}
	metadata := nobody.ok(t, "GET", "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata", nil)
	if metadata["issuer"] != public+"/" || metadata["token_endpoint"] != public+"/oauth2/token" {
		t.Fatalf("the metadata are %v", metadata)
	}
	both := nobody.ok(t, "GET", "/.well-known/openid-configuration", nil)
	if both["introspection_endpoint"] == nil || both["token_endpoint"] != metadata["token_endpoint"] {
		t.Errorf("what Synapse and older clients read is %v", both)
	}
	issuer := nobody.ok(t, "GET", "/_matrix/client/unstable/org.matrix.msc2965/auth_issuer", nil)
	if issuer["issuer"] != public+"/" || len(issuer) != 1 {
		t.Errorf("the issuer is %v", issuer)
	}
	// Synapse has a rendezvous of its own, behind experimental settings, and says that it is off.
	features, _ := nobody.ok(t, "GET", "/_matrix/client/versions", nil)["unstable_features"].(map[string]any)
	if features["org.matrix.msc4108"] != true || features["io.element.msc4388"] != true || len(features) < 10 {
		t.Errorf("the drafts are %v", features)
	}
	const mailboxes = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
	mailbox := nobody.ok(t, "POST", mailboxes, map[string]any{"data": "hello"})
	if read := nobody.ok(t, "GET", mailboxes+"/"+mailbox["id"].(string), nil); read["data"] != "hello" {
		t.Errorf("the mailbox holds %v", read)
	}
	app := process.NewClient(1)
	defer app.Close()
	client, err := app.RegisterOAuth(t.Context(), s.Server.URL)
	must(t, err)
	code, err := app.Authorize(t.Context(), s.Server.URL, process.Consent{Client: client, Device: "OAUTHPHONE",
		User: "alice", Password: password})
	must(t, err)
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
