package spec

import (
	"fmt"
	"slices"
)

// inPlace are the keywords whose schemas apply to the same value as the schema that has the keyword.
var inPlace = []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}

// refuseCycles refuses schemas that are a part of themselves for one value, through allOf and the like: validation by
// them would never end. A schema may be that of its own properties or items.
func (b *bundler) refuseCycles() {
	state := make(map[*component]int) // 1 on the way, 2 done
	for _, c := range b.order {
		b.refuseCycle(c, state)
	}
}

func (b *bundler) refuseCycle(c *component, state map[*component]int) {
	if c.shape != schemaShape || state[c] == 2 {
		return
	}
	if state[c] == 1 {
		at := c.at
		if at == (Position{}) {
			at = c.raw.at
		}
		b.problem(at, fmt.Sprintf("the schema %q leads only to itself", c.preferred),
			"let a property or an item lie between, or say what is meant")
		return
	}
	state[c] = 1
	for _, next := range schemasOfSameValue(c.node, nil) {
		b.refuseCycle(next, state)
	}
	state[c] = 2
}

// schemasOfSameValue are the components that apply to the same value as a schema.
func schemasOfSameValue(n *node, found []*component) []*component {
	if n == nil {
		return found
	}
	if ref := n.get("$ref"); ref != nil {
		if c, ok := ref.scalar.(*component); ok {
			found = append(found, c)
		}
	}
	for _, f := range n.fields {
		if slices.Contains(inPlace, f.name) {
			for _, member := range items(f.value) {
				found = schemasOfSameValue(member, found)
			}
		}
	}
	return found
}

// limitSize refuses what would become too large for a library that inlines references.
func (b *bundler) limitSize(at Position) {
	if len(b.order) > maxComponents {
		b.problem(at, fmt.Sprintf("the spec has more than %d components", maxComponents),
			"split it: each part can be served on its own")
		return
	}
	w := &sizes{done: make(map[*component]int), within: make(map[*component]bool)}
	for _, c := range b.order {
		if w.component(c) >= maxWrittenOut {
			b.problem(c.raw.at,
				fmt.Sprintf("written out, %q would hold more than %d values", c.preferred, maxWrittenOut),
				"refer to fewer schemas that refer to others in their turn")
			return
		}
	}
}

// sizes count the values that there are when references are inlined; one that leads back counts nothing.
type sizes struct {
	done   map[*component]int
	within map[*component]bool
}

func (w *sizes) component(c *component) int {
	if weight, known := w.done[c]; known || w.within[c] {
		return weight
	}
	w.within[c] = true
	weight := w.node(c.node)
	w.within[c] = false
	w.done[c] = weight
	return weight
}

func (w *sizes) node(n *node) int {
	if n == nil {
		return 0
	}
	if c, ok := n.scalar.(*component); ok {
		return w.component(c)
	}
	weight := 1
	for _, f := range n.fields {
		weight = min(weight+w.node(f.value), maxWrittenOut)
	}
	for _, item := range n.items {
		weight = min(weight+w.node(item), maxWrittenOut)
	}
	return weight
}
