package impact

import (
	"bytes"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// document is an API as a tree, to be merged and to be walked by pointers.
type document struct {
	tree map[string]any
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
func treeOf(api *openapi3.T) (*document, error) {
	raw, err := api.MarshalJSON()
	if err != nil {
		return nil, err
	}
	d := &document{}
	return d, json.Unmarshal(raw, &d.tree)
}

// parsed is an API as the libraries have it. They read a text in which every part has a line of its own, so that a line
// in what they return leads back to the part.
type parsed struct {
	api   *openapi3.T
	parts []pointer // by line of that text, from 0
}

func parse(tree map[string]any) (parsed, error) {
	w := &indexer{parts: []pointer{nil}}
	w.value(tree, nil)
	api, err := loadText(w.Bytes())
	return parsed{api, w.parts}, err
}

// atLine is the part on a line.
func (p parsed) atLine(line int) pointer {
	if line < 1 || line > len(p.parts) {
		return nil
	}
	return p.parts[line-1]
}

// indexer writes a tree as JSON, one key or element a line, and notes which part is on which line.
type indexer struct {
	bytes.Buffer
	parts []pointer
}

func (w *indexer) value(value any, at pointer) {
	switch value := value.(type) {
	case map[string]any:
		w.WriteByte('{')
		i := 0
		for key, inner := range inOrder(value) {
			w.line(i, at.with(key))
			w.scalar(key)
			w.WriteString(": ")
			w.value(inner, at.with(key))
			i++
		}
		w.WriteByte('}')
	case []any:
		w.WriteByte('[')
		for i, element := range value {
			w.line(i, at.with(itoa(i)))
			w.value(element, at.with(itoa(i)))
		}
		w.WriteByte(']')
	default:
		w.scalar(value)
	}
}

// line begins the line of a part.
func (w *indexer) line(i int, at pointer) {
	if i > 0 {
		w.WriteByte(',')
	}
	w.WriteByte('\n')
	w.parts = append(w.parts, at)
}

func (w *indexer) scalar(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // unreachable: it came from JSON
	}
	w.Write(text)
}

// loadText has the library read a text, and remember the lines.
func loadText(text []byte) (*openapi3.T, error) {
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	return loader.LoadFromData(text)
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

// inOrder goes through a map in the order of its keys, so that a report is the same each time.
func inOrder[V any](of map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(of)) {
			if !yield(key, of[key]) {
				return
			}
		}
	}
}

func itoa(i int) string { return strconv.Itoa(i) }
