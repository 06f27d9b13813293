package spec

import (
	"bytes"
	"encoding/json"
	"slices"
)

// node is one value of a spec file and the place where it was written. Scalars are what JSON knows: nil, bool,
// json.Number and string. A node is never changed once it is built, so files and components may share it.
type node struct {
	at     Position
	kind   kind
	scalar any
	fields []field // of a mapping, in the order written
	items  []*node // of a sequence
	byName map[string]int
}

type kind uint8

const (
	scalarNode kind = iota
	mappingNode
	sequenceNode
)

// field is a key of a mapping, with its own place: that is where editors are to jump.
type field struct {
	name  string
	at    Position
	value *node
}

// manyFields is from where an index is worth its memory.
const manyFields = 16

// size is how many bytes of text a node has itself.
func (n *node) size() int {
	size := 0
	switch text := n.scalar.(type) {
	case string:
		size = len(text)
	case json.Number:
		size = len(text)
	}
	for _, f := range n.fields {
		size += len(f.name)
	}
	return size
}

func newMapping(at Position, fields ...field) *node {
	n := &node{at: at, kind: mappingNode, fields: fields}
	if len(fields) > manyFields {
		n.byName = make(map[string]int, len(fields))
		for i, f := range fields {
			n.byName[f.name] = i
		}
	}
	return n
}

func newSequence(at Position, items ...*node) *node {
	return &node{at: at, kind: sequenceNode, items: items}
}

func newScalar(at Position, value any) *node { return &node{at: at, scalar: value} }

// field finds a key of a mapping; of anything else there is none.
func (n *node) field(name string) (field, bool) {
	if n == nil {
		return field{}, false
	}
	if n.byName != nil {
		i, ok := n.byName[name]
		if !ok {
			return field{}, false
		}
		return n.fields[i], true
	}
	i := slices.IndexFunc(n.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return n.fields[i], true
}

// get is the value of a key, or nil.
func (n *node) get(name string) *node {
	f, _ := n.field(name)
	return f.value
}

// text is the value of a key that is a string, or "".
func (n *node) text(name string) string { return n.get(name).string() }

func (n *node) string() string {
	if n == nil {
		return ""
	}
	s, _ := n.scalar.(string)
	return s
}

func (n *node) isTrue() bool { return n != nil && n.scalar == true }

func (n *node) isMapping() bool  { return n != nil && n.kind == mappingNode }
func (n *node) isSequence() bool { return n != nil && n.kind == sequenceNode }

// with is the mapping with fields added, or replaced in their place.
func (n *node) with(fields ...field) *node {
	all := slices.Clone(n.fields)
	for _, f := range fields {
		if i := slices.IndexFunc(all, func(old field) bool { return old.name == f.name }); i >= 0 {
			all[i] = f
		} else {
			all = append(all, f)
		}
	}
	return newMapping(n.at, all...)
}

// without is the mapping without some keys.
func (n *node) without(names ...string) *node {
	var kept []field
	for _, f := range n.fields {
		if !slices.Contains(names, f.name) {
			kept = append(kept, f)
		}
	}
	return newMapping(n.at, kept...)
}

// only is the fields of a mapping that are named, and the extensions.
func (n *node) only(names ...string) []field {
	var kept []field
	for _, f := range n.fields {
		if slices.Contains(names, f.name) || isExtension(f.name) {
			kept = append(kept, f)
		}
	}
	return kept
}

// value is the node as encoding/json would have read it, numbers as they were written.
func (n *node) value() any {
	switch n.kind {
	case mappingNode:
		m := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			m[f.name] = f.value.value()
		}
		return m
	case sequenceNode:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.value()
		}
		return list
	}
	return n.scalar
}

// same reports whether two nodes are equal, whatever the order of keys.
func same(a, b *node) bool {
	one, err := json.Marshal(a.value())
	if err != nil {
		return false
	}
	two, err := json.Marshal(b.value())
	return err == nil && bytes.Equal(one, two)
}
