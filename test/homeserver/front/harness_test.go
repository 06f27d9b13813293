// Package front tries Postern's real binary in front of a real Synapse: what one of the two alone could not show.
package front

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/test/rig/delegated"
	"postern/test/rig/process"
	"postern/test/rig/synapse"
)

func TestMain(m *testing.M) { process.Main(m) }

const (
	secret   = delegated.Secret
	password = delegated.Password
)

// pair is Postern on the address that clients know, with accounts, and Synapse behind it.
type pair struct {
	*delegated.Postern
	hs *synapse.Server
}

func newPair(t *testing.T, flags ...string) *pair {
	t.Helper()
	return newPairWith(t, "", flags...)
}

// newPairWith makes a pair with more YAML in Synapse's configuration.
func newPairWith(t *testing.T, yaml string, flags ...string) *pair {
	t.Helper()
	hs := synapse.Prepare(t,
		synapse.Options{Extra: "public_baseurl: https://home.test/\nserve_server_wellknown: true\n" + yaml})
	s := &pair{delegated.New(t, hs.URL, synapse.ServerName), hs}
	s.startBoth(t, append([]string{"--refresh-leeway", "0s"}, flags...)...)
	for _, name := range []string{"alice", "bob"} {
		s.Run(t, password, "user", "add", name, "--password-stdin")
	}
	s.settled(t) // while Synapse is yet to be told of an account, its own word of it does not count
	return s
}

// startBoth puts Postern before Synapse and starts both.
func (s *pair) startBoth(t *testing.T, flags ...string) {
	t.Helper()
	s.Start(t, flags...)
	s.hs.Delegate(t, s.Server.URL, secret)
	s.hs.Run(t)
}

// person is somebody logged in.
type person struct {
	*pair
	access, refresh string
}

// login logs in.
func (s *pair) login(t *testing.T, name, device string) *person {
	t.Helper()
	status, answer := synapse.Try(t, "POST", s.Server.URL+"/_matrix/client/v3/login", "",
		map[string]any{"type": "m.login.password",
			"identifier": map[string]any{"type": "m.id.user", "user": name}, "password": password, "device_id": device,
			"refresh_token": true})
	if status != 200 {
		t.Fatalf("login: %d %v", status, answer)
	}
	return &person{s, answer["access_token"].(string), answer["refresh_token"].(string)}
}

func (s *pair) tell(t *testing.T, call string, body map[string]any) {
	t.Helper()
	if status, answer := synapse.Try(t, "POST", s.hs.URL+"/_synapse/mas/"+call, secret, body); status/100 != 2 {
		t.Fatalf("%s: %d %v", call, status, answer)
	}
}

// ask asks through the front.
func (p *person) ask(t *testing.T, method, path string, body any) (int, map[string]any) {
	t.Helper()
	return synapse.Try(t, method, p.Server.URL+path, p.access, body)
}

// ok is ask for what must succeed.
func (p *person) ok(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	status, answer := p.ask(t, method, path, body)
	if status != 200 {
		t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// refused fails unless the answer is this, and says whether the logout is soft.
func (p *person) refused(t *testing.T, method, path string, status int, code string, soft bool) {
	t.Helper()
	got, answer := p.ask(t, method, path, nil)
	if said, _ := answer["soft_logout"].(bool); got != status || answer["errcode"] != code || said != soft {
		t.Errorf("%s %s answers %d %v, want %d %s, soft %v", method, path, got, answer, status, code, soft)
	}
}

// with is the same person with another access token.
func (p *person) with(access string) *person { return &person{p.pair, access, p.refresh} }

const syncing = "/_matrix/client/v3/sync"

// raw sends a target as it is, and gives status and body.
func raw(t *testing.T, address, target string, header ...string) (int, string) {
	t.Helper()
	return rawly(t, "GET", address, target, "", header...)
}

// rawly is raw by another method, with a body.
func rawly(t *testing.T, method, address, target, content string, header ...string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if content != "" {
		header = append(header, fmt.Sprint("Content-Length: ", len(content)))
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n\r\n%s", method, target, address,
		strings.Join(header, "\r\n"), content)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return res.StatusCode, string(body)
}

func object(t *testing.T, text string) (o map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return o
}
