package impact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// document is an API in the two forms that the comparison needs: as a tree, to be merged and to be walked by pointers,
// and as the libraries have it. The libraries read a text in which every part has a line of its own, so that a line in
// what they return leads back to the part.
type document struct {
	tree  map[string]any
	api   *openapi3.T
	parts map[int]pointer // by line of that text
}

// pointer is the way to a part of a document: "paths", "/login", "post", "responses", "200".
type pointer []string

func (p pointer) String() string { return strings.Join(p, "\x00") }

// with is the way to a part of the part.
func (p pointer) with(more ...string) pointer {
	return append(append(make(pointer, 0, len(p)+len(more)), p...), more...)
}

// parent is the way to the part that encloses it.
func (p pointer) parent() pointer { return p[:max(len(p)-1, 0)] }

// whole is the parameter that a part of one belongs to, or else the part itself.
func (p pointer) whole() pointer {
	if i := slices.Index(p, "parameters"); i >= 0 && len(p) > i+2 && p[0] == "paths" {
		return p[:i+2]
	}
	return p
}

// within reports whether the part is the other or a part of it.
func (p pointer) within(other pointer) bool {
	if len(p) < len(other) {
		return false
	}
	for i, part := range other {
		if p[i] != part {
			return false
		}
	}
	return true
}

// treeOf is an API as a tree.
func treeOf(api *openapi3.T) (map[string]any, error) {
	raw, err := api.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	return tree, nil
}

// documentOf makes a document of a tree.
func documentOf(tree map[string]any) (*document, error) {
	text, err := json.MarshalIndent(tree, "", " ")
	if err != nil {
		return nil, err
	}
	d := &document{tree: tree, parts: make(map[int]pointer)}
	if err := d.indexLines(text); err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	if d.api, err = loader.LoadFromData(text); err != nil {
		return nil, fmt.Errorf("the spec and the contract do not make one API: %w", err)
	}
	return d, nil
}

// indexLines notes which part is on which line.
func (d *document) indexLines(text []byte) error {
	r := &lineIndexer{decoder: json.NewDecoder(bytes.NewReader(text)), text: text, line: 1, parts: d.parts}
	return r.index(nil)
}

// lineIndexer is a walk through a text that knows its line.
type lineIndexer struct {
	decoder *json.Decoder
	text    []byte
	at      int64
	line    int
	parts   map[int]pointer
}

func (n *lineIndexer) next() (json.Token, error) {
	token, err := n.decoder.Token()
	end := n.decoder.InputOffset()
	n.line += bytes.Count(n.text[n.at:end], []byte("\n"))
	n.at = end
	return token, err
}

func (n *lineIndexer) index(at pointer) error {
	piece, err := n.next()
	if err != nil {
		return err
	}
	if n.parts[n.line] == nil {
		n.parts[n.line] = at
	}
	switch piece {
	case json.Delim('{'):
		for n.decoder.More() {
			key, err := n.next()
			if err != nil {
				return err
			}
			if err := n.index(at.with(key.(string))); err != nil {
				return err
			}
		}
	case json.Delim('['):
		for i := 0; n.decoder.More(); i++ {
			if err := n.index(at.with(itoa(i))); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = n.next()
	return err
}

// get is the part at a pointer.
func (d *document) get(at pointer) (any, bool) {
	var part any = d.tree
	for _, key := range at {
		switch within := part.(type) {
		case map[string]any:
			inner, found := within[key]
			if !found {
				return nil, false
			}
			part = inner
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(within) {
				return nil, false
			}
			part = within[i]
		default:
			return nil, false
		}
	}
	return part, true
}

func (d *document) has(at pointer) bool {
	_, there := d.get(at)
	return there
}

// object is the part at a pointer when it is an object.
func (d *document) object(at pointer) map[string]any {
	part, _ := d.get(at)
	object, _ := part.(map[string]any)
	return object
}

// resolve follows a part's reference, and those that it leads to.
func (d *document) resolve(at pointer) pointer {
	for range 20 { // a longer chain is a circle
		ref, _ := d.object(at)["$ref"].(string)
		way, inside := strings.CutPrefix(ref, "#/")
		if !inside {
			return at
		}
		at = nil
		for part := range strings.SplitSeq(way, "/") {
			at = append(at, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
	}
	return at
}

// children are the parts of a part by name: the values of an object by key, the parameters of a list by their names.
func (d *document) children(at pointer) map[string]pointer {
	part, _ := d.get(at)
	keys := make(map[string]pointer)
	switch part := part.(type) {
	case map[string]any:
		for key := range part {
			keys[key] = at.with(key)
		}
	case []any:
		for i := range part {
			there := at.with(itoa(i))
			if name, named := d.object(d.resolve(there))["name"].(string); named {
				keys[name] = there
			}
		}
	}
	return keys
}

func itoa(i int) string { return strconv.Itoa(i) }
