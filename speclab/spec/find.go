package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// Files are spec files, by their slash-separated names in a folder.
type Files struct {
	Dir   string // absolute, if it was found by FindFiles
	Names []string
	// CopyOf is the folder that Dir is a copy of, if it is one: references leave and come back by that one's name too.
	CopyOf string
}

// FindFiles finds the files that a person named, and the specs in the folders that they named. Nothing is read outside
// of Dir: it is root or, when root is empty, the deepest folder that holds all the files. The errors are everything
// that is wrong, not only the first.
func FindFiles(root string, given []string) (Files, []error) {
	var paths []string
	var problems []error
	for _, name := range given {
		found, err := specsAt(name)
		if err != nil {
			problems = append(problems, err)
		}
		paths = append(paths, found...)
	}
	if len(problems) > 0 {
		return Files{}, problems
	}
	found := Files{Dir: root}
	if root == "" {
		found.Dir = commonFolder(paths)
	} else if dir, err := filepath.Abs(root); err == nil {
		found.Dir = dir
	}
	for _, path := range paths {
		name, err := filepath.Rel(found.Dir, path)
		if err != nil || !filepath.IsLocal(name) {
			problems = append(problems, fmt.Errorf("the root folder %q does not hold %s; name one that does", root,
				path))
			continue
		}
		if name = filepath.ToSlash(name); !slices.Contains(found.Names, name) {
			found.Names = append(found.Names, name)
		}
	}
	return found, problems
}

// Load reads the files, and nothing outside of their folder: neither by `..` nor by a symbolic link. The folder is
// opened each time, since another one may have been put in its place. See the function [Load].
func (f Files) Load() (*API, error) {
	fsys, closes, err := f.open()
	if err != nil {
		return nil, err
	}
	defer closes()
	return Load(fsys, f.Names...)
}

func (f Files) open() (fsys fs.FS, closes func() error, err error) {
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("the spec's folder cannot be opened: %w", err)
	}
	return Named(root.FS(), filepath.Base(f.Dir), filepath.Base(f.CopyOf)), root.Close, nil
}

// Folder is the folder seen from the working directory when it lies below that, as an annotation in a workflow names
// it, and otherwise its absolute path.
func (f Files) Folder() string {
	here, err := os.Getwd()
	if err != nil {
		return f.Dir
	}
	if dir, err := filepath.Rel(here, f.Dir); err == nil && filepath.IsLocal(dir) {
		return dir
	}
	return f.Dir
}

// specsAt gives the path of a file, or of each spec in a folder.
func specsAt(given string) ([]string, error) {
	if given == "" { // a variable of the shell that is not set; filepath.Abs takes it for this folder
		return nil, errors.New("the spec has no name; write . for this folder")
	}
	path, err := filepath.Abs(given)
	if err != nil {
		return nil, fmt.Errorf("the spec %q: %w", given, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("the spec %q is not there", given)
	case err != nil:
		return nil, fmt.Errorf("the spec %q: %w", given, err)
	case info.Mode().IsRegular():
		return []string{path}, nil
	case !info.IsDir(): // such as <(git show main:api.yaml)
		return nil, fmt.Errorf("the spec %q is a pipe or a device; save it as a file", given)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("the spec %q: %w", given, err)
	}
	var specs []string
	for _, entry := range entries {
		if file := filepath.Join(path, entry.Name()); entry.Type().IsRegular() && isSpec(file) {
			specs = append(specs, file)
		}
	}
	if len(specs) == 0 {
		return nil, fmt.Errorf("the spec %q holds no spec: a .yaml, .yml or .json file with openapi or swagger at "+
			"its top", given)
	}
	return specs, nil
}

var (
	yamlSpec = regexp.MustCompile(`(?m)^["']?(openapi|swagger)["']?[ \t]*:`)
	jsonSpec = regexp.MustCompile(`"(openapi|swagger)"\s*:`)
)

// isSpec reports whether a file is a spec, by its first 64 KiB. A file without openapi or swagger at its top is one
// that specs refer to.
func isSpec(file string) bool {
	mark := yamlSpec
	switch filepath.Ext(file) {
	case ".json":
		mark = jsonSpec
	case ".yaml", ".yml":
	default:
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return err == nil && mark.Match(bytes.TrimPrefix(text, []byte("\ufeff")))
}

// commonFolder is the deepest folder that holds all files.
func commonFolder(paths []string) string {
	dir := filepath.Dir(paths[0])
	for _, path := range paths[1:] {
		for {
			name, err := filepath.Rel(dir, path)
			if err == nil && filepath.IsLocal(name) || filepath.Dir(dir) == dir {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	return dir
}
