package spec

import "slices"

// recursiveFields finds the required properties through which a schema contains itself: Go has no such struct.
func recursiveFields(doc *node) map[*node]bool {
	r := &recursion{g: &generator{doc: doc}, found: make(map[*node]bool), state: make(map[*node]int)}
	if schemas := doc.get("components").get("schemas"); schemas != nil {
		for _, f := range schemas.fields {
			r.visit(f.value, nil)
			r.visitArray(f.value)
		}
	}
	return r.found
}

type recursion struct {
	g     *generator
	found map[*node]bool
	state map[*node]int // 1 on the way, 2 done
}

// visit follows what a Go struct holds by value. by is the property that led here.
func (r *recursion) visit(n, by *node) {
	if n = r.g.dereference(n); n == nil || !n.isMapping() {
		return
	}
	switch r.state[n] {
	case 1:
		if by != nil {
			r.found[by] = true
		}
		return
	case 2:
		return
	}
	r.state[n] = 1
	if all := n.get("allOf"); all != nil {
		for _, m := range all.items {
			r.visit(m, by)
		}
	}
	required := texts(n.get("required"))
	if properties := n.get("properties"); properties.isMapping() {
		for _, f := range properties.fields {
			if slices.Contains(required, f.name) {
				r.visit(f.value, f.value)
			}
		}
	}
	r.state[n] = 2
}

// visitArray follows arrays of arrays, which Go has no recursive ones of: they are other names and no types of their
// own.
func (r *recursion) visitArray(first *node) {
	seen := map[*node]bool{}
	for n := r.g.dereference(first); n.kindOf() == "array" && !seen[n]; {
		seen[n] = true
		list := n.get("items")
		if n = r.g.dereference(list); seen[n] {
			r.found[list] = true
		}
	}
}
