package impact

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTypecheckedIsWhole: a package between those that are checked is checked itself, for what the compiler has kept of
// it is of the old code.
func TestTypecheckedIsWhole(t *testing.T) {
	t.Parallel()
	uses := make(map[string]bool)
	var visit func(folder string) bool
	visit = func(folder string) bool {
		if known, seen := uses[folder]; seen {
			return known
		}
		uses[folder] = false
		for _, imported := range moduleImports(t, folder) {
			if imported == "gen" || visit(imported) {
				uses[folder] = true
			}
		}
		return uses[folder]
	}
	for _, folder := range implementing {
		visit(folder)
	}
	for folder, is := range uses {
		if is && !slices.Contains(typechecked, folder) {
			t.Errorf("%s uses the generated code; see typechecked", folder)
		}
	}
}

// moduleImports are the folders of this module that a package imports.
func moduleImports(t *testing.T, folder string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(folder, files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if inside, ok := strings.CutPrefix(path, modulePackage); ok && err == nil {
				found = append(found, inside)
			}
		}
	}
	return found
}
