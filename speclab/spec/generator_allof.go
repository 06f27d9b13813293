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
	if len(beside.fields) == 0 && mergeable(flat) {
		return n.without("default")
	}
	return merge(n, flat)
}

// flatten lists the schemas of an allOf, those of nested ones included.
func (g *generator) flatten(members, seen []*node) []*node {
	var flat []*node
	for _, m := range members {
		actual := g.dereference(m)
		if actual == nil || !actual.isMapping() || slices.Contains(seen, actual) || len(seen) > 50 {
			continue
		}
		if nested := actual.get("allOf"); nested != nil {
			flat = append(flat, g.flatten(nested.items, append(slices.Clone(seen), actual))...)
			actual = actual.without("allOf")
		}
		flat = append(flat, actual)
	}
	return flat
}

// mergeable reports whether the generator merges schemas.
func mergeable(flat []*node) bool {
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

// merge makes one schema of several that apply together.
func merge(n *node, flat []*node) *node {
	m := merger{index: make(map[string]int)}
	kind := ""
	for _, schema := range flat {
		if k := schema.kindOf(); k != "" && kind != "" && k != kind && len(m.properties) == 0 {
			return anySchema(n)
		} else if kind == "" {
			kind = k
		}
		m.add(schema)
	}
	if len(m.properties) > 0 {
		if kind == "" {
			m.set(field{"type", n.at, newScalar(n.at, "object")})
		}
		m.fields = append(m.fields, field{"properties", n.at, newMapping(n.at, m.properties...)})
	}
	if required := distinct(newSequence(n.at, m.required...)); len(required.items) > 0 {
		m.fields = append(m.fields, field{"required", n.at, required})
	}
	return newMapping(n.at, append(n.only("title", "description", "deprecated"), m.fields...)...)
}

// merger gathers the fields of schemas that apply together. Of one keyword the first counts, of one property the last.
type merger struct {
	fields, properties []field
	index              map[string]int // of the properties, by name
	required           []*node
}

func (m *merger) add(schema *node) {
	for _, f := range schema.fields {
		switch {
		case f.name == "properties" && f.value.isMapping():
			for _, p := range f.value.fields {
				if i, again := m.index[p.name]; again {
					m.properties[i] = p
					continue
				}
				m.index[p.name] = len(m.properties)
				m.properties = append(m.properties, p)
			}
		case f.name == "required":
			m.required = append(m.required, f.value.items...)
		case f.name == "default", f.name == "title", f.name == "description", f.name == "discriminator",
			isExtension(f.name):
		default:
			m.set(f)
		}
	}
}

func (m *merger) set(f field) {
	if !slices.ContainsFunc(m.fields, func(o field) bool { return o.name == f.name }) {
		m.fields = append(m.fields, f)
	}
}
