package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	contractFile     = "api/login.yaml"
	generated        = "gen/gen.go"
	generatorConfig  = "oapi-config.yaml"
	generatorPackage = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"
)

// change is a change of the contract's text. It is an error when the place for it is not there, so that an
// edit which has become void is noticed.
type change func(contract string) (string, error)

// replaceIn replaces a text wherever it stands under a key. The key is given by the way to it from the root.
func replaceIn(path, old, new string) change {
	return func(contract string) (string, error) {
		start, end, err := find(contract, path)
		if err != nil {
			return "", err
		}
		if !strings.Contains(contract[start:end], old) {
			return "", fmt.Errorf("the contract has no %q at %s", old, path)
		}
		return contract[:start] + strings.ReplaceAll(contract[start:end], old, new) + contract[end:], nil
	}
}

// cutOut removes a key and all that is under it.
func cutOut(path string) change {
	return func(contract string) (string, error) {
		start, end, err := find(contract, path)
		if err != nil {
			return "", err
		}
		return contract[:start] + contract[end:], nil
	}
}

// addTo puts lines under a key, before those that are there.
func addTo(path, lines string) change {
	return func(contract string) (string, error) {
		start, _, err := find(contract, path)
		if err != nil {
			return "", err
		}
		first := start + strings.IndexByte(contract[start:], '\n') + 1
		return contract[:first] + lines + contract[first:], nil
	}
}

// find gives the bounds of a key with all that is under it. It knows as much YAML as the contract uses: a key
// that opens a block stands alone on its line, two spaces deeper than its parent.
func find(contract, path string) (start, end int, err error) {
	end = len(contract)
	indent := ""
	for key := range strings.FieldsSeq(path) {
		line := indent + key + ":\n"
		at := strings.Index(contract[start:end], "\n"+line)
		if at < 0 {
			return 0, 0, fmt.Errorf("the contract has no %s: %s is not found", path, key)
		}
		start += at + 1
		indent += "  "
		last := start + len(line)
		for under := range strings.Lines(contract[last:end]) {
			if strings.TrimSpace(under) != "" && !strings.HasPrefix(under, indent) {
				break
			}
			last += len(under)
		}
		end = last
	}
	return start, end, nil
}

// pipeline leads from a contract to compile errors, the same way as `go generate && go build` but beside the tree.
type pipeline struct{ generator string }

// newPipeline builds the generator at the version that go.mod has.
func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	p := &pipeline{filepath.Join(t.TempDir(), "generator")}
	if out, err := command(t, "", "go", "build", "-o", p.generator, generatorPackage); err != nil {
		t.Fatalf("building the generator: %v\n%s", err, out)
	}
	return p
}

// try makes an edit and gives the errors that it leads to.
func (p *pipeline) try(t *testing.T, e *contractEdit) []string {
	t.Helper()
	code := p.generate(t, slices.Concat(e.before, e.edit))
	errs := p.build(t, code, e.handlers)
	if e.exercise == "" {
		return errs
	}
	if len(errs) > 0 {
		t.Fatalf("Go was not expected to notice:\n%s", strings.Join(errs, "\n"))
	}
	return p.exercise(t, code, e.exercise)
}

// generate makes Go of the contract with some changes, and gives the file's name. The configuration's `output`
// wins over the flag -o, so the generator runs in a directory of its own.
func (p *pipeline) generate(t *testing.T, changes []change) string {
	t.Helper()
	text := string(read(t, contractFile))
	for _, apply := range changes {
		var err error
		if text, err = apply(text); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "login.yaml"), text)
	config, err := filepath.Abs(generatorConfig)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, dir, p.generator, "-config", config, "login.yaml"); err != nil {
		t.Fatalf("generating: %v\n%s", err, out)
	}
	return filepath.Join(dir, generated)
}

// compileError is a line of the compiler: position and message. A file that is only in the overlay is
// reported where it really is.
var compileError = regexp.MustCompile(`(?m)^(?:\S*/)?((?:handlers|oauth|homeserver)/\w+\.go):\d+:\d+: (.+)$`)

// build compiles what implements the contract with other generated code and gives the errors, without the positions.
func (p *pipeline) build(t *testing.T, code string, handlers map[string]string) []string {
	t.Helper()
	out, err := command(t, "", "go", "build", "-overlay", overlay(t, code, handlers), "./handlers",
		"./oauth", "./homeserver")
	return distinct(t, compileError, out, err)
}

// exercised is a line of the tests of a package, about a part of the contract that none of them touches.
var exercised = regexp.MustCompile(`(?m)^(contract): (.+)$`)

// exercise runs the tests of a package with other generated code, which holds the contract too. Whether anything
// touches a part of it shows with few rounds as well, and by the tests alone.
func (p *pipeline) exercise(t *testing.T, code, tests string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-short", "-vet=off", "-overlay", overlay(t, code, nil),
		tests, "-rapid.checks=1")
	cmd.Env = append(os.Environ(), "TEST_ROUNDS=")
	out, err := cmd.CombinedOutput()
	return distinct(t, exercised, string(out), err)
}

// overlay writes a file for -overlay: which files of the tree are replaced, by what.
func overlay(t *testing.T, code string, handlers map[string]string) string {
	t.Helper()
	replace := map[string]string{generated: code}
	for name, text := range handlers {
		dir := t.TempDir()
		replace[name] = filepath.Join(dir, name)
		if err := os.Mkdir(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, replace[name], text)
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	write(t, file, string(raw))
	return file
}

// distinct gives every error of the output once, as `file: message`. A command that fails without any did not
// get as far as it should.
func distinct(t *testing.T, line *regexp.Regexp, out string, err error) []string {
	t.Helper()
	var found []string
	for _, match := range line.FindAllStringSubmatch(out, -1) {
		if text := match[1] + ": " + match[2]; !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	if (err != nil) != (len(found) > 0) {
		t.Fatalf("errors %q, but %v:\n%s", found, err, out)
	}
	return found
}

func command(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}
