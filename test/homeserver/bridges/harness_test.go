// Package bridges tries application services, and the reset of cross-signing keys, through Postern and a real Synapse
// behind it.
package bridges

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"postern/test/rig/delegated"
	"postern/test/rig/process"
	"postern/test/rig/synapse"
)

func TestMain(m *testing.M) { process.Main(m) }

const (
	bridgeToken = "the-bridges-own-token"
	password    = delegated.Password

	registration = `id: irc
url: null
as_token: %q
hs_token: "the homeserver's token"
sender_localpart: ircbot
rate_limited: false
namespaces:
  users:
    - {exclusive: true, regex: '@_irc_.*:home\.test\Z'}
`
)

// pair is a Synapse behind a Postern, with a bridge whose user _irc_old was there before.
type pair struct {
	testing.TB
	hs      *synapse.Server
	postern *delegated.Postern
	url     string // Postern's
}

func newPair(t *testing.T, flags ...string) *pair {
	t.Helper()
	bridge := filepath.Join(t.TempDir(), "irc.yaml")
	if err := os.WriteFile(bridge, fmt.Appendf(nil, registration, bridgeToken), 0o600); err != nil {
		t.Fatal(err)
	}
	hs := synapse.New(t, synapse.Options{Extra: fmt.Sprintf("app_service_config_files: [%q]\n", bridge)})
	synapse.Call(t, "POST", hs.URL+"/_matrix/client/v3/register", bridgeToken,
		map[string]any{"type": "m.login.application_service", "username": "_irc_old"})
	hs.Stop(t)

	internal := fmt.Sprintf("127.0.0.1:%d", process.FreePort(t))
	hs.Delegate(t, "http://"+internal+"/", delegated.Secret)
	postern := delegated.New(t, hs.URL, synapse.ServerName, "alice")
	postern.Start(t, append([]string{"--internal-listen", internal, "--appservice", bridge, "--registration", "open"},
		flags...)...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Synapse:\n%s", hs.Log(t))
		}
	})
	hs.Run(t)
	return &pair{TB: t, hs: hs, postern: postern, url: postern.Server.URL}
}

// in is the pair in a part of the test.
func (p *pair) in(t *testing.T) *pair { return &pair{TB: t, hs: p.hs, postern: p.postern, url: p.url} }

// ok makes a request that has to succeed.
func (p *pair) ok(method, path, token string, body any) map[string]any {
	p.Helper()
	return synapse.Call(p, method, p.url+"/_matrix/client/"+path, token, body)
}

// want makes a request that has to be refused.
func (p *pair) want(status int, code, method, path, token string, body any) map[string]any {
	p.Helper()
	got, answer := synapse.Try(p, method, p.url+"/_matrix/client/"+path, token, body)
	if is, _ := answer["errcode"].(string); got != status || is != code {
		p.Fatalf("%s %s: %d %v, want %d %s", method, path, got, answer, status, code)
	}
	return answer
}

// as is the query by which a bridge acts as one of its users.
func as(user string) string { return "?user_id=" + url.QueryEscape("@"+user+":"+synapse.ServerName) }

func text(answer map[string]any, field string) string { s, _ := answer[field].(string); return s }
