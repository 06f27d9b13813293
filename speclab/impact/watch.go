package impact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/getkin/kin-openapi/openapi3"

	"postern/speclab/spec"
)

// contractFile is where a module keeps the contract.
const contractFile = "api/login.yaml"

// saveDelay is how long a file must have been left alone before it is read: editors write in several steps.
const saveDelay = 30 * time.Millisecond

// Watch watches the contract of a module and the packages that implement it. On each save it generates, prints what the
// handlers must change, and runs the tests of the changed operations.
type Watch struct {
	Module string // the folder of Postern's source
	// Embedded holds the generator's settings and the contract of this binary. That contract is what the handlers are
	// taken to implement, when they do not compile with the module's own at the start.
	Embedded fs.FS
	Out      io.Writer
	Now      func() time.Time

	types       typechecker
	settings    []byte    // the generator's
	implemented *spec.API // what the handlers implement now
	warnings    spec.Problems
	gen         *generator
	proven      bool        // whether the handlers, as they are, were shown to implement the contract
	untested    []operation // have changed, and their tests did not pass since
}

// Run watches until the context ends.
func (w *Watch) Run(ctx context.Context) error {
	changes, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer changes.Close()
	// The folders and not the files: many editors save by putting another file in its place.
	for _, folder := range append([]string{filepath.Dir(contractFile)}, foldersIn(w.Module, typechecked)...) {
		if err := changes.Add(filepath.Join(w.Module, folder)); err != nil {
			return err
		}
	}
	if err := w.start(ctx); err != nil {
		return err
	}
	current, proven := newJob(ctx), true
	defer current.stop()
	for wait := (<-chan time.Time)(nil); ; {
		select {
		case <-ctx.Done():
			return nil
		case event := <-changes.Events:
			if saved := filepath.Base(event.Name); !event.Has(fsnotify.Chmod) &&
				(saved == filepath.Base(contractFile) || isSource(saved)) {
				wait, proven = time.After(saveDelay), proven && !isSource(saved)
			}
		case err := <-changes.Errors:
			return err
		case <-wait:
			current.stop()
			w.proven = w.proven && proven
			wait, proven = nil, true
			current.start(w.onSave)
		}
	}
}

// isSource reports whether a file is of the handlers, and no copy that an editor keeps.
func isSource(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasPrefix(name, ".")
}

// job is the work after one save. A new one stops the old one.
type job struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

func newJob(ctx context.Context) *job { return &job{ctx: ctx} }

func (t *job) start(work func(context.Context)) {
	t.stop()
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(t.ctx)
	t.done = make(chan struct{})
	go func() {
		defer close(t.done)
		work(ctx)
	}()
}

func (t *job) stop() {
	if t.cancel != nil {
		t.cancel()
		<-t.done
	}
}

// start finds out what the handlers implement now. It also fills the caches that the checks after saves need.
func (w *Watch) start(ctx context.Context) error {
	mod, err := os.ReadFile(filepath.Join(w.Module, "go.mod"))
	if err != nil {
		return err
	}
	if w.implemented, w.settings, err = builtIn(w.Embedded); err != nil {
		return err
	}
	if w.gen, err = newGenerator(w.settings, mod); err != nil {
		return err
	}
	api, _, err := w.load()
	if err == nil {
		w.warn(api)
		w.print("checking what the handlers owe; the first time this compiles what they import")
		report, err := Check(ctx, w.input(api))
		switch {
		case err == nil && len(report.Tasks) == 0:
			w.implemented, w.proven = api, true
		case err == nil:
			w.print("%s", report.taskText())
		case ctx.Err() == nil:
			w.print("%v", err)
		}
	} else {
		w.print("%v", err)
	}
	w.print("watching %s and the handlers", contractFile)
	return nil
}

// load reads the contract, for the comparison and as the generator takes it.
func (w *Watch) load() (*spec.API, *openapi3.T, error) {
	root, err := os.OpenRoot(w.Module)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	api, err := spec.Load(root.FS(), contractFile)
	if err != nil {
		return nil, nil, err
	}
	text, err := root.ReadFile(contractFile)
	if err != nil {
		return nil, nil, err
	}
	doc, err := loadText(text) // the generator's command does so too, and orders the routes by the lines
	if err != nil {
		return nil, nil, spec.Problems{{Position: spec.Position{File: contractFile}, What: err.Error()}}
	}
	return api, doc, nil
}

// warn prints the warnings of the contract that were not printed yet.
func (w *Watch) warn(api *spec.API) {
	for _, line := range spec.WarningsAfter(w.warnings, api.Warnings()) {
		w.print("%s", line)
	}
	w.warnings = api.Warnings()
}

func (w *Watch) input(api *spec.API) Input {
	return Input{Contract: w.implemented, Edited: api, Config: w.settings, Whole: true,
		Source: Source{Module: w.Module}, errors: w.types.errors}
}

// onSave does the work after a save.
func (w *Watch) onSave(ctx context.Context) {
	start := w.Now()
	if err := w.update(ctx, start); err != nil && ctx.Err() == nil {
		w.print("%v\n%s is kept as it was", err, generatedFile)
	}
}

// update generates the code and, when that succeeds, writes it, prints what the handlers must change, and runs the
// tests. After an error nothing is written.
func (w *Watch) update(ctx context.Context, start time.Time) error {
	proven := w.proven
	w.proven = false
	api, doc, err := w.load()
	if err != nil {
		return err
	}
	w.warn(api)
	code, operations, err := w.gen.generate(doc)
	if err != nil {
		return fmt.Errorf("%s: %w", contractFile, err)
	}
	if w.proven = proven && w.has(code); w.proven {
		w.print("%s stays as it is", generatedFile)
		return nil
	}
	c, report, err := compare(w.input(api))
	if err != nil {
		return err
	}
	if err := c.useCode(code, operations, report); err != nil {
		return err
	}
	changed := slices.Concat(report.operations, w.untested)
	tests := w.buildTests(ctx, code, changed) // meanwhile
	defer tests.discard()
	if err := c.findTasks(ctx, report); err != nil {
		return err
	}
	if err := w.write(code); err != nil {
		return err
	}
	if len(report.Tasks) > 0 {
		w.print("%scompiled: owed: %s (%s)", report.taskText(), plural(len(report.Tasks), "thing"), w.since(start))
		return nil
	}
	w.implemented, w.untested = api, changed // it is what the handlers implement now
	w.print("%scompiled: nothing is owed (%s)", report.unnoticedText(), w.since(start))
	if w.proven = w.test(ctx, tests, start); w.proven {
		w.untested = nil
	}
	return nil
}

func (w *Watch) generated() string { return filepath.Join(w.Module, filepath.FromSlash(generatedFile)) }

// has reports whether this is the generated code of the module.
func (w *Watch) has(code string) bool {
	old, err := os.ReadFile(w.generated())
	return err == nil && string(old) == code
}

// write makes it the generated code of the module.
func (w *Watch) write(code string) error {
	if w.has(code) {
		return nil
	}
	if err := replace(w.generated(), code); err != nil {
		return err
	}
	w.print("%s is written", generatedFile)
	return nil
}

// useCode takes code of the spec that was generated already.
func (c *check) useCode(code string, operations []operation, report *Report) (err error) {
	c.code = code
	if c.now, err = readSymbols(code, operations); err != nil {
		return err
	}
	return c.generateBoth(report)
}

// test runs the tests that are touched, and reports whether none of them fails.
func (w *Watch) test(ctx context.Context, tests *testBuild, start time.Time) (good bool) {
	out, err := tests.run(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.print("%stests: %v (%s)", out, err, w.since(start))
	case len(tests.names) == 0:
		w.print("none of the %d tests is touched", tests.all)
	default:
		w.print("tests: ok, %d of %d (%s)", len(tests.names), tests.all, w.since(start))
	}
	return err == nil && ctx.Err() == nil
}

func (w *Watch) since(start time.Time) string {
	return fmt.Sprintf("%.2fs", w.Now().Sub(start).Seconds())
}

func (w *Watch) print(format string, args ...any) { fmt.Fprintf(w.Out, format+"\n", args...) }

// replace writes a file whole or not at all.
func replace(file, text string) error {
	beside, err := os.CreateTemp(filepath.Dir(file), ".gen-*")
	if err != nil {
		return err
	}
	_, err = beside.WriteString(text)
	err = errors.Join(err, beside.Chmod(0o644), beside.Close())
	if err == nil {
		err = os.Rename(beside.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(beside.Name()))
	}
	return nil
}
