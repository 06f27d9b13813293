// Package spec reads the files of an API's spec and makes one API of them.
//
// Matrix has published its API as Swagger 2.0, OpenAPI 3.0 and 3.1, in one file or in dozens that refer to one another.
// [Load] takes any of these and gives one OpenAPI document whose references stay inside it, whose paths are whole, and
// which the generator, the validator and the comparison all take. Every part of it can be traced back to the file and
// line that it came from.
//
// # How a spec is read
//
// Each file is parsed once. Then one walk, which follows the grammar of OpenAPI, converts the parts of the document to
// OpenAPI 3.1 and gives every part that a reference names a place among the components. When all components are known
// they get names that differ in Go too, the operations of all files are put under their paths, and kin-openapi loads
// and validates the result.
//
// The files, in reading order:
//
//   - find.go: which files a person means. files.go: reading each once, and nothing outside of the folder.
//   - parse.go: YAML to nodes (node.go) that know their line. limits.go: how much of it.
//   - load.go: the whole way of [Load]. root.go: one of the files that were given. assemble.go: one document of all.
//   - grammar.go: what may be under which key in OpenAPI. bundle.go: the walk along it. refs.go: what references lead
//     to.
//   - scalar.go, schema.go, swagger.go, repair.go: converting values, schemas, Swagger 2.0, and what is incomplete.
//   - components.go, names.go, paths.go: the names of components, those that Go has taken, and the paths.
//   - cycles.go: schemas that contain themselves, or too much.
//   - write.go: a document as text for a library, whose errors lead back to a line. problem.go: what is reported.
//   - fault.go: why a value does not fit its schema. example.go: the examples that do not.
//   - generator.go and generator_*.go: the second form of the document.
//
// # Two forms
//
// There are two forms of the document. [API.Doc] says all that the files say, and requests and answers are validated
// against it. [API.YAML] is for oapi-codegen, which cannot read all of that: several types become any, an allOf of
// schemas that it does not merge becomes one schema, conditions and examples are left out, and names that would be one
// name in Go get x-go-name.
//
// # Laws
//
//   - Only files in the file system that [Load] is given are read, and nothing is fetched.
//   - A file that cannot be used is refused with every [Problem] found, each with its place and what to write instead.
//   - What is only missing (a reference to a file that is not there) is left open and reported in [API.Gaps], and so is
//     what could be repaired. These are warnings, and so are examples that do not match their schemas: see [Problem].
//   - The work is bounded, whatever the files hold: see limits.go.
//   - The same files give the same document.
//
// # What is not carried over
//
// Of several servers the first counts. A description beside a reference to anything but a schema is dropped. $id,
// $anchor and $dynamicRef are not followed. Security named in callbacks and webhooks is not renamed where several files
// define a scheme of one name differently.
package spec

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// API is the API of one or more spec files.
type API struct {
	// Doc is the whole API: references stay inside and are resolved, paths begin with what servers or basePath said,
	// and the only server is "/".
	Doc *openapi3.T
	// Files are the files that were read, by their names in the file system: what a change has to be watched in.
	Files []string
	// Gaps are what was left open or out, such as references to files that are not there, and what was repaired.
	Gaps []Problem

	main string
	tree *node // what Doc was made of

	explainer explainer
	warnings  func() Problems
}

// Load reads spec files and all that they refer to. The names are slash-separated, as fs.FS has them. An error that is
// about the files' content is of type [Problems]. A reference that leaves the folder and comes back by its name needs
// that name: see [Named].
func Load(fsys fs.FS, files ...string) (*API, error) {
	if len(files) == 0 {
		return nil, errors.New("no spec file; give one or more")
	}
	return load(fsys, files)
}

// YAML is the document as the generator takes it.
func (a *API) YAML() ([]byte, error) { return write(forGenerator(a.tree)).Bytes(), nil }

// Warnings are all that is wrong with the spec and does not keep it from being used: the gaps, and the examples that do
// not match their schemas. They are found when they are first asked for.
func (a *API) Warnings() Problems { return a.warnings() }

// At finds where a part of the document was written: the place of the nearest enclosing part that has one. The
// pointer's parts are as in the document: "paths", "/login", "post", "responses", "200".
func (a *API) At(pointer ...string) Position {
	at, _, _ := a.find(pointer)
	return at
}

// find follows a pointer as far as it leads.
func (a *API) find(pointer []string) (at Position, n *node, whole bool) {
	at, n = Position{File: a.main, Line: 1}, a.tree
	for _, name := range pointer {
		n = a.dereference(n)
		if n.isSequence() {
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(n.items) {
				return at, n, false
			}
			n = n.items[i]
			at = n.at
			continue
		}
		f, ok := a.field(n, name, 0)
		if !ok {
			return at, n, false
		}
		at, n = f.at, f.value
	}
	return at, n, true
}

// field finds a key of a mapping, or of what the schema is made of.
func (a *API) field(n *node, name string, depth int) (field, bool) {
	f, ok := n.field(name)
	if members := n.get("allOf"); !ok && members != nil && depth < maxDepth {
		for _, m := range members.items {
			if f, ok = a.field(a.dereference(m), name, depth+1); ok {
				break
			}
		}
	}
	return f, ok
}

// dereference is the component that a reference refers to, or the node itself when it is none.
func (a *API) dereference(n *node) *node {
	for range maxDepth {
		ref := n.text("$ref")
		if ref == "" {
			break
		}
		parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
		next := a.tree.get("components").get(parts[0]).get(parts[len(parts)-1])
		if next == nil {
			break
		}
		n = next
	}
	return n
}
