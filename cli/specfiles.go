package cli

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

	"postern/speclab/spec"
)

// specSet are spec files, by their slash-separated names in a folder.
type specSet struct {
	dir   string
	files []string
}

// open opens the folder. Nothing outside of it can be opened through it, not by `..` and not by a symbolic link.
func (set specSet) open() (fsys fs.FS, closes func() error, err error) {
	root, err := os.OpenRoot(set.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("the folder of the specs: %w", err)
	}
	return spec.Named(root.FS(), filepath.Base(set.dir)), root.Close, nil
}

// shown is the folder as a person, or an annotation in a workflow, names it from here.
func (set specSet) shown() string {
	here, err := os.Getwd()
	if err != nil {
		return set.dir
	}
	if dir, err := filepath.Rel(here, set.dir); err == nil && filepath.IsLocal(dir) {
		return dir
	}
	return set.dir
}

// findSpecs finds the files that were named, and those of the folders that were, in the folder that nothing is read
// outside of: root, or else the deepest that has them all. It tells everything that is wrong.
func findSpecs(root string, given []string) (specSet, []error) {
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
		return specSet{}, problems
	}
	set := specSet{dir: root}
	if root == "" {
		set.dir = commonFolder(paths)
	} else if dir, err := filepath.Abs(root); err == nil {
		set.dir = dir
	}
	for _, path := range paths {
		name, err := filepath.Rel(set.dir, path)
		if err != nil || !filepath.IsLocal(name) {
			problems = append(problems, fmt.Errorf("--spec-root %q does not hold %s; name a folder that does", root,
				path))
			continue
		}
		if name = filepath.ToSlash(name); !slices.Contains(set.files, name) {
			set.files = append(set.files, name)
		}
	}
	return set, problems
}

// specsAt is the file that was named, or the specs of the folder that was.
func specsAt(given string) ([]string, error) {
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
	case !info.IsDir():
		return []string{path}, nil
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

// isSpec tells a spec from a file that specs refer to, by its head.
func isSpec(file string) bool {
	head := yamlSpec
	switch filepath.Ext(file) {
	case ".json":
		head = jsonSpec
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
	return err == nil && head.Match(bytes.TrimPrefix(text, []byte("\ufeff")))
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
