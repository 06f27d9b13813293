package impact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"postern/speclab/spec"
)

// settingsFile is where a module keeps the generator's settings.
const settingsFile = "oapi-config.yaml"

// Request is a check of spec files, as a person asks for it.
type Request struct {
	Given
	Whole bool // see [Input]

	// Source is Postern's source. Empty: that which the working directory is in or, when it is in none, Embedded.
	Source string
	// Embedded holds the contract, the generator's settings, and the source that the handlers are compiled from.
	Embedded fs.FS
	Alias    func(string) string // see [Input]
	Progress func(string)        // see [Input]
}

// CheckFiles reads spec files and checks them. When the files are no usable spec, the report says why; an error is
// about everything else.
func CheckFiles(ctx context.Context, r Request) (*Report, error) {
	files, wrong := spec.FindFiles(r.Root, r.Files)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	edited, err := loadFiles(files)
	if err != nil {
		return problemReport(err)
	}
	contract, settings, err := builtIn(r.Embedded)
	if err != nil {
		return nil, err
	}
	source, remove, err := findSource(r.Source, r.Embedded)
	if err != nil {
		return nil, err
	}
	defer remove()
	report, err := Check(ctx, Input{
		Contract: contract, Edited: edited, Config: settings, Folder: files.Folder(), Whole: r.Whole,
		Alias: r.Alias, Source: source, Progress: r.Progress,
	})
	if err != nil {
		return problemReport(err)
	}
	return report, nil
}

// builtIn reads the contract and the generator's settings that a binary was made from.
func builtIn(embedded fs.FS) (contract *spec.API, settings []byte, err error) {
	if contract, err = spec.Load(embedded, contractFile); err != nil {
		return nil, nil, err
	}
	settings, err = fs.ReadFile(embedded, settingsFile)
	return contract, settings, err
}

// Source is where the handlers' source is.
type Source struct {
	Module string   // the folder with go.mod
	Env    []string // for the go command, beside the environment
}

// findSource finds Postern's source: the folder of that name, the one that the working directory is in, or else the
// embedded one, which is copied to a temporary folder. remove removes that folder.
func findSource(name string, embedded fs.FS) (source Source, remove func(), err error) {
	remove = func() {}
	module, found, err := FindModule(name)
	if err != nil || found {
		return Source{Module: module}, remove, err
	}
	dir, err := os.MkdirTemp("", "postern-source-")
	if err != nil {
		return source, remove, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	if err := os.CopyFS(dir, embedded); err != nil {
		remove()
		return source, func() {}, err
	}
	return Source{Module: dir, Env: []string{"GOWORK=off"}}, remove, nil
}

// FindModule finds the folder of Postern's source: that of the name or, when the name is empty, the nearest one that
// the working directory is in.
func FindModule(name string) (module string, found bool, err error) {
	if name != "" {
		module, err = filepath.Abs(name)
		if err == nil && !isPostern(module) {
			err = fmt.Errorf("--source %s is not Postern's source: it needs a go.mod that says `module postern`, and "+
				"handlers/", name)
		}
		return module, err == nil, err
	}
	if module, err = os.Getwd(); err != nil {
		return "", false, err
	}
	for ; ; module = filepath.Dir(module) {
		if isPostern(module) {
			return module, true, nil
		}
		if module == filepath.Dir(module) {
			return "", false, nil
		}
	}
}

// isPostern reports whether a folder is this module.
func isPostern(dir string) bool {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	info, err := os.Stat(filepath.Join(dir, handlersFolder))
	if err != nil || !info.IsDir() {
		return false
	}
	for line := range strings.Lines(string(mod)) {
		if strings.TrimSpace(line) == "module postern" {
			return true
		}
	}
	return false
}
