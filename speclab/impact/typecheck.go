package impact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// typechecker finds the compiler's errors without making machine code, for a quick answer after a save: go/types knows
// the compiler's rules and messages, and reads what the compiler left in the build cache of the packages that the
// handlers import. A watch is run by the Go that compiled it, so it can read that; a check may run beside a newer Go,
// whose cache it cannot read, and so compiles: see compile.go.
type typechecker struct {
	mu       sync.Mutex
	fset     *token.FileSet
	stamp    string   // of what the imports are made of
	paths    []string // of the imports
	imported types.Importer
}

const modulePackage, genPackage = "postern/", "postern/gen"

// typechecked are the folders of the packages that use the generated code and those between them, each after those that
// it imports: what the compiler has made of them is of the old code.
var typechecked = []string{handlersFolder, "oauth/rendezvous", "oauth", "homeserver/appservice", "homeserver/front",
	"homeserver/synapse", "homeserver/outbox", "homeserver/amend", "homeserver/adminapi",
	"homeserver"}

// errors are those of the handlers of a module with other generated code.
func (t *typechecker) errors(ctx context.Context, module, code string, env []string) ([]CompileError, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	stamp, err := importStamp(module)
	if err != nil {
		return nil, err
	}
	if t.imported == nil || t.stamp != stamp {
		t.fset = token.NewFileSet()
	}
	gen, err := parser.ParseFile(t.fset, generatedFile, code, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	packages, err := t.parse(module)
	var syntax *CompileError
	if errors.As(err, &syntax) {
		return []CompileError{*syntax}, nil
	}
	if err != nil {
		return nil, err
	}
	paths := importsOf(append(slices.Concat(slices.Collect(maps.Values(packages))...), gen))
	if t.imported == nil || t.stamp != stamp || !slices.Equal(t.paths, paths) {
		if t.imported, err = t.importer(ctx, module, env, paths); err != nil {
			return nil, err
		}
		t.stamp, t.paths = stamp, paths
	}
	var found []CompileError
	made := importerWith{t.imported, make(map[string]*types.Package)}
	made.packages[genPackage] = t.check(genPackage, []*ast.File{gen}, t.imported, &found)
	for _, folder := range typechecked {
		if files := packages[folder]; len(found) == 0 && len(files) > 0 {
			made.packages[modulePackage+folder] = t.check(modulePackage+folder, files, made, &found)
		}
	}
	return found, ctx.Err()
}

// importStamp changes when something changes that they import from this module.
func importStamp(module string) (string, error) {
	var stamp strings.Builder
	for _, pattern := range []string{"go.mod", "go.sum", "tokens/*.go", "db/*.go", "db/migrations/*",
		"oauth/protocol/*.go", "web/*.go"} {
		files, err := filepath.Glob(filepath.Join(module, filepath.FromSlash(pattern)))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				return "", err
			}
			fmt.Fprintln(&stamp, file, info.Size(), info.ModTime().UnixNano())
		}
	}
	return stamp.String(), nil
}

// parse reads the packages, by folder.
func (t *typechecker) parse(module string) (map[string][]*ast.File, error) {
	packages := make(map[string][]*ast.File)
	for _, folder := range typechecked {
		files, err := t.parseFolder(module, folder)
		if err != nil {
			return nil, err
		}
		packages[folder] = files
	}
	return packages, nil
}

func (t *typechecker) parseFolder(module, folder string) (files []*ast.File, err error) {
	dir := filepath.Join(module, filepath.FromSlash(folder))
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if built, err := build.Default.MatchFile(dir, filepath.Base(name)); err != nil || !built ||
			strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		path := folder + "/" + filepath.Base(name)
		file, err := parser.ParseFile(t.fset, path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, &CompileError{File: path, Line: 1, Column: 1, Message: err.Error()}
		}
		files = append(files, file)
	}
	return files, nil
}

// check types the files of a package.
func (t *typechecker) check(path string, files []*ast.File, from types.Importer, found *[]CompileError) *types.Package {
	config := types.Config{Importer: from, Error: func(err error) {
		var e types.Error
		if !errors.As(err, &e) {
			return
		}
		at := t.fset.Position(e.Pos)
		if strings.HasPrefix(e.Msg, "\t") && len(*found) > 0 { // continues the one before
			(*found)[len(*found)-1].Message += "\n" + e.Msg
			return
		}
		*found = append(*found, CompileError{File: at.Filename, Line: at.Line, Column: at.Column, Message: e.Msg})
	}}
	made, _ := config.Check(path, t.fset, files, nil)
	return made
}

// importerWith is an importer that has some packages itself.
type importerWith struct {
	types.Importer
	packages map[string]*types.Package
}

// Import gives the package, or asks the other importer.
func (w importerWith) Import(path string) (*types.Package, error) {
	if made := w.packages[path]; made != nil {
		return made, nil
	}
	return w.Importer.Import(path)
}

// importer reads what the compiler has made of some packages and of all that they import.
func (t *typechecker) importer(ctx context.Context, module string, env, paths []string) (types.Importer, error) {
	program, err := exec.LookPath("go")
	if err != nil {
		return nil, errNoGo
	}
	args := []string{"list", "-mod=readonly", "-export", "-deps", "-f",
		"{{if .Export}}{{.ImportPath}}\t{{.Export}}{{end}}"}
	cmd := exec.CommandContext(ctx, program, append(args, paths...)...)
	cmd.Dir, cmd.Env = module, append(os.Environ(), env...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("what the handlers import in %s: %w\n%s", module, err,
			strings.TrimSpace(complaints.String()))
	}
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			exports[path] = file
		}
	}
	return importer.ForCompiler(t.fset, "gc", func(path string) (io.ReadCloser, error) {
		file, known := exports[path]
		if !known {
			return nil, fmt.Errorf("%s is not among the packages that are imported", path)
		}
		return os.Open(file)
	}), nil
}

// importsOf are all packages that files import, in order, but for those that are made here.
func importsOf(files []*ast.File) (paths []string) {
	for _, file := range files {
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			made := path == genPackage || slices.Contains(typechecked, strings.TrimPrefix(path, modulePackage))
			if err == nil && !made && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return paths
}

// Error lets an error of the compiler be one of Go.
func (e *CompileError) Error() string { return e.String() }
