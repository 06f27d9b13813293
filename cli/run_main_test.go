package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"postern/test/rig/process"
	"postern/test/rig/safe"

	"go.uber.org/goleak"
)

// The tests run in the module's folder, whose files they read. The test binary is also the real program, in tests that
// need a process: one that is killed, or one that lives beside another. POSTERN_TEST_MAIN then names that folder.
func TestMain(m *testing.M) {
	if module := os.Getenv("POSTERN_TEST_MAIN"); module != "" {
		Main(programOf(module))
		return
	}
	if err := os.Chdir(".."); err != nil {
		panic(err)
	}
	built() // before a test goes elsewhere
	goleak.VerifyTestMain(m)
}

// built is the program as it is built in this folder.
var built = sync.OnceValue(func() Program { return programOf(".") })

// programOf has the source that main.go embeds.
func programOf(module string) Program {
	dir := os.DirFS(module)
	main, err := fs.ReadFile(dir, "main.go")
	if err != nil {
		panic(err)
	}
	source := make(fstest.MapFS)
	add := func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var text []byte
			text, err = fs.ReadFile(dir, name)
			source[name] = &fstest.MapFile{Data: text}
		}
		return err
	}
	for _, line := range regexp.MustCompile(`(?m)^//go:embed (.+)$`).FindAllStringSubmatch(string(main), -1) {
		for pattern := range strings.FieldsSeq(line[1]) {
			names, err := fs.Glob(dir, pattern)
			if err != nil {
				panic(err)
			}
			for _, name := range names {
				if err := fs.WalkDir(dir, name, add); err != nil { // a folder is embedded with those in it
					panic(err)
				}
			}
		}
	}
	return Program{Version: "dev", Source: source}
}

// installation is a folder with a database, and the program as an operator uses it.
type installation struct {
	testing.TB
	db       string
	patience patience // of servers, with their clients
	strict   bool     // passwords must be as good as they must be elsewhere
}

func newInstallation(t testing.TB) *installation {
	return &installation{TB: t, db: filepath.Join(t.TempDir(), "postern.db")}
}

// command runs the program and gives what it printed.
func (i *installation) command(stdin string, args ...string) (string, error) {
	var out bytes.Buffer
	w := world{Program: built(), stdin: strings.NewReader(stdin), stdout: &out, stderr: &out,
		getenv: func(string) string { return "" }}
	args = append(args, "--db", i.db)
	if len(args) > 1 && args[0] == "user" && (args[1] == "add" || args[1] == "passwd") && !i.strict {
		// Those of most tests are short and easy to guess.
		args = append(args, "--password-min-length", "1", "--password-strength", "0")
	}
	err := run(i.Context(), w, args)
	return out.String(), err
}

func (i *installation) must(stdin string, args ...string) string {
	i.Helper()
	out, err := i.command(stdin, args...)
	if err != nil {
		i.Fatalf("postern %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// newestKey is the number of the root key that mints.
func (i *installation) newestKey() string {
	i.Helper()
	key := process.MintingKey(i.must("", "keys", "list"))
	if key == "" {
		i.Fatal("no root key mints")
	}
	return key
}

// refused runs a command that must fail, and says so in these words.
func (i *installation) refused(words string, args ...string) {
	i.Helper()
	out, err := i.command("", args...)
	if err == nil || !strings.Contains(err.Error(), words) {
		i.Errorf("postern %s: %v\n%s\nwant an error with %q", strings.Join(args, " "), err, out, words)
	}
}

// server is a running `postern serve`.
type server struct {
	*installation
	url  string
	logs *safe.Buffer
	out  *safe.Buffer
	stop func() error
}

func (i *installation) serve(args ...string) *server {
	i.Helper()
	ctx, cancel := context.WithCancel(i.Context())
	s := &server{installation: i, logs: &safe.Buffer{}, out: &safe.Buffer{}}
	address, ended := make(chan string, 1), make(chan error, 1)
	w := world{Program: built(), stdin: strings.NewReader(""), stdout: s.out, stderr: s.logs,
		getenv:    func(string) string { return "" },
		listening: func(a string) { address <- a }, patience: i.patience}
	go func() {
		ended <- run(ctx, w, append([]string{"serve", "--listen", "127.0.0.1:0", "--db", i.db}, args...))
	}()
	select {
	case a := <-address:
		s.url = "http://" + a
	case err := <-ended:
		cancel()
		i.Fatalf("serve: %v\n%s", err, s.logs)
	}
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	i.Cleanup(func() {
		if err := s.stop(); err != nil {
			i.Errorf("serve ended with %v", err)
		}
	})
	return s
}

// ask makes a request and gives the status and the fields of the answer.
func (s *server) ask(method, path, token, body string) (int, map[string]any) {
	s.Helper()
	status, raw := s.read(method, path, token, body)
	var fields map[string]any
	if err := json.Unmarshal([]byte(raw), &fields); err != nil {
		s.Fatalf("%s %s answers %q", method, path, raw)
	}
	return status, fields
}

// read makes a request and gives whatever answers it.
func (s *server) read(method, path, token, body string) (status int, text string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer.StatusCode, string(raw)
}

func (s *server) login(user, password string) (access, refresh string) {
	s.Helper()
	status, answer := s.ask("POST", "/_matrix/client/v3/login", "",
		`{"type":"m.login.password","user":"`+user+`","password":"`+password+`","refresh_token":true,"device_id":"`+
			strings.ToUpper(user)+`"}`)
	if status != 200 {
		s.Fatalf("login answers %d %v", status, answer)
	}
	return answer["access_token"].(string), answer["refresh_token"].(string)
}

func (s *server) whoami(token string) (int, map[string]any) {
	s.Helper()
	return s.ask("GET", "/_matrix/client/v3/account/whoami", token, "")
}

// gone fails unless the token is refused and the client told to forget the session.
func (s *server) gone(token string) {
	s.Helper()
	status, answer := s.whoami(token)
	if status != 401 || answer["errcode"] != "M_UNKNOWN_TOKEN" || answer["soft_logout"] != nil {
		s.Errorf("whoami answers %d %v", status, answer)
	}
}

func (s *server) good(token string) {
	s.Helper()
	if status, answer := s.whoami(token); status != 200 {
		s.Errorf("whoami answers %d %v", status, answer)
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	bytes, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes)
}

// module is the folder of the module, whose files the tests read.
func module(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
