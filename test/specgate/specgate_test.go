// Package specgate types the commands of docs/spec-gate.yml as a runner would, in a repository with a pull request.
package specgate

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// workflow is what a runner reads. A field that it does not know is a mistake.
type workflow struct {
	Name        string
	On          string
	Permissions map[string]string
	Env         map[string]string
	Jobs        map[string]job
}

type job struct {
	RunsOn string `yaml:"runs-on"`
	Steps  []step
}

type step struct {
	Name, Uses, Run, If string
	With                map[string]string
}

func readWorkflow(t *testing.T) (w workflow) {
	t.Helper()
	file, err := os.Open("../../docs/spec-gate.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&w); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWorkflow: its parts are those that a runner knows, and what it may do is no more than it needs.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	w := readWorkflow(t)
	if w.On != "pull_request" || len(w.Jobs) != 2 || len(w.Permissions) != 2 || w.Permissions["contents"] != "read" ||
		w.Permissions["security-events"] != "write" {
		t.Errorf("%+v", w)
	}
	action := regexp.MustCompile(`^[\w-]+/[\w-]+(/[\w-]+)?@v\d+$`)
	for name, j := range w.Jobs {
		for _, s := range j.Steps {
			if (s.Uses == "") == (s.Run == "") || s.Uses != "" && !action.MatchString(s.Uses) || j.RunsOn == "" {
				t.Errorf("%s: %+v is no step", name, s)
			}
		}
	}
}

// runner does the steps of jobs in one folder.
type runner struct {
	*testing.T
	dir, temp string
	env       []string
	done      map[string]bool // commands that need not be done twice
}

// do does a job. It returns what was printed, what would be uploaded, and whether all steps succeeded.
func (r *runner) do(j job) (printed, uploaded string, succeeded bool) {
	succeeded = true
	for _, s := range j.Steps {
		switch {
		case !succeeded && s.If == "":
		case strings.Contains(s.Uses, "upload-sarif@"):
			text, err := os.ReadFile(strings.ReplaceAll(s.With["sarif_file"], "${{ runner.temp }}", r.temp))
			if err != nil {
				r.Fatal(err)
			}
			uploaded = string(text)
		case s.Run != "" && !(strings.HasPrefix(s.Run, "go build ") && r.done[s.Run]):
			r.done[s.Run] = true
			out, ok := r.bash(s.Run)
			printed, succeeded = printed+out, succeeded && ok
		}
	}
	return printed, uploaded, succeeded
}

// bash does commands as a runner does: bash ends at the first that fails.
func (r *runner) bash(commands string) (printed string, ok bool) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-e", "-c", commands)
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), r.env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.Fatal(err)
	}
	return string(out), err == nil
}

// must does commands that succeed.
func (r *runner) must(commands string) {
	r.Helper()
	if printed, ok := r.bash(commands); !ok {
		r.Fatalf("%s\n%s", commands, printed)
	}
}

// newRunner has a clone of a repository whose pull request makes an edit of the contract, and Postern beside it.
func newRunner(t *testing.T, old, edited string) *runner {
	t.Helper()
	for _, program := range []string{"bash", "git"} {
		if _, err := exec.LookPath(program); err != nil && os.Getenv("CI") == "" {
			t.Skip(err)
		}
	}
	contract, err := os.ReadFile("../../api/login.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(contract), old, edited, 1)
	if text == string(contract) {
		t.Fatalf("the contract holds no %q", old)
	}
	postern, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	r := &runner{T: t, dir: filepath.Join(top, "work"), temp: filepath.Join(top, "temp"), done: make(map[string]bool)}
	r.env = []string{"RUNNER_TEMP=" + r.temp, "GITHUB_BASE_REF=main", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@example.org", "ORIGIN=" + filepath.Join(top, "origin"), "POSTERN=" + postern}
	for _, dir := range []string{r.dir, r.temp, filepath.Join(top, "origin", "api")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	api := filepath.Join(top, "origin", "api", "login.yaml")
	for _, version := range []struct{ text, commands string }{
		{string(contract), `cd "$ORIGIN" && git init -q -b main && git add api && git commit -qm one`},
		{text, `cd "$ORIGIN" && git checkout -qb change && git commit -qam two`},
	} {
		if err := os.WriteFile(api, []byte(version.text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.must(version.commands)
	}
	r.must(`git clone -q --depth=1 --branch change "file://$ORIGIN" . && ln -s "$POSTERN" .postern`)
	return r
}

// TestTyped: a pull request that breaks clients has both jobs red, with what breaks at its line in annotations and in
// what is uploaded.
func TestTyped(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Postern and compiles its handlers")
	}
	t.Parallel()
	w := readWorkflow(t)
	r := newRunner(t, "[refresh_token]\n      properties:\n        refresh_token:",
		"[token]\n      properties:\n        token:")
	for name, value := range w.Env {
		r.env = append(r.env, name+"="+value)
	}
	for name, says := range map[string]string{"clients": "added the new required request property `token`",
		"postern": "owed by (*Server).TokenRefresh"} {
		printed, uploaded, succeeded := r.do(w.Jobs[name])
		if succeeded || !strings.Contains(printed, says) ||
			!strings.Contains(printed, " file=api/login.yaml,line=") {
			t.Errorf("%s: succeeded %t\n%s", name, succeeded, printed)
		}
		var log struct {
			Runs []struct{ Results []json.RawMessage }
		}
		if err := json.Unmarshal([]byte(uploaded), &log); err != nil {
			t.Fatalf("%v\n%s", err, uploaded)
		}
		if len(log.Runs) != 1 || strings.Count(printed, "file=api/login.yaml") != len(log.Runs[0].Results) ||
			!strings.Contains(uploaded, `"uri": "api/login.yaml"`) {
			t.Errorf("%s: what is uploaded is not what is printed:\n%s\n%s", name, uploaded, printed)
		}
	}
}
