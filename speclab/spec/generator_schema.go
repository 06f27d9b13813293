package spec

import (
	"slices"
	"strings"
)

// withoutGoType are keywords that only matter for validation.
var withoutGoType = []string{"if", "then", "else", "not", "contains", "minContains", "maxContains", "propertyNames",
	"dependentSchemas", "dependentRequired",
	"prefixItems", "unevaluatedItems", "unevaluatedProperties", "$defs", "$comment", "contentSchema",
	"contentMediaType", "contentEncoding",
	"patternProperties", "externalDocs", "xml", "example", "examples"}

// schema reduces a schema to what a Go type can say.
func (g *generator) schema(n *node) *node {
	g.depth++
	defer func() { g.depth-- }()
	if !n.isMapping() {
		return newMapping(n.at)
	}
	if n.text("$ref") != "" || g.depth > maxDepth {
		return n
	}
	n = unionWithoutNull(mapOfPattern(n)).without(withoutGoType...)
	if n = g.oneType(n); len(n.fields) == 0 {
		return n
	}
	if list, ok := n.field("items"); ok && g.recursive[list.value] {
		n = n.with(field{"items", list.at, newMapping(list.at)})
	}
	n = g.enum(g.format(g.allOf(n)))
	n = g.properties(n)
	fresh := g.object(schemaShape, n)
	if more, ok := n.field("additionalProperties"); ok && more.value.kind == scalarNode {
		fresh = fresh.with(more)
	}
	return g.union(fresh)
}

// mapOfPattern: properties named by one pattern make a map in Go.
func mapOfPattern(n *node) *node {
	patterns := n.get("patternProperties")
	if patterns == nil || len(patterns.fields) != 1 || n.get("properties") != nil {
		return n
	}
	if more := n.get("additionalProperties"); more != nil && (more.kind != scalarNode || more.scalar == true) {
		return n
	}
	f := patterns.fields[0]
	return n.with(field{"additionalProperties", f.at, f.value})
}

// unionWithoutNull: one schema or null is that schema, and a union of one is it too. A member that stands there twice
// counts once.
func unionWithoutNull(n *node) *node {
	for _, name := range []string{"anyOf", "oneOf"} {
		members, ok := n.field(name)
		if !ok {
			continue
		}
		kept, seen := newSequence(members.at), make(map[string]bool)
		for _, m := range members.value.items {
			ref := m.text("$ref")
			if m.text("type") != "null" && (ref == "" || !seen[ref]) {
				seen[ref] = true
				kept.items = append(kept.items, m)
			}
		}
		switch {
		case len(kept.items) == len(members.value.items) && len(kept.items) > 1:
		case len(kept.items) == 0:
			n = n.without(name)
		case len(kept.items) == 1 && n.get("allOf") == nil:
			n = n.without(name).with(field{"allOf", members.at, kept})
		default:
			n = n.with(field{name, members.at, kept})
		}
	}
	return n
}

// anySchema is a schema that allows anything, with the description of another: its Go type is any.
func anySchema(n *node) *node { return newMapping(n.at, n.only("description", "deprecated")...) }

// oneType gives a schema one type beside null, or none.
func (g *generator) oneType(n *node) *node {
	t, ok := n.field("type")
	if !ok {
		return n
	}
	var kinds []string
	null := false
	for _, item := range items(t.value) {
		if item.string() == "null" {
			null = true
		} else {
			kinds = append(kinds, item.string())
		}
	}
	if len(kinds) == 2 && slices.Contains(kinds, "integer") && slices.Contains(kinds, "number") {
		if !null {
			return n.with(field{"type", t.at, newScalar(t.at, "number")})
		}
		return n.with(field{"type", t.at, newSequence(t.at, newScalar(t.at, "number"), newScalar(t.at, "null"))})
	}
	if len(kinds) != 1 {
		return anySchema(n)
	}
	return n
}

func (n *node) kindOf() string {
	t := n.get("type")
	if t == nil {
		return ""
	}
	for _, item := range items(t) {
		if item.string() != "null" {
			return item.string()
		}
	}
	return ""
}

// formats are those that the generator knows of numbers; of others it makes no type.
var formats = map[string][]string{"integer": {"int64", "int32", "int16", "int8", "int", "uint64", "uint32", "uint16",
	"uint8", "uint"},
	"number": {"double", "float"}}

func (g *generator) format(n *node) *node {
	format := n.text("format")
	kind := n.kindOf()
	if format == "" || kind == "string" || slices.Contains(formats[kind], format) {
		return n
	}
	return n.without("format")
}

// enum keeps the values that can be constants in Go.
func (g *generator) enum(n *node) *node {
	fits := func(list []*node) bool {
		switch n.kindOf() {
		case "string":
			return textsOnly(list) && !slices.ContainsFunc(list,
				func(n *node) bool { return strings.ContainsAny(n.string(), "\"`\\\n\r\t") })
		case "integer":
			return wholeNumbers(list)
		}
		return false
	}
	if enum, ok := n.field("enum"); ok {
		kept := newSequence(enum.at)
		for _, item := range enum.value.items {
			if item.kind != scalarNode || item.scalar != nil {
				kept.items = append(kept.items, item)
			}
		}
		if len(kept.items) == 0 || !fits(kept.items) {
			n = n.without("enum", "x-enum-varnames", "x-enumNames")
		} else {
			n = n.with(field{"enum", enum.at, kept})
		}
	}
	if value, ok := n.field("const"); ok && !fits([]*node{value.value}) {
		n = n.without("const")
	}
	return n
}

// properties gives fields that would have one name in Go different ones, and makes those optional, so pointers, that
// contain the type that they are in.
func (g *generator) properties(n *node) *node {
	properties, ok := n.field("properties")
	if !ok || !properties.value.isMapping() {
		return n
	}
	used := names{folded("AdditionalProperties"): n.get("additionalProperties") != nil}
	fields := slices.Clone(properties.value.fields)
	required := n.get("required")
	for i, f := range fields {
		if g.recursive[f.value] && required != nil {
			required = newSequence(required.at,
				slices.DeleteFunc(slices.Clone(required.items), func(r *node) bool { return r.string() == f.name })...)
		}
		if f.value.get("x-go-name") != nil {
			used.choose(f.value.text("x-go-name"))
			continue
		}
		wish := goWord(f.name)
		if mine := used.choose(wish); mine != wish || folded(f.name) == "" {
			fields[i].value = goNamed(f, mine)
		}
	}
	n = n.with(field{"properties", properties.at, newMapping(properties.value.at, fields...)})
	if required == nil {
		return n
	}
	if len(required.items) == 0 {
		return n.without("required")
	}
	return n.with(field{"required", required.at, required})
}

// goNamed gives a property another name in Go. A reference cannot have it, so it is put around the reference.
func goNamed(f field, name string) *node {
	says := field{"x-go-name", f.at, newScalar(f.at, name)}
	switch {
	case f.value.text("$ref") != "":
		return newMapping(f.at, field{"allOf", f.at, newSequence(f.at, f.value)}, says)
	case f.value.isMapping():
		return f.value.with(says)
	}
	return newMapping(f.at, says)
}

// union: members that are any make the whole any, and a discriminator needs members that are references. The members of
// two unions, and a list and the constants in it, would have one name.
func (g *generator) union(n *node) *node {
	if n.get("oneOf") != nil {
		n = n.without("anyOf")
	}
	discriminator := n.get("discriminator")
	for _, name := range []string{"oneOf", "anyOf"} {
		members := n.get(name)
		if members == nil {
			continue
		}
		inline := slices.ContainsFunc(members.items, func(m *node) bool { return m.text("$ref") == "" })
		if discriminator != nil && inline {
			n = n.without("discriminator")
		}
		if slices.ContainsFunc(members.items, func(m *node) bool { return !m.isMapping() }) {
			return anySchema(n)
		}
		for i, m := range members.items { // of this form, so nobody else's
			if list, ok := m.field("items"); ok && list.value.get("enum") != nil {
				members.items[i] = m.with(field{"items", list.at, plainSchema(list.value)})
			}
		}
	}
	if discriminator != nil && n.get("oneOf") == nil && n.get("anyOf") == nil {
		n = n.without("discriminator")
	}
	return n
}
