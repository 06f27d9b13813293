// Package house holds the house together: who imports whom, how large files are and how long their lines, how secrets
// are compared, and that the tests which SECURITY.md names are there. It reads the source and runs nothing.
package house

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// toModule goes to the module's folder, whose files the tests read. Before the tests run would be too early: go test
// would not see which files they read, and take an old result for theirs.
var toModule = sync.OnceFunc(func() {
	if err := os.Chdir(filepath.Join("..", "..")); err != nil {
		panic(err)
	}
})

// folders lists the folders that hold Go files, with slashes; "." is the root.
func folders(t testing.TB) []string {
	t.Helper()
	toModule()
	var dirs []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != "." || entry.Name() == "testdata" ||
			entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if dir := filepath.ToSlash(filepath.Dir(path)); strings.HasSuffix(path, ".go") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// sources lists the Go files of a folder, with slashes.
func sources(t testing.TB, dir string) []string {
	t.Helper()
	toModule()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		files[i] = filepath.ToSlash(file)
	}
	return files
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

func text(t testing.TB, file string) string {
	t.Helper()
	toModule()
	bytes, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes)
}

const module = "postern"

// imports lists what the code of a folder imports, without its tests.
func imports(t testing.TB, dir string) []string {
	t.Helper()
	toModule()
	pkg, err := build.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	return pkg.Imports
}

// own is the folder of an imported package of this module.
func own(imported string) (dir string, ours bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// fromContract reports whether a generator writes what is in a folder.
func fromContract(dir string) bool { return dir == "gen" || strings.HasPrefix(dir, "gen/") }
