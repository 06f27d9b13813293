package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"postern/handlers"
	"postern/speclab/impact"
	"postern/speclab/spec"
)

// specCmds are the commands for people who change the contract.
type specCmds struct {
	Check specCheck `cmd:"" help:"Say what a changed spec breaks, and what the handlers owe for it."`
	Watch specWatch `cmd:"" help:"On each save of api/login.yaml generate, compile and test, and say what is owed."`
}

type specCheck struct {
	Files []string `arg:"" name:"file" help:"The spec: OpenAPI or Swagger, one or more files, or a folder of them."`

	SpecRoot string `placeholder:"DIR" help:"The folder that the files may refer into; by default the one that they lie in."`
	Whole    bool   `help:"The spec is all of the API: an operation that it does not mention is removed."`
	Source   string `placeholder:"DIR" help:"Postern's source; by default the one that you are in, else the one that this binary was made of."`
	Format   string `enum:"text,json,github" default:"text" help:"text, json, or github: annotations for a workflow there."`
}

// Help is shown by 'postern spec check --help'.
func (*specCheck) Help() string {
	return `First, what changed against the built-in contract, and whether each change breaks clients. Then what the compiler says: Go is generated from
the spec and the handlers are compiled against it, in a folder of its own. Each error is led back to the line of the spec that caused it and to
the handler that owes the change; a method that is missing can be pasted as it is printed. The second half needs the go command.

A spec with another title than the contract's is taken as a part of the API: it is laid over the contract, and what it does not mention stays.

Examples:
  postern spec check api/login.yaml
  postern spec check login.yaml refresh.yaml --format json
  postern spec check my-spec/ --whole --format github

Exit status:
  0  nothing breaks clients, and nothing is owed
  1  something breaks clients (not: may break), or a handler owes something
  2  the spec cannot be used, or the check could not be made
Without Go the status is that of the first half. What the compiler does not notice is told and does not count.`
}

// errBroken ends a check that has printed what it found.
var errBroken = exitStatus{code: 1}

// Run makes the check and prints it.
func (cmd *specCheck) Run(ctx context.Context, w world) error {
	report, err := cmd.check(ctx, w)
	if err != nil {
		return exitStatus{code: 2, err: err}
	}
	if err := writeReport(report, cmd.Format, w.stdout); err != nil {
		return exitStatus{code: 2, err: err}
	}
	switch {
	case len(report.Problems) > 0:
		return exitStatus{code: 2}
	case report.Broken():
		return errBroken
	}
	return nil
}

func writeReport(report *impact.Report, format string, to io.Writer) error {
	switch format {
	case "json":
		return report.WriteJSON(to)
	case "github":
		return report.WriteGitHub(to)
	}
	return report.WriteText(to)
}

func (cmd *specCheck) check(ctx context.Context, w world) (*impact.Report, error) {
	set, wrong := findSpecs(cmd.SpecRoot, cmd.Files)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	fsys, closes, err := set.open()
	if err != nil {
		return nil, err
	}
	defer closes()
	edited, err := spec.Load(fsys, set.files...)
	if err != nil {
		return problems(err, set.shown())
	}
	contract, err := w.contract()
	if err != nil {
		return nil, err
	}
	settings, err := fs.ReadFile(w.Source, "oapi-config.yaml")
	if err != nil {
		return nil, err
	}
	source, remove, err := w.sourceOf(cmd.Source)
	if err != nil {
		return nil, err
	}
	defer remove()
	report, err := impact.Check(ctx, impact.Input{
		Contract: contract, Edited: edited, Config: settings, Folder: set.shown(), Whole: cmd.Whole,
		Alias: handlers.Alias, Source: source,
		Tell: func(what string) {
			if file, ok := w.stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
				fmt.Fprintln(w.stderr, what)
			}
		},
	})
	if err != nil {
		return problems(err, "") // which are told with their folder
	}
	return report, nil
}

// problems are told like any result, so that --format holds for them too.
func problems(err error, folder string) (*impact.Report, error) {
	if report, ok := impact.ProblemsOf(err, folder); ok {
		return report, nil
	}
	return nil, err
}

// sourceOf finds Postern's source: the folder that is named, the one we are in, or else what this binary was made of,
// which is written into a folder to be removed afterwards.
func (p Program) sourceOf(named string) (source impact.Source, remove func(), err error) {
	remove = func() {}
	module, found, err := moduleOf(named)
	if err != nil || found {
		return impact.Source{Module: module}, remove, err
	}
	dir, err := os.MkdirTemp("", "postern-source-")
	if err != nil {
		return source, remove, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	if err := p.writeSource(dir); err != nil {
		remove()
		return source, func() {}, err
	}
	return impact.Source{Module: dir, Env: []string{"GOWORK=off"}}, remove, nil
}

// moduleOf is the folder of Postern's source that is named, or that we are in.
func moduleOf(named string) (module string, found bool, err error) {
	if named != "" {
		module, err = filepath.Abs(named)
		if err == nil && !isPostern(module) {
			err = fmt.Errorf("--source %s is not Postern's source: it needs a go.mod that says `module postern`, and "+
				"handlers/", named)
		}
		return module, err == nil, err
	}
	if module, err = os.Getwd(); err != nil {
		return "", false, err
	}
	for ; ; module = filepath.Dir(module) {
		if isPostern(module) {
			return module, true, nil
		}
		if module == filepath.Dir(module) {
			return "", false, nil
		}
	}
}

// isPostern reports whether a folder is this module.
func isPostern(dir string) bool {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	info, err := os.Stat(filepath.Join(dir, "handlers"))
	if err != nil || !info.IsDir() {
		return false
	}
	for line := range strings.Lines(string(mod)) {
		if strings.TrimSpace(line) == "module postern" {
			return true
		}
	}
	return false
}

// writeSource writes what this binary was made of.
func (p Program) writeSource(dir string) error {
	return fs.WalkDir(p.Source, ".", func(name string, entry fs.DirEntry, err error) error {
		switch to := filepath.Join(dir, filepath.FromSlash(name)); {
		case err != nil:
			return err
		case entry.IsDir():
			if err := os.Mkdir(to, 0o700); !errors.Is(err, fs.ErrExist) {
				return err
			}
			return nil
		default:
			text, err := fs.ReadFile(p.Source, name)
			if err != nil {
				return err
			}
			return os.WriteFile(to, text, 0o600)
		}
	})
}
