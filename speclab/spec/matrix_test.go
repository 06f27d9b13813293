package spec

import (
	"io/fs"
	"testing"
)

// TestMatrixFiles takes every given file of Matrix's client-server API, one by one and all at once, to code that
// compiles.
func TestMatrixFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("generates and compiles all of Matrix's client-server API")
	}
	t.Parallel()
	fsys := shared(t, "matrix-spec/client-server")
	files, err := fs.Glob(fsys, "*.yaml")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	s := newScratch(t)
	operations := 0
	for _, file := range files {
		a, err := Load(fsys, file)
		if err != nil {
			t.Errorf("%s:\n%v", file, err)
			continue
		}
		for _, g := range a.Gaps {
			t.Log(g)
		}
		for _, item := range a.Doc.Paths.Map() {
			operations += len(item.Operations())
		}
		s.add(t, file, a)
	}
	all, err := Load(fsys, files...)
	if err != nil {
		t.Fatalf("all at once:\n%v", err)
	}
	together := 0
	for _, item := range all.Doc.Paths.Map() {
		together += len(item.Operations())
	}
	if together != operations {
		t.Errorf("all at once have %d operations, one by one %d", together, operations)
	}
	s.add(t, "all", all)
	s.compile(t)
}

// TestDraft takes the two files of 2015 to code that compiles.
func TestDraft(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles")
	}
	t.Parallel()
	fsys := shared(t, "draft-2015")
	s := newScratch(t)
	for _, file := range []string{"login.before.yaml", "login.yaml"} {
		s.add(t, file, loaded(t, fsys, file))
	}
	s.compile(t)
}
