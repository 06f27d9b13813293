package synapse

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// Delegate writes into homeserver.yaml that another server does the authentication. It counts from the next start.
func (s *Server) Delegate(t testing.TB, endpoint, secret string) {
	t.Helper()
	s.Append(t, fmt.Sprintf(`
password_config: {enabled: false}
matrix_authentication_service: {enabled: true, endpoint: %q, secret: %q}
`, endpoint, secret))
}

// Append writes more YAML to the end of homeserver.yaml.
func (s *Server) Append(t testing.TB, yaml string) {
	t.Helper()
	file, err := os.OpenFile(s.Config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString(yaml)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Register makes an account while Synapse does its own authentication.
func (s *Server) Register(t testing.TB, name, password string, admin bool) {
	t.Helper()
	const path = "/_synapse/admin/v1/register"
	nonce, _ := Call(t, "GET", s.URL+path, "", nil)["nonce"].(string)
	mark := "notadmin"
	if admin {
		mark = "admin"
	}
	mac := hmac.New(sha1.New, []byte(RegistrationSecret))
	mac.Write([]byte(strings.Join([]string{nonce, name, password, mark}, "\x00")))
	Call(t, "POST", s.URL+path, "", map[string]any{
		"nonce": nonce, "username": name, "password": password, "admin": admin, "mac": hex.EncodeToString(mac.Sum(nil)),
	})
}

// Login logs in with a password while Synapse does its own authentication, and gives the answer. An empty device is a
// new one.
func (s *Server) Login(t testing.TB, name, password, device string, refreshable bool) map[string]any {
	t.Helper()
	body := map[string]any{
		"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": name},
		"password": password,
	}
	if device != "" {
		body["device_id"] = device
	}
	if refreshable {
		body["refresh_token"] = true
	}
	return Call(t, "POST", s.URL+"/_matrix/client/v3/login", "", body)
}

// Call sends a request and gives the answer, which has to be a success.
func Call(t testing.TB, method, url, token string, body any) map[string]any {
	t.Helper()
	status, answer := Try(t, method, url, token, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %v", method, url, status, answer)
	}
	return answer
}

// Try sends a request and gives the status and the JSON of the answer, whatever it is.
func Try(t testing.TB, method, url, token string, body any) (int, map[string]any) {
	t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := make(map[string]any)
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil && err != io.EOF {
		t.Fatalf("%s %s: %d: %v", method, url, response.StatusCode, err)
	}
	return response.StatusCode, answer
}
