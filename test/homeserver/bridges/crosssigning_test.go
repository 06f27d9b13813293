package bridges

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"postern/test/rig/synapse"
)

const (
	alice  = "@alice:" + synapse.ServerName
	upload = "v3/keys/device_signing/upload"
)

// signingKeys are a new master key, and a self-signing key that it has signed.
func signingKeys(t *testing.T) map[string]any {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	self, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := func(usage string, public ed25519.PublicKey) map[string]any {
		name := base64.RawStdEncoding.EncodeToString(public)
		return map[string]any{"user_id": alice, "usage": []string{usage},
			"keys": map[string]string{"ed25519:" + name: name}}
	}
	signed := key("self_signing", self)
	canonical, err := json.Marshal(signed) // keys are sorted, and there is nothing to escape
	if err != nil {
		t.Fatal(err)
	}
	signed["signatures"] = map[string]any{alice: map[string]string{
		"ed25519:" + base64.RawStdEncoding.EncodeToString(public): base64.RawStdEncoding.EncodeToString(
			ed25519.Sign(private, canonical)),
	}}
	return map[string]any{"master_key": key("master", public), "self_signing_key": signed}
}

func with(keys map[string]any, session, secret string) map[string]any {
	body := map[string]any{"auth": map[string]any{
		"type": "m.login.password", "session": session, "password": secret,
		"identifier": map[string]any{"type": "m.id.user", "user": "alice"},
	}}
	for name, key := range keys {
		body[name] = key
	}
	return body
}

// master is alice's master key as others see it.
func (p *pair) master(token string) string {
	p.Helper()
	all := p.ok("POST", "v3/keys/query", token, map[string]any{"device_keys": map[string]any{alice: []string{}}})
	key, err := json.Marshal(all["master_keys"].(map[string]any)[alice].(map[string]any)["keys"])
	if err != nil {
		p.Fatal(err)
	}
	return string(key)
}

// TestCrossSigning: first keys need no proof, others need the password, and Synapse takes them then.
func TestCrossSigning(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	token := text(p.ok("POST", "v3/login", "", map[string]any{
		"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "alice"},
		"password": password,
	}), "access_token")
	first, second, third := signingKeys(t), signingKeys(t), signingKeys(t)
	p.ok("POST", upload, token, first)
	p.ok("POST", upload, token, first)
	was := p.master(token)

	session := p.challenged(token, second)
	p.want(http.StatusUnauthorized, "M_FORBIDDEN", "POST", upload, token, with(second, session, "wrong"))
	if p.master(token) != was {
		t.Fatal("the keys were replaced without the password")
	}
	p.ok("POST", upload, token, with(second, session, password))
	if p.master(token) == was {
		t.Fatal("the keys were not replaced")
	}
	p.challenged(token, third) // once
	p.ok("POST", "unstable/keys/device_signing/upload", token, with(third, "", password))
	p.ok("POST", upload, token, third)

	// A homeserver that is away costs nothing but time.
	fourth := signingKeys(t)
	session = p.challenged(token, fourth)
	p.hs.Stop(t)
	p.want(http.StatusBadGateway, "M_UNKNOWN", "POST", upload, token, fourth)
	p.want(http.StatusServiceUnavailable, "M_UNKNOWN", "POST", upload, token, with(fourth, session, password))
	p.hs.Run(t)
	p.ok("POST", upload, token, with(fourth, session, password))
}

// challenged uploads keys that need a proof, and gives the session in which to give it.
func (p *pair) challenged(token string, keys map[string]any) string {
	p.Helper()
	answer := p.want(http.StatusUnauthorized, "", "POST", upload, token, keys)
	flow := answer["flows"].([]any)[0].(map[string]any)["stages"].([]any)
	if session := text(answer, "session"); session != "" && session != "dummy" && len(flow) == 1 &&
		flow[0] == "m.login.password" {
		return session
	}
	p.Fatalf("the challenge is %v", answer)
	return ""
}
