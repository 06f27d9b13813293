package cli

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lookSpec is an operation that Postern does not have.
const lookSpec = `openapi: 3.1.0
info: {title: look, version: "1"}
paths:
  /_matrix/client/v3/look:
    get:
      operationId: getLook
      security:
        - token: []
      responses:
        "200":
          description: the look
          content:
            application/json:
              example: {look: good}
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
`

// TestServeSpec: an edited spec is served at once, its new operation with a session that is real, and each save takes
// effect.
func TestServeSpec(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	file := filepath.Join(t.TempDir(), "look.yaml")
	write(t, file, lookSpec)
	s := i.serve("--spec", file, "--rate-limit", "off")
	if out := s.out.String(); !strings.Contains(out, "1 answers from the spec (getLook)") {
		t.Errorf("at the start it says\n%s", out)
	}
	i.must("secret", "user", "add", "alice", "--password-stdin")
	access, _ := s.login("alice", "secret")
	look := func() (int, map[string]any) { return s.ask("GET", "/_matrix/client/v3/look", access, "") }
	if status, answer := look(); status != 200 || answer["look"] != "good" {
		t.Fatalf("the look is %d %v", status, answer)
	}
	write(t, file, strings.ReplaceAll(lookSpec, "look: good", "look: better"))
	s.says("reloaded look.yaml")
	if _, answer := look(); answer["look"] != "better" {
		t.Errorf("after the save the look is %v", answer)
	}
	write(t, file, "openapi: [")
	s.says("still serving the spec of")
	if _, answer := look(); answer["look"] != "better" {
		t.Errorf("after a broken save the look is %v", answer)
	}
	s.good(access)
	if status, _ := s.ask("POST", "/_matrix/client/v3/logout", access, ""); status != 200 {
		t.Errorf("logout answers %d", status)
	}
	if status, answer := look(); status != 401 || answer["errcode"] != "M_UNKNOWN_TOKEN" {
		t.Errorf("after the logout the look is %d %v", status, answer)
	}
}

// says waits until the console has said something.
func (s *server) says(words string) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.out.String(),
		words); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("the console does not say %q:\n%s", words, s.out)
		}
	}
}

// TestServeOwnContract: the contract, unedited, is all real, and without --spec and --dev there is no lab.
func TestServeOwnContract(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	s := i.serve("--dev", "--spec", "api/login.yaml")
	if out := s.out.String(); !strings.Contains(out, "0 answer from the spec; 0 more") {
		t.Errorf("at the start it says\n%s", out)
	}
	if by := answeredBy(t, s); by != "real" {
		t.Errorf("the versions are answered by %q", by)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if by := answeredBy(t, i.serve()); by != "" {
		t.Errorf("without the lab the versions are answered by %q", by)
	}
}

func answeredBy(t *testing.T, s *server) string {
	t.Helper()
	return head(t, s.url+"/_matrix/client/versions").Get("Postern-Answered-By")
}

// TestSpecFlags: what cannot be served is told with all other problems, and a folder is its specs.
func TestSpecFlags(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	dir := t.TempDir()
	_, err := i.command("", "serve", "--listen", "nowhere", "--spec", filepath.Join(dir, "absent.yaml"), "--spec", dir)
	for _, words := range []string{"--listen \"nowhere\"", "absent.yaml\" is not there", "holds no spec"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("no %q in: %v", words, err)
		}
	}
	i.refused("without a --spec", "serve", "--spec-root", dir)
	if _, err := os.Stat(i.db); err == nil {
		t.Error("a server that did not start made a database")
	}
	for name, text := range map[string]string{
		"a/look.yaml": lookSpec, "a/part.yaml": "type: object\nproperties:\n  openapi: {type: string}\n",
		"a/old.json":  "{\n  \"swagger\": \"2.0\"\n}",
		"a/notes.txt": "openapi: 3.1.0", "b/c/other.yml": "# a comment\n\"openapi\": 3.0.0\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, file, text)
	}
	for _, test := range []struct {
		flags specFlags
		dir   string
		files string
	}{
		{specFlags{Spec: []string{dir + "/a"}}, "/a", "[look.yaml old.json]"},
		{specFlags{Spec: []string{dir + "/a/look.yaml", dir + "/b/c"}}, "", "[a/look.yaml b/c/other.yml]"},
		{specFlags{Spec: []string{dir + "/b/c/other.yml"}}, "/b/c", "[other.yml]"},
		{specFlags{Spec: []string{dir + "/b/c/other.yml"}, SpecRoot: dir}, "", "[b/c/other.yml]"},
	} {
		set, problems := test.flags.settings()
		if len(problems) > 0 || set.Dir != dir+test.dir || fmt.Sprint(set.Names) != test.files {
			t.Errorf("%v is %v, %v", test.flags, set, problems)
		}
	}
	outside := specFlags{Spec: []string{dir + "/a/look.yaml"}, SpecRoot: dir + "/b"}
	if _, problems := outside.settings(); len(problems) != 1 ||
		!strings.Contains(problems[0].Error(), "does not hold") {
		t.Errorf("a file outside of the root: %v", problems)
	}
	write(t, filepath.Join(dir, "broken.yaml"), "openapi: [")
	i.refused("the spec cannot be served", "serve", "--listen", "127.0.0.1:0", "--spec",
		filepath.Join(dir, "broken.yaml"))
}

// TestServeWholeMatrix: all files of today's client-server API are one server, in which login is real and rooms answer
// from the spec.
func TestServeWholeMatrix(t *testing.T) {
	t.Parallel()
	shared := os.Getenv("POSTERN_SHARED")
	if shared == "" {
		shared = "../shared"
	}
	folder := filepath.Join(shared, "matrix-spec", "client-server")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the given files are not here: set POSTERN_SHARED")
	}
	i := newInstallation(t)
	s := i.serve("--spec", folder, "--rate-limit", "off")
	t.Logf("it says\n%s", s.out)
	i.must("secret", "user", "add", "alice", "--password-stdin")
	access, _ := s.login("alice", "secret")
	s.good(access)
	for _, test := range []struct {
		method, path, token, body string
		status                    int
	}{
		{"GET", "/_matrix/client/v3/sync", access, "", 200},
		{"GET", "/_matrix/client/v3/sync", "", "", 401},
		{"GET", "/_matrix/client/v3/pushrules/", access, "", 200},
		{"POST", "/_matrix/client/v3/user/@alice:localhost/filter", access, `{"room":{}}`, 200},
		{"POST", "/_matrix/client/v3/createRoom", access, `{}`, 200},
		{"POST", "/_matrix/client/v3/createRoom", access, `{"visibility":"secret"}`, 400},
		{"GET", "/_matrix/client/v3/profile/@alice:localhost", "", "", 200},
		{"GET", "/_matrix/client/v3/capabilities", access, "", 200},
		{"POST", "/_matrix/client/v3/keys/query", access, `{"device_keys":{}}`, 200},
	} {
		if status, answer := s.ask(test.method, test.path, test.token, test.body); status != test.status {
			t.Errorf("%s %s answers %d %v, want %d", test.method, test.path, status, answer, test.status)
		}
	}
	s.ask("POST", "/_matrix/client/v3/logout", access, "")
	if status, answer := s.ask("GET", "/_matrix/client/v3/sync", access, ""); status != 401 {
		t.Errorf("after the logout sync answers %d %v", status, answer)
	}
}

// head is the header of an answer.
func head(t *testing.T, url string) http.Header {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.Header
}
