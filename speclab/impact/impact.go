// Package impact says what a changed spec means: for clients that were written for the contract, and for the server
// that implements it: package handlers, and oauth and homeserver beside it, all called the handlers here.
//
// [Check] compares a spec with the contract (oasdiff judges each difference), generates Go from it as `go generate`
// does, compiles the handlers against that without touching the source tree, and leads each compile error back to the
// line of the spec that caused it and to the handler that must change. What a handler must change for one cause is a
// [Task]; the report calls it "owed". [Diff] does the first of this alone, for any two specs.
//
// # From a compile error to a line
//
// The generated code of the contract and that of the spec are compared symbol by symbol: types, their fields, the
// methods to implement. Every symbol leads to a part of the spec by the generator's own rules for names, and a part to
// its line. A compile error is then about those of the changed symbols that its message names, or that the source at
// its place uses.
//
// # Laws
//
//   - Whatever makes the mock server (package mock) refuse a request, or take one, that it did not is a change.
//   - The source tree is only read; what is generated is in a temporary folder that is removed.
//   - What asks something of a handler and does not fail to compile (an optional field of an answer, a new status) is
//     reported apart, as [Unnoticed].
//   - Without Go, or with too many operations to compile, the comparison is still made, and the report says why the
//     rest was not.
//   - The same specs give the same report.
//
// # The files, in reading order
//
// impact.go is the way through a check, source.go what surrounds one: finding the files and Postern's source. diff.go
// compares two specs that are not ours. report.go is what is found and how it is printed for people, annotations.go
// what is said of one place, which github.go prints for a workflow and sarif.go for code scanning.
//
// The comparison: document.go (an API as a tree, with the line of each part), merge.go (the spec laid over the contract
// when it is a part of the API; rename.go when both use a name for different components), changes.go (what oasdiff
// finds), cause.go (a part of a spec in words).
//
// The generated code: generate.go and tidy.go make it, refused.go reads why the generator refuses, symbols.go reads the
// code, symboldiff.go compares it, mapping.go leads from a symbol to a part of the spec.
//
// The handlers: implementation.go reads their source, compile.go compiles them, match.go finds the changed symbols that
// an error is about, tasks.go makes tasks of them, unnoticed.go finds what the compiler does not notice.
//
// watch.go does all this on each save of the contract: with typecheck.go, which is quicker than compiling, and with the
// tests that touched.go chooses and testbuild.go builds and runs.
package impact

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// Input is what a check needs.
type Input struct {
	Contract *spec.API // the built-in one
	Edited   *spec.API
	Config   []byte // the generator's settings

	Folder string // of Edited's files, put before their names in the report
	// Whole says that Edited is all of the API, so that an operation that it does not mention is removed. A spec with
	// the contract's title always is all; one with another title is otherwise a part, and what it does not mention
	// stays.
	Whole bool
	// Alias gives the path that a path is another name of, or the path itself; may be nil.
	Alias    func(string) string
	Source   Source       // of the handlers
	Progress func(string) // is called with what is being done; may be nil

	// compile, when it is nil
	errors func(ctx context.Context, module, code string, env []string) ([]CompileError, error)
}

// compare is the half of a check that needs no source.
func compare(in Input) (*check, *Report, error) {
	c, err := newCheck(in)
	if err != nil {
		return nil, nil, err
	}
	report := &Report{LeftAlone: c.revision.leftAlone, Gaps: in.Edited.Warnings().In(in.Folder)}
	report.Changes, err = c.revision.changes()
	return c, report, err
}

// Check compares a spec with the contract and finds what the handlers must change for it. When the spec cannot be used
// the error is of type [spec.Problems].
func Check(ctx context.Context, in Input) (*Report, error) {
	c, report, err := compare(in)
	if err != nil {
		return nil, err
	}
	if err = c.generateBoth(report); err != nil {
		return nil, err
	}
	err = c.findTasks(ctx, report)
	if notCompiled(err) {
		report.Reason, err = err.Error(), nil
	}
	return report, err
}

// check is a check under way.
type check struct {
	Input
	revision  *revision
	generator *generator
	code      string   // of the spec
	old, now  *symbols // of the contract's code and of the spec's
	handlers  *implementation
}

func newCheck(in Input) (*check, error) {
	if in.Alias == nil {
		in.Alias = func(path string) string { return path }
	}
	if in.errors == nil {
		in.errors = compile
	}
	if in.Progress == nil {
		in.Progress = func(string) {}
	}
	contract, err := locate(in.Contract, "")
	if err != nil {
		return nil, err
	}
	edited, err := locate(in.Edited, in.Folder)
	if err != nil {
		return nil, err
	}
	c := &check{Input: in}
	whole := in.Whole || title(edited) == title(contract)
	c.revision = newRevision(contract, edited, in.Alias, whole)
	return c, nil
}

func title(l *located) string {
	name, _ := object(l.tree, "info")["title"].(string)
	return name
}

// locate reads an API whose parts can be found in its files.
func locate(api *spec.API, folder string) (*located, error) {
	d, err := treeOf(api.Doc)
	return &located{document: d, api: api, folder: folder}, err
}

// generatorForm is an API in the form that the generator can take: see package spec.
func generatorForm(api *spec.API) (*document, error) {
	text, err := api.YAML()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return treeOf(doc)
}

// generate makes the code of an API and reads what handlers see of it.
func (c *check) generate(d *document) (string, *symbols, error) {
	fresh, err := parse(d.tree)
	if err != nil {
		return "", nil, err
	}
	code, operations, err := c.generator.generate(fresh.api)
	if err != nil {
		return "", nil, err
	}
	s, err := readSymbols(code, operations)
	return code, s, err
}

// generateBoth makes the code of the contract and of the spec, unless it is there already, and reads the handlers.
func (c *check) generateBoth(report *Report) (err error) {
	if c.generator, err = newGenerator(c.Config, nil); err != nil {
		return err
	}
	if err = c.revision.useGenerator(); err != nil {
		return err
	}
	if c.old == nil {
		if _, c.old, err = c.generate(c.revision.contract.forGenerator); err != nil {
			return fmt.Errorf("the contract: %w", err)
		}
	}
	if c.now == nil {
		if c.code, c.now, err = c.generate(c.revision.forGenerator); err != nil {
			return c.generatorProblems(err)
		}
	}
	report.operations = c.changedOperations(report.Changes)
	c.handlers, err = readImplementation(c.Source.Module)
	return err
}

// findTasks compiles the handlers and finds what they must change.
func (c *check) findTasks(ctx context.Context, report *Report) error {
	found, err := c.compile(ctx)
	if err != nil && !notCompiled(err) {
		return err
	}
	report.Compiled = err == nil
	if report.Compiled {
		if problems := c.errorsInGenerated(found); len(problems) > 0 {
			return problems
		}
		report.Tasks = c.tasksFor(found)
	}
	report.Unnoticed = append(unnoticed(report.Changes, report.Tasks, c.handlerOf), c.movedOperations()...)
	return err
}

func (c *check) compile(ctx context.Context) ([]CompileError, error) {
	if n := len(c.now.operations); n > mostCompiled {
		return nil, tooManyError(n)
	}
	c.Progress("compiling the handlers…")
	return c.errors(ctx, c.Source.Module, c.code, c.Source.Env)
}

// errorsInGenerated are the errors in the generated code itself: the generator made something of the spec that is not
// Go.
func (c *check) errorsInGenerated(found []CompileError) (problems spec.Problems) {
	m := newMapping(c.revision.forGenerator, c.now)
	for _, e := range found {
		if e.File == generatedFile || c.handlers.files[e.File] == nil {
			part := m.typ(c.now.typeAtLine(e.Line))
			what, _, _ := strings.Cut(e.Message, "\n") // the rest is about a file that is removed
			problem := spec.Problem{Position: c.revision.position(part),
				What: "what the generator makes of this does not compile: " + what,
				Fix:  "give what is in it other names, or a schema of its own under components"}
			if !slices.Contains(problems, problem) {
				problems = append(problems, problem)
			}
		}
	}
	return problems
}

// changedOperations are the operations that any of the changes is in.
func (c *check) changedOperations(changes []Change) (all []operation) {
	for _, s := range []*symbols{c.now, c.old} {
		for _, o := range s.operations {
			same := func(other operation) bool { return other.goName == o.goName && other.at[1] == o.at[1] }
			if !slices.ContainsFunc(all, same) && slices.ContainsFunc(changes, func(change Change) bool {
				return slices.ContainsFunc(change.at, func(at pointer) bool { return slices.Equal(at, o.at) })
			}) {
				all = append(all, o)
			}
		}
	}
	return all
}
