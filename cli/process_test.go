package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"postern/test/rig/process"
)

// program is the real program in a process of its own.
func program(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "POSTERN_TEST_MAIN="+module(t))
	return cmd
}

// launch starts a server in a process of its own, which is killed when the test ends unless it is gone by then.
func launch(t testing.TB, args ...string) *process.Server {
	t.Helper()
	s, err := process.Start(program(t, append([]string{"serve", "--rate-limit", "off"}, args...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Kill() })
	return s
}

func stop(t testing.TB, s *process.Server) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// request makes one. The status is 0 when nobody listens.
func request(t testing.TB, address, method, path, token, body string) (status int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	got, err := client.Do(r)
	if err != nil {
		return 0, nil
	}
	defer got.Body.Close()
	if err := json.NewDecoder(got.Body).Decode(&answer); err != nil {
		return 0, nil // cut off
	}
	return got.StatusCode, answer
}

// phone is a client that has one session and keeps it.
type phone struct {
	testing.TB
	address, access, refresh string
}

func newPhone(t testing.TB, address, user, device string) *phone {
	t.Helper()
	status, answer := request(t, address, "POST", "/_matrix/client/v3/login", "",
		`{"type":"m.login.password","user":"`+user+`","password":"secret","refresh_token":true,"device_id":"`+device+
			`"}`)
	if status != 200 {
		t.Fatalf("login answers %d %v", status, answer)
	}
	return &phone{TB: t, address: address, access: answer["access_token"].(string),
		refresh: answer["refresh_token"].(string)}
}

// renew refreshes and says whether it was answered; being told that the session is over fails the test.
func (p *phone) renew() bool {
	status, answer := request(p, p.address, "POST", "/_matrix/client/v3/refresh", "",
		`{"refresh_token":"`+p.refresh+`"}`)
	switch status {
	case 200:
		p.access, p.refresh = answer["access_token"].(string), answer["refresh_token"].(string)
		return true
	case 0, 503:
	default:
		p.Errorf("refresh answers %d %v", status, answer)
	}
	return false
}

// check is renew for the access token.
func (p *phone) check() bool {
	status, answer := request(p, p.address, "GET", "/_matrix/client/v3/account/whoami", p.access, "")
	if status != 200 && status != 503 && status != 0 {
		p.Errorf("whoami answers %d %v", status, answer)
	}
	return status == 200
}
