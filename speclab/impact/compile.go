package impact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// generatedFile is where a module keeps its generated code.
const generatedFile = "gen/gen.go"

// CompileError is what the compiler says about one place.
type CompileError struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// String is the error as the compiler writes it.
func (e CompileError) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// errorLine is a line of the compiler, or of the go command when a file cannot be read.
var errorLine = regexp.MustCompile(`^(\S.*\.go):(\d+)(?::(\d+))?: (.+)$`)

// errNoGo says that there is no Go to compile with.
var errNoGo = errors.New("there is no go command in PATH; install Go from https://go.dev/dl, or from your system's " +
	"packages")

// mostCompiled is how many operations are compiled: Matrix has 200. The compiler takes half a megabyte and more for
// each, and a machine that checks what strangers send must not be felled by it.
const mostCompiled = 1000

// tooManyError says that an API has too many operations to compile.
type tooManyError int

func (n tooManyError) Error() string {
	return fmt.Sprintf("%d operations are more than %d, for which the compiler would need gigabytes; check fewer "+
		"files at once", int(n), mostCompiled)
}

// notCompiled reports whether an error says why there is no compiling here, while the comparison holds.
func notCompiled(err error) bool {
	var tooMany tooManyError
	return errors.Is(err, errNoGo) || errors.As(err, &tooMany)
}

// compile compiles the handlers of a module with other generated code, which is laid over the module and not written
// into it.
func compile(ctx context.Context, module, code string, env []string) ([]CompileError, error) {
	program, err := exec.LookPath("go")
	if err != nil {
		return nil, errNoGo
	}
	scratch, err := os.MkdirTemp("", "postern-spec-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	overlay, err := layOver(scratch, module, code)
	if err != nil {
		return nil, err
	}
	// -mod is said because GOFLAGS may say -mod=mod, which writes go.mod; -e lifts the limit of ten errors.
	cmd := exec.CommandContext(ctx, program, "build", "-mod=readonly", "-overlay", overlay, "-gcflags=-e")
	for _, folder := range foldersIn(module, implementing) {
		cmd.Args = append(cmd.Args, "./"+folder)
	}
	cmd.Dir = module
	stopsGently(cmd)
	// so that what an interrupted go command leaves is removed too
	cmd.Env = append(append(os.Environ(), "GOTMPDIR="+scratch), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	found := compileErrors(out.String(), module)
	if err != nil && len(found) == 0 {
		return nil, fmt.Errorf("compiling the handlers in %s: %w\n%s", module, err, strings.TrimSpace(out.String()))
	}
	return found, nil
}

// layOver writes the generated code, and the overlay file with which the go command uses it.
func layOver(scratch, module, code string) (string, error) {
	file := filepath.Join(scratch, "gen.go")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(module,
		filepath.FromSlash(generatedFile)): file}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(scratch, "overlay.json")
	return overlay, os.WriteFile(overlay, replace, 0o600)
}

// compileErrors reads the compiler's output. A line that is indented continues the one before it.
func compileErrors(out, module string) (found []CompileError) {
	seen := make(map[CompileError]bool)
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "\t") && len(found) > 0 {
			found[len(found)-1].Message += "\n" + line
			continue
		}
		m := errorLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		e := CompileError{File: inModule(m[1], module), Message: m[4]}
		e.Line, _ = strconv.Atoi(m[2])
		e.Column, _ = strconv.Atoi(m[3])
		if !seen[e] {
			seen[e] = true
			found = append(found, e)
		}
	}
	return found
}

// inModule is a file's path from the module's folder, with slashes.
func inModule(file, module string) string {
	if filepath.IsAbs(file) {
		if within, err := filepath.Rel(module, file); err == nil && filepath.IsLocal(within) {
			file = within
		}
	}
	return strings.TrimPrefix(filepath.ToSlash(file), "./")
}

// stopsGently lets a go command that is interrupted remove what it has begun.
func stopsGently(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
}
