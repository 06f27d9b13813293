package spec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFindFiles: which files are meant, and that none outside of the folder is reached.
func TestFindFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"api/b.yaml": "# comment\nopenapi: 3.1.0\n", "api/a.json": `{"info": {}, "swagger": "2.0"}`,
		"api/part.yaml": "type: object\nx:\n  openapi: no\n",
		"api/notes.txt": "openapi: 3.1.0\n", "api/deep/c.yml": "swagger: '2.0'\n", "secret.yaml": "openapi: 3.1.0\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret.yaml"), filepath.Join(dir, "api", "link.yaml")); err != nil {
		t.Fatal(err)
	}
	api := filepath.Join(dir, "api")
	for _, test := range []struct {
		root  string
		files []string
		want  []string
		says  string
	}{
		{files: []string{api}, want: []string{"a.json", "b.yaml"}},
		{files: []string{filepath.Join(api, "b.yaml"), filepath.Join(api, "deep", "c.yml")}, want: []string{"b.yaml", "deep/c.yml"}},
		{files: []string{filepath.Join(api, "deep"), filepath.Join(api, "a.json")}, want: []string{"a.json", "deep/c.yml"}},
		{root: dir, files: []string{api}, want: []string{"api/a.json", "api/b.yaml"}},
		{root: api, files: []string{filepath.Join(dir, "secret.yaml")}, says: "the root folder"},
		{files: []string{filepath.Join(api, "nothing.yaml")}, says: "nothing.yaml"},
		{files: []string{""}, says: "has no name"},
		{files: []string{os.DevNull}, says: "is a pipe or a device; save it as a file"},
		{files: []string{dir + "/api/deep/../../"}, want: []string{"secret.yaml"}},
	} {
		found, wrong := FindFiles(test.root, test.files)
		if test.says != "" {
			if err := errors.Join(wrong...); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q in %q: %v, and not %q", test.files, test.root, err, test.says)
			}
			continue
		}
		slices.Sort(found.Names)
		if len(wrong) > 0 || !slices.Equal(found.Names, test.want) {
			t.Errorf("%q in %q are %q, %v", test.files, test.root, found.Names, wrong)
			continue
		}
		fsys, closes, err := found.open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.ReadFile(fsys, found.Names[0]); err != nil {
			t.Error(err)
		}
		if _, err := fs.ReadFile(fsys, "link.yaml"); found.Dir == api && err == nil {
			t.Error("a symbolic link leads out of the folder")
		}
		if err := closes(); err != nil {
			t.Error(err)
		}
	}
}
