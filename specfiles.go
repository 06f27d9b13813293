package main

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
	"strings"
)

// openSpecs opens the folder that specs lie in, and finds the files in it. Nothing outside of the folder can be opened through it, not by
// `..` and not by a symbolic link. A file that is itself a folder stands for the specs directly in it.
func openSpecs(root string, files []string) (fsys fs.FS, names []string, closes func() error, err error) {
	if root, err = specFolder(root, files); err != nil {
		return nil, nil, nil, err
	}
	opened, err := os.OpenRoot(root)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the folder of the specs: %w", err)
	}
	fsys = opened.FS()
	for _, file := range files {
		found, err := specsAt(fsys, root, file)
		if err != nil {
			return nil, nil, nil, errors.Join(err, opened.Close())
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return fsys, slices.Compact(names), opened.Close, nil
}

// specFolder is the folder that was named, or the one that all the files lie in.
func specFolder(root string, files []string) (string, error) {
	if root != "" {
		return root, nil
	}
	for i, file := range files {
		folder := filepath.Dir(file)
		if info, err := os.Stat(file); err != nil {
			return "", err
		} else if info.IsDir() {
			folder = filepath.Clean(file)
		}
		if i > 0 {
			for !inside(folder, root) {
				if root == filepath.Dir(root) {
					return "", fmt.Errorf("%s and %s lie in no folder together; name one with --spec-root", files[0], file)
				}
				root = filepath.Dir(root)
			}
			continue
		}
		root = folder
	}
	return root, nil
}

// inside reports whether a file or folder is the folder or lies in it.
func inside(file, folder string) bool {
	within, err := filepath.Rel(folder, file)
	return err == nil && filepath.IsLocal(within)
}

// specsAt is the file's name in the folder, or the names of the specs in it.
func specsAt(fsys fs.FS, root, file string) ([]string, error) {
	whole, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	if !inside(whole, root) {
		return nil, fmt.Errorf("%s does not lie in %s; name a folder above both with --spec-root", file, root)
	}
	name, err := filepath.Rel(root, whole)
	if err != nil {
		return nil, err
	}
	name = filepath.ToSlash(name)
	info, err := fs.Stat(fsys, name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	entries, err := fs.ReadDir(fsys, name)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		in := strings.TrimPrefix(name+"/"+entry.Name(), "./")
		if !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(in)) && isSpec(fsys, in) {
			names = append(names, in)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s holds no spec: none of its .yaml, .yml and .json files has a key openapi or swagger", file)
	}
	return names, nil
}

// isSpec reports whether a file says in its beginning that it is a spec: by a key at the left edge, or in JSON by the key's name.
func isSpec(fsys fs.FS, name string) bool {
	file, err := fsys.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if err != nil {
		return false
	}
	if filepath.Ext(name) == ".json" {
		return bytes.Contains(head, []byte(`"openapi"`)) || bytes.Contains(head, []byte(`"swagger"`))
	}
	return specKey.Match(head)
}

var specKey = regexp.MustCompile(`(?m)^["']?(openapi|swagger)["']?\s*:`)
