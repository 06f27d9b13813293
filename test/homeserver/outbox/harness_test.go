// Package outbox kills the real Postern in front of a homeserver, a stand-in or a real Synapse, and holds it to one
// promise: in the end the homeserver has the devices that Postern has sessions on, and no others.
//
//	go test -v ./test/homeserver/outbox -rounds 50 -seed 7
package outbox

import (
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"postern/test/rig/delegated"
	"postern/test/rig/process"
)

var (
	rounds = flag.Int("rounds", 5, "how often the server is killed while clients log in and out")
	seed   = flag.Uint64("seed", 1, "of what the clients do and when the server dies")
)

func TestMain(m *testing.M) { process.Main(m) }

const (
	secret   = delegated.Secret
	password = delegated.Password
)

// installation is Postern in front of a homeserver.
type installation struct {
	testing.TB
	postern *delegated.Postern
	url     atomic.Pointer[string] // where the server is just now
}

// newInstallation makes one, with accounts, and starts it.
func newInstallation(t *testing.T, homeserver string, users ...string) *installation {
	t.Helper()
	h := &installation{TB: t, postern: delegated.New(t, homeserver, "localhost", users...)}
	h.start()
	return h
}

func (h *installation) start() {
	h.Helper()
	h.postern.StartToKill(h)
	h.url.Store(&h.postern.Server.URL)
}

func (h *installation) kill() {
	h.Helper()
	_ = h.postern.Server.Kill()
}

func (h *installation) command(stdin string, args ...string) string {
	h.Helper()
	return h.postern.Run(h, stdin, args...)
}

// client speaks to whichever server runs. No connection is kept: its other end dies.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}

// ask makes a request; the status is 0 when nobody answered.
func (h *installation) ask(method, path, token, body string) (status int, answer map[string]any) {
	r, err := http.NewRequestWithContext(h.Context(), method, *h.url.Load()+"/_matrix/client/v3/"+path,
		strings.NewReader(body))
	if err != nil {
		h.Error(err)
		return 0, nil
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	got, err := client.Do(r)
	if err != nil {
		return 0, nil
	}
	defer got.Body.Close()
	if err := json.NewDecoder(got.Body).Decode(&answer); err != nil {
		return 0, nil
	}
	return got.StatusCode, answer
}

// login gives a token, or nothing when it failed. An empty device is a new one.
func (h *installation) login(user, device string) (token string, status int) {
	token, _, status = h.loginOn(user, device)
	return token, status
}

// loginOn is login that says on which device.
func (h *installation) loginOn(user, device string) (token, on string, status int) {
	status, answer := h.ask("POST", "login", "",
		fmt.Sprintf(`{"type":"m.login.password","identifier":{"type":"m.id.user","user":%q},"password":%q,"device_id":%q}`, user, password, device))
	token, _ = answer["access_token"].(string)
	on, _ = answer["device_id"].(string)
	return token, on, status
}

// settle waits until nothing waits.
func (h *installation) settle() {
	h.Helper()
	var said string
	for range 600 {
		if said = h.command("", "synapse", "outbox"); strings.Contains(said, "nothing waits") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	h.Fatalf("these wait still:\n%s", said)
}

// sessions lists the devices that have sessions, as "alice A".
func (h *installation) sessions() []string {
	h.Helper()
	return rows(h, h.postern.Database, `SELECT localpart || ' ' || device_id FROM sessions`)
}

func rows(t testing.TB, file, query string) []string {
	t.Helper()
	d, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	found, err := d.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	all := []string{}
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}
