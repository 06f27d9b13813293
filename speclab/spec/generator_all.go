package spec

import "slices"

// allOf writes the members of an allOf as one schema where the generator cannot: it refuses members whose types,
// formats or defaults differ.
func (g *generator) allOf(n *node) *node {
	all, ok := n.field("allOf")
	if !ok {
		return n
	}
	beside := n.without("allOf", "description", "title", "deprecated", "x-go-name", "x-go-type-skip-optional-pointer",
		"readOnly", "writeOnly", "default", "allowEmptyValue")
	members := all.value.items
	if len(members) == 1 && len(beside.fields) == 0 {
		return n.without("default")
	}
	flat := g.flatten(newSequence(all.at, append(slices.Clone(members), beside)...).items, nil)
	if len(beside.fields) == 0 && fitTogether(flat) {
		return n.without("default")
	}
	return merge(n, flat)
}

// flatten is all the schemas that hold at once.
func (g *generator) flatten(members, seen []*node) []*node {
	var flat []*node
	for _, m := range members {
		behind := g.behind(m)
		if behind == nil || !behind.isMapping() || slices.Contains(seen, behind) || len(seen) > 50 {
			continue
		}
		if nested := behind.get("allOf"); nested != nil {
			flat = append(flat, g.flatten(nested.items, append(slices.Clone(seen), behind))...)
			behind = behind.without("allOf")
		}
		flat = append(flat, behind)
	}
	return flat
}

// fitTogether tells whether the generator will merge schemas.
func fitTogether(flat []*node) bool {
	for i, m := range flat {
		if m.get("default") != nil || m.get("discriminator") != nil || m.get("not") != nil || m.get("enum") != nil ||
			m.get("patternProperties") != nil {
			return false
		}
		if t := m.get("type"); t.isSequence() || i > 0 && m.kindOf() != flat[0].kindOf() && m.kindOf() != "" &&
			flat[0].kindOf() != "" {
			return false
		}
		for _, name := range []string{"format", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum", "readOnly",
			"writeOnly", "allowEmptyValue", "additionalProperties"} {
			one, two := flat[0].get(name), m.get(name)
			if (one == nil) != (two == nil) && name != "additionalProperties" || one != nil && two != nil &&
				(one.kind != scalarNode || two.kind != scalarNode || one.scalar != two.scalar) {
				return false
			}
		}
	}
	return true
}

// merge is one schema that says what several say together.
func merge(n *node, flat []*node) *node {
	var fields, properties []field
	known := make(map[string]int) // the properties, by name
	required := newSequence(n.at)
	kind := ""
	set := func(f field) {
		if !slices.ContainsFunc(fields, func(o field) bool { return o.name == f.name }) {
			fields = append(fields, f)
		}
	}
	for _, m := range flat {
		if k := m.kindOf(); k != "" && kind != "" && k != kind && len(properties) == 0 {
			return anything(n)
		} else if kind == "" {
			kind = k
		}
		for _, f := range m.fields {
			switch {
			case f.name == "properties" && f.value.isMapping():
				for _, p := range f.value.fields {
					if i, again := known[p.name]; again {
						properties[i] = p
						continue
					}
					known[p.name] = len(properties)
					properties = append(properties, p)
				}
			case f.name == "required":
				required.items = append(required.items, f.value.items...)
			case f.name == "default", f.name == "title", f.name == "description", f.name == "discriminator",
				isExtension(f.name):
			default:
				set(f)
			}
		}
	}
	if len(properties) > 0 {
		if kind == "" {
			set(field{"type", n.at, newScalar(n.at, "object")})
		}
		fields = append(fields, field{"properties", n.at, newMapping(n.at, properties...)})
	}
	if required = distinct(required); len(required.items) > 0 {
		fields = append(fields, field{"required", n.at, required})
	}
	return newMapping(n.at, append(n.only("title", "description", "deprecated"), fields...)...)
}

// recursiveFields finds the required properties through which a schema holds itself: Go has no such struct.
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
	if n = r.g.behind(n); n == nil || !n.isMapping() {
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
	for n := r.g.behind(first); n.kindOf() == "array" && !seen[n]; {
		seen[n] = true
		list := n.get("items")
		if n = r.g.behind(list); seen[n] {
			r.found[list] = true
		}
	}
}
