package spec

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
	"go.yaml.in/yaml/v4"
)

// settings are oapi-config.yaml's, without what the document itself would put into the code.
func settings(t testing.TB, pkg string) codegen.Configuration {
	t.Helper()
	var config codegen.Configuration
	data, err := os.ReadFile("../../oapi-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	config.PackageName, config.Generate.EmbeddedSpec = pkg, false
	if !config.Generate.Strict || !config.OutputOptions.SkipPrune || config.OutputOptions.NameNormalizer == "" {
		t.Fatalf("oapi-config.yaml was not understood: %+v", config)
	}
	return config
}

// generate makes Go of what YAML gives, as go generate would.
func generate(t testing.TB, a *API, pkg string) (string, error) {
	t.Helper()
	text, err := a.YAML()
	if err != nil {
		return "", err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return "", fmt.Errorf("what YAML gives cannot be loaded: %w", err)
	}
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	return codegen.Generate(doc, settings(t, pkg))
}

// oneAtATime: the generator keeps its state in globals.
var oneAtATime sync.Mutex

// scratch is a folder of packages inside the module, compiled by one command.
type scratch struct {
	dir  string
	from map[string]string // package to what it was made of
}

func newScratch(t testing.TB) *scratch {
	t.Helper()
	dir, err := os.MkdirTemp("testdata", "scratch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &scratch{dir: dir, from: make(map[string]string)}
}

// add generates a package of a spec.
func (s *scratch) add(t testing.TB, of string, a *API) {
	t.Helper()
	pkg := fmt.Sprintf("p%d", len(s.from))
	s.from[pkg] = of
	code, err := generate(t, a, pkg)
	if err != nil {
		t.Errorf("%s: cannot be generated: %v", of, err)
		return
	}
	if err := os.MkdirAll(filepath.Join(s.dir, pkg), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, pkg, "gen.go"), []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compile builds all packages.
func (s *scratch) compile(t testing.TB) {
	t.Helper()
	build := exec.Command("go", "build", "-gcflags=-e", "./"+filepath.ToSlash(s.dir)+"/...")
	out, err := build.CombinedOutput()
	if err == nil {
		return
	}
	said := string(out)
	for pkg, of := range s.from {
		said = strings.ReplaceAll(said, s.dir+"/"+pkg+"/", of+": ")
	}
	if keep := os.Getenv("KEEP_SCRATCH"); keep != "" {
		os.Rename(s.dir, keep)
	}
	t.Errorf("what was generated does not compile: %v\n%s", err, said)
}

// shared is a folder of the given files, or the test is skipped.
func shared(t testing.TB, folder string) fs.FS {
	t.Helper()
	dir := os.Getenv("POSTERN_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	dir = filepath.Join(dir, folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the given files are not here: set POSTERN_SHARED")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return Named(root.FS(), filepath.Base(dir))
}

// loaded loads a spec that has no problems.
func loaded(t testing.TB, fsys fs.FS, files ...string) *API {
	t.Helper()
	a, err := Load(fsys, files...)
	if err != nil {
		t.Fatalf("%v: %v", files, err)
	}
	return a
}
