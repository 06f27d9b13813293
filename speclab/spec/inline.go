package spec

import "strconv"

// claimInline takes the names of the types that the generator makes inside a component's schema: S0 of the first inline
// member of a union S, and UserStatus of an enum in User's property status. at is the way to the schema, as the
// generator joins it.
func (n names) claimInline(schema *node, at string, inner bool, depth int) {
	if !schema.isMapping() || schema.get("$ref") != nil || depth > maxDepth {
		return
	}
	if inner && (schema.get("enum") != nil || schema.get("const") != nil) && schema.kindOf() != "array" {
		n[bare(at)] = true
	}
	if properties := schema.get("properties"); properties.isMapping() {
		for _, f := range properties.fields {
			n.claimInline(f.value, at+f.name, true, depth+1)
		}
	}
	for _, name := range []string{"items", "additionalProperties"} {
		n.claimInline(schema.get(name), at, inner, depth+1)
	}
	if all := schema.get("allOf"); all.isSequence() {
		for _, m := range all.items {
			n.claimInline(m, at, inner, depth+1)
		}
	}
	for _, name := range []string{"oneOf", "anyOf"} {
		n.claimUnion(schema.get(name), at, inner, depth)
	}
}

// claimUnion counts the members as they stand in the generator's form: see unionWithoutNull.
func (n names) claimUnion(union *node, at string, inner bool, depth int) {
	if !union.isSequence() {
		return
	}
	var kept []*node
	seen := make(map[int]bool)
	for _, m := range union.items {
		if ref := m.get("$ref"); ref != nil {
			if c, ok := ref.scalar.(*component); ok {
				if seen[c.class] {
					continue
				}
				seen[c.class] = true
			}
		}
		if m.text("type") != "null" {
			kept = append(kept, m)
		}
	}
	if len(kept) == 1 {
		n.claimInline(kept[0], at, inner, depth+1)
		return
	}
	for i, m := range kept {
		if m.isMapping() && m.get("$ref") == nil {
			name := at + strconv.Itoa(i)
			n[bare(name)] = true
			n.claimInline(m, name, true, depth+1)
		}
	}
}
