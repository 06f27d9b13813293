// Package spec reads what spec authors write and makes one API of it.
//
// Matrix has published its API as Swagger 2.0, OpenAPI 3.0 and 3.1, in one file or in dozens that refer to one another.
// [Load] takes any of these and gives one OpenAPI document whose references stay inside it, whose paths are whole, and
// which the generator, the validator and the comparison all take. Every part of it can be traced back to the file and
// line that it came from.
//
// # The way
//
// YAML is parsed by the library into nodes that keep their places (parse.go). A grammar says what may stand where in
// OpenAPI (grammar.go); along it each part is taken over, older versions' words are said in 3.1's (swagger.go,
// schema.go), what is referred to gets a name among the components (bundle.go, refs.go), and what is lacking or
// misplaced is mended (mend.go). Then names are settled (settle.go), the files' paths put together (paths.go), and the
// result is given to kin-openapi to load and validate (load.go).
//
// # Two forms
//
// There are two forms of the document. [API.Doc] says all that the files say, and is what requests and answers are held
// against. [API.YAML] says less where oapi-codegen cannot follow: several types become any, allOf of schemas that it
// will not merge becomes one schema, conditions and examples are left out, and names that would meet in Go get
// x-go-name (generator*.go).
//
// # Laws
//
//   - Nothing is read but what lies in the file system that [Load] is given, and nothing is fetched.
//   - A file that cannot be used is refused with every [Problem] found, each with its place and what to write instead.
//   - What is merely missing (a reference to a file that is not there) is left open and noted in [API.Gaps]; so is what
//     could be mended.
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

// API is one or more spec files, made one.
type API struct {
	// Doc is the whole API: references stay inside and are resolved, paths begin with what servers or basePath said,
	// and the only server is "/".
	Doc *openapi3.T
	// Files are the files that were read, by their names in the file system: what a change has to be watched in.
	Files []string
	// Gaps are what was left open or out: references to files that are not there.
	Gaps []Problem

	main string
	tree *node // what Doc was made of
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

// At finds where a part of the document was written: the place of the nearest enclosing part that has one. The
// pointer's parts are as in the document: "paths", "/login", "post", "responses", "200".
func (a *API) At(pointer ...string) Position {
	at, n := Position{File: a.main, Line: 1}, a.tree
	for _, name := range pointer {
		n = a.behind(n)
		if n.isSequence() {
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(n.items) {
				break
			}
			n = n.items[i]
			at = n.at
			continue
		}
		f, ok := a.field(n, name, 0)
		if !ok {
			break
		}
		at, n = f.at, f.value
	}
	return at
}

// field finds a key of a mapping, or of what the schema is made of.
func (a *API) field(n *node, name string, depth int) (field, bool) {
	f, ok := n.field(name)
	if members := n.get("allOf"); !ok && members != nil && depth < maxDepth {
		for _, m := range members.items {
			if f, ok = a.field(a.behind(m), name, depth+1); ok {
				break
			}
		}
	}
	return f, ok
}

// behind is what a reference stands for.
func (a *API) behind(n *node) *node {
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
