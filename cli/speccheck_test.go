package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/speclab/impact"
)

var updateSpecCheck = flag.Bool("update-speccheck", false, "rewrite testdata/speccheck.json")

// specRun is a run of `postern spec check` in a process of its own.
type specRun struct {
	status         int
	stdout, stderr string
}

// specCheckIn runs `postern spec check` in a folder, with more environment.
func specCheckIn(t *testing.T, dir string, env []string, args ...string) specRun {
	t.Helper()
	return programIn(t, dir, env, append([]string{"spec", "check"}, args...)...)
}

// programIn runs the real program in a folder, with more environment.
func programIn(t *testing.T, dir string, env []string, args ...string) specRun {
	t.Helper()
	cmd := program(t, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return specRun{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// specFile writes a spec into a folder of its own.
func specFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "edited.yaml")
	write(t, file, text)
	return file
}

func report(t *testing.T, run specRun) (r impact.Report) {
	t.Helper()
	if err := json.Unmarshal([]byte(run.stdout), &r); err != nil {
		t.Fatalf("%v\n%+v", err, run)
	}
	return r
}

// deviceRenamed breaks clients, and has something owed.
func deviceRenamed(t *testing.T) string {
	return apply(t, replaceIn("components schemas LoginRequest", "device_id", "device"))
}

// compiles skips a test that runs the go tool for seconds, with -short. TestSpecCheckJSON does so for all of them.
func compiles(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles the handlers")
	}
}

func TestSpecCheckExitStatus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		text   string
		args   []string
		status int
		says   string
	}{
		{name: "no change", text: apply(t), status: 0, says: "0 changes"},
		{name: "an optional field", text: apply(t, unnoticedEdits[0].edit...), status: 0, says: "The compiler does not notice"},
		{name: "owed", text: deviceRenamed(t), status: 1, says: "owed by (*Server).attemptOf (handlers/login.go:"},
		{name: "an operation less", text: apply(t, cutOut("paths /_matrix/client/v3/account/whoami")), status: 1, says: "Breaks clients"},
		{name: "no other fields", text: apply(t, replaceIn("components schemas RefreshRequest", "type: object",
			"type: object\n      additionalProperties: false")), status: 1, says: "added `additionalProperties` `false`"},
		{name: "no YAML", text: "openapi: 3.1.0\npaths: {\n", status: 2},
		{name: "no such flag", text: apply(t), args: []string{"--format", "xml"}, status: 2, says: "--format"},
		{name: "no such source", text: apply(t), args: []string{"--source", "/nowhere"}, status: 2, says: "needs a go.mod that says"},
		{name: "no such file", text: apply(t), args: []string{"nowhere.yaml"}, status: 2, says: "nowhere.yaml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.status < 2 {
				compiles(t)
			}
			t.Parallel()
			run := specCheckIn(t, ".", nil, append([]string{specFile(t, test.text)}, test.args...)...)
			if run.status != test.status || !strings.Contains(run.stdout+run.stderr, test.says) ||
				run.stdout+run.stderr == "" {
				t.Errorf("%+v, and not %d and %q", run, test.status, test.says)
			}
		})
	}
}

// TestSpecCheckPart: a spec with another title is a part of the API, unless it is said to be the whole.
func TestSpecCheckPart(t *testing.T) {
	compiles(t)
	t.Parallel()
	part := specFile(t, `openapi: 3.1.0
info: {title: A part, version: "1"}
paths:
  /_matrix/client/r0/logout:
    post:
      operationId: logout
      security: [{accessTokenBearer: []}, {accessTokenQuery: []}]
      responses:
        "200":
          description: Logged out.
          content:
            application/json:
              schema:
                type: object
                properties:
                  when: {type: string}
components:
  securitySchemes:
    accessTokenBearer: {type: http, scheme: bearer}
    accessTokenQuery: {type: apiKey, in: query, name: access_token}
`)
	run := specCheckIn(t, ".", nil, part, "--format", "json")
	r := report(t, run)
	operations := strings.Count(string(read(t, contractFile)), "operationId:")
	if r.LeftAlone != operations-1 {
		t.Errorf("%d of %d operations are left alone", r.LeftAlone, operations)
	}
	var said []string
	for _, c := range r.Changes {
		if slices.Compare(c.Operations, []string{"POST /_matrix/client/v3/logout"}) != 0 ||
			!strings.HasSuffix(c.Place.File, "edited.yaml") {
			t.Errorf("this was not changed: %+v", c)
		}
		said = append(said, c.Text)
	}
	if !slices.Contains(said, "added the optional property `when` to the response with the `200` status") {
		t.Errorf("it says %q", said)
	}
	whole := report(t, specCheckIn(t, ".", nil, part, "--whole", "--format", "json"))
	gone := 0
	for _, c := range whole.Changes {
		if strings.HasPrefix(c.ID, "api-") && strings.Contains(c.ID, "removed") && c.Severity == impact.Breaks {
			gone++
		}
	}
	if gone != operations-1 || whole.LeftAlone != 0 {
		t.Errorf("as the whole, %d operations are removed and %d left alone", gone, whole.LeftAlone)
	}
}

// TestSpecCheckJSON holds the shape of the report, which programs read.
func TestSpecCheckJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "edited.yaml"),
		apply(t, addTo("paths", getKnock), replaceIn("components schemas LoginRequest", "device_id", "device"),
			addTo("components schemas TokenOwnerResponse properties", "        age:\n          type: integer\n")))
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	run := specCheckIn(t, dir, nil, "--source", here, "edited.yaml", "--format", "json")
	// Where something stands in the handlers changes with every commit.
	got := regexp.MustCompile(`("file": "handlers/\w+\.go",\s+"line": )\d+(,\s+"column": )?\d*`).ReplaceAllString(
		run.stdout, "${1}1${2}1")
	const golden = "cli/testdata/speccheck.json"
	if *updateSpecCheck {
		if err := os.MkdirAll("cli/testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, golden, got)
	}
	if want := string(read(t, golden)); got != want {
		t.Errorf("the report is not %s any more; if that is meant: go test -run TestSpecCheckJSON -update-speccheck ./cli\n%s", golden, got)
	}
	if want := report(t, run); len(want.Tasks) != 2 || len(want.Unnoticed) != 1 || !want.Compiled {
		t.Errorf("%+v", want)
	}
}

// workflowCommand is a line as GitHub's runner reads it.
var workflowCommand = regexp.MustCompile(
	`^::(error|warning|notice) file=([^,:]+),line=(\d+),col=(\d+),title=([^,:]+)::(.*)$`)

// TestSpecCheckGitHub reads the annotations back, and finds the same in them as in the JSON.
func TestSpecCheckGitHub(t *testing.T) {
	compiles(t)
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a,b:c%.yaml")
	write(t, file, deviceRenamed(t))
	want := report(t, specCheckIn(t, ".", nil, file, "--format", "json"))
	run := specCheckIn(t, ".", nil, file, "--format", "github")
	unescape := strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",")
	levels := make(map[string]int)
	var owes string
	lines := strings.Split(strings.TrimSpace(run.stdout), "\n")
	for _, line := range lines[:len(lines)-1] { // the last is the summary
		m := workflowCommand.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("this is no command: %s", line)
		}
		levels[m[1]]++
		if got := unescape.Replace(m[2]); got != filepath.ToSlash(file) {
			t.Errorf("the file is %q", got)
		}
		if strings.HasPrefix(m[5], "Owed by ") {
			owes += unescape.Replace(m[6])
		}
	}
	counted := map[string]int{"error": len(want.Tasks)}
	for _, c := range want.Changes {
		counted[map[impact.Severity]string{impact.Breaks: "error", impact.MayBreak: "warning",
			impact.Harmless: "notice"}[c.Severity]]++
	}
	if len(want.Unnoticed) > 0 {
		counted["notice"] += len(want.Unnoticed)
	}
	if !reflect.DeepEqual(levels, counted) || !strings.Contains(owes, want.Tasks[0].Errors[0].String()) {
		t.Errorf("%v and not %v\n%s", levels, counted, run.stdout)
	}
}

// TestSpecCheckWithoutGo: the first half is made, and it is said why the second is not.
func TestSpecCheckWithoutGo(t *testing.T) {
	compiles(t)
	t.Parallel()
	env := []string{"PATH="}
	optional := specFile(t, apply(t, addTo("paths", getKnock)))
	run := specCheckIn(t, ".", env, optional)
	if run.status != 0 || !strings.Contains(run.stdout, "endpoint added") ||
		!strings.Contains(run.stdout, "install Go from https://go.dev/dl") {
		t.Errorf("%+v", run)
	}
	if r := report(t, specCheckIn(t, ".", env, optional, "--format", "json")); r.Compiled ||
		!strings.Contains(r.Reason, "no go command") || len(r.Changes) != 1 {
		t.Errorf("%+v", r)
	}
	if run := specCheckIn(t, ".", env,
		specFile(t, apply(t, cutOut("paths /_matrix/client/v3/account/whoami")))); run.status != 1 {
		t.Errorf("clients break: %+v", run)
	}
}

// TestSpecCheckOwnSource: where Postern's source is not at hand, the binary brings it along, and takes it away again.
func TestSpecCheckOwnSource(t *testing.T) {
	compiles(t)
	t.Parallel()
	tmp := t.TempDir()
	run := specCheckIn(t, t.TempDir(), []string{"TMPDIR=" + tmp}, specFile(t, deviceRenamed(t)))
	if run.status != 1 || !strings.Contains(run.stdout, "owed by (*Server).attemptOf (handlers/login.go:") {
		t.Errorf("%+v", run)
	}
	empty(t, tmp)
}

// TestSpecCheckInterrupted: Ctrl-C leaves nothing behind.
func TestSpecCheckInterrupted(t *testing.T) {
	compiles(t)
	t.Parallel()
	tmp := t.TempDir()
	cmd := program(t, "spec", "check", specFile(t, deviceRenamed(t)))
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Env, "TMPDIR="+tmp, "GOCACHE="+t.TempDir()) // an empty cache: this will take its time
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	compiling := func() bool {
		found, err := filepath.Glob(filepath.Join(tmp, "postern-spec-*", "go-build*"))
		return err == nil && len(found) > 0
	}
	for deadline := time.Now().Add(time.Minute); !compiling(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not begin to compile")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("it ends with %v", err)
	}
	empty(t, tmp)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	// golang.org/x/tools makes it in every test
	left = slices.DeleteFunc(left, func(e fs.DirEntry) bool { return e.Name() == "goimports" })
	if err != nil || len(left) > 0 {
		t.Errorf("there is still %v %v", left, err)
	}
}

// TestSpecCheckOnlyReads: the tree is what it was, also with a go command that may write go.mod.
func TestSpecCheckOnlyReads(t *testing.T) {
	compiles(t)
	t.Parallel()
	module := t.TempDir()
	if err := os.CopyFS(module, built().Source); err != nil {
		t.Fatal(err)
	}
	before := hashes(t, module)
	run := specCheckIn(t, module, []string{"GOFLAGS=-mod=mod"}, specFile(t, deviceRenamed(t)))
	if run.status != 1 {
		t.Errorf("%+v", run)
	}
	if after := hashes(t, module); !reflect.DeepEqual(before, after) {
		t.Errorf("the tree has changed:\n%v\n%v", before, after)
	}
}

// hashes are those of all files below a folder.
func hashes(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := make(map[string][32]byte)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = sha256.Sum256(text)
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	return all
}
