package homeserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"postern/handlers"
	"postern/homeserver/appservice"
	"postern/homeserver/synapse"
)

// The tokens of the services of backdrop.
const (
	ircToken     = "the irc bridge's secret"
	limitedToken = "the other bridge's secret"
)

const registrations = `id: irc
url: null
as_token: the irc bridge's secret
hs_token: another
sender_localpart: ircbot
rate_limited: false
namespaces: {users: [{exclusive: true, regex: '@_irc_.*'}, {exclusive: false, regex: '@bob:'}]}
`

const limitedFile = `id: limited
url: null
as_token: the other bridge's secret
hs_token: another
sender_localpart: limitedbot
namespaces: {users: [{exclusive: true, regex: '@_limited_.*'}]}
`

// backdrop is a homeserver for tests of what this server tells and asks it, and the requests that it is to answer. It
// is strict in what Synapse is strict in; a real Synapse has the last word in test/homeserver/front.
type backdrop struct {
	mu      sync.Mutex
	users   map[string]bool // registered there
	keys    string          // the cross-signing keys of alice
	allowed bool            // to replace them
	away    error           // why it does not answer
	bodies  []string        // of the requests that came
	devices []string        // it was told of
}

func (b *backdrop) told() Config {
	locked := func(f func() error) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.away != nil {
			return b.away
		}
		return f()
	}
	return Config{
		Provision: func(_ context.Context, name, device, _ string) error {
			return locked(func() error { b.devices = append(b.devices, name+" "+device); return nil })
		},
		Available: func(context.Context, string) (string, error) { return "", locked(func() error { return nil }) },
		User: func(_ context.Context, name string) (synapse.User, error) {
			return synapse.User{}, locked(func() error {
				if !b.users[name] {
					return synapse.ErrNotFound
				}
				return nil
			})
		},
		AllowReset: func(context.Context, string) error {
			return locked(func() error { b.allowed = true; return nil })
		},
	}
}

// ServeHTTP answers what is sent on.
func (b *backdrop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	raw, _ := io.ReadAll(r.Body)
	b.bodies = append(b.bodies, string(raw))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("From", "the homeserver")
	if int64(len(raw)) != r.ContentLength {
		http.Error(w, "the length is not the body's", http.StatusTeapot)
		return
	}
	status, answer := http.StatusBadGateway, `{"errcode":"M_UNKNOWN"}`
	if b.away == nil {
		status, answer = b.answer(r, raw)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (b *backdrop) answer(r *http.Request, raw []byte) (int, string) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(raw, &body); err != nil {
		return 400, `{"errcode":"M_NOT_JSON"}`
	}
	switch {
	case filepath.Base(r.URL.Path) == "register":
		return b.register(body)
	case r.Method == http.MethodDelete:
		return 200, `{}`
	}
	switch keys := string(body["master_key"]); {
	case body["auth"] != nil:
		return 418, `{"errcode":"M_UNKNOWN","error":"auth is not the homeserver's"}`
	case b.keys != "" && keys != b.keys && !b.allowed:
		return 401, `{"session":"dummy","flows":[{"stages":["m.oauth"]}],"params":{},"msg":"go there"}`
	case keys == "":
		return 400, `{"errcode":"M_INVALID_PARAM"}`
	default:
		b.keys, b.allowed = keys, false
		return 200, `{}`
	}
}

func (b *backdrop) register(body map[string]json.RawMessage) (int, string) {
	var name string
	_ = json.Unmarshal(body["username"], &name)
	switch {
	case string(body["inhibit_login"]) != "true":
		return 400, `{"errcode":"M_APPSERVICE_LOGIN_UNSUPPORTED"}`
	case b.users[name]:
		return 400, `{"errcode":"M_USER_IN_USE"}`
	case !bytes.HasPrefix([]byte(name), []byte("_irc_")):
		return 400, `{"errcode":"M_EXCLUSIVE"}`
	}
	b.users[name] = true
	return 200, `{"user_id":"@` + name + `:example.org"}`
}

func (b *backdrop) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// last is the body that came last.
func (b *backdrop) last() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.bodies) == 0 {
		return ""
	}
	return b.bodies[len(b.bodies)-1]
}

var errTestAway = errors.New("the homeserver is away")

// newSiteWithBridges makes a site in front of a homeserver with two application services. What is amended is, like in
// front of a real one.
func newSiteWithBridges(t *testing.T, change ...func(*setup)) (*site, *backdrop) {
	t.Helper()
	b := &backdrop{users: map[string]bool{"_irc_old": true}}
	dir := t.TempDir()
	for name, text := range map[string]string{"irc.yaml": registrations, "limited.yaml": limitedFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	services, problems := appservice.Read(host,
		[]string{filepath.Join(dir, "irc.yaml"), filepath.Join(dir, "limited.yaml")})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return newSite(t, append(change, func(c *setup) { c.there = b.told(); c.there.Services = services })...), b
}

// amended makes a request that the homeserver has a part in.
func (s *site) amended(b *backdrop, c call) answer {
	s.Helper()
	path, _, _ := strings.Cut(handlers.Alias(c.Path), "?")
	amend := s.gate.amendments[c.Method+" "+path]
	if amend == nil {
		amend = s.gate.amendments[c.Method+" "+path[:strings.LastIndexByte(path, '/')+1]]
	}
	if amend == nil {
		s.Fatalf("%s %s is not amended", c.Method, c.Path)
	}
	var next http.Handler = b
	if (path == registerPath || strings.HasPrefix(path, devicesBelow)) &&
		!s.gate.passes(c.Method, path, c.Token) {
		next = s.server.Handler()
	}
	return s.ask(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { amend(w, r, next) }), c)
}
