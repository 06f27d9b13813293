package cli

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport is who may know whom. Dependencies point one way: main → the wings homeserver/… and speclab/… → the core,
// which is handlers → gen, tokens, db.
var mayImport = map[string]struct {
	ours      []string // packages of this module
	forbidden []string // others, by prefix
}{
	"postern": {ours: []string{"postern/cli"}},
	"postern/cli": {ours: []string{"postern/gen", "postern/handlers", "postern/tokens", "postern/db",
		"postern/homeserver/importer", "postern/speclab/spec", "postern/speclab/impact", "postern/speclab/mock",
		"postern/speclab/page", "postern/homeserver/front", "postern/homeserver/outbox",
		"postern/homeserver/delegation", "postern/homeserver/appservice", "postern/homeserver",
		"postern/homeserver/imported", "postern/homeserver/doctor"},
		forbidden: []string{"database/sql", "modernc.org/", "github.com/jackc/"}},
	"postern/handlers": {ours: []string{"postern/gen", "postern/tokens", "postern/db"},
		forbidden: []string{"database/sql", "modernc.org/", "github.com/jackc/", "github.com/pressly/", "os"}},
	"postern/gen": {},
	"postern/homeserver": {ours: []string{"postern/db", "postern/gen", "postern/handlers", "postern/tokens",
		"postern/homeserver/appservice", "postern/homeserver/front", "postern/homeserver/outbox",
		"postern/homeserver/synapse"}, forbidden: []string{"database/sql", "os"}},
	"postern/homeserver/imported": {ours: []string{"postern/db", "postern/homeserver/outbox", "postern/tokens"},
		forbidden: []string{"database/sql", "net/http", "os"}},
	"postern/homeserver/front":   {forbidden: []string{"database/sql", "gopkg.in/macaroon", "os"}},
	"postern/homeserver/synapse": {forbidden: []string{"database/sql", "gopkg.in/macaroon", "os"}},
	"postern/homeserver/outbox": {ours: []string{"postern/db", "postern/homeserver/synapse"},
		forbidden: []string{"database/sql", "gopkg.in/macaroon", "os"}},
	"postern/homeserver/delegation": {forbidden: []string{"net/http", "database/sql", "gopkg.in/macaroon"}},
	"postern/homeserver/doctor": {ours: []string{"postern/db", "postern/homeserver/delegation",
		"postern/homeserver/importer"}, forbidden: []string{"database/sql", "gopkg.in/macaroon"}},
	"postern/homeserver/appservice": {forbidden: []string{"net/http", "database/sql", "gopkg.in/macaroon"}},
	"postern/speclab/spec":          {forbidden: []string{"net/http", "database/sql", "gopkg.in/macaroon"}},
	"postern/speclab/impact": {ours: []string{"postern/speclab/spec"},
		forbidden: []string{"database/sql", "gopkg.in/macaroon"}},
	"postern/speclab/mock": {ours: []string{"postern/speclab/spec", "postern/tokens"},
		forbidden: []string{"database/sql"}},
	"postern/speclab/page": {ours: []string{"postern/tokens"},
		forbidden: []string{"database/sql", "github.com/", "gopkg.in/", "os"}},
	// a reader's own program
	"postern/docs/lesson/start": {ours: []string{"postern/speclab/mock", "postern/speclab/spec", "postern/tokens"}},
	"postern/tokens": {forbidden: []string{"net/http", "database/sql", "os", "math/rand",
		"crypto/rand"}},
	"postern/db": {forbidden: []string{"net/http", "gopkg.in/macaroon", "github.com/labstack/"}},
	"postern/homeserver/importer": {ours: []string{"postern/db", "postern/handlers", "postern/homeserver/imported"},
		forbidden: []string{"net/http", "gopkg.in/macaroon", "github.com/labstack/"}},
	"postern/db/dbtest": {ours: []string{"postern/db", "postern/test/rig/postgres"}},
}

// outside lists the modules beyond the standard library that tokens may use: whoever takes the package along
// takes these.
var outside = map[string][]string{"postern/tokens": {"gopkg.in/macaroon.v2"}}

// TestImports reads every file of the module and fails on an import that the drawing above forbids.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, dir := range folders(t) {
		path := strings.TrimSuffix("postern/"+filepath.ToSlash(dir), "/.")
		if strings.HasPrefix(path, "postern/test/") {
			continue // drives the binary from outside
		}
		rule, known := mayImport[path]
		if !known {
			t.Errorf("%s is a new package: say in imports_test.go what it may import", path)
			continue
		}
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range pkg.Imports {
			switch {
			case imported == path, strings.HasPrefix(imported, "postern/") && slices.Contains(rule.ours, imported):
			case strings.HasPrefix(imported, "postern"):
				t.Errorf("%s must not import %s", path, imported)
			case slices.ContainsFunc(rule.forbidden, func(p string) bool {
				return imported == p || strings.HasPrefix(imported, p+"/") || strings.HasSuffix(p, "/") &&
					strings.HasPrefix(imported, p)
			}):
				t.Errorf("%s must not import %s", path, imported)
			case outside[path] != nil && strings.Contains(imported, ".") && !slices.Contains(outside[path], imported):
				t.Errorf("%s must not import %s: it is to stand on its own", path, imported)
			}
		}
	}
}

// TestTokensHasNoClock: time is an argument there.
func TestTokensHasNoClock(t *testing.T) {
	t.Parallel()
	for _, file := range sources(t, "tokens") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if code := text(t, file); strings.Contains(code, "time.Now") || strings.Contains(code, "time.Since") {
			t.Errorf("%s looks at the clock", file)
		}
	}
}

// TestFileSizes: a file that cannot be taken in at a sitting is split.
func TestFileSizes(t *testing.T) {
	t.Parallel()
	for _, dir := range folders(t) {
		if dir == "gen" {
			continue
		}
		for _, file := range sources(t, dir) {
			if n := strings.Count(text(t, file), "\n"); n > 400 {
				t.Errorf("%s has %d lines", file, n)
			}
		}
	}
}

// folders lists the folders that hold Go files.
func folders(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != "." || entry.Name() == "testdata" ||
			entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if dir := filepath.Dir(path); strings.HasSuffix(path, ".go") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func sources(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestRoot: the root holds the entrance, and the file that pins the generator.
func TestRoot(t *testing.T) {
	t.Parallel()
	if files := sources(t, "."); !slices.Equal(files, []string{"main.go", "tools.go"}) {
		t.Errorf("the root has %v", files)
	}
}

// TestEmbeddedSource: the binary has the code of each folder that it has any of, and no test.
func TestEmbeddedSource(t *testing.T) {
	t.Parallel()
	source := built().Source
	for _, dir := range []string{"gen", "tokens", "db", "handlers"} {
		embedded, err := fs.Glob(source, dir+"/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range sources(t, dir) {
			if is, want := slices.Contains(embedded, filepath.ToSlash(file)),
				!strings.HasSuffix(file, "_test.go"); is != want {
				t.Errorf("%s is embedded: %v; see the patterns in main.go", file, is)
			}
		}
	}
}
