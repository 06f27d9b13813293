package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"postern/homeserver"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	frontSecret   = "a-secret-that-both-have"
	frontPassword = "correct horse"
)

// behind serves Postern before a homeserver that is a handler.
func (i *installation) behind(homeserver http.HandlerFunc, args ...string) *server {
	i.Helper()
	hs := httptest.NewServer(homeserver)
	i.Cleanup(hs.Close)
	file := filepath.Join(i.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(frontSecret+"\n"), 0o600); err != nil {
		i.Fatal(err)
	}
	return i.serve(append([]string{"--homeserver", hs.URL + "/", "--homeserver-secret-file", file}, args...)...)
}

// introspects asks about a token as the homeserver does.
func introspects(t *testing.T, at, token string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", at+homeserver.IntrospectPath,
		strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+frontSecret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer := make(map[string]any)
	_ = json.NewDecoder(res.Body).Decode(&answer)
	return res.StatusCode, answer
}

// TestServeInFront: one address, two servers behind it.
func TestServeInFront(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must(frontPassword+"\n", "user", "add", "alice", "--password-stdin")
	s := i.behind(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		text, _ := json.Marshal(map[string]any{"path": r.RequestURI, "token": r.Header.Get("Authorization"),
			"from":         r.Header.Get("X-Forwarded-For"),
			"capabilities": map[string]any{"m.room_versions": 1}})
		w.Write(text)
	})
	access, _ := s.login("alice", frontPassword)
	s.good(access)
	for path, want := range map[string]string{
		"/_matrix/client/v3/sync?access_token=" + access + "&since=%2F": "/_matrix/client/v3/sync?since=%2F",
		"/_matrix/client/versions":                                      "/_matrix/client/versions",
		"/.well-known/matrix/server":                                    "/.well-known/matrix/server",
		"/_matrix/federation/v1/%23a":                                   "/_matrix/federation/v1/%23a",
	} {
		status, answer := s.ask("GET", path, "", "")
		if token := strings.Contains(path, access); status != 200 || answer["path"] != want ||
			token != (answer["token"] == "Bearer "+access) || answer["from"] != "127.0.0.1" {
			t.Errorf("%s answers %d %v", path, status, answer)
		}
	}
	if status, answer := s.ask("GET", "/_matrix/client/v3/capabilities", access, ""); status != 200 ||
		len(answer["capabilities"].(map[string]any)) != 4 {
		t.Errorf("capabilities are %d %v", status, answer)
	}
	for path, want := range map[string]int{
		"/_matrix/client/v1/auth_metadata": 404, "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata": 404,
		"/_synapse/mas/query_user": 404, "/_synapse/admin/v1/x": 404,
		"/_matrix/client/v3/nothing?access_token=" + access[:len(access)-4] + "AAAA": 401,
	} {
		if status, answer := s.ask("GET", path, "", ""); status != want || answer["path"] != nil {
			t.Errorf("%s answers %d %v", path, status, answer)
		}
	}
	i.must("", "user", "admin", "alice", "on")
	if status, answer := introspects(t, s.url, access); status != 200 || answer["active"] != true ||
		!strings.Contains(answer["scope"].(string), "admin") {
		t.Errorf("introspection answers %d %v", status, answer)
	}
	if list := i.must("", "user", "list"); !strings.Contains(list, "yes") {
		t.Errorf("user list prints\n%s", list)
	}
	i.must("", "user", "admin", "@alice:localhost", "off")
	if _, answer := introspects(t, s.url, access); strings.Contains(answer["scope"].(string), "admin") {
		t.Errorf("introspection answers %v", answer)
	}
	if logs := s.logs.String(); strings.Contains(logs, access) || strings.Contains(logs, frontSecret) {
		t.Errorf("the log has a secret:\n%s", logs)
	}
}

// TestInternalListen: the homeserver's questions have an address of their own, and none that clients reach.
func TestInternalListen(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.must(frontPassword+"\n", "user", "add", "alice", "--password-stdin")
	s := i.behind(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasPrefix(r.URL.Path, "/_synapse/mas/") {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, "{}")
	}, "--internal-listen", "127.0.0.1:0", "--expose-admin")
	access, _ := s.login("alice", frontPassword)
	found := regexp.MustCompile(`"introspection":"([^"]+)"`).FindStringSubmatch(s.logs.String())
	if found == nil {
		t.Fatalf("the log does not say where:\n%s", s.logs)
	}
	if status, answer := introspects(t, "http://"+found[1], access); status != 200 || answer["active"] != true {
		t.Errorf("introspection answers %d %v", status, answer)
	}
	if status, _ := introspects(t, s.url, access); status != 404 {
		t.Errorf("clients' address answers %d", status)
	}
	res, err := http.Get("http://" + found[1] + "/_matrix/client/v3/login")
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != 404 {
		t.Errorf("the homeserver's address answers %d to clients", res.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestStopWithLongPolls: a server that is told to stop does not wait for those who only wait.
func TestStopWithLongPolls(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	began := make(chan struct{})
	s := i.behind(func(w http.ResponseWriter, r *http.Request) { close(began); <-r.Context().Done() })
	done := make(chan string, 1)
	go func() {
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(s.url +
			"/_matrix/client/v3/sync")
		if err != nil {
			done <- err.Error()
			return
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		done <- res.Status + string(text)
	}()
	<-began
	start := time.Now()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > drain/2 { // the deadline itself would be a failure, a slow machine is none
		t.Errorf("it took %s", took)
	}
	if got := <-done; !strings.HasPrefix(got, "503") {
		t.Errorf("the poll hears %q", got)
	}
}
