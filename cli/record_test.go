package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRequestLog: each request is a line on the console, an entry on the page and in the file; no secret is in any of
// them, and what was called that the spec does not have is listed at the end and by `spec calls`.
func TestRequestLog(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	dir := t.TempDir()
	look, record := filepath.Join(dir, "look.yaml"), filepath.Join(dir, "session.har")
	write(t, look, strings.Replace(lookSpec, "      security:",
		"      parameters: [{name: at, in: query, required: true, schema: {type: string}}]\n      security:", 1))
	i.must("hunter2", "user", "add", "bob", "--password-stdin")
	s := i.serve("--spec", look, "--record", record)
	access, refresh := s.login("bob", "hunter2")
	s.ask("GET", "/_matrix/client/v3/look", access, "")
	s.ask("GET", "/_matrix/client/v3/look?at=x", access, "")
	s.ask("GET", "/_matrix/client/v3/look?at=x", "", "")
	s.ask("GET", "/_matrix/client/r0/rooms/!a:example.org/state?access_token="+access, "", "")
	s.says("rooms/")
	_, page := s.read("GET", "/_postern/spec/requests.json?after=2", "", "")
	s.stop()
	file, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	console := s.out.String()
	for _, line := range []string{
		"request: POST /_matrix/client/v3/login  login  real  200\n",
		"request: GET /_matrix/client/v3/look  getLook  spec  400  violated: Missing parameter: at (look.yaml:7:",
		"request: GET /_matrix/client/v3/look  getLook  spec  200\n",
		"request: GET /_matrix/client/v3/look  getLook  spec  401  M_MISSING_TOKEN: ",
		"request: GET /_matrix/client/r0/rooms/!a:example.org/state  not in the spec  real  404  M_UNRECOGNIZED: ",
		"1 operation was called that the spec does not have:\n" +
			"  GET /_matrix/client/r0/rooms/{}/state  once, answered 404\n",
	} {
		if !strings.Contains(console, line) {
			t.Errorf("no %q on the console:\n%s", line, console)
		}
	}
	for what, text := range map[string]string{"console": console, "page": page, "file": string(file)} {
		for _, secret := range []string{"hunter2", access, refresh} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s has the secret %s", what, secret)
			}
		}
		if what != "console" && strings.Count(text, `"operation":"getLook"`) < 2 {
			t.Errorf("the %s has not each look:\n%s", what, text)
		}
	}
	if info, err := os.Stat(record); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	for files, want := range map[string]string{
		"":                       "2 operations were called",
		look:                     "2 operations were called",
		look + " api/login.yaml": "1 operation was called",
	} {
		out, err := i.calls(append([]string{record}, strings.Fields(files)...)...)
		if status := new(exitStatus); !errors.As(err, status) || status.code != 1 ||
			!strings.HasPrefix(out, "requests: 5\n"+want) {
			t.Errorf("held against %q: %v\n%s", files, err, out)
		}
	}
	if out, err := i.calls(record, look, "api/login.yaml", i.kept("rooms.yaml", roomsSpec)); err != nil ||
		!strings.Contains(out, "the spec has every operation that was called") {
		t.Errorf("held against all: %v\n%s", err, out)
	}
	contract, err := os.ReadFile("api/login.yaml")
	if err != nil {
		t.Fatal(err)
	}
	edited := i.kept("login.yaml", strings.Replace(string(contract), "operationId: login\n", "operationId: logIn\n", 1))
	if out, err := i.calls(record, edited, "api/login.yaml", look); !strings.Contains(out, "1 operation was called") {
		t.Errorf("held against the contract and an edited copy of it: %v\n%s", err, out)
	}
	if _, err := i.calls(look); printError(&strings.Builder{}, err) != 2 {
		t.Errorf("a spec is taken for a recording: %v", err)
	}
}

const roomsSpec = `openapi: 3.1.0
info: {title: rooms, version: "1"}
paths:
  /_matrix/client/v3/rooms/{roomId}/state:
    get:
      operationId: getState
      responses: {"200": {description: the state}}
`

// calls is `spec calls`, which has no database.
func (i *installation) calls(args ...string) (string, error) {
	var out strings.Builder
	w := world{Program: built(), stdout: &out, stderr: &out, getenv: func(string) string { return "" }}
	err := run(i.Context(), w, append([]string{"spec", "calls"}, args...))
	return out.String(), err
}

// TestQuiet: no line about requests; the page has them all the same.
func TestQuiet(t *testing.T) {
	t.Parallel()
	s := newInstallation(t).serve("--dev", "--quiet")
	s.ask("GET", "/_matrix/client/versions", "", "")
	s.read("GET", "/_matrix/nothing", "", "")
	for page := ""; !strings.Contains(page, "/_matrix/nothing"); { // an entry is made after its answer
		_, page = s.read("GET", "/_postern/spec/requests.json", "", "")
	}
	s.stop()
	if out := s.out.String(); strings.Contains(out, "request: ") || strings.Contains(out, "does not have") {
		t.Errorf("it prints\n%s", out)
	}
}

// TestRequestLogFlags: what cannot be is told with all other problems, and no recording is written over.
func TestRequestLogFlags(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	there := i.kept("session.har", "precious")
	_, err := i.command("", "serve", "--quiet", "--record", there, "--linger", "1m")
	for _, words := range []string{"--quiet is without --spec or --dev", "is without --spec or --dev, whose",
		"the next server cannot go on", "is there already"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("no %q in: %v", words, err)
		}
	}
	i.refused("no such file", "serve", "--dev", "--listen", "127.0.0.1:0", "--record",
		filepath.Join(t.TempDir(), "absent", "session.har"))
	if text, err := os.ReadFile(there); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
}
