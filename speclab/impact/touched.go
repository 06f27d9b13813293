package impact

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// tests are the files of tests of the handlers.
type tests struct {
	files map[string]*ast.File
	all   int // tests
}

func readTests(module string) (*tests, error) {
	names, err := filepath.Glob(filepath.Join(module, handlersFolder, "*_test.go"))
	if err != nil {
		return nil, err
	}
	t := &tests{files: make(map[string]*ast.File)}
	for _, name := range names {
		if t.files[name], err = parser.ParseFile(token.NewFileSet(), name, nil,
			parser.SkipObjectResolution); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// touched finds the tests of the handlers that are about some operations: those that name their paths or methods, and
// those that call a helper which does. When both are more than a third of all tests (most log in), only the first.
func (t *tests) touched(operations []operation) []string {
	paths := namesOf(operations)
	var found, called finding
	found.collect(t.files, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			return n.Kind == token.STRING && paths.MatchString(n.Value)
		case *ast.SelectorExpr:
			return slices.ContainsFunc(operations, func(o operation) bool { return o.goName == n.Sel.Name })
		}
		return false
	})
	called.collect(t.files, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		return ok && slices.Contains(found.helpers, id.Name)
	})
	t.all = found.all
	both := slices.Concat(found.tests, called.tests)
	slices.Sort(both)
	both = slices.Compact(both)
	if len(found.tests) > 0 && 3*len(both) > found.all {
		both = found.tests
	}
	return both
}

// finding are the tests and the helpers that hold something.
type finding struct {
	tests, helpers []string
	all            int
}

// collect looks through functions, and through the constants that they may name.
func (f *finding) collect(files map[string]*ast.File, holds func(ast.Node) bool) {
	for _, file := range files {
		for _, decl := range file.Decls {
			held := false
			ast.Inspect(decl, func(n ast.Node) bool {
				held = held || n != nil && holds(n)
				return !held
			})
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				isTest := strings.HasPrefix(decl.Name.Name, "Test") && decl.Recv == nil && decl.Name.Name != "TestMain"
				if isTest {
					f.all++
				}
				switch {
				case held && isTest:
					f.tests = append(f.tests, decl.Name.Name)
				case held:
					f.helpers = append(f.helpers, decl.Name.Name)
				}
			case *ast.GenDecl:
				f.constants(decl, holds)
			}
		}
	}
}

// constants notes the names of constants and variables that hold it, as helpers.
func (f *finding) constants(decl *ast.GenDecl, holds func(ast.Node) bool) {
	for _, spec := range decl.Specs {
		value, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, v := range value.Values {
			held := false
			ast.Inspect(v, func(n ast.Node) bool {
				held = held || n != nil && holds(n)
				return !held
			})
			if held && i < len(value.Names) {
				f.helpers = append(f.helpers, value.Names[i].Name)
			}
		}
	}
}

// version is the beginning of Matrix's paths, which tests write in several ways.
var version = regexp.MustCompile(`^/_matrix/client/(v3|r0)/`)

// namesOf matches the paths of operations, with or without what comes in place of a parameter.
func namesOf(operations []operation) *regexp.Regexp {
	ways := []string{`^$`}
	for _, o := range operations {
		path := version.ReplaceAllString(o.at[1], "/_matrix/client/x/")
		fixed, _, cut := strings.Cut(path, "{")
		fixed = strings.TrimSuffix(fixed, "/")
		way := strings.Replace(regexp.QuoteMeta(fixed), "/_matrix/client/x/", `/_matrix/client/(v3|r0)/`, 1)
		if !cut {
			way += `["?` + "`" + `]`
		}
		ways = append(ways, way)
	}
	return regexp.MustCompile(strings.Join(ways, "|"))
}
