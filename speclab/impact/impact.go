// Package impact says what a changed spec asks: of clients that were written for the contract, and of the server that
// implements it.
//
// [Check] compares a spec with the contract (oasdiff judges each difference), makes Go of it as `go generate` does,
// compiles the handlers against that without touching the source tree, and leads each error of the compiler back to the
// line of the spec that caused it and to the handler that owes the change.
//
// # From an error to a line
//
// The generated code of the contract and that of the spec are compared symbol by symbol: types, their fields, the
// methods to implement. Every symbol leads to a part of the spec by the generator's own rules for names, and a part to
// its line. An error of the compiler is then about those of the changed symbols that its message names, or that stand
// in the source at its place.
//
// # Laws
//
//   - The source tree is only read; what is generated lies in a folder of its own that is removed.
//   - What the compiler does not notice though a handler owes it (an optional field of an answer, a new status) is told
//     apart.
//   - Without Go, or with too many operations to compile, the comparison is still made, and the report says why the
//     rest was not.
package impact

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// Input is what a check needs.
type Input struct {
	Contract *spec.API // the built-in one
	Edited   *spec.API
	Config   []byte // the generator's settings

	Folder   string              // of Edited's files, put before their names in what is told
	Whole    bool                // whether the spec is all of the API, also when it has another title than the contract
	Alias    func(string) string // the path that a path is another name of, or the path itself
	Source   Source              // of the handlers
	Progress func(string)        // is called with what is being done; may be nil

	// compile, when it is nil
	errors func(ctx context.Context, module, code string, env []string) ([]CompileError, error)
}

// Source is where the handlers' source lies.
type Source struct {
	Module string   // the folder with go.mod
	Env    []string // for the go command, beside the environment
}

// Report is all that a check found.
type Report struct {
	Changes []Change `json:"changes"`
	// operations of the contract that the spec, being a part of the API, does not mention
	LeftAlone int         `json:"left_alone"`
	Compiled  bool        `json:"compiled"`
	Reason    string      `json:"reason,omitempty"` // why it was not compiled
	Owed      []Owed      `json:"owed"`
	Unnoticed []Unnoticed `json:"unnoticed"`
	Gaps      []Problem   `json:"gaps"`
	Problems  []Problem   `json:"problems"` // why the spec cannot be used; then all the rest is empty

	operations []Operation // that are changed
}

// Owed is what a handler owes for one cause.
type Owed struct {
	Cause     Cause          `json:"cause"`
	Handler   Handler        `json:"handler"`
	Errors    []CompileError `json:"errors"`
	Signature string         `json:"signature,omitempty"` // a method that is missing, ready to paste
}

// Problem is something wrong with the spec.
type Problem struct {
	Place Place  `json:"place"`
	What  string `json:"what"`
	Fix   string `json:"fix,omitempty"`
}

// Broken reports whether anything breaks clients or is owed.
func (r *Report) Broken() bool {
	return len(r.Owed) > 0 || r.count(Breaks) > 0
}

func (r *Report) count(s Severity) (n int) {
	for _, c := range r.Changes {
		if c.Severity == s {
			n++
		}
	}
	return n
}

// problemsOf are the problems of a spec in a folder, as a report has them.
func problemsOf(found []spec.Problem, folder string) (all []Problem) {
	for _, p := range found {
		p.File = inFolder(folder, p.File)
		all = append(all, Problem{Place: placeOf(p.Position), What: p.What, Fix: p.Fix})
	}
	return all
}

// Compare compares a spec with the contract. It is the half of a check that needs no source.
func Compare(in Input) (*Report, error) {
	_, report, err := compare(in)
	return report, err
}

func compare(in Input) (*check, *Report, error) {
	c, err := newCheck(in)
	if err != nil {
		return nil, nil, err
	}
	report := &Report{LeftAlone: c.revision.leftAlone, Gaps: problemsOf(in.Edited.Gaps, in.Folder)}
	report.Changes, err = c.revision.changes()
	return c, report, err
}

// Check compares a spec with the contract and finds what is owed for it.
func Check(ctx context.Context, in Input) (*Report, error) {
	c, report, err := compare(in)
	if err != nil {
		return nil, err
	}
	if err = c.generateBoth(report); err != nil {
		return nil, err
	}
	err = c.owed(ctx, report)
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
	code      string // of the spec
	old, now  *symbols
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
	if c.revision, err = revise(contract, edited, in.Alias, whole); err != nil {
		return nil, spec.Problems{{Position: edited.at(), What: err.Error()}}
	}
	c.generator, err = newGenerator(in.Config, nil)
	return c, err
}

func title(l *located) string {
	name, _ := object(l.tree, "info")["title"].(string)
	return name
}

// locate reads an API as a document that knows where its parts stand.
func locate(api *spec.API, folder string) (*located, error) {
	tree, err := treeOf(api.Doc)
	if err != nil {
		return nil, err
	}
	d, err := documentOf(tree)
	if err != nil {
		return nil, err
	}
	made, err := madeOf(api)
	return &located{d, made, func(part ...string) spec.Position {
		p := api.At(part...)
		p.File = inFolder(folder, p.File)
		return p
	}}, err
}

// madeOf is the API as the generator takes it.
func madeOf(api *spec.API) (*document, error) {
	text, err := api.YAML()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	tree, err := treeOf(doc)
	if err != nil {
		return nil, err
	}
	return documentOf(tree)
}

func inFolder(folder, file string) string {
	return filepath.ToSlash(filepath.Join(folder, filepath.FromSlash(file)))
}

// generate makes the code of an API and reads what handlers see of it.
func (c *check) generate(d *document) (string, *symbols, error) {
	fresh, err := documentOf(d.tree) // the generator changes what it is given
	if err != nil {
		return "", nil, err
	}
	code, operations, err := c.generator.generate(fresh.api)
	if err != nil {
		return "", nil, err
	}
	s, err := symbolsOf(code, operations)
	return code, s, err
}

// generateBoth makes the code of the contract and of the spec, unless it is there already, and reads the handlers.
func (c *check) generateBoth(report *Report) (err error) {
	if c.old == nil {
		if _, c.old, err = c.generate(c.revision.contract.made); err != nil {
			return fmt.Errorf("the contract: %w", err)
		}
	}
	if c.now == nil {
		if c.code, c.now, err = c.generate(c.revision.made); err != nil {
			return c.refused(err)
		}
	}
	report.operations = c.changed(report.Changes)
	c.handlers, err = readImplementation(c.Source.Module)
	return err
}

// owed compiles the handlers and tells what they owe.
func (c *check) owed(ctx context.Context, report *Report) error {
	found, err := c.compile(ctx)
	if err != nil && !notCompiled(err) {
		return err
	}
	report.Compiled = err == nil
	if report.Compiled {
		if bad := c.ofGenerated(found); len(bad) > 0 {
			return bad
		}
		report.Owed = c.debts(found)
	}
	report.Unnoticed = append(unnoticed(report.Changes, report.Owed, c.handlerOf), c.moved()...)
	return err
}

func (c *check) compile(ctx context.Context) ([]CompileError, error) {
	if n := len(c.now.operations); n > mostCompiled {
		return nil, tooManyError(n)
	}
	c.Progress("compiling the handlers…")
	return c.errors(ctx, c.Source.Module, c.code, c.Source.Env)
}

// ofGenerated are the errors in the generated code itself: the generator has made something of the spec that is not Go.
func (c *check) ofGenerated(found []CompileError) (bad spec.Problems) {
	m := newMapping(c.revision.made, c.now)
	for _, e := range found {
		if e.File == generatedFile || !c.handlers.has(e.File) {
			at := m.typ(c.now.enclosing(e.Line))
			bad = append(bad, spec.Problem{Position: c.revision.position(at),
				What: "what the generator makes of this does not compile: " + e.Message,
				Fix:  "write it in another way"})
		}
	}
	return bad
}

func (m *implementation) has(file string) bool { return m.files[file] != nil }

// changed are the operations that any change is seen in.
func (c *check) changed(changes []Change) (all []Operation) {
	for _, s := range []*symbols{c.now, c.old} {
		for _, o := range s.operations {
			one := Operation{Path: o.at[1], Method: o.goName}
			if !slices.Contains(all, one) && slices.ContainsFunc(changes, func(change Change) bool {
				return slices.ContainsFunc(change.at, func(at pointer) bool { return slices.Equal(at, o.at) })
			}) {
				all = append(all, one)
			}
		}
	}
	return all
}
